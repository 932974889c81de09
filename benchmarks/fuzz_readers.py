"""All readers of untrusted files: how to call each, and valid files to start from."""

import io
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fuzz_seeds as seeds
import numpy as np
from PIL import Image

from sherf.avatar.avatar_file import read_avatar, restore
from sherf.batch.job import JobRequest, Settings
from sherf.batch.manifest import read_requests
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model, read_body_model
from sherf.camera.transforms_json import read_cameras
from sherf.datasets import annotations, openpeople_data, renderpeople
from sherf.datasets.subject_folder import read_subject_folder, read_subject_motion
from sherf.models import checkpoint
from sherf.models.build import empty_network
from sherf.models.checkpoint import load_checkpoint
from sherf.models.published.snapshot import read_network
from sherf.motion.read import read_motion
from sherf.motion.readers import recognise
from sherf.photo.fit_file_reader import edits_digest, read_fit_file
from sherf.photo.photo_reader import read_mask, read_photo
from sherf.photo.video_reader import is_video, read_video, video_info
from sherf.training.read_options import read_training

Read = Callable[[Path], Any]
THUMAN = Path(__file__).parents[1] / "tests" / "golden" / "thuman_layout"
SIZE = (60, 40)
"""Height and width of the photo that masks and fits belong to."""


@dataclass(frozen=True)
class Reader:
    """One reader of files."""

    name: str
    seeds: Callable[[], list[bytes]]
    suffix: str
    prepare: Callable[[Path], Read]
    """Create what the reader needs beside the file, in the given folder."""


@cache
def tiny_body(name: str) -> BodyModel:
    """Return a body model of six vertices under a known name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        path.write_bytes(seeds.body_npz()[0])
        return read_body_model(path, name)


def _plain(read: Read) -> Callable[[Path], Read]:
    return lambda _: read


def _motion(_: Path) -> Read:
    recognise.load_body_model = cache(load_body_model)  # our own file, read once per motion
    return read_motion


def _video(path: Path) -> Any:
    found = is_video(path.with_suffix("")), video_info(path)
    return found, sum(frame.shape[0] for frame in read_video(path, 10.0))


def _snapshot(path: Path) -> Any:
    """Read shapes only: tensors that the import ignores may contain NaN; `from_published` checks the others."""
    return {name: tuple(tensor.shape) for name, tensor in read_network(path, "G").items()}


def _avatar(path: Path) -> Any:
    return restore(read_avatar(path), tiny_body("openbody"))


def _checkpoint(suffix: str) -> Callable[[Path], Read]:
    """Read a pair of files of an earlier version, one of them mutated."""

    def prepare(folder: Path) -> Read:
        if suffix == ".safetensors":  # build the network of the valid JSON once
            checkpoint.empty_network = cache(empty_network)
        pair = {".safetensors": seeds.checkpoint_pair()[0], ".json": seeds.checkpoint_pair()[1]}
        weights = folder / "x.safetensors"
        for name, content in pair.items():
            weights.with_suffix(name).write_bytes(content)

        def read(path: Path) -> Any:
            path.replace(weights.with_suffix(suffix))
            return load_checkpoint(weights).config

        return read

    return prepare


def _fit(folder: Path) -> Read:
    (folder / "mine.png").write_bytes(seeds.masks()[0])

    def read(path: Path) -> Any:
        edits_digest(path)
        return read_fit_file(path, "0", SIZE, "openbody")

    return read


def _subject(file: str, write: Callable[[Path], None], body: str = "smpl") -> Callable[[Path], Read]:
    """Read a data set's subject with one mutated file."""

    def prepare(folder: Path) -> Read:
        subject = folder / "data" / "000008"
        subject.mkdir(parents=True)
        write(subject)

        def read(path: Path) -> Any:
            path.replace(subject / file)
            annotations.read_cached.cache_clear()
            model = tiny_body(body)
            return read_subject_folder(subject, model, None, None), read_subject_motion(subject, model)

        return read

    return prepare


def _of(file: str, write: Callable[[Path], None]) -> Callable[[], list[bytes]]:
    """Return the valid file that the mutated one replaces."""

    def valid() -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            return [(Path(folder) / file).read_bytes()]

    return valid


def _write_image(path: Path, mode: str = "RGB", value: Any = 9) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (32, 32), value).save(path)


