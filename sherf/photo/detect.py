"""Who is in the photo: landmarks in pixels and metres, and a soft mask, for every person found."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from sherf.camera.image import to_bytes
from sherf.errors import BadInput, NoPerson
from sherf.photo.mediapipe_detector import Candidate, find_candidates
from sherf.photo.mediapipe_landmarks import (
    MIN_PRESENCE,
    Accuracy,
    Pose,
    Roi,
    estimate_pose,
    estimate_pose_twice,
    steadied,
)

MIN_ON_MASK = 0.8  # share of landmarks on the model's own mask; people have .9 to 1, motorcycles .7
MIN_QUALITY = 0.4  # all evidence multiplied; whole people have .75 to .95, half ones .4 to .5, a motorcycle .36
MIN_ROI = 72  # px: a person of 50 px; below it anything looks like one
MAX_CANDIDATES = 24  # examined in one search, two landmark runs each of 0.06 s
SMALL_PERSON = 0.3  # of the frame's longer side: unless thorough, the search ends with someone as tall
TILE_THRESHOLD = 0.65  # of the detector: many windows bring many chances to be wrong
MIN_TILE = 160  # px; smaller people could not be reconstructed anyway
SAME_PERSON_DISTANCE = 0.15  # of the taller one's height, mean over landmarks
SAME_PERSON_OVERLAP = 0.6  # of the smaller mask
COARSE_SIDE = 256  # px: masks are compared at this size of the image

Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """Where one person's landmarks are. Left and right are the person's own."""

    landmarks: Float[Tensor, "33 2"]
    """BlazePose's landmarks, px; may lie outside the image."""
    visibility: Float[Tensor, "33"]
    """In [0, 1]: inside the image and not hidden."""
    world: Float[Tensor, "33 3"]
    """Metres from the hips' centre, camera axes: x right, y down, z away from the camera."""


@dataclass(frozen=True, kw_only=True)
class Person(Sighting):
    """One person in a photo."""

    box: Box
    """x0, y0, x1, y1 around mask and visible landmarks, px."""
    score: float
    """Presence in [0, 1]: that there is a person."""
    mask: Float[Tensor, "h w"]
    """Share of the person in each pixel of the image, in [0, 1]."""


@dataclass(frozen=True)
class _Finding:
    """A pose with what speaks for it."""

    pose: Pose
    mask: Bool[np.ndarray, "h w"]
    """At a coarse scale."""
    score: float
    """The detector's, in [0, 1]."""
    seen: float
    """Mean visibility of the landmarks inside the frame, in [0, 1]."""
    on_mask: float
    """Share of these landmarks on the mask, in [0, 1]."""

    @property
    def quality(self) -> float:
        """Orders findings of one person, in [0, 1]."""
        return self.score * self.pose.presence * self.seen * self.on_mask


def detect_people(
    image: Float[Tensor, "3 h w"], max_people: int = 8, accuracy: Accuracy = "heavy", thorough: bool = False
) -> list[Person]:
    """Find people with MediaPipe's BlazePose, most prominent (large, certain, central) first.

    The detector proposes, the landmark model decides. Small people are searched in tiles.

    Args:
        image: sRGB in [0, 1].
        max_people: at most so many are returned.
        accuracy: which landmark model; "full" is faster and less exact.
        thorough: search in tiles for small people beside tall ones too; some seconds more.

    Raises:
        MissingAsset: a model's file or ai-edge-litert is missing.
    """
    pixels = to_bytes(image)
    size = pixels.shape[:2]
    people = [_to_person(steadied(pixels, pose, accuracy), size) for pose in find_poses(pixels, accuracy, thorough)]
    return sorted(people, key=lambda person: -_prominence(person, size))[:max_people]


def find_poses(pixels: UInt8[np.ndarray, "h w 3"], accuracy: Accuracy = "heavy", thorough: bool = False) -> list[Pose]:
    """One pose for every person, in no order.

    Args:
        thorough: see `detect_people`.

    Raises:
        MissingAsset: a model's file or ai-edge-litert is missing.
    """
    size = pixels.shape[:2]
    found: list[_Finding] = []
    budget = MAX_CANDIDATES
    for level, windows in enumerate(_search_levels(size)):
        for candidate in _new_candidates(pixels, windows, 0.5 if level == 0 else TILE_THRESHOLD, found)[:budget]:
            budget -= 1
            finding = _examine(pixels, candidate, accuracy)
            if finding is not None:
                found = _add_unless_known(found, finding)
        tall = any(_height(finding.pose) >= SMALL_PERSON * max(size) for finding in found)
        if budget <= 0 or (tall and not thorough):
            break
    return [finding.pose for finding in found]


