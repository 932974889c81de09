"""MediaPipe's landmark models (pose_landmark_*.tflite), decoded here: crop -> landmarks, metres, presence, mask.

Follows MediaPipe's graph pose_landmark_by_roi_cpu.pbtxt: rotated 256 x 256 crop with replicated borders, heat map
refinement, projection back by the crop's rotation. Its crops are half a crop pixel off on CPUs; these are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sherf.photo.mediapipe_model import load_model
from sherf.photo.perspective_warp import warp

CROP_SIDE = 256
ROI_SCALE = 1.25  # of the circle around the body
HEATMAP_KERNEL = 7
HEATMAP_MIN_CONFIDENCE = 0.5
MIN_PRESENCE = 0.5  # below it the model says: not a person (a handbag passes the detector at .62)
MIRROR_TOLERANCE = 0.06  # of the body's height, mean over landmarks; beyond it left and right were confused
# Landmark i of a mirrored person is landmark MIRRORED[i] of the person; the last six have no side.
MIRRORED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, 33)), *range(33, 39)]
STEADYING = (0.87, 1.13)
"""Sides of further crops whose answers are taken into the mean."""
HIPS, CIRCLE = 33, 34  # auxiliary landmarks: what the detector's alignment points are, seen closer

Accuracy = Literal["heavy", "full"]


@dataclass(frozen=True)
class Roi:
    """A rotated square around a person."""

    centre: Float[np.ndarray, "2"]
    """px."""
    side: float
    """px."""
    rotation: float
    """Radians, clockwise in the picture; 0 for an upright person."""

    @staticmethod
    def around(hips: Float[np.ndarray, "2"], circle: Float[np.ndarray, "2"]) -> "Roi":
        """The crop for a body whose surrounding circle has this centre and passes through `circle`."""
        dx, dy = circle - hips
        rotation = np.pi / 2 - np.arctan2(-dy, dx)
        return Roi(hips, 2 * ROI_SCALE * float(np.hypot(dx, dy)), float((rotation + np.pi) % (2 * np.pi) - np.pi))

    @property
    def image_from_crop(self) -> Float[np.ndarray, "2 3"]:
        """Affine map from the 256 x 256 crop to the image."""
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        turn = np.array([[cos, -sin], [sin, cos]]) * (self.side / CROP_SIDE)
        offset = self.centre - turn @ np.full(2, CROP_SIDE / 2)
        return np.concatenate([turn, offset[:, None]], axis=1)


@dataclass(frozen=True)
class Pose:
    """What the landmark model says about one crop, in the image's terms."""

    roi: Roi
    presence: float
    """That the crop shows a person, in [0, 1]."""
    points: Float[np.ndarray, "39 2"]
    """Landmarks, px; 33 and 34 are the hips' centre and a point on the body's circle."""
    visibility: Float[np.ndarray, "39"]
    """In [0, 1]: not hidden and inside the picture."""
    world: Float[np.ndarray, "39 3"]
    """Metres from the hips' centre, camera axes: x right, y down, z away from the camera."""
    crop_mask: Float[np.ndarray, "256 256"]
    """Share of the person in the crop's pixels, in [0, 1]."""

    @property
    def next_roi(self) -> Roi:
        """The crop that the landmarks themselves ask for."""
        return Roi.around(self.points[HIPS], self.points[CIRCLE])

    def mask(self, size: tuple[int, int], scale: float = 1.0) -> Float[np.ndarray, "h w"]:
        """Share of the person in each pixel of the image, in [0, 1]; 0 outside the crop.

        Args:
            size: the image's height and width, px.
            scale: of the mask against the image.
        """
        height, width = (max(1, round(length * scale)) for length in size)
        return warp(self.crop_mask, self.roi.image_from_crop * scale, (height, width))


def estimate_pose(image: UInt8[np.ndarray, "h w 3"], roi: Roi, accuracy: Accuracy = "heavy") -> Pose:
    """Run the landmark model on one crop of the image."""
    return _in_image(_run(_crop(image, roi), accuracy), roi)


def estimate_pose_twice(image: UInt8[np.ndarray, "h w 3"], roi: Roi, accuracy: Accuracy = "heavy") -> Pose:
    """The mean of the model's answers to a crop and to its mirror image, if they agree; else the plain answer.

    Halves the noise and treats left and right alike.
    """
    crop = _crop(image, roi)
    plain, mirrored = _run(crop, accuracy), _mirror(_run(crop[:, ::-1], accuracy))
    if _apart(plain, mirrored) > MIRROR_TOLERANCE:
        return _in_image(plain, roi)
    return _in_image(_Answer(**_means([plain, mirrored], "presence", "points", "visibility", "world", "mask")), roi)


