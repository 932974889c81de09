"""OpenPeople's files: one folder per person, written completely or not at all, with a hash of every file.

DIR/manifest.json            the options, and every person's split and hash
DIR/000123/person.json       the person's description, poses, cameras, and SHA-256 of the files beside it
DIR/000123/p00_v00.png       RGBA: colour premultiplied on black, and the mask
DIR/000123/p00_v00_depth.png 16-bit depth along the camera's z axis, tenths of a millimetre; 0 is background
DIR/000123/p00_photo.jpg     view 0 over a synthetic background, with --photos
"""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sherf.datasets.openpeople.stage import RenderedView
from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.files.images import PNG_SIGNATURE
from sherf.files.output import PARTIAL_PREFIX, sync, write_json
from sherf.files.versions import check_version
from sherf.scene import Camera

MANIFEST, RECORD = "manifest.json", "person.json"
DEPTH_UNIT_M = 1e-4
"""Metres per unit of a stored depth."""
MAX_CHUNKS, MAX_DEFLATE_RATIO = 10_000, 1100
"""Limits on what a PNG may claim. DEFLATE compresses by a factor of about 1,030 at most."""
LAYOUT = 1
"""Version of the file layout; increase it whenever the layout changes."""


class DamagedFile(BadInput):
    """A file is not the JSON that it was written as."""


@dataclass(frozen=True)
class Plan:
    """What is rendered of every person; stored in every record and in the manifest."""

    version: int
    """`person.VERSION` at generation."""
    views: int
    """Cameras per pose."""
    poses: int
    """Poses per person."""
    size: int
    """Side of the square images, pixels."""
    photos: bool
    """Whether photos with backgrounds are written."""
    layout: int = LAYOUT


def person_folder(root: Path, seed: int) -> Path:
    """Return the folder of a person."""
    return root / f"{seed:06d}"


def view_name(pose: int, view: int) -> str:
    """Return the file name of one RGBA image."""
    return f"p{pose:02d}_v{view:02d}.png"


def depth_name(pose: int, view: int) -> str:
    """Return the file name of one depth map."""
    return f"p{pose:02d}_v{view:02d}_depth.png"


def photo_name(pose: int) -> str:
    """Return the file name of a pose's photo."""
    return f"p{pose:02d}_photo.jpg"


def write_view(folder: Path, pose: int, view: int, rendered: RenderedView) -> None:
    """Write colour and mask as an RGBA PNG, and depth as a 16-bit PNG."""
    mask = np.rint(rendered.mask * 255).astype(np.uint8)
    bgra = np.concatenate([rendered.image[..., ::-1], mask[..., None]], axis=-1)
    depth = np.rint(np.clip(rendered.depth / DEPTH_UNIT_M, 0, 65535)).astype(np.uint16)
    _write(folder / view_name(pose, view), bgra)
    _write(folder / depth_name(pose, view), depth)


