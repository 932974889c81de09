"""The overlay image that shows what was found in a photo: mask, skeleton and fitted body."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import intrinsics, look_at, resize
from sherf.files.images import to_uint8
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.render.raycast import cast
from sherf.scene import Camera, PosedBody

LONG_SIDE = 1024  # px: longer side of the photo in the overlay
BODY_COLOUR = torch.tensor([0.35, 0.75, 1.0])
SIDE_BACKGROUND = torch.tensor(0.94)
SIDE_COLUMNS = 400  # px: width of the side views
SIDE_VIEW_DISTANCE = 6.0  # of the body's extent: almost orthographic
LEFT, RIGHT, OUTLINE = (80, 220, 80), (255, 120, 60), (255, 230, 0)


def draw_overlay(
    image: Float[Tensor, "3 h w"], person: Person, body: BodyModel, fit: BodyFit
) -> Float[Tensor, "3 overlay_h overlay_w"]:
    """Draw the detections, the fit over the photo, and the body from its own front and left, side by side.

    Left limbs are green, right ones orange.

    Args:
        image: the photo, sRGB in [0, 1].
        person: landmarks and mask in the pixels of the photo.
        body: the body model that was fitted.
        fit: body and camera.

    Returns:
        sRGB in [0, 1].
    """
    h, w = fit.camera.size
    scale = LONG_SIDE / max(h, w)
    size = (round(h * scale), round(w * scale))
    photo = torch.nn.functional.interpolate(image[None], size, mode="area" if scale < 1 else "bilinear")[0]
    posed = body.pose(fit.pose)
    hit, shaded = _render_body(posed.vertices, body, resize(fit.camera, size))
    with_body = torch.where(hit, torch.lerp(photo, shaded, 0.7), photo)
    with_landmarks = _draw_person(photo, person, scale)
    sides = torch.cat(
        [
            _side_view(posed, body, quarter * math.pi / 2, rows)
            for quarter, rows in enumerate((size[0] // 2, -(-size[0] // 2)))
        ],
        dim=1,
    )
    return torch.cat([with_landmarks, with_body, sides], dim=2)


def _render_body(
    vertices: Float[Tensor, "vertex 3"], body: BodyModel, camera: Camera
) -> tuple[Bool[Tensor, "h w"], Float[Tensor, "3 h w"]]:
    """Return which pixels show the body, and the body lit from the camera."""
    hits = cast(vertices, body.faces, camera)
    towards_camera = -(hits.normal @ camera.R[2])
    return hits.hit, BODY_COLOUR[:, None, None] * (0.35 + 0.65 * towards_camera.clamp(0, 1))


def _side_view(posed: PosedBody, body: BodyModel, angle: float, rows: int) -> Float[Tensor, "3 row column"]:
    """Render the whole body, seen from `angle` radians to the left of its front, `SIDE_COLUMNS` wide."""
    forward = posed.T_world_rest[0, :3, 2]
    azimuth = float(torch.atan2(forward[0], forward[2])) + angle
    low, high = posed.vertices.amin(dim=0), posed.vertices.amax(dim=0)
    centre, extent = (low + high) / 2, high - low
    distance = SIDE_VIEW_DISTANCE * float(extent.norm())
    towards = torch.tensor([math.sin(azimuth), 0.0, math.cos(azimuth)])
    R, T = look_at(centre + distance * towards, centre)
    size = (rows, SIDE_COLUMNS)
    pixels_per_metre = 0.92 * min(rows / float(extent[1]), SIDE_COLUMNS / float(extent[[0, 2]].norm()))
    camera = Camera(intrinsics(distance * pixels_per_metre, size), R, T, size)
    hit, shaded = _render_body(posed.vertices, body, camera)
    return torch.where(hit, shaded, SIDE_BACKGROUND)


def _draw_person(photo: Float[Tensor, "3 h w"], person: Person, scale: float) -> Float[Tensor, "3 h w"]:
    """Draw mask outline and landmarks on a photo that was resized by `scale`."""
    canvas = to_uint8(photo)
    mask = cv2.resize(person.mask.numpy(), canvas.shape[1::-1]) > 0.5
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, OUTLINE, 2)
    pixels = (marks.from_blazepose(person.landmarks).numpy() * scale).round().astype(int)
    for start, end in marks.SKELETON:
        colour = LEFT if start.startswith("left") else RIGHT
        cv2.line(canvas, pixels[marks.INDEX[start]], pixels[marks.INDEX[end]], colour, 3, cv2.LINE_AA)
    for landmark, point in zip(marks.LANDMARKS, pixels, strict=True):
        cv2.circle(canvas, point, 4, LEFT if landmark.name.startswith("left") else RIGHT, -1, cv2.LINE_AA)
    return torch.from_numpy(canvas).permute(2, 0, 1).float() / 255
