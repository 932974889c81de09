"""Tracking of one person through the frames of a video."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import UInt8

from sherf.errors import BadInput
from sherf.photo.detect import PersonLandmarks, to_person_landmarks
from sherf.photo.mediapipe_detector import find_candidates
from sherf.photo.mediapipe_landmarks import MIN_PRESENCE, Pose, Roi, estimate_pose
from sherf.photo.person_search import Box, find_poses

MIN_VISIBILITY = 0.3  # mean over the landmarks: below it the crop has drifted off the person
SEARCH_RADIUS = 0.25  # of the crop's side: how far a lost person may reappear from where it was lost
SEARCH_SPEED = 0.5  # by how much that radius grows for each second


def track_person(
    frames: Iterable[UInt8[np.ndarray, "h w 3"]], fps: float, number: int | None
) -> Iterator[PersonLandmarks | None]:
    """Yield the person's landmarks in each frame, or None where the person is not found.

    The first frame that shows people is searched thoroughly, and the person to follow is chosen there. From then on
    each crop follows from the previous landmarks, and a lost person is searched for near the last known position.

    Args:
        frames: sRGB, all of one size.
        fps: frames a second.
        number: which person, counted from 1, largest first; None for the largest.

    Yields:
        Landmarks in the pixels of the frame.

    Raises:
        BadInput: the number is larger than the number of people found.
        MissingAsset: a model's file or ai-edge-litert is missing.
    """
    last: Pose | None = None
    lost = 0
    for frame in frames:
        if last is None:
            pose = _choose_first(frame, number)
        else:
            pose = _accept(estimate_pose(frame, last.next_roi)) if lost == 0 else None
            pose = pose or _reacquire(frame, last, lost / fps)
        lost = 0 if pose is not None else lost + 1
        last = pose or last
        yield None if pose is None else to_person_landmarks(pose)


def _choose_first(frame: UInt8[np.ndarray, "h w 3"], number: int | None) -> Pose | None:
    """Return the person to follow; the full search runs only if the detector finds a candidate in the whole frame.

    Raises:
        BadInput: the number is larger than the number of people found.
    """
    if not find_candidates(frame, _window(frame)):
        return None
    people = sorted(find_poses(frame), key=lambda pose: -pose.roi.side)
    if not people:
        return None
    if number is not None and not 1 <= number <= len(people):
        raise BadInput(
            f"there is no person number {number} in the video: {len(people)} found, numbered from 1, largest first.\n"
            f"Choose a number from 1 to {len(people)}."
        )
    return people[(number or 1) - 1]


def _reacquire(frame: UInt8[np.ndarray, "h w 3"], last: Pose, seconds: float) -> Pose | None:
    """Return the person near the last known position, after being lost for some seconds."""
    reach = (SEARCH_RADIUS + SEARCH_SPEED * seconds) * last.roi.side
    for candidate in find_candidates(frame, _window(frame)):
        if np.hypot(*(candidate.hips - last.roi.centre)) < reach:
            pose = _accept(estimate_pose(frame, Roi.around(candidate.hips, candidate.circle)))
            if pose is not None:
                return pose
    return None


def _accept(pose: Pose) -> Pose | None:
    """Return the pose if it shows a person."""
    return pose if pose.presence >= MIN_PRESENCE and pose.visibility[:33].mean() >= MIN_VISIBILITY else None


def _window(frame: UInt8[np.ndarray, "h w 3"]) -> Box:
    return (0.0, 0.0, float(frame.shape[1]), float(frame.shape[0]))