def write_photo(folder: Path, pose: int, photo: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write the photo of a pose as a JPEG."""
    _write(folder / photo_name(pose), photo[..., ::-1])


def read_view(
    folder: Path, pose: int, view: int
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Read one rendered view.

    Args:
        folder: the person's folder.
        pose: index of the pose.
        view: index of the camera.

    Returns:
        Colour (sRGB, premultiplied on black), mask (0 to 255), and depth along the camera's z axis in metres, 0 where
        there is only background.

    Raises:
        BadInput: a file is missing, damaged or of the wrong format; the message names it.
    """
    bgra = _read(folder / view_name(pose, view), 4, np.uint8)
    depth = _read(folder / depth_name(pose, view), 1, np.uint16)
    if depth.shape != bgra.shape[:2]:
        raise BadInput(
            f"{folder / depth_name(pose, view)} differs in size from its colour image. Generate the person again."
        )
    return bgra[..., 2::-1], bgra[..., 3], depth.astype(np.float32) * np.float32(DEPTH_UNIT_M)


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write person.json with the hash of every other file: this completes the folder, which is on disk thereafter."""
    names = sorted(path.name for path in folder.iterdir() if path.name != RECORD)
    for name in names:
        sync(folder / name)
    write_json(folder / RECORD, record | {"sha256": {name: file_sha256(folder / name) for name in names}})


def read_record(folder: Path) -> dict[str, Any]:
    """Read person.json and check its structure.

    Args:
        folder: the person's folder.

    Returns:
        The record, with the keys "person", "plan", "poses" and "sha256".

    Raises:
        BadInput: the file is missing or is not an OpenPeople record.
    """
    path = folder / RECORD
    record = _read_json(path)
    expected = {"person": dict, "plan": dict, "poses": list, "sha256": dict}
    missing = [key for key, kind in expected.items() if not isinstance(record.get(key), kind)]
    if not missing and not all(_is_pose_record(pose) for pose in record["poses"]):
        missing = ["poses with cameras"]
    if missing:
        raise BadInput(f"{path} is not an OpenPeople record: it lacks {', '.join(missing)}. Generate the person again.")
    return record


def _is_pose_record(pose: Any) -> bool:
    cameras = pose.get("cameras") if isinstance(pose, dict) else None
    return isinstance(cameras, list) and all(isinstance(camera, dict) for camera in cameras)


def find_fault(folder: Path, plan: Plan | None = None) -> str | None:
    """Check a person's folder against its record.

    Args:
        folder: the person's folder.
        plan: the options it must have been generated with; None accepts any.

    Returns:
        One line that says what is wrong, or None if the folder is complete, unchanged and as planned.
    """
    try:
        record = read_record(folder)
    except BadInput as error:
        return str(error).splitlines()[0]
    if plan is not None and record["plan"] != asdict(plan):
        return f"{folder} was generated with other options"
    for name, wanted in record["sha256"].items():
        path = folder / Path(name).name
        if not path.is_file():
            return f"{path} is missing"
        if file_sha256(path) != wanted:
            return f"{path} has changed since it was written"
    return None


def find_people(root: Path) -> dict[str, dict[str, Any]]:
    """Return the records of all people in the folder by name, whatever its manifest says."""
    records = {}
    for folder in sorted(path.parent for path in root.glob(f"*/{RECORD}")):
        with suppress(BadInput):
            records[folder.name] = read_record(folder)
    return records


def write_manifest(root: Path, plan: Plan, seeds: list[int]) -> None:
    """Write manifest.json: the plan, and each person's split and record hash.

    Args:
        root: the data set's folder.
        plan: the options that all people were generated with.
        seeds: the people to list; their folders must be complete.

    Raises:
        BadInput: a person's record is missing or damaged.
        OutputError: the file cannot be written.
    """
    people = {
        person_folder(root, seed).name: {
            "split": read_record(person_folder(root, seed))["person"]["split"],
            "sha256": file_sha256(person_folder(root, seed) / RECORD),
        }
        for seed in seeds
    }
    write_json(root / MANIFEST, {"name": "OpenPeople", "licence": "CC0-1.0", "plan": asdict(plan), "people": people})


def read_manifest(root: Path) -> dict[str, Any]:
    """Read manifest.json and check its structure and layout version.

    Args:
        root: the data set's folder.

    Returns:
        The manifest, with the keys "name", "licence", "plan" and "people".

    Raises:
        BadInput: the file is missing, is not a manifest of OpenPeople, or has a newer layout.
        DamagedFile: it is not a JSON object.
    """
    path = root / MANIFEST
    content = _read_json(path)
    if not isinstance(content.get("people"), dict) or not isinstance(content.get("plan"), dict):
        raise BadInput(f"{path} is not an OpenPeople manifest. Create the folder with: sherf generate openpeople")
    check_version(path, content["plan"].get("layout", 1), LAYOUT)
    return content


def remove_partial_outputs(root: Path) -> None:
    """Remove the partial outputs of an interrupted run."""
    for left in root.glob(f"{PARTIAL_PREFIX}*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """Return a camera as JSON values: OpenCV axes, pixels and metres, the top-left pixel's centre at (0.5, 0.5)."""
    return {"K": camera.K.tolist(), "R": camera.R.tolist(), "T": camera.T.tolist()}


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        BadInput: the file is missing.
        DamagedFile: it is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            f"{path} is missing: the folder is not a complete OpenPeople data set.\n"
            f"Generate it with: sherf generate openpeople --out {path.parent}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFile(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise DamagedFile(f"{path} is not a JSON object.")
    return content


def _write(path: Path, image: np.ndarray) -> None:
    """Encode in memory, then write: `cv2.imwrite` would hide the operating system's error."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, 4] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 93]
    done, data = cv2.imencode(path.suffix, image, options)
    assert done
    path.write_bytes(data.tobytes())


def _is_complete_png(content: bytes) -> bool:
    """Return whether the bytes are a whole PNG of plausible size.

    Checked before decoding, because OpenCV accepts many other formats and allocates whatever a header claims.
    """
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    at, chunks = len(PNG_SIGNATURE), 0
    while at < len(content) and chunks <= MAX_CHUNKS:
        at, chunks = at + 12 + int.from_bytes(content[at : at + 4], "big"), chunks + 1
    is_plausible_size = 2 * width * height <= MAX_DEFLATE_RATIO * len(content)
    return content.startswith(PNG_SIGNATURE) and at == len(content) and is_plausible_size


def _read(path: Path, channels: int, kind: type) -> np.ndarray:
    """Return the image in a PNG of a given format.

    Raises:
        BadInput: the file is missing, damaged or of another format.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing. Generate the person again.")
    content = path.read_bytes()
    try:
        image = (
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if _is_complete_png(content) else None
        )
    except cv2.error:
        image = None
    found = None if image is None else (1 if image.ndim == 2 else image.shape[2])
    if image is None or image.dtype != kind or found != channels:
        raise BadInput(
            f"{path} is not a {np.dtype(kind).itemsize * 8}-bit PNG of {channels} channels. Generate the person again."
        )
    return image
