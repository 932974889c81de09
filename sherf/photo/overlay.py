"""The picture that shows a person what was found in the photo: mask, skeleton and body."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.model import BodyModel
from sherf.camera import resize
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.render.raycast import cast

LONG_SIDE = 1024  # px of each of the two pictures
BODY_COLOUR = torch.tensor([0.35, 0.75, 1.0])
LEFT, RIGHT, OUTLINE = (80, 220, 80), (255, 120, 60), (255, 230, 0)


def draw_overlay(
    image: Float[Tensor, "3 h w"], person: Person, body: BodyModel, fit: BodyFit
) -> Float[Tensor, "3 overlay_h overlay_w"]:
    """Return two pictures side by side: mask outline and landmarks, and the fitted body over the photo.

    Left limbs are green, right ones orange.
    """
    h, w = fit.camera.size
    scale = LONG_SIDE / max(h, w)
    size = (round(h * scale), round(w * scale))
    photo = torch.nn.functional.interpolate(image[None], size, mode="area" if scale < 1 else "bilinear")[0]
    hits = cast(body.pose(fit.pose).vertices, body.faces, resize(fit.camera, size))
    towards_camera = -(hits.normal @ fit.camera.R[2])
    shaded = BODY_COLOUR[:, None, None] * (0.35 + 0.65 * towards_camera.clamp(0, 1))
    with_body = torch.where(hits.hit, torch.lerp(photo, shaded, 0.7), photo)
    with_landmarks = _draw_person(photo, person, scale)
    return torch.cat([with_landmarks, with_body], dim=2)


def _draw_person(photo: Float[Tensor, "3 h w"], person: Person, scale: float) -> Float[Tensor, "3 h w"]:
    canvas = np.ascontiguousarray((photo.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
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
