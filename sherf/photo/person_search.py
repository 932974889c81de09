"""The search for people in an image: detector candidates from a pyramid of windows, verified by the landmark model."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sherf.photo.mediapipe_detector import Candidate, find_candidates
from sherf.photo.mediapipe_landmarks import MIN_PRESENCE, Accuracy, Pose, Roi, estimate_pose, estimate_pose_with_mirror

MIN_ON_MASK = 0.8  # share of landmarks on the model's own mask; people have 0.9 to 1, motorcycles 0.7
MIN_QUALITY = 0.4  # product of all evidence; whole people have 0.75 to 0.95, half ones 0.4 to 0.5, a motorcycle 0.36
MIN_ROI = 72  # px: the crop of a person 50 px tall; smaller crops give false positives
MAX_CANDIDATES = 24  # verified per search, each by two runs of the landmark model of 0.06 s
SMALL_PERSON = 0.3  # of the image's longer side: a quick search ends once someone at least this tall is found
TILE_THRESHOLD = 0.65  # detector score: many windows give many chances of a false positive
MIN_TILE = 160  # px; smaller people could not be reconstructed anyway
SAME_PERSON_DISTANCE = 0.15  # mean over landmarks, in heights of the taller one
SAME_PERSON_OVERLAP = 0.6  # of the smaller mask
COARSE_SIDE = 256  # px: masks are compared with the image reduced to this size

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _ScoredPose:
    """A pose with the evidence that it is a person."""

    pose: Pose
    mask: Bool[np.ndarray, "h w"]
    """Coarse mask of the person."""
    score: float
    """Detector score in [0, 1]."""
    visibility: float
    """Mean visibility of the landmarks inside the image, in [0, 1]."""
    on_mask: float
    """Share of these landmarks that lie on the mask, in [0, 1]."""

    @property
    def quality(self) -> float:
        """The product of all evidence, in [0, 1]."""
        return self.score * self.pose.presence * self.visibility * self.on_mask


def find_poses(pixels: UInt8[np.ndarray, "h w 3"], accuracy: Accuracy = "heavy", thorough: bool = False) -> list[Pose]:
    """Return one pose for every person in an image, in no particular order.

    Args:
        pixels: sRGB.
        accuracy: which landmark model.
        thorough: search the tiles for small people even where a tall one was found.

    Raises:
        MissingAsset: a model's file or ai-edge-litert is missing.
    """
    size = (pixels.shape[0], pixels.shape[1])
    found: list[_ScoredPose] = []
    budget = MAX_CANDIDATES
    for level, windows in enumerate(_search_levels(size)):
        for candidate in _new_candidates(pixels, windows, 0.5 if level == 0 else TILE_THRESHOLD, found)[:budget]:
            budget -= 1
            scored = _verify(pixels, candidate, accuracy)
            if scored is not None:
                found = _merge(found, scored)
        found_tall = any(_height(scored.pose) >= SMALL_PERSON * max(size) for scored in found)
        if budget <= 0 or (found_tall and not thorough):
            break
    return [scored.pose for scored in found]


def _search_levels(size: tuple[int, int]) -> Iterator[list[Box]]:
    """Yield the windows of each level: the image (and squares of it if it is long), then ever smaller tiles."""
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
    """Return squares that cover the image and overlap by at least half: each holds any person of half its size."""
    corners = [np.linspace(0, length - side, int(np.ceil(2 * (length - side) / side)) + 1) for length in size]
    return [(float(x), float(y), float(x + side), float(y + side)) for y, x in product(*corners)]


def _new_candidates(
    pixels: UInt8[np.ndarray, "h w 3"], windows: list[Box], threshold: float, known: list[_ScoredPose]
) -> list[Candidate]:
    """Return the detector's candidates in all windows without duplicates and known people, best first."""
    chosen: list[Candidate] = []
    rois = [scored.pose.roi for scored in known]
    proposals = [candidate for window in windows for candidate in find_candidates(pixels, window, threshold)]
    for candidate in sorted(proposals, key=lambda c: -c.score):
        roi = Roi.around(candidate.hips, candidate.circle)
        if roi.side >= MIN_ROI and not any(_is_near(roi, other) for other in rois):
            chosen.append(candidate)
            rois.append(roi)
    return chosen


def _is_near(a: Roi, b: Roi) -> bool:
    """Return whether two crops would show the same person."""
    angle = abs((a.rotation - b.rotation + np.pi) % (2 * np.pi) - np.pi)
    near = np.hypot(*(a.centre - b.centre)) < 0.1 * max(a.side, b.side)
    return bool(near and angle < 0.5 and 0.6 < a.side / b.side < 1.7)


def _verify(pixels: UInt8[np.ndarray, "h w 3"], candidate: Candidate, accuracy: Accuracy) -> _ScoredPose | None:
    """Return the pose at a candidate, or None; a second crop is centred by the landmarks found in the first."""
    first = estimate_pose(pixels, Roi.around(candidate.hips, candidate.circle), accuracy)
    if first.presence < MIN_PRESENCE:
        return None
    second = estimate_pose_with_mirror(pixels, first.next_roi, accuracy)
    pose = second if second.presence >= MIN_PRESENCE else first
    scored = _score(pose, (pixels.shape[0], pixels.shape[1]), candidate.score)
    return scored if scored.quality >= MIN_QUALITY and scored.on_mask >= MIN_ON_MASK else None


def _score(pose: Pose, size: tuple[int, int], score: float) -> _ScoredPose:
    """Measure how consistent a pose is: presence alone is near 1 even for crops of dogs."""
    scale = COARSE_SIDE / max(size)
    mask = pose.mask(size, scale) > 0.5
    cells = np.floor(pose.points[:33] * scale).astype(int)
    inside = ((cells >= 0) & (cells < mask.shape[::-1])).all(axis=1)
    if not inside.any():
        return _ScoredPose(pose, mask, score, visibility=0.0, on_mask=0.0)
    columns, rows = cells[inside].T
    # Landmarks at the edge of the mask count as on it: one cell of tolerance.
    dilated = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    on_mask = float(dilated[rows, columns].mean())
    return _ScoredPose(pose, mask, score, visibility=float(pose.visibility[:33][inside].mean()), on_mask=on_mask)


def _merge(found: list[_ScoredPose], new: _ScoredPose) -> list[_ScoredPose]:
    """Add a pose to those of other people; of two of the same person keep the better one."""
    same = [_is_same_person(new, old) for old in found]
    if any(is_same and old.quality >= new.quality for old, is_same in zip(found, same, strict=True)):
        return found
    return [old for old, is_same in zip(found, same, strict=True) if not is_same] + [new]


def _is_same_person(a: _ScoredPose, b: _ScoredPose) -> bool:
    distance = np.hypot(*(a.pose.points[:33] - b.pose.points[:33]).T).mean()
    if distance < SAME_PERSON_DISTANCE * max(_height(a.pose), _height(b.pose)):
        return True
    smaller = min(a.mask.sum(), b.mask.sum())
    return bool((a.mask & b.mask).sum() > SAME_PERSON_OVERLAP * max(smaller, 1))


def _height(pose: Pose) -> float:
    """Return the extent of the landmarks along the longer side, px."""
    return float(np.ptp(pose.points[:33], axis=0).max())
