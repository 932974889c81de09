"""Estimate a motion from a video of a person."""

import re
from pathlib import Path

import numpy as np

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput, NoPerson
from sherf.files.digest import file_sha256
from sherf.files.output import atomic_output
from sherf.motion.checked_arrays import read_npz
from sherf.motion.motion import Motion, move_to_origin
from sherf.motion.motion_file import write_motion
from sherf.motion.playback import MOTION_LEG_M, leg_height
from sherf.motion.read import read_motion
from sherf.photo.fit_video import fit_video
from sherf.photo.track import track_person
from sherf.photo.video_reader import read_video, video_info
from sherf.progress import print_status, progress

MIN_VISIBLE_SHARE, MIN_VISIBLE_FRAMES = 0.2, 3
"""The person has to be detected in this share of the frames, and in this many."""
VERSION = 3
"""Raised whenever results change."""


def estimate_motion_from_video(path: Path, body: BodyModel, person: int | None = None) -> Motion:
    """Track a person through a video and fit a body to every frame.

    Args:
        path: the video.
        body: the body model to fit; its shape is not part of the motion.
        person: which person, counted from 1, the largest first; the largest if not given.

    Returns:
        The motion at the video's frame rate, in motion space, from the first to the last frame that shows the person.

    Raises:
        BadInput: it is not a video, is too long, or does not show that many people.
        NoPerson: too few of its frames show a person.
    """
    info = video_info(path)
    length = None if info.seconds is None else max(1, round(info.seconds * info.fps))
    sightings = list(
        progress(track_person(read_video(path, info.fps), info.fps, person), "following the person", length)
    )
    visible = [i for i, sighting in enumerate(sightings) if sighting is not None]
    if len(visible) < max(MIN_VISIBLE_FRAMES, MIN_VISIBLE_SHARE * len(sightings)):
        raise NoPerson(
            f"{path} shows a person in only {len(visible)} of {len(sightings)} frames.\n"
            "Use a video that shows one person from head to feet most of the time."
        )
    first, last = visible[0], visible[-1]
    interpolated = last - first + 1 - len(visible)
    print_status(
        f"{path.name}: a person in {len(visible)} of {len(sightings)} frames, {info.fps:.4g} frames per second"
        + (f"; {interpolated} missing frames interpolated" if interpolated else "")
        + (f"; the motion begins at {first / info.fps:.1f} s" if first else "")
    )
    fit = fit_video(body, sightings, info.size, info.fps)
    scale = MOTION_LEG_M / leg_height(body.rest_joints(fit.pose.betas[0]))
    joints, trajectory = fit.pose.joints.double().numpy(), scale * fit.pose.T_world_body.double().numpy()
    return Motion(path.stem, *move_to_origin(joints, trajectory), fps=info.fps)


def obtain_motion_from_video(path: Path, cache_file: Path, body: BodyModel, person: int | None = None) -> Motion:
    """Return the motion of a video from a cache file, or estimate it and write that file.

    Args:
        path: the video.
        cache_file: an .npz file; it is valid for the same video, person, body model and version of the estimation.
        body: the body model to fit.
        person: which person, counted from 1, the largest first; the largest if not given.

    Returns:
        The motion, as from `estimate_motion_from_video`.

    Raises:
        BadInput: as `estimate_motion_from_video`; or `cache_file` exists and was not written by this function.
        NoPerson: too few of its frames show a person.
        OutputError: `cache_file` cannot be written.
    """
    source = f"{file_sha256(path)} {person or 1} {body.name} {VERSION}"
    if cache_file.is_file():
        try:
            cached_source = str(read_npz(cache_file).get("source", np.array("")))
            if cached_source == source:
                return read_motion(cache_file)
        except BadInput:  # damaged
            cached_source = source
        if not re.fullmatch(r"[0-9a-f]{64} \d+ \S+ \d+", cached_source):
            raise BadInput(
                f"{cache_file} exists and was not made from a video: its content would be lost.\n"
                "Move it, or choose another folder with --out."
            )
    motion = estimate_motion_from_video(path, body, person)
    with atomic_output(cache_file) as partial:
        write_motion(partial, motion, source)
    return motion
