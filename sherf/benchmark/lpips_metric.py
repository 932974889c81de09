"""LPIPS (Zhang et al. 2018), version 0.1, on VGG-16 and AlexNet, with the weights shipped in `checkpoints/lpips`."""

import warnings
from functools import cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from sherf.errors import MissingAsset
from sherf.files.assets import asset_path

Network = Literal["vgg", "alex"]
CPU = torch.device("cpu")
MIN_SIDE = 64
"""Pixels. AlexNet's pooling reduces smaller images to nothing: they are padded with black at the right and bottom."""


METRICS_REMEDY = (
    "{} is not installed: benchmarks, training and --personalise need it.\nTo fix this: pip install 'sherf[train]'"
)


@cache
def lpips_network(network: Network, device: torch.device = CPU) -> nn.Module:
    """Return the frozen network: features from `checkpoints/lpips`, linear layers from the lpips package.

    Its input is sRGB of shape (batch, 3, h, w), in [-1, 1], or in [0, 1] with `normalize=True`.

    Args:
        network: the feature extractor, VGG-16 or AlexNet.
        device: where it computes.

    Returns:
        The same module at every call, one for each device.

    Raises:
        MissingAsset: the lpips package or the weights are not installed.
    """
    try:
        import lpips
    except ModuleNotFoundError as error:
        raise MissingAsset(METRICS_REMEDY.format(error.name)) from error
    # building it draws weights, which are replaced at once, and torchvision warns about how lpips calls it
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = lpips.LPIPS(net=network, pnet_rand=True, verbose=False)
    weights = load_file(asset_path(f"lpips/{network}_features_fp16.safetensors"))
    # the package cuts the features into slices and keeps their numbers: slice2.5.weight is features.5.weight
    names = {name: name.partition(".")[2] for name in metric.net.state_dict()}
    metric.net.load_state_dict({name: weights[f"features.{key}"].float() for name, key in names.items()})
    return metric.eval().requires_grad_(False).to(device)


class Lpips:
    """The LPIPS distances of two images, on both networks."""

    def __call__(
        self, a: Float[np.ndarray, "h w 3"], b: Float[np.ndarray, "h w 3"], rescale: bool
    ) -> tuple[float, float]:
        """Return the distances on VGG-16 and on AlexNet.

        Args:
            a: sRGB in [0, 1].
            b: the image to compare with.
            rescale: rescale to [-1, 1], the range that the networks expect; the published scores keep [0, 1].
        """
        pair = [_pad(torch.from_numpy(np.ascontiguousarray(x)).float().permute(2, 0, 1)[None]) for x in (a, b)]
        with torch.no_grad():  # training back-propagates through the same cached network
            vgg, alex = (float(lpips_network(name)(*pair, normalize=rescale)) for name in ("vgg", "alex"))
        return vgg, alex


def _pad(image: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 3 h2 w2"]:
    height, width = image.shape[2:]
    return F.pad(image, (0, max(MIN_SIDE - width, 0), 0, max(MIN_SIDE - height, 0)))
