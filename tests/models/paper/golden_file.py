"""Golden files: the published network's inputs and the outputs of each of its stages.

Keys: `in/…` inputs, `mid/…` stages, `out/…` results; shared/golden/README.md of the project lists them. A compact file,
written by shrink.py, refers to a file beside it for the inputs (`inputs_from`) and contains only some numbers of each
large stage: `at/…` are their indices in the flattened stage, `shape/…` is the stage's shape.
"""

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sherf.benchmark.published_inputs import PublishedCamera, camera_from_published
from sherf.errors import BadInput
from sherf.scene import BodyPose, Subject


class Golden:
    """One golden file."""

    def __init__(self, path: Path):
        self.path = path
        self.arrays = _arrays(path)
        if "inputs_from" in self.arrays:
            inputs = _arrays(path.with_name(str(self.arrays["inputs_from"])))
            self.arrays |= {f"in/{name}": values for name, values in inputs.items()}

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def array(self, name: str) -> np.ndarray:
        """Return a stored array; sites of sparse stages in ascending order, as the published order is arbitrary.

        Raises:
            BadInput: the file does not contain it.
        """
        if name not in self.arrays:
            raise BadInput(f"{self.path.name} does not contain {name}")
        values = self.arrays[name]
        if name.startswith("mid/sp.") and "conv0" not in name and f"at/{name}" not in self:
            sites = self.arrays[name.replace("_feat", "_ind")]
            values = values[np.lexsort(sites.T[::-1])]
        return values

    def __getitem__(self, name: str) -> Tensor:
        """Return a complete array, floats in single precision."""
        values = torch.from_numpy(self.array(name))
        if f"at/{name}" in self:
            raise BadInput(f"{self.path.name} contains only part of {name}")
        return values.float() if values.dtype == torch.float64 else values

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of the complete stage, without axes of length 1."""
        shape = self.arrays[f"shape/{name}"] if f"at/{name}" in self else self.array(name).shape
        return tuple(int(n) for n in shape if n != 1)

    def pair(self, name: str, ours: Tensor) -> tuple[Tensor, Tensor]:
        """Return golden numbers and ours at the same indices, flat. `ours` has the stage's shape."""
        golden, ours = torch.from_numpy(self.array(name)).flatten(), ours.detach().flatten()
        return golden, ours[torch.from_numpy(self.arrays[f"at/{name}"]).long()] if f"at/{name}" in self else ours

    @cached_property
    def inputs(self) -> "GoldenInputs":
        """Observation and target."""
        image = self["in/obs_img_all"][0, 0]
        K, R, T = (self.arrays[f"in/obs_{name}_all"][0, 0].astype(np.float64) for name in "KRT")
        size = (image.shape[1], image.shape[2])
        rays = [self[f"in/{name}_all"][0, 0] for name in ("ray_o", "ray_d", "near", "far")]
        return GoldenInputs(
            subject=Subject(
                image=image,
                mask=torch.ones(size),
                camera=camera_from_published(PublishedCamera(K, R, T[:, 0]), size),
                pose=self._pose("obs_params"),
                body_model="stand-in",
            ),
            observed_vertices=self["in/obs_vertices"][0],
            pose=self._pose("params"),
            vertices=self["in/vertices"][0],
            origins=rays[0],
            directions=rays[1],
            near=rays[2][:, 0],
            far=rays[3][:, 0],
        )

    def _pose(self, prefix: str) -> BodyPose:
        poses, R, Th, shapes = (self[f"in/{prefix}/{name}"] for name in ("poses", "R", "Th", "shapes"))
        return BodyPose(shapes.reshape(10), poses.reshape(24, 3), R.reshape(3, 3), Th.reshape(3))


@dataclass(frozen=True)
class GoldenInputs:
    """Inputs of the published network, in our types. Ray directions are not of unit length."""

    subject: Subject
    observed_vertices: Tensor
    pose: BodyPose
    vertices: Tensor
    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(f"{path} cannot be read ({error})") from error
