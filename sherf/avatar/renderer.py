"""Avatar, camera and pose in, picture out; what belongs to a pose is kept while the pose stays the same."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.avatar.avatar_file import Avatar
from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.pinhole import rays as camera_rays
from sherf.models.paper.bank import CanonicalSpace, FeatureBank
from sherf.models.paper.network import Sherf, SherfField
from sherf.models.surface.field import SurfaceField
from sherf.models.template.bank import TemplateBank, TemplateField
from sherf.models.template.clothing import clothed
from sherf.render.box import box_rays, box_samples
from sherf.render.deferred import follow_deferred
from sherf.render.devices import Backend
from sherf.render.march import MarchOptions, RayColours, follow, in_chunks, picture, render
from sherf.render.sampling import OccupancyGrid
from sherf.scene import BodyPose, Camera, Frame, PosedBody, Rays


@runtime_checkable
class Renderer(Protocol):
    """Renders one avatar."""

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """The avatar from a camera, in a pose.

        Args:
            vertices: of the posed body, world space, where a data set gives them; else the pose does.
        """
        ...

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """Roughly the surface in a pose, clothes included as far as they are known, world space, metres."""
        ...


def make_renderer(avatar: Avatar, body: BodyModel, backend: Backend, chunk: int | None = None) -> Renderer:
    """The renderer of an avatar's kind.

    Args:
        chunk: points computed at once, to save memory; the kind's own number if not given.
    """
    if isinstance(avatar.bank, FeatureBank):
        assert avatar.network is not None
        if avatar.network.config.anchor == "surface":
            options = SurfaceRenderer.OPTIONS.in_chunks_of(chunk)
            return SurfaceRenderer(avatar.bank, avatar.network, body, backend, options)
        options = NetworkRenderer.OPTIONS.in_chunks_of(chunk)
        return NetworkRenderer(avatar.bank, avatar.network, body, backend, options)
    return TemplateRenderer(avatar.bank, body, backend, TemplateRenderer.OPTIONS.in_chunks_of(chunk))


class TemplateRenderer:
    """Renders the avatar without learned weights."""

    OPTIONS = MarchOptions()

    def __init__(self, bank: TemplateBank, body: BodyModel, backend: Backend, options: MarchOptions = OPTIONS):
        self.bank, self.body = bank.to(backend.device), body.to(backend.device)
        self.backend, self.options = backend, options
        self._pose: BodyPose | None = None

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """See `Renderer`; the clothed surface follows the pose, not `vertices`."""
        if pose is not self._pose:
            posed = self.body.pose(pose.to(self.backend.device))
            self._field = TemplateField(self.bank, self.body, posed, self.backend)
            self._grid = OccupancyGrid.around(self._field.vertices, self.body.faces, self._field.reach)
            self._pose = pose
        with torch.no_grad():
            return render(self._field, camera.to(self.backend.device), self._grid, self.backend, self.options)

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """See `Renderer`."""
        return clothed(self.body, self.body.pose(pose.to(self.backend.device)), self.bank.stand_off)


class NetworkRenderer:
    """Renders SHERF's network: samples in the body's box, near the body, front to back."""

    OPTIONS = MarchOptions(block=4, points_per_chunk=2**14)

    def __init__(
        self,
        bank: FeatureBank,
        network: Sherf,
        body: BodyModel,
        backend: Backend,
        options: MarchOptions = OPTIONS,
    ):
        self.body, self.backend, self.options = body.to(backend.device), backend, options
        self.network = network.to(backend.device).eval()
        with torch.no_grad():
            self.tables = self.network.tables(bank.to(backend.device), CanonicalSpace.of(self.body))
        self._pose: BodyPose | None = None

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """See `Renderer`. The photo's share of each colour is not known: visibility is 0."""
        with torch.no_grad():
            self._place(pose, vertices)
            camera = camera.to(self.backend.device)
            rays = box_rays(camera, self._field.vertices)
            return picture(camera, rays, [self._follow(rays)])

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """See `Renderer`: the bare body, clothes are known only to the field."""
        return self.body.pose(pose.to(self.backend.device)).vertices

    def colours(self, rays: Rays, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> RayColours:
        """What given rays see; directions of depth 1, near and far on the body's box (`box_rays`)."""
        with torch.no_grad():
            self._place(pose, vertices)
            return self._follow(rays)

    def _follow(self, rays: Rays) -> RayColours:
        samples = box_samples(rays, self._grid, self.network.config.samples)
        return follow(self._field, rays, samples, self.backend, self.options)

    def _place(self, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None) -> None:
        if pose is self._pose:
            return
        posed = _posed(self.body, pose, vertices, self.backend)
        self._field = SherfField(self.network, self.tables, self.body, posed, self.backend.nearest_vertex)
        self._grid = OccupancyGrid.around(posed.vertices, self.body.faces, self.network.config.near_body_m)
        self._pose = pose


class SurfaceRenderer:
    """Renders a network whose points hang on the body's surface: density first, colour where it counts."""

    OPTIONS = MarchOptions(step=0.014, block=4, stop=5e-3, points_per_chunk=2**15)

    def __init__(
        self, bank: FeatureBank, network: Sherf, body: BodyModel, backend: Backend, options: MarchOptions = OPTIONS
    ):
        self.body, self.backend, self.options = body.to(backend.device), backend, options
        self.network = network.to(backend.device).eval()
        with torch.no_grad():
            self.tables = self.network.surface_tables(bank.to(backend.device), self.body)
        self._pose: BodyPose | None = None

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """See `Renderer`."""
        with torch.no_grad():
            if pose is not self._pose:
                posed = _posed(self.body, pose, vertices, self.backend)
                self._field = SurfaceField(self.tables, self.body, posed, self.backend)
                self._grid = self._field.grid()
                self._pose = pose
            camera = camera.to(self.backend.device)
            rays = camera_rays(camera)
            parts = []
            for some in in_chunks(rays, self.options):
                samples = self.backend.sample(some, self._grid, self.options.step)
                parts.append(follow_deferred(self._field, some, samples, self.backend, self.options))
            return picture(camera, rays, parts)

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """See `Renderer`."""
        vertices = self.body.pose(pose.to(self.backend.device)).vertices
        return self.tables.clothed(vertices, vertex_normals(vertices, self.body.faces))


def _posed(body: BodyModel, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None, backend: Backend) -> PosedBody:
    """The body in a pose, with a data set's own vertices where it gives them."""
    posed = body.pose(pose.to(backend.device))
    return posed if vertices is None else replace(posed, vertices=vertices.to(backend.device))
