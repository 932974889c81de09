"""How OpenPeople lies on disk: one folder a person, written whole or not at all, with the hash of every file.

DIR/manifest.json            what was asked for, and every person's split and hash
DIR/000123/person.json       who it is, poses, cameras, SHA-256 of the files beside it
DIR/000123/p00_v00.png       RGBA: colours premultiplied on black, and the mask
DIR/000123/p00_v00_depth.png 16 bit, tenths of a millimetre along the camera's z axis; 0 is nothing
DIR/000123/p00_photo.jpg     view 0 before a photographic background, with --photos
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sherf.datasets.openpeople.stage import Picture
from sherf.errors import BadInput
from sherf.files.output import PARTIAL_PREFIX, write_json
from sherf.files.versions import check_version
from sherf.scene import Camera

MANIFEST, RECORD = "manifest.json", "person.json"
DEPTH_UNIT_M = 1e-4
PNG = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS, LARGEST_RATIO = 10_000, 1100
"""DEFLATE packs a thousand bytes into one at the most."""
LAYOUT = 1
"""Raised whenever this layout changes."""


@dataclass(frozen=True)
class Plan:
    """What is made of every person."""

    version: int
    """Of the people."""
    views: int
    poses: int
    size: int
    """Side of the square pictures, pixels."""
    photos: bool
    layout: int = LAYOUT


def folder_of(root: Path, seed: int) -> Path:
    """A person's folder."""
    return root / f"{seed:06d}"


def picture_name(pose: int, view: int) -> str:
    """The file of one picture."""
    return f"p{pose:02d}_v{view:02d}.png"


def depth_name(pose: int, view: int) -> str:
    """The file of one depth map."""
    return f"p{pose:02d}_v{view:02d}_depth.png"


def photo_name(pose: int) -> str:
    """The file of the photo of a pose."""
    return f"p{pose:02d}_photo.jpg"


def write_picture(folder: Path, pose: int, view: int, picture: Picture) -> None:
    """Write colour, mask and depth."""
    mask = np.rint(picture.mask * 255).astype(np.uint8)
    bgra = np.concatenate([picture.image[..., ::-1], mask[..., None]], axis=-1)
    depth = np.rint(np.clip(picture.depth / DEPTH_UNIT_M, 0, 65535)).astype(np.uint16)
    _write(folder / picture_name(pose, view), bgra)
    _write(folder / depth_name(pose, view), depth)


