"""Writes the motions that ship: `python -m sherf.datasets.motions [--out FOLDER] [--sheets FOLDER]`."""

from collections.abc import Callable
from pathlib import Path

import torch

from sherf.body.files import load_body_model
from sherf.datasets.motions.airborne import jump, run
from sherf.datasets.motions.dance import dance
from sherf.datasets.motions.gestures import bow, disco, sit, stretch
from sherf.datasets.motions.rig import Plan, Rig, perform, rig_of
from sherf.datasets.motions.standing import idle, squat, wave
from sherf.datasets.motions.turning import turn
from sherf.datasets.motions.walk import walk
from sherf.files.output import atomic_output
from sherf.motion.motion import BUILTIN_FOLDER, Motion, write_motion

FPS = 30.0
LICENCE = "CC0-1.0: authored for SHERF, no recorded data"
AUTHORS: dict[str, Callable[[Rig], Plan]] = {
    "idle": idle,
    "walk": walk,
    "wave": wave,
    "dance": dance,
    "squat": squat,
    "turn": turn,
    "bow": bow,
    "stretch": stretch,
    "sit": sit,
    "disco": disco,
    "jump": jump,
    "run": run,
}


def author(name: str, rig: Rig) -> Motion:
    """Perform one of the plans."""
    joints, translation = perform(rig, AUTHORS[name](rig))
    return Motion(name, torch.from_numpy(joints).float(), torch.from_numpy(translation).float(), FPS, LICENCE)


def author_all(out: Path = BUILTIN_FOLDER) -> list[Motion]:
    """Write every motion as an .npz of its name."""
    rig = rig_of(load_body_model("openbody"))
    motions = [author(name, rig) for name in AUTHORS]
    for motion in motions:
        with atomic_output(out / f"{motion.name}.npz") as partial:
            write_motion(partial, motion)
    return motions
