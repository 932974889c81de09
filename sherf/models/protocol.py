"""The protocols of models: the only interface that avatars, renderer, training and export use.

A `Model` encodes a photo into a `Bank`, once. A `BankReader` prepares the bank for one device, once per avatar, and
returns a `Field` for each posed body. The field renders frames. Trainable networks derive from `Network`
(`network.py`); their readers and fields keep gradients.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.models.solid import Solid
from sherf.render.backend import Backend
from sherf.render.deferred import Shaded
from sherf.scene import Camera, Frame, PosedBody, Rays, Subject


@runtime_checkable
class Bank(Protocol):
    """Everything that a model computes once per photo."""

    @property
    def subject(self) -> Subject:
        """The observation: photo, mask, camera and body pose."""
        ...

    @property
    def encoded(self) -> tuple[Tensor, ...]:
        """The tensors that the model computed from the photo; with the subject they identify the bank."""
        ...

    def to(self, device: torch.device | str) -> "Bank":
        """Return the bank with all tensors on `device`."""
        ...


@runtime_checkable
class Field(Protocol):
    """The radiance field of an avatar in one pose, world space."""

    def render(self, camera: Camera) -> Frame:
        """Render one camera (world space, no view axis, on the field's device)."""
        ...

    def solid(self) -> Solid:
        """Return the field's surface as a solid, world space.

        Raises:
            BadInput: the model has a density only and no surface.
        """
        ...


@runtime_checkable
class BankReader(Protocol):
    """A bank prepared for rendering: everything that does not depend on the pose is computed once."""

    def field(self, posed: PosedBody) -> Field:
        """Return the radiance field of a posed body, whose vertices may be a data set's instead of the body model's."""
        ...

    def outline(self, posed: PosedBody) -> Float[Tensor, "point 3"]:
        """Return the posed surface, including clothes where the model represents them, world space, metres."""
        ...


@runtime_checkable
class Model(Protocol):
    """A model: it encodes a photo into a feature bank, which gives the radiance field of any pose."""

    @property
    def name(self) -> str:
        """The model's name, such as sherf-small."""
        ...

    @property
    def body_model(self) -> str | None:
        """Name of the body model that the weights require; None if any will do."""
        ...

    def for_inference(self, device: torch.device) -> "Model":
        """Return the model in evaluation mode on `device`."""
        ...

    def encode(self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"] | None = None) -> Bank:
        """Encode an observation.

        Args:
            subject: photo, mask, camera and pose, on the model's device.
            body: the body model of the pose.
            vertices: of the body in the photo, world space, metres, as a data set provides them; None computes them
                from the pose.
        """
        ...

    def complete(self, bank: Any, body: BodyModel, backend: Backend) -> Bank:
        """Return the bank with what the photo's mask shows and the encoded avatar does not cover. No gradients.

        Args:
            bank: returned by this model's `encode`, on the backend's device.
            body: the body model, on the backend's device.
            backend: the operations that differ between devices.
        """
        ...

    def reader(self, bank: Any, body: BodyModel, backend: Backend, chunk: int | None = None) -> BankReader:
        """Prepare a bank of this model for rendering.

        Args:
            bank: returned by this model's `encode`, on the backend's device.
            body: the body model, on the backend's device.
            backend: the operations that differ between devices.
            chunk: number of points evaluated at once; a smaller one takes less memory. None: the model's default.
        """
        ...

    def pack(self, bank: Any) -> dict[str, Tensor]:
        """Return the tensors that an avatar file stores besides the subject: the bank and the weights that read it."""
        ...

    def unpack(self, source: Path, tensors: dict[str, Tensor], subject: Subject, body: BodyModel) -> Bank:
        """Restore a bank (and a network's own weights) from the tensors of an avatar file.

        Args:
            source: the file, for error messages.
            tensors: as `pack` returned them.
            subject: the avatar's observation.
            body: the body model that the avatar was made with.

        Raises:
            BadInput: a tensor is missing, or has another shape or type than expected.
        """
        ...


class TexelMaps(NamedTuple):
    """Colour and displacement decoded from a network's UV feature maps alone, for each covered texel of the atlas."""

    colour: Float[Tensor, "texel 3"]
    """sRGB in [0, 1]."""
    displacement: Float[Tensor, " texel"]
    """Distance of the clothed surface from the bare body along its normal, metres."""


@dataclass(frozen=True)
class SamplingOptions:
    """How a training step samples rays."""

    step_m: float
    """Length of a sample along a ray, metres; ignored by networks with a fixed number of samples."""
    density_noise: float
    """Standard deviation of the noise added to raw densities, 1/m (published networks only)."""


@runtime_checkable
class TrainableField(Field, Protocol):
    """A field whose colours along given rays are differentiable."""

    def rays(self, camera: Camera) -> Rays:
        """Return the rays of a camera's pixels, row by row, world space; rays that hit nothing have far <= near."""
        ...

    def shade(
        self, rays: Rays, distance: Float[Tensor, " ray"] | None = None, rng: np.random.Generator | None = None
    ) -> Shaded:
        """Render rays with gradients.

        Args:
            rays: some of those that `rays` returns.
            distance: ground-truth distance of the surface along each ray, metres, 0 where the ray misses it; None if
                unknown.
            rng: jitters the samples; None takes the midpoints of the intervals.
        """
        ...

    def surface_depth(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, " near_point"] | None:
        """Return the depth below the surface of those points that lie near the body, metres.

        Returns:
            Depths, negative outside; None if the model has no surface or none of the points lies near the body.
        """
        ...


@runtime_checkable
class TrainingReader(BankReader, Protocol):
    """A bank reader with gradients."""

    def texels(self) -> TexelMaps | None:
        """Return the colour and displacement of each texel; None for a network without UV feature maps."""
        ...

    def training_field(self, posed: PosedBody, sampling: SamplingOptions, rng: np.random.Generator) -> TrainableField:
        """Return the field of a posed body for one training step.

        Args:
            posed: the body of the target view.
            sampling: how rays are sampled.
            rng: draws the seed of the density noise.
        """
        ...


@runtime_checkable
class TunableField(TrainableField, Protocol):
    """A field whose colours can be tuned to the photo by optimising the bank's maps."""

    def with_maps(self, maps: Float[Tensor, "map channel h w"]) -> TrainableField:
        """Return the field with other maps on the same surface: shape and occlusion do not change."""
        ...


@runtime_checkable
class TunableBank(Bank, Protocol):
    """A bank with maps that can be tuned to its photo."""

    @property
    def vertices(self) -> Float[Tensor, "vertex 3"]:
        """The body in the photo, world space, metres."""
        ...

    @property
    def maps(self) -> Float[Tensor, "map channel h w"] | None:
        """The UV feature maps; None if the network's global level is off."""
        ...

    def with_maps(self, maps: Float[Tensor, "map channel h w"]) -> "TunableBank":
        """Return a copy of the bank with other maps."""
        ...
