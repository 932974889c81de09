"""A GPU for machines that have none: tensors that hold their data on the CPU and say that they lie on `cuda:0`.

Inside `simulated_gpu()`, `torch.cuda.is_available()` is true and `tensor.to("cuda")` returns a `SimulatedTensor`. Every
operation on one runs on the CPU, after the checks that a real device would make:

- all tensors lie on one device (0-dimensional ones aside);
- CUDA has a kernel for the operation and these types (`NO_CUDA_KERNEL`);
- data leaves the device only by `.cpu()`, not by `.numpy()`.

Operations that make the CPU wait for the device are counted by name (`Device.synchronisations`). nerfacc's and
PyTorch3D's compiled functions are replaced by twins that check what their C++ code checks.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import nerfacc
import pytorch3d.ops.knn
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from sherf.render.nerfacc_kernels import compiled_kernels
from sherf.render.open3d_surface import as_open3d, mesh_scene

CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")
PYTORCH3D_MODULES = (pytorch3d, pytorch3d.ops.knn, import_module("pytorch3d.renderer.mesh.rasterize_meshes"))
"""Where PyTorch3D's compiled module is known by name."""

INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
EVERYTHING = (*INTEGERS, torch.float32, torch.float64)
WITHOUT_BYTE = INTEGERS[:1] + INTEGERS[2:]

BLAS = "aten/src/ATen/native/cuda/Blas.cpp: AT_DISPATCH_FLOATING_AND_COMPLEX_TYPES_AND2"
"""cuBLAS multiplies floating-point matrices only: '"addmm_cuda" not implemented for 'Long''."""

NO_CUDA_KERNEL: dict[str, tuple[tuple[torch.dtype, ...], str]] = {
    "mm": (INTEGERS, BLAS),
    "addmm": (INTEGERS, BLAS),
    "bmm": (INTEGERS, BLAS),
    "baddbmm": (INTEGERS, BLAS),
    "addbmm": (INTEGERS, BLAS),
    "mv": (INTEGERS, BLAS),
    "addmv": (INTEGERS, BLAS),
    "dot": (INTEGERS, BLAS),
    "vdot": (INTEGERS, BLAS),
    "convolution": (INTEGERS, "aten/src/ATen/native/cudnn/ConvShared.cpp: getCudnnDataType"),
    "max_pool2d_with_indices": (
        INTEGERS,
        "aten/src/ATen/native/cuda/DilatedMaxPool2d.cu: AT_DISPATCH_FLOATING_TYPES_AND2",
    ),
    "max_pool3d_with_indices": (
        INTEGERS,
        "aten/src/ATen/native/cuda/DilatedMaxPool3d.cu: AT_DISPATCH_FLOATING_TYPES_AND2",
    ),
    "avg_pool2d": (INTEGERS, "aten/src/ATen/native/cuda/AveragePool2d.cu: AT_DISPATCH_FLOATING_TYPES_AND2"),
    "avg_pool3d": (INTEGERS, "aten/src/ATen/native/cuda/AveragePool3d.cu: AT_DISPATCH_FLOATING_TYPES_AND2"),
    "upsample_bilinear2d": (INTEGERS, "aten/src/ATen/native/cuda/UpSampleBilinear2d.cu: AT_DISPATCH_FLOATING_TYPES"),
    "upsample_bicubic2d": (INTEGERS, "aten/src/ATen/native/cuda/UpSampleBicubic2d.cu: AT_DISPATCH_FLOATING_TYPES"),
    "_upsample_bilinear2d_aa": (
        INTEGERS,
        "aten/src/ATen/native/cuda/UpSampleBilinear2d.cu: AT_DISPATCH_FLOATING_TYPES",
    ),
    "upsample_nearest2d": (
        WITHOUT_BYTE,
        "aten/src/ATen/native/cuda/UpSampleNearest2d.cu: AT_DISPATCH_FLOATING_TYPES_AND3",
    ),
    "scatter_reduce": ((torch.bool,), "aten/src/ATen/native/cuda/ScatterGatherKernel.cu: AT_DISPATCH_ALL_TYPES_AND2"),
    "histogram": (EVERYTHING, "native_functions.yaml: CPU only"),
    "histogramdd": (EVERYTHING, "native_functions.yaml: CPU only"),
    "_histogramdd_bin_edges": (EVERYTHING, "native_functions.yaml: CPU only"),
}
"""Operations (of ATen, without overload) that CUDA does not compute for some types which the CPU accepts, with the
place in PyTorch's source that says so. The operations are those for which `dtypesIfCUDA` lacks a type of `dtypes` in
PyTorch's own list, torch.testing._internal.common_methods_invocations.op_db."""

