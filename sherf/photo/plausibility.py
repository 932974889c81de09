"""Whether a detection is a person at all: the landmark model has to find the same landmarks in other crops."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sherf.camera.image import in_frame
from sherf.errors import NoPerson
from sherf.files.images import to_uint8
from sherf.photo.detect import Person
from sherf.photo.mediapipe_landmarks import ROI_SCALE, Roi, estimate_pose

CROPS = ((0.8, -0.05), (0.8, 0.05), (1.3, -0.05), (1.3, 0.05), (1.0, 0.0))
"""Size and horizontal shift of the crops, relative to one that fits the landmarks."""
MAX_SCATTER = 0.04
"""Mean distance of the landmarks from their median over the crops, in person heights: 0.003 to 0.021 for people, and
mostly from 0.05 on for drawings of things with arms and legs."""
MIN_MEDIAN_PRESENCE = 0.6
"""Median likelihood of a person over the crops."""
VISIBLE = 0.5
"""Landmarks with at least this visibility are compared."""


def check_plausible(image: Float[Tensor, "3 h w"], person: Person, force: bool = False) -> list[str]:
    """Refuse what the landmark model takes for a person in some crops only.

    Args:
        image: sRGB in [0, 1].
        person: as detected in it.
        force: warn instead.

    Returns:
        The warning, if there is one.

    Raises:
        NoPerson: the landmarks scatter from crop to crop, or most crops do not show a person.
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    presence, scatter = agreement(image, person)
    if presence >= MIN_MEDIAN_PRESENCE and scatter <= MAX_SCATTER:
        return []
    found = (
        f"this does not look like a person: its landmarks change by {scatter:.0%} of the height from crop to crop (at "
        f"most {MAX_SCATTER:.0%}), and the likelihood of a person is {presence:.0%}"
    )
    if force:
        return [f"{found}."]
    raise NoPerson(f"{found}.\nUse a photo that shows a person from head to feet, or pass --force to continue anyway.")


def agreement(image: Float[Tensor, "3 h w"], person: Person) -> tuple[float, float]:
    """Return the median likelihood of a person over several crops, and how far the landmarks scatter.

    Args:
        image: sRGB in [0, 1].
        person: as detected in it.

    Returns:
        Likelihood in [0, 1], and the mean distance of visible landmarks from their median, in person heights.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    pixels, landmarks = to_uint8(image), person.landmarks.double().numpy()
    hips = landmarks[[23, 24]].mean(axis=0)
    reach = 1.1 * float(np.abs(landmarks - hips).max())
    rotation = _trunk_rotation(landmarks)
    poses = [
        estimate_pose(pixels, Roi(hips + np.array([shift * reach, 0.0]), 2 * ROI_SCALE * reach * size, rotation))
        for size, shift in CROPS
    ]
    points = np.stack([pose.points[:33] for pose in poses])
    size = (image.shape[1], image.shape[2])
    compared = ((person.visibility > VISIBLE) & in_frame(person.landmarks, size)).numpy()
    presence = float(np.median([pose.presence for pose in poses]))
    if not compared.any():
        return presence, 1.0
    height = max(person.box[3] - person.box[1], person.box[2] - person.box[0], 1.0)
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=-1)
    return presence, float(distance[:, compared].mean() / height)


def _trunk_rotation(landmarks: Float[np.ndarray, "33 2"]) -> float:
    """Return the angle of the trunk from upright, radians, clockwise in the image."""
    up = landmarks[[11, 12]].mean(axis=0) - landmarks[[23, 24]].mean(axis=0)
    return float(np.arctan2(up[0], -up[1])) if np.linalg.norm(up) > 0 else 0.0
