"""Batch normalisation with a choice of whose statistics count (Ioffe and Szegedy 2015)."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Statistics = Literal["frame", "running"]
"""frame: those of each single input, as in the published training and evaluation; running: those learned."""


class FrameNorm(nn.Module):
    """Normalises each input by its own statistics, or by the running ones outside training.

    In training the statistics are always each input's own, as with the published one frame a GPU, whatever the batch.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, statistics: Statistics = "frame"):
        super().__init__()
        self.eps, self.momentum, self.statistics = eps, momentum, statistics
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Float[Tensor, "batch channel *site"]) -> Float[Tensor, "batch channel *site"]:
        """Normalise over the sites of each input."""
        if not self.training and self.statistics == "running":
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        if not self.training:
            return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        # instance_norm moves the running statistics by the mean over the batch.
        return F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, True, self.momentum, self.eps
        )
