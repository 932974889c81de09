"""The radiance field of the published network in one pose, and the sampling of its rays (SHERF, section 3.4)."""

import math
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.vertex_warp import vertex_warp
from sherf.errors import BadInput
from sherf.models.config import SherfConfig
from sherf.models.paper.bank import CanonicalSpace, FeatureBank
from sherf.models.paper.point_features import TokenTables
from sherf.models.paper.projection import divide, published_projection
from sherf.models.protocol import SamplingOptions
from sherf.models.solid import Solid
from sherf.render.backend import Backend
from sherf.render.box import RAYS_PER_CHUNK, box_rays, box_samples
from sherf.render.deferred import Shaded
from sherf.render.march import MarchOptions, RayColours, follow, picture
from sherf.render.sampling import OccupancyGrid
from sherf.scene import Camera, Frame, PosedBody, Radiance, Rays, RaySamples


@runtime_checkable
class PointNetwork(Protocol):
    """The part of `PaperNetwork` that a field uses."""

    config: SherfConfig

    def tables(self, bank: FeatureBank, space: CanonicalSpace) -> TokenTables:
        """Return the bank prepared for sampling at many points."""
        ...

    def radiance(
        self,
        tables: TokenTables,
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
        pixels: Float[Tensor, "point 2"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Return raw density (1/m, before its ReLU) and colour of canonical points."""
        ...


class PaperReader:
    """A feature bank prepared for rendering: `TrainingReader`."""

    OPTIONS = MarchOptions(block=4, points_per_chunk=2**14)
    """How frames are marched."""

    def __init__(
        self,
        network: PointNetwork,
        bank: FeatureBank,
        body: BodyModel,
        backend: Backend,
        options: MarchOptions = OPTIONS,
    ):
        """Build the tables.

        Args:
            network: the network that encoded the bank.
            bank: on the backend's device, like `body`.
            body: the body model.
            backend: the operations that differ between devices.
            options: how frames are marched.
        """
        self.network, self.body, self.backend, self.options = network, body, backend, options
        self.tables = network.tables(bank, CanonicalSpace.of(body))

    def field(self, posed: PosedBody) -> "PaperField":
        """Return the radiance field of a posed body."""
        return PaperField(self.network, self.tables, self.body, posed, self.backend, self.options)

    def outline(self, posed: PosedBody) -> Float[Tensor, "vertex 3"]:
        """Return the bare body, world space, metres: clothes are represented by the field alone."""
        return posed.vertices

    def texels(self) -> None:
        """Return None: the published network has no UV feature maps."""
        return None

    def training_field(self, posed: PosedBody, sampling: SamplingOptions, rng: np.random.Generator) -> "PaperField":
        """Return the field of a posed body for one training step: all samples of all rays are evaluated.

        Args:
            posed: the body of the target view.
            sampling: only its density noise is used; the number of samples is part of the configuration.
            rng: draws the seed of the density noise, so that a resumed training draws the same noise.
        """
        torch.manual_seed(int(rng.integers(2**31)))
        options = MarchOptions(block=self.network.config.samples, stop=0.0, points_per_chunk=2**18)
        return PaperField(self.network, self.tables, self.body, posed, self.backend, options, sampling.density_noise)


class PaperField:
    """Radiance of an avatar in one pose, in world space.

    As published, ray directions are not of unit length: their component along the camera's z axis is 1.
    """

    def __init__(
        self,
        network: PointNetwork,
        tables: TokenTables,
        body: BodyModel,
        posed: PosedBody,
        backend: Backend,
        options: MarchOptions = PaperReader.OPTIONS,
        density_noise: float = 0.0,
    ):
        """Prepare the warps.

        Args:
            network: the network that reads the tables.
            tables: the bank.
            body: the body model.
            posed: the body in this pose; may carry a data set's own vertices in place of the body model's.
            backend: the operations that differ between devices.
            options: how rays are marched.
            density_noise: standard deviation of the noise added to raw densities, as in the published training, 1/m.
        """
        self.network, self.tables, self.faces = network, tables, body.faces
        self.backend, self.options, self.density_noise = backend, options, density_noise
        canonical = body.pose(body.big_pose())
        subject = tables.bank.subject
        self.vertices = posed.vertices
        self.to_canonical = vertex_warp(posed, canonical)[:, :3]
        self.to_pixels = published_projection(subject.camera) @ vertex_warp(canonical, body.pose(subject.pose))
        self.nearest_posed = backend.nearest_vertex(self.vertices, network.config.near_body_m)
        self.nearest_canonical = backend.nearest_vertex(canonical.vertices, math.inf)

    def __call__(self, points: Float[Tensor, "point 3"], directions: Float[Tensor, "point 3"]) -> Radiance:
        """Return density (1/m) and colour at world points; empty beyond the configured distance from the body.

        Args:
            points: world space, metres.
            directions: world space, scaled to depth 1 along the target camera's z axis.
        """
        vertex = self.nearest_posed(points)
        squared = (points - self.vertices[vertex]).square().sum(dim=1)
        near = (squared < self.network.config.near_body_m**2).nonzero()[:, 0]
        density, colour = torch.zeros_like(squared), torch.zeros_like(points)
        if len(near):
            raw, near_colour = self.near(points[near], directions[near], vertex[near])
            if self.density_noise > 0:
                raw = raw + self.density_noise * torch.randn_like(raw)
            density, colour = density.index_put((near,), F.relu(raw)), colour.index_put((near,), near_colour)
        return Radiance(density, colour, torch.zeros_like(density))

    def near(
        self,
        points: Float[Tensor, "point 3"],
        directions: Float[Tensor, "point 3"],
        vertex: Int[Tensor, " point"],
    ) -> tuple[Float[Tensor, " point"], Float[Tensor, "point 3"]]:
        """Return raw density (1/m, before its ReLU) and colour at world points near the body.

        Args:
            points: world space, metres.
            directions: world space, scaled to depth 1 along the target camera's z axis.
            vertex: index of the nearest posed vertex of each point.
        """
        warp = self.to_canonical[vertex]
        canonical, rotated = _warped(warp, points), (warp[:, :, :3] * directions[:, None]).sum(dim=-1)
        pixels = divide(_warped(self.to_pixels[self.nearest_canonical(canonical)], canonical))
        return self.network.radiance(self.tables, canonical, rotated, pixels)

    def rays(self, camera: Camera) -> Rays:
        """Return the rays of a camera's pixels, world space, clipped to the box around the body."""
        return box_rays(camera, self.vertices)

    def colours(self, rays: Rays) -> RayColours:
        """Render rays as returned by `rays`."""
        return follow(self, rays, self._samples(rays), self.backend, self.options)

    def render(self, camera: Camera) -> Frame:
        """Render the frame of one camera. The field does not estimate visibility: it is 0."""
        rays = self.rays(camera)
        return picture(camera, rays, [self.colours(rays)])

    def shade(
        self, rays: Rays, distance: Float[Tensor, " ray"] | None = None, rng: np.random.Generator | None = None
    ) -> Shaded:
        """Render rays with gradients: `TrainableField.shade`. Samples are not jittered or clipped at the surface."""
        samples = self._samples(rays)
        return Shaded(follow(self, rays, samples, self.backend, self.options), samples, None)

    def surface_depth(self, points: Float[Tensor, "point 3"]) -> None:
        """Return None: the field has no surface."""
        return None

    @cached_property
    def _grid(self) -> OccupancyGrid:
        return OccupancyGrid.around(self.vertices, self.faces, self.network.config.near_body_m)

    def _samples(self, rays: Rays) -> RaySamples:
        chunk = self.backend.chunk(RAYS_PER_CHUNK)
        return box_samples(rays, self._grid, self.network.config.samples, chunk)

    def solid(self) -> Solid:
        """Raise an error: the field has no surface.

        Raises:
            BadInput: always.
        """
        raise BadInput("Avatars of sherf-paper have no surface to export. Use sherf-small or the template.")


def _warped(warp: Float[Tensor, "point 3 4"], points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """Return points transformed by an affine map each. Elementwise: several times as fast as small matrix products."""
    return (warp[:, :, :3] * points[:, None]).sum(dim=-1) + warp[:, :, 3]
