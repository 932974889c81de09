"""OpenPeople, as `sherf generate openpeople` writes it, behind the common door."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.datasets.multiview import View
from sherf.datasets.openpeople.store import RECORD, read_manifest, read_picture, read_record
from sherf.datasets.published_layouts import posed_vertices
from sherf.errors import BadInput
from sherf.scene import BodyPose, Camera, Subject


class OpenPeople:
    """Adapter; see `MultiviewData`. Poses are placed by a translation alone; joint 0 turns the body."""

    name, body_model = "openpeople", "openbody"

    def __init__(self, root: Path, split: Literal["train", "validation", "test"] | None = None):
        people = read_manifest(root)["people"]
        self.root, self.split = root, split
        self._subjects = tuple(
            name for name, person in sorted(people.items())
            if isinstance(person, dict) and (split is None or person.get("split") == split)
        )  # fmt: skip
        if not self._subjects:
            raise BadInput(
                f"{root} holds {len(people)} people, none of the {split} split.\n"
                "Of ten seeds in a row eight train, one validates and one tests: generate more, or choose --split."
            )
        said = {name: people[name].get("sha256") for name in self._subjects}
        self.digests = {name: digest if isinstance(digest, str) else None for name, digest in said.items()}
        """What is in each person's folder: changes with the data."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Six digits of the seed."""
        return self._subjects

    def poses(self, subject: str) -> tuple[int, ...]:
        """All poses."""
        return tuple(range(len(_record(self.root / subject)["poses"])))

    def views(self, subject: str) -> tuple[int, ...]:
        """All cameras; 0 takes the photo."""
        poses = _record(self.root / subject)["poses"]
        return tuple(range(min((len(pose["cameras"]) for pose in poses), default=0)))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Read one picture."""
        folder = self.root / subject
        record = _record(folder)
        image, mask, depth = read_picture(folder, pose, view)
        placed = record["poses"][pose]
        camera = placed["cameras"][view]
        path = folder / RECORD
        body_pose = BodyPose(
            _numbers(path, "betas", record["person"].get("betas"), (10,)),
            _numbers(path, "joints", placed.get("joints"), (24, 3)),
            torch.eye(3),
            _numbers(path, "translation", placed.get("translation"), (3,)),
        )
        K, R, T = (
            _numbers(path, key, camera.get(key), shape) for key, shape in (("K", (3, 3)), ("R", (3, 3)), ("T", (3,)))
        )
        subject_seen = Subject(
            torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().contiguous() / 255,
            torch.from_numpy(mask.astype(np.float32) / 255),
            Camera(K, R, T, image.shape[:2]), body_pose, "openbody",
        )  # fmt: skip
        return View(subject_seen, posed_vertices(_body(), body_pose), depth=torch.from_numpy(depth))


LARGEST = 1e6
"""Of any number: pixels, metres, radians."""


def _numbers(path: Path, key: str, found: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """Finite numbers of a shape, out of JSON."""
    try:
        array = np.asarray(found, np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        array = np.full((), np.nan)
    if array.shape != shape or not (np.abs(array) < LARGEST).all():
        wanted = " x ".join(map(str, shape))
        raise BadInput(f"{path}: {key} should be {wanted} numbers. Generate the person anew.")
    return torch.from_numpy(array).float()


@lru_cache(maxsize=64)
def _record(folder: Path) -> dict[str, Any]:
    return read_record(folder)


@lru_cache(maxsize=1)
def _body() -> BodyModel:
    return load_body_model("openbody")
