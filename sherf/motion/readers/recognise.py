"""Any motion file, recognised by its content."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sherf.body.files import load_body_model
from sherf.body.skeleton import NUM_JOINTS
from sherf.errors import BadInput
from sherf.files.versions import check_version
from sherf.motion.motion import FORMAT_VERSION, Motion, as_tensor, started_at_origin
from sherf.motion.npz import MAX_DISTANCE_M, frame_rate, frames_of, numbers, path_of, read_npy, read_npz
from sherf.motion.readers.bvh import is_bvh, read_bvh
from sherf.motion.readers.gltf_clip import MOST_DOCUMENT_BYTES, MOST_NAMED, is_gltf, read_gltf
from sherf.motion.readers.retarget import SkeletonClip, retarget
from sherf.motion.readers.smpl_arrays import arrays_of_json, arrays_of_pickle, smpl_arrays

MOST_BYTES = 128 * 2**20
HEAD_BYTES = 4096
LONGEST_TEXT = 200
LONGEST_NAME = 60
"""Letters: of four bytes each they are a name that every disk takes."""
MOST_UNITS = 1e9
"""Of any length in a skeleton."""
PICKLES = (b"\x80", b"(", b"}", b"c")
"""What pickles begin with, those of today first."""
Kind = Literal["glTF", ".npz", ".npy", "BVH", "JSON", "pickle"]
KNOWN = (
    "Known are SMPL's parameters (AMASS, AIST++, SMPL-H, SMPL-X) as .npz, .npy, .json or .pkl, BVH, rigged glTF "
    "animations (.glb), and videos of a person."
)


def is_motion_file(path: Path) -> bool:
    """Whether a file begins as one of the known kinds does, whatever it is called; videos begin otherwise."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return _kind(head) not in (None, "pickle") or head.startswith(PICKLES[0])  # the others are plain letters


def _kind(head: bytes) -> Kind | None:
    """Which of the known kinds a file's first bytes are of."""
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
    return "pickle" if head.startswith(PICKLES) else None


def read_motion_file(path: Path, clip: str = "") -> Motion:
    """Read a file of any known kind; `source` of the motion says what it was.

    Args:
        clip: of a glTF file: the animation's name, or its number, counted from 1; the first if empty.

    Raises:
        BadInput: it is of no known kind, damaged, or holds no usable motion, or not this clip.
    """
    try:
        with np.errstate(all="ignore"):  # numbers beyond all measure are looked for at the end
            motion = _read(path, clip)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    farthest = float((motion.translation - motion.translation[0]).abs().max())
    if not bool(motion.joints.isfinite().all()) or not farthest <= MAX_DISTANCE_M:
        raise BadInput(f"{path}: its numbers are too large to be played. Export it again, in metres.")
    return motion


def _read(path: Path, clip: str) -> Motion:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise BadInput(f"{path} is empty.\n{KNOWN}")
    if size > MOST_BYTES:
        raise BadInput(
            f"{path} has {size / 2**20:.0f} MB; a motion has at most {MOST_BYTES >> 20}. Cut it into pieces."
        )
    kind = _kind(head)
    if clip and kind != "glTF":
        raise BadInput(f"{path} is no glTF file: it has no clip {clip!r} to choose. Leave out #{clip}.")
    match kind:
        case ".npz":
            return _from_arrays(path, read_npz(path), kind)
        case ".npy":
            return _from_arrays(path, {"pose": read_npy(path)}, kind)
        case "BVH":
            return _from_skeleton(path, read_bvh(path, path.read_bytes().decode("utf-8", "replace")), kind)
        case "glTF":
            return _from_skeleton(path, read_gltf(path, path.read_bytes(), clip or None), kind, clip)
        case "JSON":
            if size > MOST_DOCUMENT_BYTES:
                raise BadInput(f"{path} has {size >> 20} MB of JSON. Give a motion of this length as .npz.")
            return _from_arrays(path, arrays_of_json(path, path.read_bytes()), kind)
        case "pickle":
            return _from_arrays(path, arrays_of_pickle(path, path.read_bytes()), kind)
    raise BadInput(f"cannot read motion {path}: it is of no known kind (it begins with {head[:12]!r}).\n{KNOWN}")


