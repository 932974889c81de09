"""The picture that shows a person what was found in the photo: mask, skeleton and body."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.camera.image import to_bytes
from sherf.camera.pinhole import intrinsics, look_at, resize
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.render.raycast import cast
from sherf.scene import Camera, PosedBody

LONG_SIDE = 1024  # px of each of the two pictures
BODY_COLOUR = torch.tensor([0.35, 0.75, 1.0])
SIDE_BACKGROUND = torch.tensor(0.94)
SIDE_COLUMNS = 400  # px
FAR = 6.0  # of the body's extent: almost without perspective
LEFT, RIGHT, OUTLINE = (80, 220, 80), (255, 120, 60), (255, 230, 0)


def draw_overlay(
    image: Float[Tensor, "3 h w"], person: Person, body: BodyModel, fit: BodyFit
) -> Float[Tensor, "3 overlay_h overlay_w"]:
    """Return pictures side by side: mask outline and landmarks, the fitted body over the photo, and the body from its
    own front and left side.

    Left limbs are green, right ones orange.
    """
    h, w = fit.camera.size
    scale = LONG_SIDE / max(h, w)
    size = (round(h * scale), round(w * scale))
    photo = torch.nn.functional.interpolate(image[None], size, mode="area" if scale < 1 else "bilinear")[0]
    posed = body.pose(fit.pose)
    hit, shaded = _shaded(posed.vertices, body, resize(fit.camera, size))
    with_body = torch.where(hit, torch.lerp(photo, shaded, 0.7), photo)
    with_landmarks = _draw_person(photo, person, scale)
    sides = torch.cat(
        [
            _from_side(posed, body, quarter * math.pi / 2, rows)
            for quarter, rows in enumerate((size[0] // 2, -(-size[0] // 2)))
        ],
        dim=1,
    )
    return torch.cat([with_landmarks, with_body, sides], dim=2)


def _shaded(
    vertices: Float[Tensor, "vertex 3"], body: BodyModel, camera: Camera
) -> tuple[Bool[Tensor, "h w"], Float[Tensor, "3 h w"]]:
    """Where the body is, and the body lit from the camera."""
    hits = cast(vertices, body.faces, camera)
    towards_camera = -(hits.normal @ camera.R[2])
    return hits.hit, BODY_COLOUR[:, None, None] * (0.35 + 0.65 * towards_camera.clamp(0, 1))


def _from_side(posed: PosedBody, body: BodyModel, angle: float, rows: int) -> Float[Tensor, "3 row column"]:
    """The body from `angle` radians to the left of where it faces, whole, in a picture `SIDE_COLUMNS` wide."""
    forward = posed.T_world_rest[0, :3, 2]
    azimuth = float(torch.atan2(forward[0], forward[2])) + angle
    low, high = posed.vertices.amin(dim=0), posed.vertices.amax(dim=0)
    centre, extent = (low + high) / 2, high - low
    distance = FAR * float(extent.norm())
    towards = torch.tensor([math.sin(azimuth), 0.0, math.cos(azimuth)])
    R, T = look_at(centre + distance * towards, centre)
    size = (rows, SIDE_COLUMNS)
    pixels_per_metre = 0.92 * min(rows / float(extent[1]), SIDE_COLUMNS / float(extent[[0, 2]].norm()))
    camera = Camera(intrinsics(distance * pixels_per_metre, size), R, T, size)
    hit, shaded = _shaded(posed.vertices, body, camera)
    return torch.where(hit, shaded, SIDE_BACKGROUND)


def _draw_person(photo: Float[Tensor, "3 h w"], person: Person, scale: float) -> Float[Tensor, "3 h w"]:
    canvas = to_bytes(photo)
    mask = cv2.resize(person.mask.numpy(), canvas.shape[1::-1]) > 0.5
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, OUTLINE, 2)
    pixels = (marks.observed(person.landmarks).numpy() * scale).round().astype(int)
    for start, end in marks.SKELETON:
        colour = LEFT if start.startswith("left") else RIGHT
        cv2.line(canvas, pixels[marks.INDEX[start]], pixels[marks.INDEX[end]], colour, 3, cv2.LINE_AA)
    for landmark, point in zip(marks.LANDMARKS, pixels, strict=True):
        cv2.circle(canvas, point, 4, LEFT if landmark.name.startswith("left") else RIGHT, -1, cv2.LINE_AA)
    return torch.from_numpy(canvas).permute(2, 0, 1).float() / 255
