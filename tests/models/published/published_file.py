"""Write snapshots like the published training code, without it: with classes of the same names."""

import enum
import pickle
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import scipy.sparse
import torch
import torchvision
from stand_in import published_shapes
from torch import Tensor, nn

from sherf.models.config import SherfConfig

TINY = SherfConfig(
    encoder_width=4,
    plane_resolution=8,
    synthesis_base=32,
    synthesis_most=8,
    volume_channels=(4, 4, 4),
    token_width=4,
    head_width=2,
    decoder_width=8,
)
LISTED = Path(__file__).parents[2] / "golden" / "published_tensors.txt"
UNUSED = {
    "superresolution.block0.conv0.weight": (2, 3),
    "backbone.mapping.w_avg": (4,),
    "encoder_2d.backbone.fc.bias": (5,),
}
"""Tensors of the published network that ours does not have."""
SOURCE = "raise SystemExit('the source in a snapshot was run')"


def tiny_tensors(seed: int = 0) -> dict[str, Tensor]:
    """Tensors by published name: all that a tiny network needs, and some unused ones."""
    random = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=random) for name, shape in {**_tiny_shapes(), **UNUSED}.items()}


@cache
def _tiny_shapes() -> dict[str, tuple[int, ...]]:
    return published_shapes(TINY)


def full_tensors() -> dict[str, Tensor]:
    """Random stand-ins for all tensors of the published network."""
    random, tensors = torch.Generator().manual_seed(0), {}
    for line in LISTED.read_text().splitlines()[1:]:
        name, shape, dtype, _ = line.split("\t")
        sizes = tuple(int(n) for n in shape.strip("()").split(",") if n)
        tensors[name] = torch.randn(sizes, generator=random).to(getattr(torch, dtype))
    return tensors


class Published:
    """The classes that a snapshot refers to, importable under their published names."""

    def __init__(self) -> None:
        def reconstruct(meta: dict) -> None:
            raise AssertionError("an object of a snapshot was created")

        self.reconstruct = self._named("torch_utils.persistence", "_reconstruct_persistent_obj", reconstruct)
        self.EasyDict = self._class("dnnlib.util", "EasyDict", dict)
        self.Algorithm = self._named("spconv.core", "ConvAlgo", enum.Enum("ConvAlgo", {"Native": 0}))
        self.Chumpy = self._class("chumpy.ch", "Ch", object)
        self.Renderer = self._class("training.volumetric_rendering.renderer", "ImportanceRenderer", nn.Module)
        self.Sparse = self._class("training.volumetric_rendering.renderer", "SparseConvNet", nn.Module)
        self.Convolution = self._class("spconv.pytorch.conv", "SubMConv3d", nn.Module)
        self.Generator = self._persistent("training.triplane", "TriPlaneGenerator")
        self.Synthesis = self._persistent("training.networks_stylegan2", "SynthesisNetwork")

    def module_class(self, path: str) -> type[nn.Module]:
        """The class that the published network has at a path."""
        if path.startswith("renderer.encoder_3d."):
            return self.Convolution if path.endswith((".0", ".3", ".6")) else nn.BatchNorm1d
        if path.startswith(("backbone", "superresolution")):
            return self.Synthesis
        return {"": self.Generator, "renderer": self.Renderer, "renderer.encoder_3d": self.Sparse}.get(
            path, nn.Sequential
        )

    def _persistent(self, module: str, name: str) -> type:
        """A class pickled with its source code, as torch_utils.persistence does."""

        def reduce(instance: nn.Module) -> tuple:
            state = {**instance.__dict__, "_init_args": (), "_init_kwargs": self.EasyDict(depth=2)}
            meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": name, "state": state}
            return self.reconstruct, (meta,), None, None, None

        return self._class(module, name, nn.Module, {"__reduce__": reduce})

    def _class(self, module: str, name: str, base: type, members: Mapping[str, Any] | None = None) -> type:
        return self._named(module, name, type(name, (base,), dict(members or {})))

    def _named(self, module: str, name: str, value: Any) -> Any:
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:end]), ModuleType(parts[end - 1]))
        value.__module__, value.__qualname__, value.__name__ = module, name, name
        setattr(sys.modules[module], name, value)
        return value


