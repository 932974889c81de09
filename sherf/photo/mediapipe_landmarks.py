"""MediaPipe's landmark models, pose_landmark_*.tflite (Bazarevsky et al. 2020), run and decoded.

A crop gives landmarks in pixels and metres, presence and a mask. Follows MediaPipe's graph
pose_landmark_by_roi_cpu.pbtxt: rotated 256 x 256 crop with replicated borders, heat map refinement, projection back by
the crop's rotation. MediaPipe's crops on CPUs are off by half a crop pixel; these are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sherf.photo.affine_warp import warp_affine
from sherf.photo.mediapipe_model import load_model

CROP_SIDE = 256
ROI_SCALE = 1.25  # half the crop's side, in radii of the circle that encloses the body
HEATMAP_KERNEL = 7
HEATMAP_MIN_CONFIDENCE = 0.5
MIN_PRESENCE = 0.5  # below it the crop does not show a person (a handbag passes the detector at 0.62)
MIRROR_TOLERANCE = 0.06  # body heights, mean over landmarks; larger differences mean that left and right were confused
# Landmark i of a mirrored person is landmark MIRRORED[i] of the person; the last six have no side.
MIRRORED = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, 33)), *range(33, 39)]
EXTRA_SCALES = (0.87, 1.13)
"""Sides of the further crops that `average_over_scales` uses, relative to the pose's own."""
HIPS, CIRCLE = 33, 34  # auxiliary landmarks: refined versions of the detector's two alignment points

Accuracy = Literal["heavy", "full"]


@dataclass(frozen=True)
class Roi:
    """A rotated square crop around a person."""

    centre: Float[np.ndarray, "2"]
    """px."""
    side: float
    """px."""
    rotation: float
    """Radians, clockwise in the image; 0 for an upright person."""

    @staticmethod
    def around(hips: Float[np.ndarray, "2"], circle: Float[np.ndarray, "2"]) -> "Roi":
        """Return the crop for a body whose enclosing circle is centred on `hips` and passes through `circle`, px."""
        dx, dy = circle - hips
        rotation = np.pi / 2 - np.arctan2(-dy, dx)
        return Roi(hips, 2 * ROI_SCALE * float(np.hypot(dx, dy)), float((rotation + np.pi) % (2 * np.pi) - np.pi))

    @property
    def image_from_crop(self) -> Float[np.ndarray, "2 3"]:
        """Affine map from the 256 x 256 crop to the image."""
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        linear = np.array([[cos, -sin], [sin, cos]]) * (self.side / CROP_SIDE)
        offset = self.centre - linear @ np.full(2, CROP_SIDE / 2)
        return np.concatenate([linear, offset[:, None]], axis=1)


@dataclass(frozen=True)
class Pose:
    """The landmark model's output for one crop, in image coordinates."""

    roi: Roi
    """The crop."""
    presence: float
    """Likelihood in [0, 1] that the crop shows a person."""
    points: Float[np.ndarray, "39 2"]
    """Landmarks, px; 33 and 34 are the hips' centre and a point on the circle that encloses the body."""
    visibility: Float[np.ndarray, "39"]
    """Likelihood in [0, 1] that the landmark is inside the image and not hidden."""
    world: Float[np.ndarray, "39 3"]
    """Metres from the hips' centre, camera axes: x right, y down, z away from the camera."""
    crop_mask: Float[np.ndarray, "256 256"]
    """Coverage of the crop's pixels by the person, in [0, 1]."""

    @property
    def next_roi(self) -> Roi:
        """The crop that these landmarks define, for the next frame or a second run."""
        return Roi.around(self.points[HIPS], self.points[CIRCLE])

    def mask(self, size: tuple[int, int], scale: float = 1.0) -> Float[np.ndarray, "h w"]:
        """Return the coverage of each pixel of the image by the person, in [0, 1]; 0 outside the crop.

        Args:
            size: the image's height and width, px.
            scale: size of the returned mask relative to the image.
        """
        height, width = (max(1, round(length * scale)) for length in size)
        return warp_affine(self.crop_mask, self.roi.image_from_crop * scale, (height, width))


def estimate_pose(image: UInt8[np.ndarray, "h w 3"], roi: Roi, accuracy: Accuracy = "heavy") -> Pose:
    """Return the landmark model's pose for one crop of the image.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    return _to_image(_run(_crop(image, roi), accuracy), roi)


def estimate_pose_with_mirror(image: UInt8[np.ndarray, "h w 3"], roi: Roi, accuracy: Accuracy = "heavy") -> Pose:
    """Return the mean pose of a crop and its mirror image if they agree, else that of the plain crop.

    Halves the noise and makes the result symmetric in left and right.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    crop = _crop(image, roi)
    plain, mirrored = _run(crop, accuracy), _mirror(_run(crop[:, ::-1], accuracy))
    if _landmark_distance(plain, mirrored) > MIRROR_TOLERANCE:
        return _to_image(plain, roi)
    return _to_image(_Output(**_means([plain, mirrored], "presence", "points", "visibility", "world", "mask")), roi)


