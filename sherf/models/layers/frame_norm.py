"""Batch normalisation (Ioffe and Szegedy 2015) with a choice of statistics: each input's own, or running averages."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Statistics = Literal["frame", "running"]
"""frame: statistics of each input, as in the published training and evaluation; running: learned running averages."""


class FrameNorm(nn.Module):
    """Normalise each input by its own statistics or, in evaluation mode, by running averages.

    In training mode the statistics are always each input's own, whatever the batch size: the published training had one
    frame per GPU.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, statistics: Statistics = "frame"):
        """Create the affine parameters and the running averages.

        Args:
            channels: number of channels.
            eps: added to variances.
            momentum: of the running averages.
            statistics: which statistics to use in evaluation mode.
        """
        super().__init__()
        self.eps, self.momentum, self.statistics = eps, momentum, statistics
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Float[Tensor, "batch channel *site"]) -> Float[Tensor, "batch channel *site"]:
        """Return each input normalised over its sites."""
        if not self.training and self.statistics == "running":
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if not self.training:
            return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        # instance_norm updates the running statistics by the mean over the batch.
        return F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, True, self.momentum, self.eps
        )
