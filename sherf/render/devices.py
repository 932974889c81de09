"""The one place that asks for CUDA: picks the device, and the backend that is fast on it."""

import logging
from typing import Literal

import torch

from sherf.errors import MissingAsset
from sherf.render.backend import Backend
from sherf.render.nerfacc_backend import compiled_kernels, composite_dense, composite_packed
from sherf.render.open3d_surface import Open3dSurface
from sherf.render.pytorch3d_surface import Pytorch3dSurface, Pytorch3dVertices
from sherf.render.sampling import sample_rays
from sherf.render.torch_backend import composite
from sherf.render.vertex_tree import VertexTree

log = logging.getLogger(__name__)


def choose_backend(device: Literal["auto", "cpu", "cuda"] = "auto") -> Backend:
    """The backend for a device; `auto` takes CUDA where there is a card, and says so in the log if there is none.

    Raises:
        MissingAsset: cuda was asked for, but there is no usable card.
    """
    if device == "cpu":
        return cpu_backend()
    if torch.cuda.is_available():
        return cuda_backend()
    reason = "this PyTorch was built without CUDA" if torch.version.cuda is None else "no usable NVIDIA card or driver"
    if device == "cuda":
        raise MissingAsset(
            f"device cuda was asked for, but PyTorch {torch.__version__} finds none ({reason}).\n"
            "Check the card and its driver with nvidia-smi, or use --device cpu."
        )
    log.info("computing on the CPU: %s", reason)
    return cpu_backend()


def cpu_backend() -> Backend:
    """Open3D's nearest surface, SciPy's nearest vertex, the torch sampler, nerfacc's dense compositing."""
    return Backend("cpu", torch.device("cpu"), Open3dSurface, VertexTree, sample_rays, composite_dense)


def cuda_backend() -> Backend:
    """PyTorch3D's knn, the torch sampler, nerfacc's packed kernels (torch's own where they cannot be compiled)."""
    packed = compiled_kernels()
    if not packed:
        log.info("compositing in torch: nerfacc's CUDA kernels need nvcc, which is not on the PATH")
    return Backend(
        "cuda",
        torch.device("cuda"),
        Pytorch3dSurface,
        Pytorch3dVertices,
        sample_rays,
        composite_packed if packed else composite,
    )


def count_gpus() -> int:
    """CUDA devices of this machine."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
