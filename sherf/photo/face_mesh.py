"""The face mesh: MediaPipe's face_landmark.tflite (Kartynnik et al. 2019), on crops from the pose landmarks.

468 points on the face, and the point of the open body that each of them is.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.files.images import to_uint8
from sherf.photo.affine_warp import warp_affine
from sherf.photo.detect import PersonLandmarks
from sherf.photo.mediapipe_landmarks import Roi, sigmoid
from sherf.photo.mediapipe_model import load_model

SIDE = 192
"""Side of the model's crop, pixels."""
NUM_POINTS = 468
FIRST_SIDE, LATER_SIDE = 4.4, 1.5
"""Side of the first crop in distances between the eyes (or from ear to nose), of the second in sides of the face."""
MIN_SCORE = 0.9
"""Likelihood below which the crop does not show a face."""
MIN_FACE_PX = 20.0
"""Smaller faces are not searched for, pixels."""
MIN_VISIBILITY = 0.5
"""Of nose and eyes in the pose landmarks: a face that is turned away has less."""
MAX_STRAY = 0.6
"""The mesh's middle is at most this far from the nose, in sides of the face: else it is another face."""
NOSE, EYES, EARS = 0, (2, 5), (7, 8)
LEFT_EYE_CORNER, RIGHT_EYE_CORNER = 263, 33
"""Outer corners of the eyes: points of the mesh that tell its rotation."""
BODY = "openbody"
POINTS_FILE = "face_points.npz"


@dataclass(frozen=True)
class Face:
    """The face mesh of one person."""

    points: Float[Tensor, "468 2"]
    """Pixels of the photo."""
    score: float
    """Likelihood in [0, 1] that this is a face."""

    @property
    def size(self) -> float:
        """Return the longer side of the mesh's bounding box, pixels."""
        return float((self.points.amax(dim=0) - self.points.amin(dim=0)).max())


@dataclass(frozen=True)
class FacePoints:
    """The point of a body's surface that each point of the face mesh is."""

    corners: Int[Tensor, "468 3"]
    """Vertices of the triangle that it lies in."""
    weights: Float[Tensor, "468 3"]
    """Barycentric coordinates."""
    certainty: Float[Tensor, "468"]
    """1 for points that were found in the same place in all renderings, towards 0 for others."""


def find_face(image: Float[Tensor, "3 h w"], person: PersonLandmarks) -> Face | None:
    """Return the face mesh of a person; None where the face is turned away, covered or too small.

    Args:
        image: sRGB in [0, 1].
        person: whose pose landmarks tell where the face is, in the pixels of the image.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    landmarks, visibility = person.landmarks.double().numpy(), person.visibility.numpy()
    if min(visibility[[NOSE, *EYES]]) < MIN_VISIBILITY:
        return None
    eyes, nose = landmarks[list(EYES)], landmarks[NOSE]
    to_ears = np.linalg.norm(landmarks[list(EARS)] - nose, axis=1).max()
    side = FIRST_SIDE * max(np.linalg.norm(eyes[0] - eyes[1]), 0.6 * to_ears)
    if side / FIRST_SIDE * 2 < MIN_FACE_PX:
        return None
    pixels = to_uint8(image)
    across = eyes[0] - eyes[1]
    roi = Roi(0.4 * eyes.mean(axis=0) + 0.6 * nose, float(side), float(np.arctan2(across[1], across[0])))
    points, score = face_in_crop(pixels, roi)
    if score < MIN_SCORE / 3:
        return None
    points, score = face_in_crop(pixels, surroundings(points))
    extent = float(np.ptp(points, axis=0).max())
    if score < MIN_SCORE or np.linalg.norm(points.mean(axis=0) - nose) > MAX_STRAY * extent or extent < MIN_FACE_PX:
        return None
    return Face(torch.from_numpy(points).float(), score)


def face_in_crop(image: UInt8[np.ndarray, "h w 3"], roi: Roi) -> tuple[Float[np.ndarray, "468 2"], float]:
    """Return the mesh that the model finds in a crop, pixels of the image, and the likelihood that it is a face.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    cos, sin = np.cos(roi.rotation), np.sin(roi.rotation)
    linear = np.array([[cos, -sin], [sin, cos]]) * (roi.side / SIDE)
    matrix = np.concatenate([linear, (roi.centre - linear @ np.full(2, SIDE / 2))[:, None]], axis=1)
    crop = warp_affine(image, cv2.invertAffineTransform(matrix), (SIDE, SIDE), repeat_border=True)
    outputs = load_model("pose/face_landmark.tflite").run(crop[None].astype(np.float32) / 255)
    mesh = next(x for x in outputs if x.size == 3 * NUM_POINTS).reshape(NUM_POINTS, 3).astype(np.float64)
    score = float(sigmoid(next(x for x in outputs if x.size == 1).ravel())[0])
    return mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2], score


def surroundings(points: Float[np.ndarray, "468 2"]) -> Roi:
    """Return MediaPipe's crop around a face mesh: eyes level, 1.5 times the face's side."""
    across = points[LEFT_EYE_CORNER] - points[RIGHT_EYE_CORNER]
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    side = LATER_SIDE * float(np.ptp(points, axis=0).max())
    return Roi(centre, side, float(np.arctan2(across[1], across[0])))


def face_points(body: BodyModel) -> FacePoints | None:
    """Return where a body's surface has the face mesh; None for bodies other than the open body."""
    return _open_body_points() if body.name == BODY else None


@cache
def _open_body_points() -> FacePoints:
    """Return the points that `benchmarks/learn_face_points.py` found."""
    with as_file(files("sherf.photo") / POINTS_FILE) as path, np.load(path, allow_pickle=False) as data:
        corners, weights, spread = (torch.from_numpy(data[name]) for name in ("corners", "weights", "spread_mm"))
    weights = weights.float()
    certainty = 1 / (1 + (spread.float() / 4).square())
    return FacePoints(corners.long(), weights / weights.sum(dim=1, keepdim=True), certainty)
