"""Formats of exported files: which one a file name selects, and which options each format takes."""

from pathlib import Path
from typing import get_args

from sherf.errors import BadInput
from sherf.export.options import ExportFormat, ExportOptions
from sherf.motion.motion import Motion

FORMATS: tuple[str, ...] = get_args(ExportFormat)
POSED = ("obj", "ply")
"""Formats that hold one pose."""
MOTIONS = ("bvh", "npz")
"""Formats that hold one motion and no mesh."""
SELF_CONTAINED = ("glb", "vrm")
"""Formats that hold their own provenance."""
TRIANGLES, TEXTURE, POINTS = (500, 500_000), (64, 8192), (0, 10_000_000)
"""Ranges of the options of these names."""


def file_format(out: Path, options: ExportOptions) -> str:
    """Return the format that the options or the file's suffix select.

    Raises:
        BadInput: neither names a known format.
    """
    found = options.format or out.suffix.lower().removeprefix(".")
    if found not in FORMATS:
        raise BadInput(f"cannot export {out.name}: give --format, or a name that ends in .{', .'.join(FORMATS)}.")
    return found


def named_file(out: Path, file_format: str) -> Path:
    """Return the path, with the format's suffix appended if it has none.

    Raises:
        BadInput: the path is a folder.
    """
    if not out.suffix and out.name not in ("", ".."):
        out = out.with_name(f"{out.name}.{file_format}")
    if out.is_dir():
        example = out / f"me.{file_format}"
        raise BadInput(f"{out} is a folder: --out takes the name of the file, such as {example}.")
    return out


def provenance_path(out: Path) -> Path:
    """Return the path of the provenance of a file that cannot contain it."""
    return out.with_suffix(f"{out.suffix}.provenance.json")


def exported_files(out: Path, file_format: str) -> list[Path]:
    """Return all files that an export writes."""
    materials = [out.with_suffix(".mtl"), out.with_suffix(".png")] if file_format == "obj" else []
    return [out, *materials] + ([] if file_format in SELF_CONTAINED else [provenance_path(out)])


def check_mesh(triangles: int, texture: int, points: int = 0) -> None:
    """Refuse sizes that a mesh or a point cloud cannot have.

    Raises:
        BadInput: a size is out of range; the message names the range.
    """
    for name, value, (least, most) in (
        ("--triangles", triangles, TRIANGLES),
        ("--texture", texture, TEXTURE),
        ("--points", points, POINTS),
    ):
        if not least <= value <= most:
            raise BadInput(f"{name} {value} is not possible: choose {least} to {most}.")


def check_options(file_format: str, options: ExportOptions, num_motions: int) -> None:
    """Refuse options and numbers of motions that a format does not take.

    Raises:
        BadInput: names the option and the formats that take it.
    """
    for name, is_given, formats in (
        (f"--frame {options.frame}", options.frame is not None, POSED),
        (f"--posed {options.posed}", options.posed != "rest", POSED),
        (f"--points {options.points}", options.points != 0, ("ply",)),
    ):
        if is_given and file_format not in formats:
            raise BadInput(
                f"{name} does not apply to a .{file_format}: leave it out, or export .{' or .'.join(formats)}."
            )
    if file_format in MOTIONS and num_motions != 1:
        raise BadInput(f"a .{file_format} holds one motion: give one --motion, not {num_motions}.")
    if file_format in POSED and num_motions + (options.posed != "rest") > 1:
        raise BadInput(f"a .{file_format} holds one pose: give one --motion, or --posed photo, not both or several.")


def check_frame(options: ExportOptions, motions: list[Motion]) -> None:
    """Refuse a frame that the motion does not have.

    Raises:
        BadInput: there is not exactly one motion, or it is shorter.
    """
    if options.frame is None:
        return
    if len(motions) != 1 or not 0 <= options.frame < len(motions[0]):
        length = f"; {motions[0].name} has {len(motions[0])} frames" if motions else ""
        raise BadInput(f"--frame {options.frame} needs one --motion that has this frame{length}.")
