"""Author the built-in motions and write them: `python -m sherf.datasets.motions [--out FOLDER] [--sheets FOLDER]`."""

from collections.abc import Callable
from pathlib import Path

import torch

from sherf.body.files import load_body_model
from sherf.datasets.motions.airborne import jump, run
from sherf.datasets.motions.dance import dance
from sherf.datasets.motions.gestures import bow, disco, sit, stretch
from sherf.datasets.motions.rig import Plan, Rig, measure_rig, solve_joints
from sherf.datasets.motions.standing import idle, squat, wave
from sherf.datasets.motions.turning import turn
from sherf.datasets.motions.walk import walk
from sherf.files.output import atomic_output
from sherf.motion.motion import Motion
from sherf.motion.motion_file import write_motion
from sherf.motion.read import BUILTIN_FOLDER

FPS = 30.0
LICENCE = "CC0-1.0: authored for SHERF, no recorded data"
PLANNERS: dict[str, Callable[[Rig], Plan]] = {
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


def author_motion(name: str, rig: Rig) -> Motion:
    """Return one of the motions in `PLANNERS`, as performed by the rig."""
    joints, translation = solve_joints(rig, PLANNERS[name](rig))
    return Motion(name, torch.from_numpy(joints).float(), torch.from_numpy(translation).float(), FPS, LICENCE)


def author_all_motions(out: Path = BUILTIN_FOLDER) -> list[Motion]:
    """Write every motion as `out`/NAME.npz and return them all."""
    rig = measure_rig(load_body_model("openbody"))
    motions = [author_motion(name, rig) for name in PLANNERS]
    for motion in motions:
        with atomic_output(out / f"{motion.name}.npz") as partial:
            write_motion(partial, motion)
    return motions