WAITS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "_unique2",
    "unique_consecutive",
    "unique_dim",
    "bincount",
    "repeat_interleave",
    "equal",
    "is_nonzero",
    "histc",
}
"""Operations after which the CPU waits for the device: the size or value of the answer is known there only."""

BOTH_DEVICES = {"copy_", "_to_copy", "set_"}
"""Operations that may meet tensors of both devices."""

INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
"""Operations whose indices may lie on the CPU where the indexed tensor lies on the device: they are copied."""


@dataclass
class Device:
    """What happened on the simulated device."""

    synchronisations: Counter[str] = field(default_factory=Counter)
    """How often the CPU waited for the device, by the operation that made it wait."""
    operations: Counter[str] = field(default_factory=Counter)
    """How often each operation ran: kernel launches."""


_device = Device()


class SimulatedTensor(Tensor):
    """A tensor on the simulated device."""

    held: Tensor
    """The data, on the CPU."""

    @staticmethod
    def __new__(cls, held: Tensor) -> "SimulatedTensor":
        """Wrap a CPU tensor without copying it."""
        offset, strides = held.storage_offset(), held.stride()
        made = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=strides, storage_offset=offset, dtype=held.dtype, device=CPU
        )
        made.held = held
        return made

    # The device is that of Python alone: PyTorch's autograd engine would look for a GPU.
    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation of ATen."""
        return _run(function, args, kwargs or {})

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"SimulatedTensor({self.held!r}, device='{CUDA}')"

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], context: None, size: Any, stride: Any) -> "SimulatedTensor":
        return SimulatedTensor(inner["held"])

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """Copy or convert: `Tensor.to`."""
        return _to(self, *args, **kwargs)

    def cpu(self) -> Tensor:
        """Copy to the CPU."""
        return _to(self, CPU)

    def cuda(self, *args: Any) -> Tensor:
        """Return the tensor itself."""
        return self

    def numpy(self, *, force: bool = False) -> Any:
        """Refuse, as the device's memory is not the CPU's."""
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
            "first."
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        """Return the values, after waiting for the device."""
        _device.synchronisations["tolist"] += 1
        return self.held.tolist()

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
        """Make a tensor on the same device: `Tensor.new_tensor`."""
        made = SimulatedTensor(torch.tensor(data, dtype=dtype or self.dtype))
        return made.requires_grad_(options.get("requires_grad", False))


class _Upload(torch.autograd.Function):
    """CPU to device, differentiably."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return SimulatedTensor(x.detach().clone())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        assert isinstance(grad, SimulatedTensor)
        return grad.held.clone()