def write_thuman(folder: Path) -> None:
    """Write the layout of tests/golden with smaller images."""
    shutil.copytree(THUMAN / "subject_000", folder, dirs_exist_ok=True)
    for path in folder.rglob("*.[jp][pn]g"):
        _write_image(path)
    camera = {"K": np.diag([50.0, 50, 1]), "R": np.eye(3), "T": np.array([[0.0], [0], [3]]), "D": np.zeros((5, 1))}
    listed = [{"ims": ["images/00/000000.jpg", "images/06/000000.jpg"]}]
    annotations_of = {"cams": {key: [value, value] for key, value in camera.items()}, "ims": listed}
    (folder / "annots.npy").write_bytes(seeds.npy(annotations_of))


def write_zju(folder: Path) -> None:
    """Write one image."""
    _write_image(folder / "Camera_B1" / "000000.jpg")
    _write_image(folder / "mask_cihp" / "Camera_B1" / "000000.png", "L")
    numbers = {"Rh": np.zeros((1, 3)), "Th": np.zeros((1, 3)), "poses": np.zeros((1, 72)), "shapes": np.zeros((1, 10))}
    for name, content in (("new_params", numbers), ("new_vertices", np.zeros((6890, 3), np.float32))):
        (folder / name).mkdir()
        (folder / name / "0.npy").write_bytes(seeds.npy(content))
    camera = {"K": [np.eye(3)], "R": [np.eye(3)], "T": [np.array([[0.0], [0], [3000]])], "D": [np.zeros((5, 1))]}
    (folder / "annots.npy").write_bytes(seeds.npy({"cams": camera, "ims": [{"ims": ["Camera_B1/000000.jpg"]}]}))


def _cameras(name: str) -> str:
    matrix = np.eye(3).tolist()
    return json.dumps({name: {"K": matrix, "R": matrix, "T": [[0], [0], [3]]}})


def write_humman(folder: Path) -> None:
    """Write one image."""
    _write_image(folder / "kinect_color" / "kinect_000" / "000000.png")
    _write_image(folder / "kinect_mask" / "kinect_000" / "000000.png", "L")
    (folder / "smpl_params").mkdir()
    sizes = {"betas": 10, "global_orient": 3, "body_pose": 69, "transl": 3}
    np.savez(folder / "smpl_params" / "000000.npz", **{key: np.zeros(size) for key, size in sizes.items()})
    (folder / "cameras.json").write_text(_cameras("kinect_color_000"))


def write_renderpeople(folder: Path) -> None:
    """Write one image; its parameters are a pickled dict in an .npz."""
    _write_image(folder / "img" / "camera0000" / "0000.jpg")
    _write_image(folder / "mask" / "camera0000" / "0000.png", "L")
    sizes = {"betas": 10, "global_orient": 3, "body_pose": 69, "transl": 3}
    (folder / "outputs_re_fitting").mkdir()
    held = np.array({key: np.zeros((1, size)) for key, size in sizes.items()}, dtype=object)
    np.savez(folder / renderpeople.PARAMETERS, smpl=held)
    (folder / "cameras.json").write_text(_cameras("camera0000"))


def write_openpeople(folder: Path) -> None:
    """Write one image with mask and depth, and the manifest in the folder above."""
    _write_image(folder / "p00_v00.png", "RGBA", (9, 9, 9, 255))
    Image.fromarray(np.full((32, 32), 30000, np.uint16)).save(folder / "p00_v00_depth.png")
    camera = {"K": np.eye(3).tolist(), "R": np.eye(3).tolist(), "T": [0, 0, 3]}
    pose = {"joints": np.zeros((24, 3)).tolist(), "translation": [0, 0, 0], "cameras": [camera]}
    record = {"person": {"betas": [0] * 10, "split": "train"}, "plan": {}, "poses": [pose], "sha256": {}}
    (folder / "person.json").write_text(json.dumps(record))
    manifest = {"people": {folder.name: {"split": "train", "sha256": "0"}}, "plan": {}}
    (folder.parent / "manifest.json").write_text(json.dumps(manifest))


def _manifest(folder: Path) -> Read:
    person = folder / "000008"
    person.mkdir()
    write_openpeople(person)

    def read(path: Path) -> Any:
        path.replace(folder / "manifest.json")
        data = openpeople_data.OpenPeople(folder)
        return data.subjects, data.digests

    return read


def _manifest_seeds() -> list[bytes]:
    return [json.dumps({"people": {"000008": {"split": "train", "sha256": "0"}}, "plan": {"views": 1}}).encode()]


