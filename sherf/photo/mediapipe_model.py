"""Inference of the shipped TensorFlow Lite models with ai-edge-litert."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

import numpy as np
from jaxtyping import Float

from sherf.errors import MissingAsset
from sherf.files.assets import asset_path
from sherf.threads import available_cores

NUM_THREADS = min(2, len(available_cores()))


class TfliteModel:
    """One loaded model; safe to call from several threads, which run one after another."""

    def __init__(self, asset: str) -> None:
        """Load a shipped model.

        Args:
            asset: the file's path below checkpoints/.

        Raises:
            MissingAsset: the file is missing or damaged, or ai-edge-litert cannot be imported.
        """
        path = asset_path(asset)
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingAsset(
                f"person detection needs ai-edge-litert, which cannot be imported ({error}).\n"
                "Install it: pip install ai-edge-litert==2.3.0"
            ) from error
        with _quiet_native_log():
            self._interpreter = Interpreter(str(path), num_threads=NUM_THREADS)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._lock = Lock()

    def run(self, pixels: Float[np.ndarray, "1 h w 3"]) -> list[np.ndarray]:
        """Run the model on one image with values in the model's own range, and return all outputs in its order."""
        with self._lock:
            self._interpreter.set_tensor(self._input, pixels)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._outputs]


@contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Discard what the native library logs about its delegate: it has no setting for that."""
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@cache
def load_model(asset: str) -> TfliteModel:
    """Return a shipped model, loaded once per process.

    Raises:
        MissingAsset: the file is missing or damaged, or ai-edge-litert cannot be imported.
    """
    return TfliteModel(asset)
