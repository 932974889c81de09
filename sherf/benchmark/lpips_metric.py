"""LPIPS (Zhang et al. 2018), version 0.1, on VGG-16 and AlexNet, with weights that ship: nothing is downloaded."""

import warnings
from functools import cache
from typing import Literal

import lpips
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from sherf.files.assets import asset_path

Network = Literal["vgg", "alex"]
SMALLEST_SIDE_PX = 64
"""AlexNet's pooling leaves nothing of smaller pictures: they are padded with black at the right and at the bottom."""


@cache
def lpips_network(network: Network) -> nn.Module:
    """The metric's network: features from `checkpoints/lpips`, linear layers from the lpips package. Frozen."""
    # building it draws weights, which are replaced at once, and torchvision warns of how lpips calls it
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = lpips.LPIPS(net=network, pnet_rand=True, verbose=False)
    weights = load_file(asset_path(f"lpips/{network}_features_fp16.safetensors"))
    # the package cuts the features into slices and keeps their numbers: slice2.5.weight is features.5.weight
    own = {name: name.partition(".")[2] for name in metric.net.state_dict()}
    metric.net.load_state_dict({name: weights[f"features.{key}"].float() for name, key in own.items()})
    return metric.eval().requires_grad_(False)


class Lpips:
    """Both networks on one pair of pictures."""

    def __call__(
        self, a: Float[np.ndarray, "h w 3"], b: Float[np.ndarray, "h w 3"], rescale: bool
    ) -> tuple[float, float]:
        """Distances by VGG and by AlexNet.

        Args:
            a: sRGB in [0, 1].
            rescale: give the networks [-1, 1], as they were made for, and not [0, 1], as published.
        """
        pair = [padded(torch.from_numpy(np.ascontiguousarray(x)).float().permute(2, 0, 1)[None]) for x in (a, b)]
        with torch.no_grad():  # the network may be made here, and learn elsewhere
            vgg, alex = (float(lpips_network(name)(*pair, normalize=rescale)) for name in ("vgg", "alex"))
        return vgg, alex


def padded(image: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 3 h2 w2"]:
    """Large enough for AlexNet."""
    height, width = image.shape[2:]
    return F.pad(image, (0, max(SMALLEST_SIDE_PX - width, 0), 0, max(SMALLEST_SIDE_PX - height, 0)))
