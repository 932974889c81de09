"""The only place that asks for CUDA: chooses the device and the backend that is fast on it."""

from functools import cache, partial
from typing import Literal

import torch

from sherf.errors import MissingAsset
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.render.nerfacc_backend import composite_dense, composite_packed
from sherf.render.open3d_shell import Open3dShell
from sherf.render.open3d_surface import Open3dSurface
from sherf.render.pytorch3d_surface import Pytorch3dSurface, Pytorch3dVertices
from sherf.render.sampling import sample_rays
from sherf.render.vertex_tree import VertexTree

Device = Literal["auto", "cpu", "cuda"]

POINTS_AT_ONCE = 2**20
"""Samples that fill a GPU; they take about 4 GB."""
LARGE_MEMORY = 10 * 2**30
"""GPUs with less memory, in bytes, evaluate a quarter of these samples at once."""


def choose_backend(device: Device = "auto") -> Backend:
    """Return the backend for a device.

    Args:
        device: auto takes CUDA if there is a usable GPU, and says why if there is not.

    Raises:
        MissingAsset: cuda was requested, but there is no usable GPU.
    """
    if device == "cpu":
        return cpu_backend()
    if torch.cuda.is_available():
        return cuda_backend()
    reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no usable NVIDIA GPU or driver"
    if device == "cuda":
        raise MissingAsset(
            f"device cuda was requested, but PyTorch {torch.__version__} does not find one ({reason}).\n"
            "Check the GPU and its driver with nvidia-smi, or use --device cpu."
        )
    _say_once(f"computing on the CPU: {reason}")
    return cpu_backend()


def cpu_backend() -> Backend:
    """Return the CPU backend: Open3D's nearest surface and ray casting, SciPy's k-d tree, nerfacc's compositing."""
    return Backend("cpu", torch.device("cpu"), Open3dSurface, VertexTree, sample_rays, composite_dense, Open3dShell)


def cuda_backend() -> Backend:
    """Return the CUDA backend, on the current GPU: PyTorch3D's searches, nerfacc's packed kernels, large chunks.

    Matrix products and convolutions are computed in full single precision, as on the CPU, not in TF32.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cuda", torch.cuda.current_device())
    is_large = torch.cuda.get_device_properties(device).total_memory >= LARGE_MEMORY
    points = POINTS_AT_ONCE if is_large else POINTS_AT_ONCE // 4
    return Backend(
        "cuda",
        device,
        Pytorch3dSurface,
        Pytorch3dVertices,
        partial(sample_rays, rays_per_chunk=points),
        composite_packed,
        points_at_once=points,
    )


def count_gpus() -> int:
    """Return the number of CUDA devices of this machine."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


@cache
def _say_once(line: str) -> None:
    """Print a status line that was not printed before in this process."""
    print_status(line)