def choose_person(people: list[Person], number: int | None = None) -> Person:
    """The person with this number (1 = most prominent), or the most prominent one.

    Raises:
        NoPerson: the list is empty.
        BadInput: there is no person of this number.
    """
    if not people:
        raise NoPerson(
            "no person was found in the photo.\n"
            "Use a photo that shows one person from head to feet, upright and at least a few hundred pixels tall.\n"
            "Where only legs, hands or a very small figure are in the frame, nobody is recognised: show at least\n"
            "head and shoulders, 64 pixels tall or more, and pass --allow-partial to have the rest invented."
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


def _search_levels(size: tuple[int, int]) -> Iterator[list[Box]]:
    """Windows to search, level by level: the frame (and its squares if it is long), then ever smaller tiles."""
    height, width = size
    frame = [(0.0, 0.0, float(width), float(height))]
    short, long = sorted(size)
    yield frame + (_tiles(size, float(short)) if long > 1.3 * short else [])
    tile = long / 2
    for _ in range(2):
        if tile < MIN_TILE:
            return
        yield _tiles(size, float(min(tile, short)))
        tile /= 2


def _tiles(size: tuple[int, int], side: float) -> list[Box]:
    """Squares that cover the image and overlap by at least half, so that a person of half a tile is whole in one."""
    corners = [np.linspace(0, length - side, int(np.ceil(2 * (length - side) / side)) + 1) for length in size]
    return [(float(x), float(y), float(x + side), float(y + side)) for y, x in product(*corners)]


def _new_candidates(
    pixels: UInt8[np.ndarray, "h w 3"], windows: list[Box], threshold: float, known: list[_Finding]
) -> list[Candidate]:
    """The detector's proposals in all windows, without repetitions and without people known already; best first."""
    chosen: list[Candidate] = []
    rois = [finding.pose.roi for finding in known]
    proposals = [candidate for window in windows for candidate in find_candidates(pixels, window, threshold)]
    for candidate in sorted(proposals, key=lambda c: -c.score):
        roi = Roi.around(candidate.hips, candidate.circle)
        if roi.side >= MIN_ROI and not any(_is_near(roi, other) for other in rois):
            chosen.append(candidate)
            rois.append(roi)
    return chosen


def _is_near(a: Roi, b: Roi) -> bool:
    """Would two crops show the same person?"""
    turn = abs((a.rotation - b.rotation + np.pi) % (2 * np.pi) - np.pi)
    near = np.hypot(*(a.centre - b.centre)) < 0.1 * max(a.side, b.side)
    return bool(near and turn < 0.5 and 0.6 < a.side / b.side < 1.7)


def _examine(pixels: UInt8[np.ndarray, "h w 3"], candidate: Candidate, accuracy: Accuracy) -> _Finding | None:
    """The pose at a candidate, looked at twice: the second crop is centred by the first one's landmarks."""
    first = estimate_pose(pixels, Roi.around(candidate.hips, candidate.circle), accuracy)
    if first.presence < MIN_PRESENCE:
        return None
    second = estimate_pose_twice(pixels, first.next_roi, accuracy)
    pose = second if second.presence >= MIN_PRESENCE else first
    finding = _judge(pose, pixels.shape[:2], candidate.score)
    return finding if finding.quality >= MIN_QUALITY and finding.on_mask >= MIN_ON_MASK else None


def _judge(pose: Pose, size: tuple[int, int], score: float) -> _Finding:
    """How well a pose agrees with itself: presence alone is near 1 even for crops of dogs."""
    scale = COARSE_SIDE / max(size)
    mask = pose.mask(size, scale) > 0.5
    cells = np.floor(pose.points[:33] * scale).astype(int)
    inside = ((cells >= 0) & (cells < mask.shape[::-1])).all(axis=1)
    if not inside.any():
        return _Finding(pose, mask, score, seen=0.0, on_mask=0.0)
    columns, rows = cells[inside].T
    # A landmark at the edge of the mask counts as on it: one cell of tolerance.
    spread = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    on_mask = float(spread[rows, columns].mean())
    return _Finding(pose, mask, score, seen=float(pose.visibility[:33][inside].mean()), on_mask=on_mask)


def _add_unless_known(found: list[_Finding], new: _Finding) -> list[_Finding]:
    """Findings of different people: of two that lie on each other the more convincing one stays."""
    same = [_is_same(new, old) for old in found]
    if any(is_same and old.quality >= new.quality for old, is_same in zip(found, same, strict=True)):
        return found
    return [old for old, is_same in zip(found, same, strict=True) if not is_same] + [new]


def _is_same(a: _Finding, b: _Finding) -> bool:
    distance = np.hypot(*(a.pose.points[:33] - b.pose.points[:33]).T).mean()
    if distance < SAME_PERSON_DISTANCE * max(_height(a.pose), _height(b.pose)):
        return True
    smaller = min(a.mask.sum(), b.mask.sum())
    return bool((a.mask & b.mask).sum() > SAME_PERSON_OVERLAP * max(smaller, 1))


def _height(pose: Pose) -> float:
    """Extent of the landmarks along the longer side, px."""
    return float(np.ptp(pose.points[:33], axis=0).max())


def _to_person(pose: Pose, size: tuple[int, int]) -> Person:
    """The pose as tensors, with the mask over the whole image."""
    mask = pose.mask(size).astype(np.float32)
    points, visibility = pose.points[:33], pose.visibility[:33]
    shown = points[visibility > 0.5] if (visibility > 0.5).any() else points
    rows, columns = np.nonzero(mask > 0.5)
    if len(rows):
        shown = np.concatenate([shown, [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]])
    low, high = shown.min(axis=0).clip(0, size[::-1]), shown.max(axis=0).clip(0, size[::-1])
    return Person(
        **vars(to_sighting(pose)),
        box=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
        score=pose.presence,
        mask=torch.from_numpy(mask),
    )


def to_sighting(pose: Pose) -> Sighting:
    """The pose's landmarks as tensors."""
    landmarks, visibility, world = (
        torch.from_numpy(x[:33]).float() for x in (pose.points, pose.visibility, pose.world)
    )
    return Sighting(landmarks=landmarks, visibility=visibility, world=world)


def _prominence(person: Person, size: tuple[int, int]) -> float:
    """Mask area x presence x centrality."""
    height, width = size
    dx = (person.box[0] + person.box[2]) / width - 1
    dy = (person.box[1] + person.box[3]) / height - 1
    return float(person.mask.sum()) * person.score * float(np.exp(-(dx * dx + dy * dy)))
