"""Layers of a frame besides its colour, written as images: depth, opacity, normals, and visibility in the photo."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from sherf.camera.pinhole import camera_rays
from sherf.files.output import atomic_output
from sherf.render.options import Layer
from sherf.scene import Camera, Frame

MILLIMETRES = 1000.0
MIN_OPACITY = 0.5
"""Pixels of less opacity have neither depth nor normal."""


def write_layer(path: Path, layer: Layer, frame: Frame, camera: Camera) -> None:
    """Write one layer of a frame as PNG, whole or not at all; after a power cut it has to be checked.

    depth: 16 bits, millimetres along the camera's z axis, 0 in the background. opacity, visibility: 8 bits, 255 is 1.
    normal: 8 bits per channel, (n + 1) / 2 in axes x right, y up, z towards the camera; black in the background.

    Args:
        path: the PNG file.
        layer: which one.
        frame: the rendered frame.
        camera: that it was rendered with.

    Raises:
        OutputError: the file cannot be written.
    """
    match layer:
        case "depth":
            is_solid = frame.opacity >= MIN_OPACITY
            pixels = (torch.where(is_solid, frame.depth, 0.0) * MILLIMETRES).round().clamp(0, 65535)
            image = Image.fromarray(pixels.cpu().numpy().astype(np.uint16))
        case "opacity":
            image = _grey(frame.opacity)
        case "visibility":
            image = _grey(frame.visibility)
        case "normal":
            coded = ((compute_normals(frame, camera) + 1) / 2 * 255).round() * (frame.opacity >= MIN_OPACITY)
            image = Image.fromarray(coded.byte().movedim(0, -1).cpu().numpy())
    with atomic_output(path, durable=False) as partial:
        image.save(partial, format="PNG")


def compute_normals(frame: Frame, camera: Camera) -> Float[Tensor, "3 h w"]:
    """Return unit surface normals from differences of depth, in axes x right, y up, z towards the camera.

    Differences are taken between pixels that have a depth; a surface one pixel wide counts as facing the camera.
    """
    directions = camera_rays(camera).directions.reshape(*camera.size, 3) @ camera.R.T
    points = (directions / directions[..., 2:] * frame.depth[..., None]).movedim(-1, 0)
    is_solid = frame.opacity >= MIN_OPACITY
    across = _differences(points, is_solid, points.new_tensor([1.0, 0.0, 0.0]))
    down = _differences(points.mT, is_solid.mT, points.new_tensor([0.0, 1.0, 0.0])).mT
    towards = torch.linalg.cross(down, across, dim=0)
    return F.normalize(towards, dim=0) * towards.new_tensor([1.0, -1.0, -1.0])[:, None, None]


def _differences(
    points: Float[Tensor, "3 h w"], is_solid: Bool[Tensor, "h w"], fallback: Float[Tensor, " 3"]
) -> Float[Tensor, "3 h w"]:
    """Return each pixel's right minus its left neighbour, with the pixel itself for one that is missing."""
    step = (points[..., 1:] - points[..., :-1]) * (is_solid[:, 1:] & is_solid[:, :-1])
    difference = F.pad(step, (1, 0)) + F.pad(step, (0, 1))
    return torch.where((difference == 0).all(dim=0), fallback[:, None, None], difference)


def _grey(values: Float[Tensor, "h w"]) -> Image.Image:
    return Image.fromarray((values.clamp(0, 1) * 255).round().byte().cpu().numpy())