@contextmanager
def published_classes() -> Iterator[Published]:
    """Make the published program's classes importable, and remove them afterwards."""
    before = set(sys.modules)
    try:
        yield Published()
    finally:
        for name in set(sys.modules) - before:
            if name.split(".")[0] in ("torch_utils", "dnnlib", "spconv", "chumpy", "training"):
                del sys.modules[name]


def build(published: Published, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Build a tree of modules that contains the tensors under their names."""

    def new(path: str) -> nn.Module:
        cls = published.module_class(path)
        module = cls.__new__(cls)
        nn.Module.__init__(module)
        return module

    root = new("")
    for name, tensor in tensors.items():
        module, *parts = root, *name.split(".")
        for depth, part in enumerate(parts[:-1], start=1):
            if part not in module._modules:
                module._modules[part] = new(".".join(parts[:depth]))
            module = module._modules[part]
        is_buffer = not tensor.is_floating_point() or parts[-1].startswith("running_")
        held = tensor if is_buffer else nn.Parameter(tensor, requires_grad=False)
        (module._buffers if is_buffer else module._parameters)[parts[-1]] = held
    root._parameters["absent"] = None
    renderer = root._modules.get("renderer", root)
    renderer.algorithm, renderer.activation = published.Algorithm.Native, torch.nn.functional.relu
    renderer.SMPL_NEUTRAL = {
        "v_template": np.ones((4, 3)),
        "f": torch.ones(2, 3, dtype=torch.int32),
        "J_regressor": scipy.sparse.csc_matrix(np.eye(3)),
        "shapedirs": published.Chumpy(),
        "scale": np.float64(2.0),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "size": torch.Size([2]),
        "slice": slice(1, 2),
        "names": {"a", "b"},
        "fixed": frozenset({1}),
    }
    renderer.resnet = torchvision.models.resnet.BasicBlock(2, 2)  # an attribute, and a submodule of the published kind
    del renderer._modules["resnet"]
    return root


def snapshot(
    tensors: Mapping[str, Tensor],
    average: Mapping[str, Tensor] | None = None,
    *,
    protocol: int = 4,
    storages: Literal["legacy", "zip"] = "legacy",
    device: str = "cpu",
    whole: Literal["pickle", "zip", "legacy"] = "pickle",
) -> bytes:
    """Return a snapshot's bytes.

    Args:
        tensors: G's tensors.
        average: G_ema's tensors; None: G's.
        protocol: of pickle.
        storages: the layout of the archives inside.
        device: the device that the storages name.
        whole: how the file itself is written: by pickle, or by torch.save in one of its layouts.
    """
    with published_classes() as published, pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda _: device)
        if storages == "zip":
            patch.setattr(torch.storage.TypedStorage, "__reduce__", _reduce_as_zip)
        content = {
            "training_set_kwargs": published.EasyDict(class_name="training.dataset", use_labels=True),
            "G": build(published, tensors),
            "D": build(published, {"b4.fc.weight": torch.ones(2, 2)}),
            "G_ema": build(published, tensors if average is None else average),
            "augment_pipe": None,
        }
        if whole == "pickle":
            return pickle.dumps(content, protocol)
        written = BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Couldn't retrieve source code")
            torch.save(content, written, _use_new_zipfile_serialization=whole == "zip")
        return written.getvalue()


def _reduce_as_zip(storage: Any) -> tuple:
    written = BytesIO()
    torch.save(storage, written, _use_new_zipfile_serialization=True)
    return torch.storage._load_from_bytes, (written.getvalue(),)