class _Download(torch.autograd.Function):
    """Device to CPU, differentiably."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        assert isinstance(x, SimulatedTensor)
        return x.held.detach().clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return SimulatedTensor(grad.clone())


def _to(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return `x.to(...)` for any form of its arguments."""
    copy = kwargs.pop("copy", False)
    other = args[0] if args and isinstance(args[0], Tensor) else kwargs.pop("other", None)
    device, dtype = (other.device, other.dtype) if other is not None else torch._C._nn._parse_to(*args, **kwargs)[:2]
    if device is not None and {device.type, x.device.type} == {"cpu", "cuda"}:
        _device.synchronisations["upload" if device.type == "cuda" else "download"] += 1
        x, copy = (_Upload if device.type == "cuda" else _Download).apply(x), False
    with torch._C.DisableTorchFunction():
        return Tensor.to(x, dtype or x.dtype, copy=copy)


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Check an operation of ATen, run it on the CPU, and return its answer on the device."""
    name = function.overloadpacket.__name__
    flat, tree = tree_flatten((args, kwargs))
    tensors = [x for x in flat if isinstance(x, Tensor)]
    _check_devices(name, args, tensors)
    _check_kernel(name, tensors)
    _device.operations[name] += 1
    if name in WAITS or (name in INDEXING and any(x is not None and x.dtype == torch.bool for x in args[1])):
        _device.synchronisations[name] += 1
    if name == "copy_" and args[0].device != args[1].device:
        _device.synchronisations["upload" if args[0].is_cuda else "download"] += 1
    plain = [CPU if isinstance(x, torch.device) else _held(x) for x in flat]
    plain_args, plain_kwargs = tree_unflatten(plain, tree)
    answer = function(*plain_args, **plain_kwargs)
    if torch.Tag.inplace_view in function.tags:  # also change the wrapper's shape
        with no_dispatch():
            function(*args, **kwargs)
    if name == "copy_" and not args[0].is_cuda:
        return args[0]
    known = {id(_held(x)): x for x in tensors}
    return tree_map(lambda x: _wrapped(x, known), answer)


def _held(x: Any) -> Any:
    return x.held if isinstance(x, SimulatedTensor) else x


def _wrapped(x: Any, known: dict[int, Tensor]) -> Any:
    """Return an answer on the device; operations that change their argument return that very object."""
    if not isinstance(x, Tensor):
        return x
    return known[id(x)] if id(x) in known else SimulatedTensor(x)


def _check_devices(name: str, args: Any, tensors: list[Tensor]) -> None:
    """Refuse tensors of two devices.

    Raises:
        RuntimeError: as PyTorch says it.
    """
    if name in BOTH_DEVICES:
        return
    if name in INDEXING:
        values = [x for x in args[2:3] if isinstance(x, Tensor)]
        indices = [x for x in args[1] if x is not None]
        if not args[0].is_cuda and any(x.is_cuda for x in indices):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        tensors = [args[0], *values]
    if any(x.is_cuda for x in tensors) and any(_is_elsewhere(x) for x in tensors):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({name})"
        )


def _is_elsewhere(x: Tensor) -> bool:
    """Return whether a tensor does not lie on the device and must.

    Zeros for missing gradients, which autograd makes where PyTorch's C++ code sees the tensor, count as there.
    """
    in_backward = torch._C._current_graph_task_id() != -1
    return not x.is_cuda and x.dim() > 0 and not (in_backward and not bool(x.any()))


def _check_kernel(name: str, tensors: list[Tensor]) -> None:
    """Refuse operations that CUDA does not compute for these types.

    Raises:
        RuntimeError: as PyTorch says it.
    """
    dtypes, source = NO_CUDA_KERNEL.get(name, ((), ""))
    for x in tensors:
        if x.dtype in dtypes:
            raise RuntimeError(f"\"{name}_cuda\" not implemented for '{x.dtype}' ({source})")


class _Moves(TorchFunctionMode):
    """Moves tensors to the device and back, differentiably."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of PyTorch."""
        kwargs = kwargs or {}
        if function is Tensor.to:
            return _to(*args, **kwargs)
        if function is Tensor.cuda:
            return _to(args[0], CUDA)
        if function is Tensor.pin_memory:
            return args[0]
        device = kwargs.get("device")
        if function in (torch.tensor, torch.as_tensor) and device is not None and torch.device(device).type == "cuda":
            return _to(function(*args, **kwargs | {"device": None}), CUDA)
        if device is not None and any(isinstance(x, SimulatedTensor) for x in args):
            made = function(*tree_map(_held, args), **kwargs | {"device": CPU})
            return made if torch.device(device).type == "cpu" else SimulatedTensor(made)
        return function(*args, **kwargs)


class _Creation(TorchDispatchMode):
    """Creates tensors on the device where `device=` says so."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation of ATen."""
        kwargs = kwargs or {}
        device = kwargs.get("device")
        # PyTorch's own code names the device of tensors on the simulated GPU: for it, that is the CPU
        if device is None or any(isinstance(x, SimulatedTensor) for x in args):
            return function(*args, **kwargs)
        generator = kwargs.get("generator")
        if generator is not None and generator.device.type != device.type:
            raise RuntimeError(
                f"Expected a '{device.type}' device type for generator but found '{generator.device.type}'"
            )
        if device.type == "cuda":
            _device.operations[function.overloadpacket.__name__] += 1
            made = function(*args, **kwargs | {"device": CPU})
            return SimulatedTensor(made)
        return function(*args, **kwargs)