def write_photo(folder: Path, pose: int, photo: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a JPEG as cameras do."""
    _write(folder / photo_name(pose), photo[..., ::-1])


def read_picture(
    folder: Path, pose: int, view: int
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Colour, mask, and depth in metres.

    Raises:
        BadInput: a file is missing or is no such picture; names it.
    """
    bgra = _read(folder / picture_name(pose, view), 4, np.uint8)
    depth = _read(folder / depth_name(pose, view), 1, np.uint16)
    if depth.shape != bgra.shape[:2]:
        raise BadInput(f"{folder / depth_name(pose, view)} is not as large as its picture. Generate the person anew.")
    return bgra[..., 2::-1], bgra[..., 3], depth.astype(np.float32) * np.float32(DEPTH_UNIT_M)


def seal(folder: Path, record: dict[str, Any]) -> None:
    """Write the person's record with the hash of every other file: what makes the folder complete."""
    names = sorted(path.name for path in folder.iterdir() if path.name != RECORD)
    write_json(folder / RECORD, record | {"sha256": {name: digest(folder / name) for name in names}})


def read_record(folder: Path) -> dict[str, Any]:
    """A person's record.

    Raises:
        BadInput: it is missing or is no such record.
    """
    path = folder / RECORD
    record = _read_json(path)
    expected = {"person": dict, "plan": dict, "poses": list, "sha256": dict}
    wrong = [key for key, kind in expected.items() if not isinstance(record.get(key), kind)]
    if not wrong and not all(_is_pose(pose) for pose in record["poses"]):
        wrong = ["poses with cameras"]
    if wrong:
        raise BadInput(f"{path} lacks {', '.join(wrong)}: it is no OpenPeople record. Generate the person anew.")
    return record


def _is_pose(pose: Any) -> bool:
    cameras = pose.get("cameras") if isinstance(pose, dict) else None
    return isinstance(cameras, list) and all(isinstance(camera, dict) for camera in cameras)


def fault(folder: Path, plan: Plan | None = None) -> str | None:
    """What is wrong with a person's folder; None if it is complete, unchanged and as planned."""
    try:
        record = read_record(folder)
    except BadInput as error:
        return str(error).splitlines()[0]
    if plan is not None and record["plan"] != asdict(plan):
        return f"{folder} was made with other options"
    for name, wanted in record["sha256"].items():
        path = folder / Path(name).name
        if not path.is_file():
            return f"{path} is missing"
        if digest(path) != wanted:
            return f"{path} is not as it was written"
    return None


def write_manifest(root: Path, plan: Plan, seeds: list[int]) -> None:
    """List the people, their splits and the hashes of their records."""
    people = {
        folder_of(root, seed).name: {
            "split": read_record(folder_of(root, seed))["person"]["split"],
            "sha256": digest(folder_of(root, seed) / RECORD),
        }
        for seed in seeds
    }
    write_json(root / MANIFEST, {"name": "OpenPeople", "licence": "CC0-1.0", "plan": asdict(plan), "people": people})


def read_manifest(root: Path) -> dict[str, Any]:
    """What a folder holds.

    Raises:
        BadInput: it holds no OpenPeople.
    """
    path = root / MANIFEST
    content = _read_json(path)
    if not isinstance(content.get("people"), dict) or not isinstance(content.get("plan"), dict):
        raise BadInput(f"{path} is no manifest of OpenPeople. Make the folder with: sherf generate openpeople")
    check_version(path, content["plan"].get("layout", 1), LAYOUT)
    return content


def sweep(root: Path) -> None:
    """Remove what an interrupted run left unfinished."""
    for left in root.glob(f"{PARTIAL_PREFIX}*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def camera_record(camera: Camera) -> dict[str, Any]:
    """A camera as JSON: OpenCV axes, pixels and metres, the top-left pixel's centre at (0.5, 0.5)."""
    return {"K": camera.K.tolist(), "R": camera.R.tolist(), "T": camera.T.tolist()}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            f"{path} is missing: no complete OpenPeople lies there.\n"
            f"Make it with: sherf generate openpeople --out {path.parent}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds no JSON object.")
    return content


def _write(path: Path, image: np.ndarray) -> None:
    """Encode, then write: OpenCV itself would not say why a disk refused."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, 4] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 93]
    done, data = cv2.imencode(path.suffix, image, options)
    assert done
    path.write_bytes(data.tobytes())


def _is_sound_png(content: bytes) -> bool:
    """OpenCV reads many more formats, and makes room for whatever a header or a chunk says that it holds."""
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    at, chunks = len(PNG), 0
    while at < len(content) and chunks <= MOST_CHUNKS:
        at, chunks = at + 12 + int.from_bytes(content[at : at + 4], "big"), chunks + 1
    bears_it_out = 2 * width * height <= LARGEST_RATIO * len(content)
    return content.startswith(PNG) and at == len(content) and bears_it_out


def _read(path: Path, channels: int, kind: type) -> np.ndarray:
    if not path.is_file():
        raise BadInput(f"{path} is missing. Generate the person anew.")
    content = path.read_bytes()
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if _is_sound_png(content) else None
    except cv2.error:
        image = None
    found = None if image is None else (1 if image.ndim == 2 else image.shape[2])
    if image is None or image.dtype != kind or found != channels:
        raise BadInput(f"{path} is no {np.dtype(kind).itemsize * 8}-bit PNG of {channels} channels. Generate it anew.")
    return image