def _data_image_seeds() -> list[bytes]:
    written = io.BytesIO()
    Image.new("I;16", (32, 32), 9).save(written, "PNG")
    return [written.getvalue(), *seeds.images()[:6]]


def _data_image(path: Path) -> Any:
    return annotations.read_image(path), annotations.read_mask(path)


def _data_npz() -> list[bytes]:
    return [_of(str(renderpeople.PARAMETERS), write_renderpeople)()[0], seeds.motion_npz()[2]]


def _wishes(folder: Path) -> Read:
    """Read rows of a manifest; the files that they name exist."""
    for name in ("me.jpg", "you.jpg"):
        _write_image(folder / name)
    common = JobRequest(folder, "", "", (), (), (), None, False, Settings())
    return lambda path: read_requests(path, common)


OPEN = "openbody"
_ALL = (
    Reader("photo", seeds.images, "", _plain(read_photo)),
    Reader("mask", seeds.masks, "", _plain(lambda path: read_mask(path, (40, 36)))),
    Reader("video", seeds.videos, ".mp4", _plain(_video)),
    Reader("motion npz", seeds.motion_npz, ".npz", _motion),
    Reader("motion npy", seeds.motion_npy, ".npy", _motion),
    Reader("motion json", seeds.motion_json, ".json", _motion),
    Reader("motion pickle", seeds.motion_pickle, ".pkl", _motion),
    Reader("motion bvh", seeds.motion_bvh, ".bvh", _motion),
    Reader("motion gltf", seeds.motion_gltf, ".glb", _motion),
    Reader("body npz", seeds.body_npz, ".npz", _plain(lambda path: read_body_model(path, "x"))),
    Reader("body pickle", seeds.body_pickle, ".pkl", _plain(lambda path: read_body_model(path, "x"))),
    Reader("avatar", seeds.avatars, ".safetensors", _plain(_avatar)),
    Reader("avatar of a network", seeds.network_avatars, ".safetensors", _plain(_avatar)),
    Reader("checkpoint", lambda: [seeds.checkpoint_file()], ".safetensors", _plain(load_checkpoint)),
    Reader("checkpoint weights", lambda: [seeds.checkpoint_pair()[0]], "", _checkpoint(".safetensors")),
    Reader("checkpoint json", lambda: [seeds.checkpoint_pair()[1]], "", _checkpoint(".json")),
    Reader("snapshot", seeds.snapshots, ".pkl", _plain(_snapshot)),
    Reader("fit json", seeds.fit_files, ".json", _fit),
    Reader("cameras json", seeds.camera_files, ".json", _plain(read_cameras)),
    Reader("training json", seeds.training_files, ".json", _plain(lambda path: read_training(str(path)))),
    Reader("data picture", _data_image_seeds, ".png", _plain(_data_image)),
    Reader("data npz", _data_npz, ".npz", _plain(lambda path: list(annotations.read_npz(path)))),
    Reader("thuman annotations", _of("annots.npy", write_thuman), "", _subject("annots.npy", write_thuman)),
    Reader("zju annotations", _of("annots.npy", write_zju), "", _subject("annots.npy", write_zju)),
    Reader("zju parameters", _of("new_params/0.npy", write_zju), "", _subject("new_params/0.npy", write_zju)),
    Reader("humman cameras", _of("cameras.json", write_humman), "", _subject("cameras.json", write_humman)),
    Reader(
        "humman parameters", _of("smpl_params/000000.npz", write_humman), "",
        _subject("smpl_params/000000.npz", write_humman),
    ),
    Reader(
        "renderpeople parameters", _of(str(renderpeople.PARAMETERS), write_renderpeople), "",
        _subject(str(renderpeople.PARAMETERS), write_renderpeople),
    ),
    Reader(
        "openpeople person", _of("person.json", write_openpeople), "",
        _subject("person.json", write_openpeople, OPEN),
    ),
    Reader(
        "openpeople picture", _of("p00_v00.png", write_openpeople), "",
        _subject("p00_v00.png", write_openpeople, OPEN),
    ),
    Reader("batch csv", seeds.manifest_csv, ".csv", _wishes),
    Reader("batch jsonl", seeds.manifest_jsonl, ".jsonl", _wishes),
    Reader("batch yaml", seeds.manifest_yaml, ".yaml", _wishes),
    Reader("openpeople manifest", _manifest_seeds, "", _manifest),
)  # fmt: skip
READERS = {reader.name: reader for reader in _ALL}
