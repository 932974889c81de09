"""Is enough of a person in the photo to build a body from?"""

import torch
from jaxtyping import Bool
from torch import Tensor

from sherf.errors import NoPerson
from sherf.photo.detect import MIN_PRESENCE, Person

MIN_HEIGHT = 64  # px: below it the landmark model guesses
MIN_VISIBILITY = 0.3  # of a landmark inside the frame; far limbs of a side view have .3 to .6
TOUCHING_SHARE = 0.1  # of the person's box side along a border: cut there, not just touching

# BlazePose's landmarks of each part. A part is there if one landmark of each of its groups is seen.
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
_NEEDED = ("head", "torso", "legs")


def check_person(person: Person, size: tuple[int, int], allow_partial: bool = False) -> list[str]:
    """Warnings about what the photo does not show of a person.

    Args:
        size: the photo's height and width, px.
        allow_partial: warn instead of refusing when head, torso or legs are missing.

    Raises:
        NoPerson: it is hardly a person, too small, or head, torso or everything below the hips is missing.
    """
    if person.score < MIN_PRESENCE:
        raise NoPerson(
            f"what was found is hardly a person (certainty {person.score:.0%}, at least {MIN_PRESENCE:.0%} needed).\n"
            "Use a photo that shows the person larger and less hidden."
        )
    x0, y0, x1, y1 = person.box
    tall = max(y1 - y0, x1 - x0)
    if tall < MIN_HEIGHT:
        raise NoPerson(
            f"the person is too small: {tall:.0f} px tall, at least {MIN_HEIGHT} px are needed.\n"
            "Use a photo of higher resolution, or one taken from nearer."
        )
    missing = missing_parts(person, size)
    needed = [part for part in _NEEDED if part in missing]
    if needed and not allow_partial:
        reasons = "; ".join(f"{part} {missing[part]}" for part in needed)
        raise NoPerson(
            f"the photo does not show the whole person: {reasons}.\n"
            "Use a photo from head to feet, or pass --allow-partial to have the missing parts invented."
        )
    warnings = [f"{part} {reason} and will be guessed" for part, reason in _without_repetition(missing).items()]
    return warnings + [f"the person is cut off at the {side} of the photo" for side in cut_sides(person)]


def missing_parts(person: Person, size: tuple[int, int]) -> dict[str, str]:
    """Body parts that the photo does not show, with the reason: "is outside the photo" or "is hidden"."""
    height, width = size
    x, y = person.landmarks.unbind(dim=1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    seen = inside & (person.visibility >= MIN_VISIBILITY)
    missing = {}
    for part, groups in _PARTS.items():
        unseen = [group for group in groups if not bool(seen[group].any())]
        if unseen:
            outside = any(not bool(inside[group].any()) for group in unseen)
            verb = "are" if part == "legs" else "is"
            missing[part] = f"{verb} outside the photo" if outside else f"{verb} hidden"
    return missing


def cut_sides(person: Person) -> list[str]:
    """Sides of the photo ("top", "left", ...) along which the mask runs, not merely touches."""
    mask = person.mask > 0.5
    across = max(1.0, min(person.box[2] - person.box[0], person.box[3] - person.box[1]))
    borders: dict[str, Bool[Tensor, " pixel"]] = {
        "top": mask[0],
        "bottom": mask[-1],
        "left": mask[:, 0],
        "right": mask[:, -1],
    }
    return [side for side, pixels in borders.items() if int(torch.count_nonzero(pixels)) > TOUCHING_SHARE * across]


def _without_repetition(missing: dict[str, str]) -> dict[str, str]:
    """Drop parts whose larger part is listed: a missing arm needs no word about its hand."""
    larger = {
        "left hand": ["left arm"],
        "right hand": ["right arm"],
        "left lower leg": ["legs"],
        "right lower leg": ["legs"],
        "left foot": ["legs", "left lower leg"],
        "right foot": ["legs", "right lower leg"],
    }
    return {p: reason for p, reason in missing.items() if not any(other in missing for other in larger.get(p, []))}