def steadied(image: UInt8[np.ndarray, "h w 3"], pose: Pose, accuracy: Accuracy = "heavy") -> Pose:
    """A pose with the mean of what the model says of its crop, a smaller and a larger one, as far as they agree."""
    poses = [pose]
    for scale in STEADYING:
        other = estimate_pose_twice(image, replace(pose.roi, side=scale * pose.roi.side), accuracy)
        if other.presence >= MIN_PRESENCE and _apart(pose, other) < MIRROR_TOLERANCE:
            poses.append(other)
    return replace(pose, **_means(poses, "points", "visibility", "world"))


@dataclass(frozen=True)
class _Answer:
    """The model's answer in the crop's own coordinates; the fields are Pose's."""

    presence: float
    points: Float[np.ndarray, "39 2"]
    visibility: Float[np.ndarray, "39"]
    world: Float[np.ndarray, "39 3"]
    mask: Float[np.ndarray, "256 256"]


def _means(answers: "Sequence[_Answer | Pose]", *names: str) -> dict[str, Any]:
    """Of several answers, field by field."""
    return {name: np.mean([getattr(one, name) for one in answers], axis=0) for name in names}


def _apart(a: "_Answer | Pose", b: "_Answer | Pose") -> float:
    """Mean distance of two answers' landmarks, in heights of the body."""
    distance = np.hypot(*(a.points[:33] - b.points[:33]).T).mean()
    return float(distance / np.ptp(a.points[:33], axis=0).max())


def _crop(image: UInt8[np.ndarray, "h w 3"], roi: Roi) -> UInt8[np.ndarray, "256 256 3"]:
    """The crop's pixels; outside the image its border is repeated."""
    crop_from_image = cv2.invertAffineTransform(roi.image_from_crop)
    return warp(image, crop_from_image, (CROP_SIDE, CROP_SIDE), repeat_border=True)


def _run(crop: UInt8[np.ndarray, "256 256 3"], accuracy: Accuracy) -> _Answer:
    """Run the model and decode its outputs."""
    model = load_model(f"pose/pose_landmark_{accuracy}.tflite")
    raw, presence, mask, heatmap, world = model.run(crop[None].astype(np.float32) / 255)
    landmarks = raw.reshape(39, 5).astype(np.float64)
    return _Answer(
        presence=float(presence[0, 0]),  # a probability already, other than the logits beside it
        points=refine_by_heatmap(landmarks[:, :2] / CROP_SIDE, heatmap[0]) * CROP_SIDE,
        visibility=sigmoid(landmarks[:, 3]),
        world=world.reshape(39, 3).astype(np.float64),
        mask=sigmoid(mask[0, :, :, 0]).astype(np.float32),
    )


def _mirror(answer: _Answer) -> _Answer:
    """The answer about the mirrored crop, for the crop itself."""
    return _Answer(
        presence=answer.presence,
        points=answer.points[MIRRORED] * (-1, 1) + (CROP_SIDE, 0),
        visibility=answer.visibility[MIRRORED],
        world=answer.world[MIRRORED] * (-1, 1, 1),
        mask=np.ascontiguousarray(answer.mask[:, ::-1]),
    )


def _in_image(answer: _Answer, roi: Roi) -> Pose:
    """From the crop's coordinates to the image's."""
    matrix = roi.image_from_crop
    turn = np.eye(3)
    turn[:2, :2] = matrix[:, :2] / (roi.side / CROP_SIDE)
    return Pose(
        roi=roi,
        presence=answer.presence,
        points=answer.points @ matrix[:, :2].T + matrix[:, 2],
        visibility=answer.visibility,
        world=answer.world @ turn.T,
        crop_mask=answer.mask,
    )


def refine_by_heatmap(
    points: Float[np.ndarray, "landmark 2"], heatmap: Float[np.ndarray, "h w landmark"]
) -> Float[np.ndarray, "landmark 2"]:
    """Move confident landmarks to the centre of gravity of their heat map nearby.

    MediaPipe's refine_landmarks_from_heatmap_calculator.

    Args:
        points: in [0, 1] of the crop.
        heatmap: logits.
    """
    height, width = heatmap.shape[:2]
    reach = HEATMAP_KERNEL // 2
    refined = points.copy()
    for i, (x, y) in enumerate(points):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        rows = np.arange(max(0, row - reach), min(height, row + reach + 1))
        columns = np.arange(max(0, column - reach), min(width, column + reach + 1))
        weight = sigmoid(heatmap[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, i])
        if weight.max() >= HEATMAP_MIN_CONFIDENCE:
            centre = np.array([weight.sum(axis=0) @ columns, weight.sum(axis=1) @ rows]) / weight.sum()
            refined[i] = centre / (width, height)
    return refined


def sigmoid(logits: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Logistic function in double precision."""
    return 1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))
