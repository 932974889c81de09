"""Checks that a photo shows enough of a person to reconstruct, and lists what it does not show."""

import torch
from jaxtyping import Bool
from torch import Tensor

from sherf.errors import NoPerson
from sherf.photo.detect import Person
from sherf.photo.mediapipe_landmarks import MIN_PRESENCE

MIN_HEIGHT = 64  # px: below it the landmarks are unreliable
MIN_VISIBILITY = 0.3  # of a landmark inside the photo; the far limbs in a side view have 0.3 to 0.6
TOUCHING_SHARE = 0.1  # of the shorter side of the person's box: a longer contact with a border means cropped

# BlazePose's landmarks of each part. A part is shown if one landmark of each of its groups is visible.
_PARTS: dict[str, list[list[int]]] = {
    "head": [list(range(11))],
    "torso": [[11, 12], [23, 24]],
    "left arm": [[13], [15]],
    "right arm": [[14], [16]],
    "left hand": [[17, 19, 21]],
    "right hand": [[18, 20, 22]],
    "legs": [[25, 26, 27, 28]],
    "left lower leg": [[27]],
    "right lower leg": [[28]],
    "left foot": [[29, 31]],
    "right foot": [[30, 32]],
}
_REQUIRED = ("head", "torso", "legs")


def check_person(person: Person, size: tuple[int, int], allow_partial: bool = False) -> list[str]:
    """Refuse people that cannot be reconstructed, and return warnings about what the photo does not show.

    Args:
        person: a detected person.
        size: the photo's height and width, px.
        allow_partial: warn instead of refusing when head, torso or legs are missing.

    Returns:
        One sentence part per warning; empty for a person who is fully visible.

    Raises:
        NoPerson: the detection is too uncertain, the person too small, or head, torso or everything below the hips
            is missing and `allow_partial` is not set.
    """
    if person.score < MIN_PRESENCE:
        raise NoPerson(
            f"the detection is too uncertain to be a person (certainty {person.score:.0%}, at least "
            f"{MIN_PRESENCE:.0%} is needed).\nUse a photo that shows the person larger and less hidden."
        )
    x0, y0, x1, y1 = person.box
    height = max(y1 - y0, x1 - x0)
    if height < MIN_HEIGHT:
        raise NoPerson(
            f"the person is too small: {height:.0f} px tall, at least {MIN_HEIGHT} px are needed.\n"
            "Use a photo of higher resolution, or one taken closer to the person."
        )
    missing = find_missing_parts(person, size)
    required = [part for part in _REQUIRED if part in missing]
    if required and not allow_partial:
        reasons = "; ".join(f"{part} {missing[part]}" for part in required)
        raise NoPerson(
            f"the photo does not show the whole person: {reasons}.\n"
            "Use a photo from head to feet, or pass --allow-partial to let the model invent the missing parts."
        )
    warnings = [f"{part} {reason} and will be guessed" for part, reason in _drop_implied(missing).items()]
    return warnings + [f"the person is cut off at the {side} of the photo" for side in find_cropped_sides(person)]


def find_missing_parts(person: Person, size: tuple[int, int]) -> dict[str, str]:
    """Return the body parts that the photo does not show, each with "is outside the photo" or "is hidden".

    Args:
        person: a detected person.
        size: the photo's height and width, px.
    """
    height, width = size
    x, y = person.landmarks.unbind(dim=1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    visible = inside & (person.visibility >= MIN_VISIBILITY)
    missing = {}
    for part, groups in _PARTS.items():
        invisible = [group for group in groups if not bool(visible[group].any())]
        if invisible:
            outside = any(not bool(inside[group].any()) for group in invisible)
            verb = "are" if part == "legs" else "is"
            missing[part] = f"{verb} outside the photo" if outside else f"{verb} hidden"
    return missing


def find_cropped_sides(person: Person) -> list[str]:
    """Return the sides of the photo ("top", "left", ...) at which the mask is cropped, not just touching."""
    mask = person.mask > 0.5
    shorter_side = max(1.0, min(person.box[2] - person.box[0], person.box[3] - person.box[1]))
    borders: dict[str, Bool[Tensor, " pixel"]] = {
        "top": mask[0],
        "bottom": mask[-1],
        "left": mask[:, 0],
        "right": mask[:, -1],
    }
    return [
        side for side, pixels in borders.items() if int(torch.count_nonzero(pixels)) > TOUCHING_SHARE * shorter_side
    ]


def _drop_implied(missing: dict[str, str]) -> dict[str, str]:
    """Drop parts whose larger part is also missing: a missing arm implies its hand."""
    larger = {
        "left hand": ["left arm"],
        "right hand": ["right arm"],
        "left lower leg": ["legs"],
        "right lower leg": ["legs"],
        "left foot": ["legs", "left lower leg"],
        "right foot": ["legs", "right lower leg"],
    }
    return {
        part: reason for part, reason in missing.items() if not any(other in missing for other in larger.get(part, []))
    }
