"""What pictures are compared by (SHERF, section 3.5): structure and perception; colour and mask are mean squares."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.benchmark.lpips_metric import lpips_network

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def structural_similarity(a: Float[Tensor, "batch 3 h w"], b: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, ""]:
    """Mean SSIM (Wang et al. 2004) of pictures in [0, 1]: Gaussian window of 11 pixels, sigma 1.5. Differentiable."""
    ticks = torch.arange(WINDOW, dtype=a.dtype, device=a.device) - WINDOW // 2
    bell = torch.exp(-(ticks**2) / (2 * SIGMA**2))
    bell = bell / bell.sum()
    products = torch.cat([a, b, a * a, b * b, a * b], dim=1)
    channels = products.shape[1]
    rows, columns = (bell.view(shape).expand(channels, *shape[1:]) for shape in ((1, 1, -1, 1), (1, 1, 1, -1)))
    means = F.conv2d(F.conv2d(products, rows, groups=channels), columns, groups=channels)
    mean_a, mean_b, aa, bb, ab = means.chunk(5, dim=1)
    var_a, var_b, both = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + C1) * (2 * both + C2)
    return (likeness / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))).mean()


class Perception(nn.Module):
    """LPIPS on VGG-16 (Zhang et al. 2018) as a loss. Holds no trained parameters of the model's."""

    def __init__(self, rescale: bool = True):
        """Prepare.

        Args:
            rescale: give the network [-1, 1], as it was made for, and not [0, 1], as published.
        """
        super().__init__()
        self.rescale = rescale

    def forward(self, a: Float[Tensor, "batch 3 h w"], b: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, ""]:
        """Mean distance of pictures in [0, 1]."""
        network = lpips_network("vgg").to(a.device)
        return network(a, b, normalize=self.rescale).mean()