def average_over_scales(image: UInt8[np.ndarray, "h w 3"], pose: Pose, accuracy: Accuracy = "heavy") -> Pose:
    """Return a pose with its landmarks averaged with those from a smaller and a larger crop, where these agree.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    poses = [pose]
    for scale in EXTRA_SCALES:
        other = estimate_pose_with_mirror(image, replace(pose.roi, side=scale * pose.roi.side), accuracy)
        if other.presence >= MIN_PRESENCE and _landmark_distance(pose, other) < MIRROR_TOLERANCE:
            poses.append(other)
    return replace(pose, **_means(poses, "points", "visibility", "world"))


@dataclass(frozen=True)
class _Output:
    """The model's output in crop coordinates; the fields are those of `Pose`."""

    presence: float
    points: Float[np.ndarray, "39 2"]
    visibility: Float[np.ndarray, "39"]
    world: Float[np.ndarray, "39 3"]
    mask: Float[np.ndarray, "256 256"]


def _means(outputs: "Sequence[_Output | Pose]", *names: str) -> dict[str, Any]:
    """Return the means of the named fields."""
    return {name: np.mean([getattr(output, name) for output in outputs], axis=0) for name in names}


def _landmark_distance(a: "_Output | Pose", b: "_Output | Pose") -> float:
    """Return the mean distance of two sets of landmarks, in body heights."""
    distance = np.hypot(*(a.points[:33] - b.points[:33]).T).mean()
    return float(distance / np.ptp(a.points[:33], axis=0).max())


def _crop(image: UInt8[np.ndarray, "h w 3"], roi: Roi) -> UInt8[np.ndarray, "256 256 3"]:
    """Return the crop's pixels; the image's border is replicated outside it."""
    crop_from_image = cv2.invertAffineTransform(roi.image_from_crop)
    return warp_affine(image, crop_from_image, (CROP_SIDE, CROP_SIDE), repeat_border=True)


def _run(crop: UInt8[np.ndarray, "256 256 3"], accuracy: Accuracy) -> _Output:
    """Run the model and decode its outputs."""
    model = load_model(f"pose/pose_landmark_{accuracy}.tflite")
    raw, presence, mask, heatmap, world = model.run(crop[None].astype(np.float32) / 255)
    landmarks = raw.reshape(39, 5).astype(np.float64)
    return _Output(
        presence=float(presence[0, 0]),  # already a probability, unlike the visibility and mask logits
        points=refine_by_heatmap(landmarks[:, :2] / CROP_SIDE, heatmap[0]) * CROP_SIDE,
        visibility=sigmoid(landmarks[:, 3]),
        world=world.reshape(39, 3).astype(np.float64),
        mask=sigmoid(mask[0, :, :, 0]).astype(np.float32),
    )


def _mirror(output: _Output) -> _Output:
    """Convert the output for the mirrored crop to one for the crop itself."""
    return _Output(
        presence=output.presence,
        points=output.points[MIRRORED] * (-1, 1) + (CROP_SIDE, 0),
        visibility=output.visibility[MIRRORED],
        world=output.world[MIRRORED] * (-1, 1, 1),
        mask=np.ascontiguousarray(output.mask[:, ::-1]),
    )


def _to_image(output: _Output, roi: Roi) -> Pose:
    """Convert from crop to image coordinates."""
    matrix = roi.image_from_crop
    rotation = np.eye(3)
    rotation[:2, :2] = matrix[:, :2] / (roi.side / CROP_SIDE)
    return Pose(
        roi=roi,
        presence=output.presence,
        points=output.points @ matrix[:, :2].T + matrix[:, 2],
        visibility=output.visibility,
        world=output.world @ rotation.T,
        crop_mask=output.mask,
    )


def refine_by_heatmap(
    points: Float[np.ndarray, "landmark 2"], heatmap: Float[np.ndarray, "h w landmark"]
) -> Float[np.ndarray, "landmark 2"]:
    """Move landmarks with a confident heat map to the weighted mean of its cells nearby.

    As MediaPipe's refine_landmarks_from_heatmap_calculator does.

    Args:
        points: in [0, 1] of the crop.
        heatmap: logits.

    Returns:
        Points in [0, 1] of the crop.
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
    """Return the logistic function in double precision; logits are clipped to [-100, 100]."""
    return 1 / (1 + np.exp(-logits.astype(np.float64).clip(-100, 100)))
