"""Benchmarks by name, as `sherf benchmark` runs them: the model is loaded, then scored."""

from typing import Any

from sherf.api.encoders import load_encoder
from sherf.benchmark.options import BenchmarkOptions
from sherf.benchmark.run_benchmark import run_benchmark
from sherf.datasets.open_data import DataName
from sherf.render.devices import choose_backend


def score_model(name: DataName, options: BenchmarkOptions) -> tuple[dict[str, Any], str]:
    """Score a model on a data set; a run that was interrupted is resumed.

    Args:
        name: the data set.
        options: what to score, and where the results go.

    Returns:
        What results.json holds, and the table to print.

    Raises:
        BadInput: the folder does not hold this data set, the model cannot be loaded, or the output folder holds a
            different run.
        MissingAsset: the model or the body model is not installed, or there is no CUDA device.
        OutputError: the output folder cannot be written, or another run uses it.
    """
    backend = choose_backend(options.device)
    return run_benchmark(name, options, load_encoder(options.model, backend, options.personalise), backend)
