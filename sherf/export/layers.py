"""What a frame knows beside its colour, as pictures: depth, opacity, normals, and what the photo saw."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from sherf.camera.pinhole import rays
from sherf.files.output import atomic_output
from sherf.render.options import Layer
from sherf.scene import Camera, Frame

MILLIMETRES = 1000.0
SOLID = 0.5
"""Opacity from which on a pixel has a depth and a normal."""


def write_layer(path: Path, layer: Layer, frame: Frame, camera: Camera) -> None:
    """Write one layer as PNG.

    depth: 16 bits, millimetres along the camera's z axis, 0 where nothing is. opacity, visibility: 8 bits, 255 is 1.
    normal: 8 bits a channel, (n + 1) / 2 in the camera's axes, x right, y up, z to the camera; black where nothing is.
    """
    match layer:
        case "depth":
            there = frame.opacity >= SOLID
            pixels = (torch.where(there, frame.depth, 0.0) * MILLIMETRES).round().clamp(0, 65535)
            image = Image.fromarray(pixels.cpu().numpy().astype(np.uint16))
        case "opacity":
            image = _grey(frame.opacity)
        case "visibility":
            image = _grey(frame.visibility)
        case "normal":
            coded = ((normals(frame, camera) + 1) / 2 * 255).round() * (frame.opacity >= SOLID)
            image = Image.fromarray(coded.byte().movedim(0, -1).cpu().numpy())
    with atomic_output(path) as partial:
        image.save(partial, format="PNG")


def normals(frame: Frame, camera: Camera) -> Float[Tensor, "3 h w"]:
    """The surface's normals by differences of depth, camera axes (x right, y up, z to the camera), unit length.

    Differences are taken between pixels that have a depth; where the surface is one pixel wide it counts as upright.
    """
    directions = rays(camera).directions.reshape(*camera.size, 3) @ camera.R.T
    points = (directions / directions[..., 2:] * frame.depth[..., None]).movedim(-1, 0)
    there = frame.opacity >= SOLID
    across = _differences(points, there, points.new_tensor([1.0, 0.0, 0.0]))
    down = _differences(points.mT, there.mT, points.new_tensor([0.0, 1.0, 0.0])).mT
    towards = torch.linalg.cross(down, across, dim=0)
    return F.normalize(towards, dim=0) * towards.new_tensor([1.0, -1.0, -1.0])[:, None, None]


def _differences(
    points: Float[Tensor, "3 h w"], there: Bool[Tensor, "h w"], otherwise: Float[Tensor, " 3"]
) -> Float[Tensor, "3 h w"]:
    """From each pixel's left to its right neighbour, from or to itself where one is missing."""
    step = (points[..., 1:] - points[..., :-1]) * (there[:, 1:] & there[:, :-1])
    whole = F.pad(step, (1, 0)) + F.pad(step, (0, 1))
    return torch.where((whole == 0).all(dim=0), otherwise[:, None, None], whole)


def _grey(values: Float[Tensor, "h w"]) -> Image.Image:
    return Image.fromarray((values.clamp(0, 1) * 255).round().byte().cpu().numpy())