def _from_arrays(path: Path, arrays: dict[str, NDArray], how: str) -> Motion:
    if {"joints", "translation", "fps"} <= arrays.keys():
        check_version(path, arrays["version"].tolist() if "version" in arrays else 1, FORMAT_VERSION)
        return _from_own_layout(path, arrays)
    clip = smpl_arrays(path, arrays)
    joints, way = _to_y_up(clip.joints, clip.way) if clip.up == "z" else (clip.joints, clip.way)
    motion = Motion(path.stem, **started_at_origin(joints, way), fps=clip.fps)
    return _described(motion, f"{clip.kind}, {how}", f"{clip.up} up ({clip.up_known})", clip.unit)


def _from_own_layout(path: Path, arrays: dict[str, NDArray]) -> Motion:
    joints = frames_of(path, arrays, "joints", (NUM_JOINTS, 3))
    translation = path_of(path, arrays, "translation", len(joints))
    rate = frame_rate(path, numbers(path, arrays, "fps"))
    name, licence = (str(arrays[key])[:LONGEST_TEXT] if key in arrays else "" for key in ("name", "licence"))
    name = _plain(name) or path.stem
    return Motion(name, as_tensor(joints), as_tensor(translation - translation[0]), rate, licence)


def _plain(name: str) -> str:
    """A name that stays within its folder, wherever a file is called so; nothing if no letter or digit is in it."""
    kept = re.sub(r"[^\w .-]", "", name)[:LONGEST_NAME].strip(" .")
    return kept if re.search(r"[^\W_]", kept) else ""


def _from_skeleton(path: Path, clip: SkeletonClip, kind: str, wanted: str = "") -> Motion:
    if not all(
        np.abs(x).max(initial=0) < MOST_UNITS for x in (clip.rest_places, clip.rest_turns, clip.places, clip.turns)
    ):
        raise BadInput(f"{path}: its skeleton's numbers are too large. Export it again.")
    rest = load_body_model("openbody").J_template.double().numpy()
    found = retarget(str(path), clip, rest)
    name = _plain(wanted)
    motion = Motion(
        f"{path.stem}-{name}" if name else path.stem, **started_at_origin(found.joints, found.way), fps=clip.fps
    )
    choice = _choice(path, clip) if len(clip.clips) > 1 else ""
    return _described(motion, f"{kind}, {len(clip.names)} joints", f"{found.up} up", found.unit, found.unmapped, choice)


def _choice(path: Path, clip: SkeletonClip) -> str:
    """Which of a file's clips was read, and how to have another."""
    names = ", ".join(name[:LONGEST_NAME] for name in clip.clips[:MOST_NAMED])
    more = f" and {len(clip.clips) - MOST_NAMED} more" if len(clip.clips) > MOST_NAMED else ""
    return f"; clip {clip.clip[:LONGEST_NAME]} of {names}{more}: {path.name}#NAME or #2 takes another"


def _described(
    motion: Motion, kind: str, up: str, unit: str, unmapped: tuple[str, ...] = (), choice: str = ""
) -> Motion:
    """With what was recognised, in a sentence."""
    words = f"{kind}, {up}, {unit}, {motion.fps:g} frames a second, {motion.seconds:.1f} s{choice}"
    if unmapped:
        words += f"; not in it: {', '.join(unmapped)}"
    return replace(motion, source=words)


def _to_y_up(joints: NDArray, translation: NDArray) -> tuple[NDArray, NDArray]:
    """From axes with z up."""
    y_from_z = Rotation.from_rotvec([-np.pi / 2, 0.0, 0.0])
    joints = joints.copy()
    joints[:, 0] = (y_from_z * Rotation.from_rotvec(joints[:, 0])).as_rotvec()
    return joints, y_from_z.apply(translation)
