"""Person detection: landmarks in pixels and metres, and a soft mask, of every person in a photo."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.errors import BadInput, NoPerson
from sherf.files.images import to_uint8
from sherf.photo.mediapipe_landmarks import Accuracy, Pose, average_over_scales
from sherf.photo.person_search import Box, find_poses


@dataclass(frozen=True, kw_only=True)
class PersonLandmarks:
    """BlazePose's landmarks of one person. Left and right are the person's own."""

    landmarks: Float[Tensor, "33 2"]
    """px; may lie outside the image."""
    visibility: Float[Tensor, "33"]
    """Likelihood in [0, 1] that the landmark is inside the image and not hidden."""
    world: Float[Tensor, "33 3"]
    """Metres from the centre of the hips, camera axes: x right, y down, z away from the camera."""


@dataclass(frozen=True, kw_only=True)
class Person(PersonLandmarks):
    """One person in a photo."""

    box: Box
    """x0, y0, x1, y1 around mask and visible landmarks, px."""
    score: float
    """Likelihood in [0, 1] that this is a person."""
    mask: Float[Tensor, "h w"]
    """Coverage of each pixel of the photo by the person, in [0, 1]."""


def detect_people(
    image: Float[Tensor, "3 h w"], max_people: int = 8, accuracy: Accuracy = "heavy", thorough: bool = False
) -> list[Person]:
    """Find the people in a photo with MediaPipe's BlazePose (Bazarevsky et al. 2020).

    The detector proposes candidates, which the landmark model confirms. Small people are searched for in tiles.

    Args:
        image: sRGB in [0, 1].
        max_people: return at most this many.
        accuracy: which landmark model; "full" is faster and less accurate.
        thorough: search the tiles for small people even where a tall one was found; takes some seconds more.

    Returns:
        The people, most prominent (large, certain, central) first; empty if none is found.

    Raises:
        MissingAsset: a model's file or ai-edge-litert is missing.
    """
    pixels = to_uint8(image)
    size = (pixels.shape[0], pixels.shape[1])
    poses = find_poses(pixels, accuracy, thorough)
    people = [_to_person(average_over_scales(pixels, pose, accuracy), size) for pose in poses]
    return sorted(people, key=lambda person: -_prominence(person, size))[:max_people]


def choose_person(people: list[Person], number: int | None = None) -> Person:
    """Return the person with the given number (1 = most prominent), or the most prominent one.

    Raises:
        NoPerson: the list is empty.
        BadInput: the number is out of range.
    """
    if not people:
        raise NoPerson(
            "no person was found in the photo.\n"
            "Use a photo that shows one person from head to feet, upright and at least a few hundred pixels tall.\n"
            "People who are very small, or of whom only legs or hands are in the frame, are not recognised: show at\n"
            "least head and shoulders, 64 pixels tall or more, and pass --allow-partial to let the model invent the "
            "rest."
        )
    number = 1 if number is None else number
    if not 1 <= number <= len(people):
        found = "".join(
            f"\n  {i}: x {p.box[0]:.0f} to {p.box[2]:.0f}, y {p.box[1]:.0f} to {p.box[3]:.0f} px"
            for i, p in enumerate(people, start=1)
        )
        raise BadInput(
            f"there is no person number {number}: {len(people)} found in the photo.{found}\n"
            f"Choose a number from 1 to {len(people)}."
        )
    return people[number - 1]


def to_person_landmarks(pose: Pose) -> PersonLandmarks:
    """Return the pose's 33 landmarks as float32 tensors."""
    landmarks, visibility, world = (
        torch.from_numpy(x[:33]).float() for x in (pose.points, pose.visibility, pose.world)
    )
    return PersonLandmarks(landmarks=landmarks, visibility=visibility, world=world)


def _to_person(pose: Pose, size: tuple[int, int]) -> Person:
    """Return the pose as tensors, with the mask over the whole image."""
    mask = pose.mask(size).astype(np.float32)
    points, visibility = pose.points[:33], pose.visibility[:33]
    extremes = points[visibility > 0.5] if (visibility > 0.5).any() else points
    rows, columns = np.nonzero(mask > 0.5)
    if len(rows):
        extremes = np.concatenate([extremes, [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]])
    low, high = extremes.min(axis=0).clip(0, size[::-1]), extremes.max(axis=0).clip(0, size[::-1])
    return Person(
        **vars(to_person_landmarks(pose)),
        box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        score=pose.presence,
        mask=torch.from_numpy(mask),
    )


def _prominence(person: Person, size: tuple[int, int]) -> float:
    """Return mask area x score x centrality."""
    height, width = size
    dx = (person.box[0] + person.box[2]) / width - 1
    dy = (person.box[1] + person.box[3]) / height - 1
    return float(person.mask.sum()) * person.score * float(np.exp(-(dx * dx + dy * dy)))