def _scan(inputs: Tensor, starts: Tensor, counts: Tensor, backward: bool, inclusive: bool) -> Tensor:
    """Return sums within chunks of a flat tensor; backward: from the end. As nerfacc/cuda/csrc/scan.cu."""
    for x, dtype in ((starts, torch.int64), (counts, torch.int64), (inputs, torch.float32)):
        if not (x.is_cuda and x.is_contiguous()):
            raise RuntimeError("must be a contiguous CUDA tensor (CHECK_INPUT)")
        if x.dtype != dtype:
            raise RuntimeError(f"expected scalar type {dtype} but found {x.dtype} (data_ptr)")
        if x.dim() != 1:
            raise RuntimeError("must have one dimension (ndimension() == 1)")
    result = torch.empty_like(inputs)
    for start, count in zip(starts.held.tolist(), counts.held.tolist(), strict=True):
        x = inputs.held[start : start + count]
        x = x.flip(0) if backward else x
        total = x.cumsum(0) if inclusive else x.cumsum(0) - x
        result.held[start : start + count] = total.flip(0) if backward else total
    return result


class NerfaccKernels:
    """A twin of nerfacc's compiled module, for the functions that compositing calls."""

    @staticmethod
    def exclusive_sum(starts: Tensor, counts: Tensor, inputs: Tensor, normalize: bool, backward: bool) -> Tensor:
        """Return sums before each element within its chunk: `nerfacc::exclusive_sum`."""
        return _scan(inputs, starts, counts, backward, inclusive=False)

    @staticmethod
    def inclusive_sum(starts: Tensor, counts: Tensor, inputs: Tensor, normalize: bool, backward: bool) -> Tensor:
        """Return sums up to each element within its chunk: `nerfacc::inclusive_sum`."""
        return _scan(inputs, starts, counts, backward, inclusive=True)


class Pytorch3dKernels:
    """A twin of PyTorch3D's compiled module, for the functions that are called with tensors on the device."""

    @staticmethod
    def knn_points_idx(
        p1: Tensor, p2: Tensor, lengths1: Tensor, lengths2: Tensor, norm: int, k: int, version: int
    ) -> tuple[Tensor, Tensor]:
        """Return indices and squared distances of nearest points: `KNearestNeighborIdx` (knn.cu)."""
        _check_pytorch3d((p1, p2), (lengths1, lengths2))
        assert norm == 2 and k == 1 and len(p1) == len(p2) == 1
        distances, indices = cKDTree(p2.held[0].numpy()).query(p1.held[0].numpy())
        found = torch.from_numpy(indices)[None, :, None], torch.from_numpy(distances).float().square()[None, :, None]
        return SimulatedTensor(found[0]), SimulatedTensor(found[1])

    @staticmethod
    def point_face_dist_forward(
        points: Tensor, points_first: Tensor, triangles: Tensor, triangles_first: Tensor, most: int, min_area: float
    ) -> tuple[Tensor, Tensor]:
        """Return squared distances and indices of nearest triangles: `PointFaceDistanceForward` (point_mesh.cu)."""
        _check_pytorch3d((points, triangles), (points_first, triangles_first))
        corners = triangles.held.reshape(-1, 3)
        scene = mesh_scene(corners, torch.arange(len(corners)).reshape(-1, 3))
        found = scene.compute_closest_points(as_open3d(points.held))
        face = torch.from_numpy(found["primitive_ids"].numpy()).long()
        squared = (torch.from_numpy(found["points"].numpy()) - points.held).square().sum(dim=1)
        return SimulatedTensor(squared), SimulatedTensor(face)

    @staticmethod
    def rasterize_meshes(
        corners: Tensor, first: Tensor, count: Tensor, neighbours: Tensor, *options: Any
    ) -> tuple[Tensor, ...]:
        """Return triangle, depth, barycentric weights and distance of pixels: `RasterizeMeshes`."""
        _check_pytorch3d((corners,), (first, count, neighbours))
        assert options[1:3] == (0.0, 1), "the twin finds one triangle for each pixel, without blur"
        depth, face = _first_hits(corners.held, options[0])
        nothing = torch.zeros(1, *depth.shape, 1)
        found = face[None, ..., None], depth[None, ..., None], nothing[..., None].expand(-1, -1, -1, -1, 3), nothing
        return tuple(SimulatedTensor(x.contiguous()) for x in found)


