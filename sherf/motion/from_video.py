"""A motion out of a video of a person."""

import re
from pathlib import Path

import numpy as np

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput, NoPerson
from sherf.files.digest import file_sha256
from sherf.files.output import atomic_output
from sherf.motion.motion import MOTION_LEG_M, Motion, leg_height, read_motion, started_at_origin, write_motion
from sherf.motion.npz import read_npz
from sherf.photo.fit_video import fit_video
from sherf.photo.track import track
from sherf.photo.video_reader import read_video, video_info
from sherf.progress import counted, print_status

LEAST_SHARE = 0.2
"""Of the pictures that have to show the person."""
LEAST_PICTURES = 3
VERSION = 3
"""Raised whenever other numbers come out."""


def motion_of_video(path: Path, body: BodyModel, person: int | None = None) -> Motion:
    """Follow a person through a video and fit a body to it.

    Args:
        body: what is fitted; the motion has no shape.
        person: which one, the largest first, counted from 1.

    Raises:
        BadInput: it is no video, too long, or `person` is not there.
        NoPerson: too few of its pictures show one.
    """
    info = video_info(path)
    length = None if info.seconds is None else max(1, round(info.seconds * info.fps))
    sightings = list(counted(track(read_video(path, info.fps), info.fps, person), length, "following the person"))
    seen = [i for i, sighting in enumerate(sightings) if sighting is not None]
    if len(seen) < max(LEAST_PICTURES, LEAST_SHARE * len(sightings)):
        raise NoPerson(
            f"{path} shows a person in {len(seen)} of {len(sightings)} pictures only.\n"
            "Use a video that shows one person from head to feet most of the time."
        )
    first, last = seen[0], seen[-1]
    bridged = last - first + 1 - len(seen)
    print_status(
        f"{path.name}: a person in {len(seen)} of {len(sightings)} pictures, {info.fps:.4g} a second"
        + (f"; {bridged} between were bridged" if bridged else "")
        + (f"; the motion begins at {first / info.fps:.1f} s" if first else "")
    )
    fit = fit_video(body, sightings, info.size, info.fps)
    scale = MOTION_LEG_M / leg_height(body.rest_joints(fit.pose.betas[0]))
    joints, way = fit.pose.joints.double().numpy(), scale * fit.pose.T_world_body.double().numpy()
    return Motion(path.stem, **started_at_origin(joints, way), fps=info.fps)


def obtain_motion_of_video(path: Path, kept: Path, body: BodyModel, person: int | None = None) -> Motion:
    """The motion out of a file that an earlier run kept, or made and kept there.

    Raises:
        As `motion_of_video`, and where `kept` is somebody's file; OutputError where it cannot be kept.
    """
    source = f"{file_sha256(path)} {person or 1} {body.name} {VERSION}"
    if kept.is_file():
        try:
            found = str(read_npz(kept).get("source", np.array("")))
            if found == source:
                return read_motion(kept)
        except BadInput:  # damaged
            found = source
        if not re.fullmatch(r"[0-9a-f]{64} \d+ \S+ \d+", found):
            raise BadInput(
                f"{kept} is there, and no earlier motion of a video: it would be lost.\n"
                "Move it away, or choose another folder with --out."
            )
    motion = motion_of_video(path, body, person)
    with atomic_output(kept) as partial:
        write_motion(partial, motion, source)
    return motion
