"""The Adam optimiser, for a few small tensors. PyTorch's own imports its compiler first, which takes three seconds."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma and Ba 2015, Algorithm 1)."""

    def __init__(self, rates: list[tuple[Tensor, float]]) -> None:
        """Start.

        Args:
            rates: the tensors, which are changed in place, and their learning rates.
        """
        self._parameters = [parameter.requires_grad_() for parameter, _ in rates]
        self._rates = [rate for _, rate in rates]
        self._moments = [(torch.zeros_like(x), torch.zeros_like(x)) for x in self._parameters]
        self._steps = 0

    def step(self, energy: Float[Tensor, ""], factor: float = 1.0) -> None:
        """Take a step that lowers an energy.

        Args:
            energy: computed from the tensors.
            factor: by which the learning rates are multiplied.
        """
        gradients = torch.autograd.grad(energy, self._parameters)
        self._steps += 1
        first_share, second_share = 1 - BETA_1**self._steps, 1 - BETA_2**self._steps
        with torch.no_grad():
            for x, rate, gradient, (mean, square) in zip(
                self._parameters, self._rates, gradients, self._moments, strict=True
            ):
                mean.lerp_(gradient, 1 - BETA_1)
                square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
                scale = (square.sqrt() / math.sqrt(second_share)).add_(EPSILON)
                x.addcdiv_(mean, scale, value=-factor * rate / first_share)
