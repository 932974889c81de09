"""`python -m sherf.datasets.motions`: write all built-in motions again."""

from pathlib import Path

import tyro

from sherf.body.files import load_body_model
from sherf.datasets.motions.author import author_all_motions
from sherf.datasets.motions.sheet import write_contact_sheet
from sherf.motion.read import BUILTIN_FOLDER


def main(out: Path = BUILTIN_FOLDER, sheets: Path | None = None) -> None:
    """Write the built-in motions.

    Args:
        out: Folder for the .npz files.
        sheets: Folder for contact sheets to inspect them; none are written without it.
    """
    for motion in author_all_motions(out):
        print(f"{motion.name}: {len(motion)} frames, {motion.seconds:.1f} s")
        if sheets is not None:
            write_contact_sheet(sheets / f"{motion.name}.png", load_body_model("openbody"), motion)


if __name__ == "__main__":
    tyro.cli(main)
