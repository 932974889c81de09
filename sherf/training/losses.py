"""Image losses of SHERF (section 3.5): SSIM and LPIPS; colour and mask are mean squared errors."""

from jaxtyping import Float
from torch import Tensor, nn

from sherf.benchmark.lpips_metric import METRICS_REMEDY, lpips_network
from sherf.errors import MissingAsset


def structural_similarity(a: Float[Tensor, "batch 3 h w"], b: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, ""]:
    """Return the mean SSIM (Wang et al. 2004) of images in [0, 1]: Gaussian window of 11 pixels, sigma 1.5.

    Args:
        a: images of at least 11 x 11 pixels.
        b: images of the same size.

    Raises:
        MissingAsset: pytorch-msssim is not installed.
    """
    try:
        from pytorch_msssim import ssim
    except ModuleNotFoundError as error:
        raise MissingAsset(METRICS_REMEDY.format(error.name)) from error
    return ssim(a, b, data_range=1.0)


class PerceptualLoss(nn.Module):
    """LPIPS on VGG-16 (Zhang et al. 2018) as a loss. Has no trainable parameters."""

    def __init__(self, rescale: bool = True):
        """Choose the input range of the VGG network.

        Args:
            rescale: feed VGG with [-1, 1], as it was trained, instead of [0, 1], as published.
        """
        super().__init__()
        self.rescale = rescale

    def forward(self, a: Float[Tensor, "batch 3 h w"], b: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, ""]:
        """Return the mean distance of images in [0, 1].

        Raises:
            MissingAsset: LPIPS is not installed.
        """
        network = lpips_network("vgg", a.device)
        return network(a, b, normalize=self.rescale).mean()
