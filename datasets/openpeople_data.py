"""Read OpenPeople, the procedural data set that `sherf generate openpeople` writes."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.datasets.annotations import read_cached
from sherf.datasets.multiview import View
from sherf.datasets.openpeople.store import MANIFEST, RECORD, read_manifest, read_record, read_view
from sherf.datasets.published_layouts import pose_vertices
from sherf.errors import BadInput
from sherf.files.names import check_name
from sherf.scene import BodyPose, Camera, Subject

Split = Literal["train", "validation", "test"]
LARGEST_NUMBER = 1e6
"""Largest magnitude accepted: pixels, metres, radians."""


class OpenPeople:
    """Adapter of OpenPeople for `MultiviewData`. A pose places the body by a translation; joint 0 rotates it."""

    name, body_model = "openpeople", "openbody"

    def __init__(self, root: Path, split: Split | None = None):
        """List the people; a subject's name is its seed in six digits.

        Args:
            root: the data set's folder.
            split: which people; None takes all.

        Raises:
            BadInput: the folder has no manifest of OpenPeople or no people of the split, or a person's name is a path.
        """
        people = read_manifest(root)["people"]
        self.root, self.split = root, split
        self.subjects = tuple(
            check_name(name, f"{root / MANIFEST}, people") for name, person in sorted(people.items())
            if isinstance(person, dict) and (split is None or person.get("split") == split)
        )  # fmt: skip
        if not self.subjects:
            raise BadInput(
                f"{root} has {len(people)} people, none of the {split} split.\n"
                "Of ten consecutive seeds, eight are for training, one for validation and one for testing: "
                "generate more people, or choose another --split."
            )
        digests = {name: people[name].get("sha256") for name in self.subjects}
        self.digests = {name: digest if isinstance(digest, str) else None for name, digest in digests.items()}
        """SHA-256 of each person's folder: it changes with the data."""

    def poses(self, subject: str) -> tuple[int, ...]:
        """Return the numbers of all poses.

        Raises:
            BadInput: the person's record is missing or damaged.
        """
        return tuple(range(len(self._record(subject)["poses"])))

    def views(self, subject: str) -> tuple[int, ...]:
        """Return the numbers of all cameras; camera 0 takes the photo.

        Raises:
            BadInput: the person's record is missing or damaged.
        """
        poses = self._record(subject)["poses"]
        return tuple(range(min((len(pose["cameras"]) for pose in poses), default=0)))

    def view(self, subject: str, pose: int, view: int) -> View:
        """Return one image with its mask, depth, camera and body.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        folder = self.root / subject
        record = self._record(subject)
        image, mask, depth = read_view(folder, pose, view)
        path = folder / RECORD
        pose_record = record["poses"][pose]
        body_pose = BodyPose(
            _to_tensor(path, "betas", record["person"].get("betas"), (10,)),
            _to_tensor(path, "joints", pose_record.get("joints"), (24, 3)),
            torch.eye(3),
            _to_tensor(path, "translation", pose_record.get("translation"), (3,)),
        )
        observation = Subject(
            torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float().contiguous() / 255,
            torch.from_numpy(mask.astype(np.float32) / 255),
            _to_camera(path, pose_record["cameras"][view], image.shape[:2]),
            body_pose,
            "openbody",
        )
        return View(observation, pose_vertices(_open_body(), body_pose), depth=torch.from_numpy(depth))

    def _record(self, subject: str) -> dict[str, Any]:
        return read_cached(read_record, self.root / subject)


def _to_camera(path: Path, camera: dict[str, Any], size: tuple[int, int]) -> Camera:
    return Camera(
        _to_tensor(path, "K", camera.get("K"), (3, 3)),
        _to_tensor(path, "R", camera.get("R"), (3, 3)),
        _to_tensor(path, "T", camera.get("T"), (3,)),
        size,
    )


def _to_tensor(path: Path, key: str, value: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a value of a record as finite numbers of a shape.

    Raises:
        BadInput: it is something else.
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        array = np.full((), np.nan)
    if array.shape != shape or not (np.abs(array) < LARGEST_NUMBER).all():
        expected = " x ".join(map(str, shape))
        raise BadInput(f"{path}: {key} should be {expected} numbers. Generate the person again.")
    return torch.from_numpy(array).float()


@lru_cache(maxsize=1)
def _open_body() -> BodyModel:
    return load_body_model("openbody")
