"""One person followed through the pictures of a video."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import UInt8

from sherf.errors import BadInput
from sherf.photo.detect import Sighting, find_poses, to_sighting
from sherf.photo.mediapipe_detector import find_candidates
from sherf.photo.mediapipe_landmarks import Pose, Roi, estimate_pose

MIN_PRESENCE = 0.5
MIN_SEEN = 0.3  # mean visibility of the landmarks: below it the crop has slipped off the person
JUMP = 0.5  # of the crop's side: so far a person may be from where it was lost, for each second that it is lost
LEAP = 0.25  # likewise at once


def track(pictures: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float, number: int | None) -> Iterator[Sighting | None]:
    """Where the person's landmarks are in each picture; None where it is not seen.

    The first picture that shows people is searched thoroughly and decides who is followed; from then on each crop
    follows from the last landmarks, and a lost person is looked for near the place where it was lost.

    Args:
        number: which person, the largest first, counted from 1; the largest if not given.

    Raises:
        BadInput: there is no person of this number.
        MissingAsset: a model's file or ai-edge-litert is missing.
    """
    last: Pose | None = None
    lost = 0
    for picture in pictures:
        if last is None:
            pose = _first(picture, number)
        else:
            pose = _believed(estimate_pose(picture, last.next_roi)) if lost == 0 else None
            pose = pose or _found_again(picture, last, lost / fps)
        lost = 0 if pose is not None else lost + 1
        last = pose or last
        yield None if pose is None else to_sighting(pose)


def _first(picture: UInt8[np.ndarray, "h w 3"], number: int | None) -> Pose | None:
    """The person to follow. Where the detector sees nobody at a glance, nothing is searched."""
    if not find_candidates(picture, _frame(picture)):
        return None
    people = sorted(find_poses(picture), key=lambda pose: -pose.roi.side)
    if not people:
        return None
    if number is not None and not 1 <= number <= len(people):
        raise BadInput(f"there is no person number {number} in the video: {len(people)} found, the largest is 1.")
    return people[(number or 1) - 1]


def _found_again(picture: UInt8[np.ndarray, "h w 3"], last: Pose, seconds: float) -> Pose | None:
    """The same person, near where it was."""
    reach = (LEAP + JUMP * seconds) * last.roi.side
    for candidate in find_candidates(picture, _frame(picture)):
        if np.hypot(*(candidate.hips - last.roi.centre)) < reach:
            pose = _believed(estimate_pose(picture, Roi.around(candidate.hips, candidate.circle)))
            if pose is not None:
                return pose
    return None


def _believed(pose: Pose) -> Pose | None:
    """The pose, if it shows a person."""
    return pose if pose.presence >= MIN_PRESENCE and pose.visibility[:33].mean() >= MIN_SEEN else None


def _frame(picture: UInt8[np.ndarray, "h w 3"]) -> tuple[float, float, float, float]:
    return (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
