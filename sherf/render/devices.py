"""The only place that asks for CUDA: chooses the device and the backend that is fast on it."""

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

Device = Literal["auto", "cpu", "cuda"]

log = logging.getLogger(__name__)


def choose_backend(device: Device = "auto") -> Backend:
    """Return the backend for a device.

    Args:
        device: auto takes CUDA if there is a usable GPU, and logs the reason if there is not.

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
    log.info("computing on the CPU: %s", reason)
    return cpu_backend()


def cpu_backend() -> Backend:
    """Return the CPU backend: Open3D's nearest surface, SciPy's k-d tree, nerfacc's dense compositing."""
    return Backend("cpu", torch.device("cpu"), Open3dSurface, VertexTree, sample_rays, composite_dense)


def cuda_backend() -> Backend:
    """Return the CUDA backend: PyTorch3D's knn, the torch sampler, nerfacc's packed kernels, or torch without nvcc."""
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
    """Return the number of CUDA devices of this machine."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