def _first_hits(corners: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return depth and triangle at pixels' centres, -1 where there is none; corners in PyTorch3D's image plane.

    Triangles stay flat where depth is replaced by its inverse: rays along that axis find the largest one.
    """
    flat = torch.cat([corners[..., :2], 1 / corners[..., 2:]], dim=-1).reshape(-1, 3)
    scene = mesh_scene(flat, torch.arange(len(flat)).reshape(-1, 3))
    height, width = size
    ticks = ((torch.arange(n) + 0.5 - n / 2) * (-2 / min(size)) for n in (height, width))
    y, x = torch.meshgrid(*ticks, indexing="ij")
    start = float(flat[:, 2].max()) + 1
    rays = torch.stack(
        [x, y, torch.full_like(x, start), *torch.tensor([0.0, 0.0, -1.0]).expand(*size, 3).unbind(-1)], -1
    )
    hits = scene.cast_rays(as_open3d(rays))
    distance = torch.from_numpy(hits["t_hit"].numpy())
    hit = distance.isfinite()
    face = torch.from_numpy(hits["primitive_ids"].numpy().astype("int64"))
    return torch.where(hit, 1 / (start - distance), -1), torch.where(hit, face, -1)


def _check_pytorch3d(floats: tuple[Tensor, ...], indices: tuple[Tensor, ...]) -> None:
    """Check what PyTorch3D's CUDA functions check: types, one device, order in memory.

    Raises:
        RuntimeError: a tensor is of another type, not contiguous, or not on the GPU.
    """
    for x, dtype in [*((x, torch.float32) for x in floats), *((x, torch.int64) for x in indices)]:
        if not x.is_cuda:
            raise RuntimeError("all tensors must be on the GPU (checkAllSameGPU)")
        if x.dtype != dtype:
            raise RuntimeError(f"expected scalar type {dtype} but found {x.dtype} (packed_accessor)")
        if not x.is_contiguous():
            raise RuntimeError("must be contiguous (checkContiguous)")


class _CpuAutocast(torch.autocast):
    """`torch.autocast("cuda")` on the CPU, where the data lies."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any):
        """Replace the device."""
        super().__init__("cpu", *args, **kwargs)


def _wait(*args: Any) -> None:
    _device.synchronisations["synchronize"] += 1


CUDA_FUNCTIONS: dict[str, Any] = {
    "_lazy_init": lambda: None,
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": lambda device: None,
    "synchronize": _wait,
    "empty_cache": lambda: None,
    "is_current_stream_capturing": lambda: False,
    "is_bf16_supported": lambda *args: True,
    "get_device_name": lambda *args: "simulated GPU",
    "get_device_capability": lambda *args: (8, 0),
    "get_device_properties": lambda *args: SimpleNamespace(total_memory=2**34, name="simulated GPU", major=8, minor=0),
    "max_memory_allocated": lambda *args: 0,
    "reset_peak_memory_stats": lambda *args: None,
    "manual_seed_all": lambda seed: None,
    "get_rng_state_all": lambda: [],
}
"""What `torch.cuda` answers."""


@contextmanager
def simulated_gpu() -> Iterator[Device]:
    """Give this thread a GPU.

    Yields:
        What happens on it.
    """
    _device.synchronisations.clear()
    _device.operations.clear()
    with ExitStack() as stack:
        for name, answer in CUDA_FUNCTIONS.items():
            stack.enter_context(patch.object(torch.cuda, name, answer))
        stack.enter_context(patch.object(torch, "autocast", _CpuAutocast))
        stack.enter_context(patch.object(torch.accelerator, "is_available", lambda: False))  # no page-locked memory
        for module in PYTORCH3D_MODULES:
            stack.enter_context(patch.object(module, "_C", Pytorch3dKernels))
        vars(nerfacc)["csrc"] = NerfaccKernels
        stack.callback(vars(nerfacc).pop, "csrc", None)
        stack.callback(sys.modules.pop, "nerfacc.cuda._backend", None)  # remembers the twin
        stack.callback(compiled_kernels.cache_clear)
        stack.enter_context(_Moves())
        stack.enter_context(_Creation())
        yield _device


def any_gpu() -> AbstractContextManager[Device]:
    """Give this thread a GPU: the real one where there is one, else the simulated one."""
    return nullcontext(_device) if torch.cuda.is_available() else simulated_gpu()
