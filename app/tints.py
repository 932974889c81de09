"""Visibility as colour: what the photo saw, and what is generated."""

import numpy as np
import torch
from jaxtyping import UInt8

from sherf.files.images import to_uint8
from sherf.scene import Frame

SEEN, GENERATED = (0.16, 0.63, 0.42), (0.93, 0.55, 0.20)
"""sRGB."""


def visibility_image(frame: Frame) -> UInt8[np.ndarray, "h w 3"]:
    """Return a frame's visibility on white: green where the photo saw it, else orange, shaded by its brightness."""
    brightness = 0.55 + 0.45 * (frame.rgb.mean(dim=0) / frame.opacity.clamp_min(1e-6))
    share = (frame.visibility / frame.opacity.clamp_min(1e-6)).clamp(0, 1)
    seen, generated = (frame.rgb.new_tensor(colour)[:, None, None] for colour in (SEEN, GENERATED))
    tint = torch.lerp(generated, seen, share) * brightness
    return to_uint8(tint * frame.opacity + 1 - frame.opacity)
