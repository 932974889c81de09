"""Residual image encoders (ResNet-18, He et al. 2016): an image code and a feature map."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.models.layers.frame_norm import FrameNorm, Statistics


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int, statistics: Statistics):
        """Create the layers.

        Args:
            channels_in: input channels.
            channels: output channels.
            stride: of the first convolution.
            statistics: of the normalisation.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = FrameNorm(channels, statistics=statistics)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = FrameNorm(channels, statistics=statistics)
        self.shortcut = (
            nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), FrameNorm(channels, statistics=statistics)
            )
            if stride != 1 or channels_in != channels
            else nn.Identity()
        )

    def forward(self, x: Float[Tensor, "batch in h w"]) -> Float[Tensor, "batch out h2 w2"]:
        """Return the block's feature map."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.shortcut(x) + y)


class ResnetStages(nn.Module):
    """The stem and the first stages of ResNet-18. Inputs are not normalised with ImageNet's statistics."""

    def __init__(self, stages: int, pool_stem: bool, width: int = 64, statistics: Statistics = "frame"):
        """Create the layers.

        Args:
            stages: number of stages.
            pool_stem: whether max pooling follows the stem.
            width: channels of the first stage; each later one has twice as many.
            statistics: of the normalisation.
        """
        super().__init__()
        self.pool_stem = pool_stem
        self.stem = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.norm = FrameNorm(width, statistics=statistics)
        widths = [width * 2**i for i in range(stages)]
        self.stages = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(widths[max(i - 1, 0)], w, 1 + (i > 0), statistics), ResidualBlock(w, w, 1, statistics)
            )
            for i, w in enumerate(widths)
        )

    def forward(self, image: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch channel h2 w2"]:
        """Return the last stage's feature map: half the image's size, halved by pooling and by each later stage."""
        x = F.relu(self.norm(self.stem(image)))
        if self.pool_stem:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
        return x


class ImageCode(nn.Module):
    """A code of the whole image: the average of the feature map of four stages."""

    def __init__(self, width: int = 64, statistics: Statistics = "frame"):
        """Create the stages.

        Args:
            width: channels of the first stage; the code has eight times as many.
            statistics: of the normalisation.
        """
        super().__init__()
        self.stages = ResnetStages(4, pool_stem=True, width=width, statistics=statistics)

    def forward(self, image: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch code"]:
        """Return the code of each image."""
        return self.stages(image).mean(dim=(2, 3))
