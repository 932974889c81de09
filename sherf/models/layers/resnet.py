"""Residual image encoders (He et al. 2016, ResNet-18): a code of the whole picture, and a feature map."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.models.layers.frame_norm import FrameNorm, Statistics


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int, statistics: Statistics):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.norm1 = FrameNorm(channels, statistics=statistics)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = FrameNorm(channels, statistics=statistics)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), FrameNorm(channels))
            if stride != 1 or channels_in != channels
            else nn.Identity()
        )
        if isinstance(self.shortcut, nn.Sequential):
            self.shortcut[1].statistics = statistics

    def forward(self, x: Float[Tensor, "batch in h w"]) -> Float[Tensor, "batch out h2 w2"]:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.shortcut(x) + y)


class ResnetStages(nn.Module):
    """Stem and the first stages of ResNet-18. The input is not normalised with ImageNet's statistics."""

    def __init__(self, stages: int, pool_stem: bool, width: int = 64, statistics: Statistics = "frame"):
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
        """Feature map of the last stage: half the image's size, halved by the pooled stem and each later stage."""
        x = F.relu(self.norm(self.stem(image)))
        if self.pool_stem:
            x = F.max_pool2d(x, 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
        return x


class ImageCode(nn.Module):
    """One vector for the whole picture: four stages, averaged."""

    def __init__(self, width: int = 64, statistics: Statistics = "frame"):
        super().__init__()
        self.stages = ResnetStages(4, pool_stem=True, width=width, statistics=statistics)

    def forward(self, image: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch code"]:
        return self.stages(image).mean(dim=(2, 3))
