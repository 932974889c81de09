"""Compositing through nerfacc: its dense functions on the CPU, its packed CUDA kernels on CUDA.

nerfacc 0.5.3's own `prefix_trans` is not used: it multiplies in place what autograd still needs. The transmittance
before a ray's first sample is a factor of all of its weights, so it is multiplied here.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.render.nerfacc_kernels import compiled_kernels
from sherf.render.torch_backend import composite
from sherf.scene import RaySamples


def composite_dense(
    density: Float[Tensor, " sample"], samples: RaySamples, transmittance: Float[Tensor, " ray"]
) -> tuple[Float[Tensor, " sample"], Float[Tensor, " ray"]]:
    """Compute `torch_backend.composite` on samples padded to (ray, sample): fast if rays have similar numbers."""
    from nerfacc import render_weight_from_density

    count = torch.bincount(samples.ray, minlength=samples.num_rays)
    longest = int(count.max()) if len(samples.ray) else 0
    if longest == 0:
        return density, transmittance
    held = torch.arange(longest, device=count.device) < count[:, None]
    length = density.new_zeros(held.shape).masked_scatter(held, (samples.end - samples.start).to(density.dtype))
    padded = torch.zeros_like(length).masked_scatter(held, density)
    weights, passed, alpha = render_weight_from_density(torch.zeros_like(length), length, padded)
    weights = transmittance[:, None] * weights
    return weights[held], transmittance * passed[:, -1] * (1 - alpha[:, -1])


def composite_packed(
    density: Float[Tensor, " sample"], samples: RaySamples, transmittance: Float[Tensor, " ray"]
) -> tuple[Float[Tensor, " sample"], Float[Tensor, " ray"]]:
    """Compute `torch_backend.composite` with nerfacc's CUDA kernels; without them, in PyTorch."""
    if not compiled_kernels():
        return composite(density, samples, transmittance)
    from nerfacc import render_weight_from_density

    if len(samples.ray) == 0:
        return density, transmittance
    weights, _, _ = render_weight_from_density(
        samples.start, samples.end, density, ray_indices=samples.ray, n_rays=samples.num_rays
    )
    thickness = density * (samples.end - samples.start)
    total = torch.zeros_like(transmittance).index_add(0, samples.ray, thickness)
    return transmittance[samples.ray] * weights, transmittance * torch.exp(-total)
