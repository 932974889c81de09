"""Recognise a motion file's format by its content, and read it."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sherf.body.files import load_body_model
from sherf.errors import BadInput
from sherf.motion.checked_arrays import MAX_DISTANCE_M, read_npy, read_npz
from sherf.motion.motion import Motion, move_to_origin
from sherf.motion.motion_file import MAX_NAME_LENGTH, has_own_layout, parse_own_layout, safe_file_name
from sherf.motion.readers.bvh import is_bvh, read_bvh
from sherf.motion.readers.gltf_clip import MAX_LISTED_CLIPS, read_gltf
from sherf.motion.readers.gltf_document import MAX_DOCUMENT_BYTES, is_gltf
from sherf.motion.readers.retarget import SkeletonClip, retarget
from sherf.motion.readers.smpl_arrays import parse_json_arrays, parse_pickle_arrays, parse_smpl_arrays

MAX_BYTES = 128 * 2**20
HEAD_BYTES = 4096
MAX_SKELETON_VALUE = 1e9
"""Of any position in a skeleton, in its own unit."""
PICKLE_STARTS = (b"\x80", b"(", b"}", b"c")
"""First bytes of pickles; that of protocol 2 and later comes first, the others are plain characters."""
Format = Literal["glTF", ".npz", ".npy", "BVH", "JSON", "pickle"]
SUPPORTED = (
    "Supported are SMPL parameters (AMASS, AIST++, SMPL-H, SMPL-X) as .npz, .npy, .json or .pkl, BVH, animations of "
    "rigged glTF files (.glb), and videos of a person."
)


def is_motion_file(path: Path) -> bool:
    """Return whether a file's first bytes are those of a supported format, whatever its name; videos' are not."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return _detect_format(head) not in (None, "pickle") or head.startswith(PICKLE_STARTS[0])


def _detect_format(head: bytes) -> Format | None:
    """Return the format to which a file's first bytes belong; None if unknown."""
    if is_gltf(head):
        return "glTF"
    if head.startswith(b"PK"):
        return ".npz"
    if head.startswith(b"\x93NUMPY"):
        return ".npy"
    if is_bvh(head):
        return "BVH"
    if head.lstrip().startswith(b"{"):
        return "JSON"
    return "pickle" if head.startswith(PICKLE_STARTS) else None


def read_motion_file(path: Path, clip: str = "") -> Motion:
    """Read a motion file of any supported format.

    Args:
        path: the file.
        clip: of a glTF file: the animation's name or number, counted from 1; the first if empty.

    Returns:
        The motion in motion space; its `source` describes what was recognised.

    Raises:
        BadInput: the format is unknown, the file is damaged or too large, it holds no usable motion, or not this clip.
    """
    try:
        with np.errstate(all="ignore"):  # overflow is detected below
            motion = _read(path, clip)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    farthest = float((motion.translation - motion.translation[0]).abs().max())
    if not bool(motion.joints.isfinite().all()) or not farthest <= MAX_DISTANCE_M:
        raise BadInput(f"{path}: its numbers are too large to be played. Export it again, in metres.")
    return motion


def _read(path: Path, clip: str) -> Motion:
    """Return the motion of a file, read with the reader of its format.

    Raises:
        BadInput: as `read_motion_file`.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise BadInput(f"{path} is empty.\n{SUPPORTED}")
    if size > MAX_BYTES:
        raise BadInput(
            f"{path} has {size / 2**20:.0f} MB, more than the maximum of {MAX_BYTES >> 20}. Cut it into pieces."
        )
    file_format = _detect_format(head)
    if clip and file_format != "glTF":
        raise BadInput(f"{path} is not a glTF file and has no clip {clip!r}. Leave out #{clip}.")
    match file_format:
        case ".npz":
            return _from_arrays(path, read_npz(path), file_format)
        case ".npy":
            return _from_arrays(path, {"pose": read_npy(path)}, file_format)
        case "BVH":
            return _from_skeleton(path, read_bvh(path, path.read_bytes().decode("utf-8", "replace")), file_format)
        case "glTF":
            return _from_skeleton(path, read_gltf(path, path.read_bytes(), clip or None), file_format, clip)
        case "JSON":
            if size > MAX_DOCUMENT_BYTES:
                raise BadInput(f"{path} has {size >> 20} MB of JSON. Store a motion of this length as .npz.")
            return _from_arrays(path, parse_json_arrays(path, path.read_bytes()), file_format)
        case "pickle":
            return _from_arrays(path, parse_pickle_arrays(path, path.read_bytes()), file_format)
    raise BadInput(
        f"{path} is not a supported motion file: unknown format (it begins with {head[:12]!r}).\n{SUPPORTED}"
    )


def _from_arrays(path: Path, arrays: dict[str, NDArray], file_format: Format) -> Motion:
    if has_own_layout(arrays):
        return parse_own_layout(path, arrays)
    clip = parse_smpl_arrays(path, arrays)
    joints, trajectory = clip.joints, clip.root_trajectory
    if clip.up == "z":
        joints, trajectory = _to_y_up(joints, trajectory)
    motion = Motion(path.stem, *move_to_origin(joints, trajectory), fps=clip.fps)
    return _describe(motion, f"{clip.kind}, {file_format}", f"{clip.up} up ({clip.up_reason})", clip.unit)


def _from_skeleton(path: Path, clip: SkeletonClip, file_format: Format, wanted: str = "") -> Motion:
    """Return a clip retargeted to SMPL's skeleton.

    Raises:
        BadInput: its numbers are too large, or it cannot be retargeted.
    """
    arrays = (clip.rest_positions, clip.rest_rotations, clip.positions, clip.rotations)
    if not all(np.abs(x).max(initial=0) < MAX_SKELETON_VALUE for x in arrays):
        raise BadInput(f"{path}: its skeleton's numbers are too large. Export it again.")
    rest = load_body_model("openbody").J_template.double().numpy()
    retargeted = retarget(str(path), clip, rest)
    name = safe_file_name(wanted)
    motion = Motion(
        f"{path.stem}-{name}" if name else path.stem,
        *move_to_origin(retargeted.joints, retargeted.root_trajectory),
        fps=clip.fps,
    )
    choice = _describe_choice(path, clip) if len(clip.clips) > 1 else ""
    kind = f"{file_format}, {len(clip.names)} joints"
    return _describe(motion, kind, f"{retargeted.up} up", retargeted.unit, retargeted.unmapped, choice)


def _describe_choice(path: Path, clip: SkeletonClip) -> str:
    """Return which of a file's clips was read, and how to select another."""
    names = ", ".join(name[:MAX_NAME_LENGTH] for name in clip.clips[:MAX_LISTED_CLIPS])
    more = f" and {len(clip.clips) - MAX_LISTED_CLIPS} more" if len(clip.clips) > MAX_LISTED_CLIPS else ""
    return f"; clip {clip.clip[:MAX_NAME_LENGTH]} of {names}{more}: {path.name}#NAME or #2 selects another"


def _describe(
    motion: Motion, kind: str, up: str, unit: str, unmapped: tuple[str, ...] = (), choice: str = ""
) -> Motion:
    """Return the motion with a summary of what was recognised as its source."""
    summary = f"{kind}, {up}, {unit}, {motion.fps:g} frames per second, {motion.seconds:.1f} s{choice}"
    if unmapped:
        summary += f"; joints not in the file: {', '.join(unmapped)}"
    return replace(motion, source=summary)


def _to_y_up(
    joints: Float[np.ndarray, "frame 24 3"], trajectory: Float[np.ndarray, "frame 3"]
) -> tuple[Float[np.ndarray, "frame 24 3"], Float[np.ndarray, "frame 3"]]:
    """Rotate a z-up motion to y up."""
    R_y_z = Rotation.from_rotvec([-np.pi / 2, 0.0, 0.0])
    joints = joints.copy()
    joints[:, 0] = (R_y_z * Rotation.from_rotvec(joints[:, 0])).as_rotvec()
    return joints, R_y_z.apply(trajectory)
