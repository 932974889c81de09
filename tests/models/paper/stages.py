"""Compare our network with the published one: each stage on golden inputs of that stage, then end to end.

A stage agrees where all differences are within its tolerance. Discrete choices (a nearest vertex, a voxel, whether a
sample is kept) count as differing unless rounding of their inputs explains it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from golden_file import Golden, GoldenInputs
from jaxtyping import Float
from published_compositing import EMPTY_DENSITY, PublishedColours, composite_published, published_depths
from round_trips import warp_directions, warp_points
from scipy.spatial import cKDTree
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.published_canonical import published_canonical
from sherf.body.vertex_warp import vertex_warp
from sherf.models.config import TOKENS, SherfConfig
from sherf.models.layers.frame_norm import FrameNorm
from sherf.models.paper.bank import CanonicalSpace, FeatureBank
from sherf.models.paper.encoder import faces_camera, vertex_features
from sherf.models.paper.field import PaperField
from sherf.models.paper.network import COLOUR_TOKEN, DENSITY_TOKEN, PaperNetwork
from sherf.models.paper.point_features import Reprojection, TokenTables
from sherf.models.paper.projection import published_pixels
from sherf.models.paper.volume import VOXEL_M, voxel_grid, voxelise
from sherf.render.devices import cpu_backend
from sherf.render.vertex_tree import VertexTree
from sherf.scene import Rays

OF_SCALE = 1e-4
"""Tolerance of a stage, relative to the largest golden number."""
LARGEST, MEAN = 2e-3, 1e-4
"""Tolerances of the results: maximum and mean."""
RENDERED = 1e-3
"""Tolerance of images of our own renderer, in [0, 1]: it skips negligible contributions."""
SOLID = 0.5
"""Opacity above which depths are compared: only the published renderer has a depth in the background."""
ROUNDING_M = 1e-6
"""Distances that differ by less are equal: single precision at a metre or two."""
POINTS_PER_CHUNK = 2**14


@dataclass(frozen=True)
class Check:
    """One comparison."""

    stage: str
    difference: float
    tolerance: float
    """The largest acceptable difference."""
    note: str = ""

    @property
    def agrees(self) -> bool:
        """False too if the difference is NaN."""
        return self.difference <= self.tolerance


@torch.no_grad()
def all_checks(golden: Golden, model: PaperNetwork, body: BodyModel) -> Iterator[Check]:
    """Compare every stage in the file, then the results."""
    parity = Parity(golden, model, body)
    for part in (parity.canonical_space, parity.images, parity.vertices, parity.volume, parity.points):
        yield from part()
    # from here on only the inputs are golden; as published, they include the big pose's vertices
    parity.space = CanonicalSpace.around(golden["in/t_vertices"][0])
    bank = parity.encoder([parity.inputs.subject], body, parity.inputs.observed_vertices[None], parity.space)[0]
    yield from parity.results(bank)
    yield from parity.renderer(bank)


class Parity:
    """One golden file, one network."""

    def __init__(self, golden: Golden, model: PaperNetwork, body: BodyModel):
        self.golden, self.model, self.body, self.inputs = golden, model, body, golden.inputs
        self.space = CanonicalSpace.of(body)
        self.encoder = model.encoder

    def _close(self, name: str, ours: Tensor) -> Iterator[Check]:
        if self._comparable(name, ours):
            golden, ours = self.golden.pair(name, ours)
            scale = float(golden.abs().max())
            largest = float((ours.double() - golden.double()).abs().max())
            yield Check(_short(name), largest, OF_SCALE * scale, f"of {scale:.3g}")
        elif name in self.golden:
            yield self._other_shape(name, ours)

    def _same(self, name: str, ours: Tensor) -> Iterator[Check]:
        if self._comparable(name, ours):
            golden, ours = self.golden.pair(name, ours)
            yield Check(_short(name), int((golden != ours).sum()), 0, f"of {len(golden)} differ")
        elif name in self.golden:
            yield self._other_shape(name, ours)

    def _comparable(self, name: str, ours: Tensor) -> bool:
        return name in self.golden and self.golden.shape(name) == tuple(n for n in ours.shape if n != 1)

    def _other_shape(self, name: str, ours: Tensor) -> Check:
        return Check(_short(name), math.inf, 0, f"shape {tuple(ours.shape)}, golden {self.golden.shape(name)}")

    def canonical_space(self) -> Iterator[Check]:
        """The big pose and its boxes, computed from the body alone."""
        yield from self._close("in/t_vertices", self.space.vertices)
        yield from self._close("in/t_world_bounds", self.space.plane_bounds)
        yield from self._close("mid/sp_bounds", self.space.volume_bounds)
        if "mid/sp_out_sh" in self.golden:
            yield from self._same("mid/sp_out_sh", torch.tensor(voxel_grid(self.space.volume_bounds)))

    def images(self) -> Iterator[Check]:
        """Both image encoders and the planes."""
        image = self.inputs.subject.image[None]
        yield from self._close("mid/code", self.encoder.code(image))
        yield from self._close("mid/ws0", self.encoder.mapping(self.golden["mid/code"]))
        self.planes = self.encoder.synthesis(self.golden["mid/ws0"])
        yield from self._close("mid/planes", self.planes[:, :, ::8, ::8])
        self.pixels = self.encoder.pixels(image)[0]
        yield from self._close("mid/obs_input_feature", self.pixels[::4])

    def vertices(self) -> Iterator[Check]:
        """The photo sampled at the body's vertices, and their canonical positions."""
        subject, vertices = self.inputs.subject, self.inputs.observed_vertices
        yield from self._close("mid/obs_uv", published_pixels(subject.camera, vertices))
        facing = faces_camera(vertices, self.body.faces, subject.camera)
        yield from self._same("mid/obs_smpl_vertex_mask", facing)
        seen = vertex_features(subject.image, self.pixels, subject.camera, vertices)
        colour = seen[:, self.pixels.shape[0] :][:, :3]  # an encoding begins with what it encodes
        yield from self._close("mid/obs_vertex_rgb", colour)
        facing = self.golden["mid/obs_smpl_vertex_mask"][0]
        yield from self._close("mid/obs_vertex_3d_feature", self.encoder.vertex(seen) * facing[:, None])
        yield from self._close("mid/obs_vertex_canonical", published_canonical(self.body, subject.pose, vertices))

    def volume(self) -> Iterator[Check]:
        """The sparse convolutions."""
        bounds = self.golden["mid/sp_bounds"][0]
        features, points = self.golden["mid/obs_vertex_3d_feature"], self.golden["mid/obs_vertex_canonical"]
        volume = voxelise(features[None], points, bounds)
        yield from self._same("mid/sp_coord", volume.sites)
        self.volumes = []
        for number, stage in enumerate(self.encoder.volume.stages):
            volume = stage(volume)
            yield from self._same(f"mid/sp.conv{number}_ind", volume.sites)
            yield from self._close(f"mid/sp.conv{number}_feat", volume.features)
            if number > 0:
                self.volumes.append(volume)

    def points(self) -> Iterator[Check]:
        """Samples of rays: warps, look-ups, fusion, decoder."""
        golden, inputs = self.golden, self.inputs
        tables = self._tables(self.model.reprojection)
        canonical_body = self.body.pose(self.body.big_pose())
        to_canonical = vertex_warp(self.body.pose(inputs.pose), canonical_body)
        to_observation = vertex_warp(canonical_body, self.body.pose(inputs.subject.pose))
        samples = self.model.config.samples
        ray, sample = (golden["mid/subset_flat_index"] // samples, golden["mid/subset_flat_index"] % samples)
        depth = published_depths(inputs.near[ray], inputs.far[ray], samples).gather(1, sample[:, None])
        world, directions = inputs.origins[ray] + depth * inputs.directions[ray], inputs.directions[ray]
        R, T = inputs.pose.R_world_body, inputs.pose.T_world_body
        yield from self._close("mid/smpl_query_pts", (world - T) @ R)
        yield from self._close("mid/smpl_query_viewdir", directions @ R)

        vertex = golden["mid/vert_ids_tgt"][0, :, 0]
        yield self._nearest("vert_ids_tgt", world, inputs.vertices, vertex)
        yield from self._close("mid/coarse_canonical_pts", warp_points(world, vertex, to_canonical))
        turned = warp_directions(directions, vertex, to_canonical)
        yield from self._close("mid/coarse_canonical_viewdir", turned)

        canonical, turned = golden["mid/coarse_canonical_pts"][0], golden["mid/coarse_canonical_viewdir"][0]
        vertex = golden["mid/vert_ids_can"][0, :, 0]
        yield self._nearest("vert_ids_can", canonical, self.space.vertices, vertex)
        yield from self._close("mid/world_src_pts", warp_points(canonical, vertex, to_observation))
        yield from self._close("mid/src_uv", published_pixels(inputs.subject.camera, golden["mid/world_src_pts"][0]))
        yield from self._features(tables, canonical, golden["mid/src_uv"][0, 0])

        fused = self.model.fusion(golden["mid/fused_reprojected"].permute(2, 0, 1))
        yield from self._close("mid/fused_transformer", fused)
        fused = golden["mid/fused_transformer"]
        density, colour = self.model.decoder(canonical, turned, fused[:, DENSITY_TOKEN], fused[:, COLOUR_TOKEN])
        yield from self._close("mid/rgb", colour)
        yield from self._close("mid/sigma", density)

    def _nearest(self, name: str, points: Tensor, vertices: Tensor, golden: Tensor) -> Check:
        """Count the points whose vertex is neither the golden one nor equally near."""
        ours = VertexTree(vertices)(points)
        difference = (points - vertices[ours]).norm(dim=1) - (points - vertices[golden]).norm(dim=1)
        differ = int(((ours != golden) & (difference.abs() > ROUNDING_M)).sum())
        return Check(name, differ, 0, f"of {len(points)} differ, besides {int((ours != golden).sum()) - differ} ties")

    def _tables(self, reprojection: Reprojection) -> TokenTables:
        """Return the tables of maps computed from golden inputs."""
        planes = self.planes[0].unflatten(0, (TOKENS, -1))
        vertices = self.inputs.observed_vertices
        bank = FeatureBank(self.inputs.subject, vertices, planes, tuple(self.volumes), self.pixels)
        return TokenTables(bank, self.space, reprojection)

    def _features(self, tables: TokenTables, canonical: Tensor, pixels: Tensor) -> Iterator[Check]:
        """The features of each level, then all together as tokens.

        Our network never computes a level's features separately: its tables already contain their contributions to the
        tokens. Identity matrices in place of the linear layers yield the features themselves.
        """
        dense = tuple(volume.dense() for volume in self.volumes)
        found = sample_volumes(dense, canonical[None], self.golden["mid/sp_bounds"][0])
        yield from self._close("mid/point_3d_feature_192", found)
        reprojection = self.model.reprojection
        assert reprojection.point is not None
        found = reprojection.point(self.golden["mid/point_3d_feature_192"][0])
        yield from self._close("mid/point_3d_feature", found)
        planes, shown, volume = (
            self._tables(_picking(self.model, level)).tokens(canonical, pixels) for level in range(TOKENS)
        )
        yield from self._close("mid/planes_feature", planes.transpose(0, 1))
        yield from self._close("mid/point_2d_feature", shown.flatten(start_dim=1))
        for check in self._close("mid/point_3d_feature", volume.flatten(start_dim=1)):
            yield replace(check, stage="point_3d_feature, from tables")
        yield from self._close("mid/fused_reprojected", tables.tokens(canonical, pixels).permute(1, 2, 0))

    def renderer(self, bank: FeatureBank) -> Iterator[Check]:
        """The image of our own renderer, which samples differently and terminates rays behind opaque surfaces."""
        inputs = self.inputs
        far = torch.where(inputs.near > 0, inputs.far, 0)  # published: a ray that misses has near 0 and far 1
        rays = Rays(inputs.origins, inputs.directions, inputs.near, far)
        posed = replace(self.body.pose(inputs.pose), vertices=inputs.vertices)
        seen = self.model.reader(bank, self.body, cpu_backend()).field(posed).colours(rays)
        picture = (self.golden["out/image"][0] + 1) / 2
        for ours, name, published in (
            (seen.rgb.T, "rgb", picture.flatten(start_dim=1)), (seen.opacity, "opacity", self._result("weights")),
        ):  # fmt: skip
            yield Check(f"renderer, {name}", float((ours - published).abs().max()), RENDERED)
        off = (seen.distance - self._result("depth"))[self._result("weights") > SOLID]
        yield Check("renderer, depth", float(off.abs().max()), RENDERED, "of solid pixels")

    def _result(self, which: Literal["weights", "depth"]) -> Tensor:
        name = {"weights": "out/weights_image", "depth": "out/image_depth"}[which]
        return self.golden[name].flatten()

    def results(self, bank: FeatureBank) -> Iterator[Check]:
        """The image, rendered by the published algorithm."""
        inputs = self.inputs
        tables = self.model.tables(bank, self.space)
        posed = replace(self.body.pose(inputs.pose), vertices=inputs.vertices)
        field = PaperField(self.model, tables, self.body, posed, cpu_backend())
        seen = march(field, inputs, self.model.config)
        yield from self._kept(seen)
        height, width = inputs.subject.camera.size
        results = {
            "out/image": 2 * seen.colours.rgb.T.reshape(3, height, width) - 1,
            "out/image_depth": seen.colours.depth.reshape(height, width),
            "out/weights_image": seen.colours.opacity.reshape(height, width),
        }
        for name, ours in results.items():
            golden, ours = self.golden.pair(name, ours)
            off = (ours.double() - golden.double()).abs()
            yield Check(f"{name}, largest", float(off.max()), LARGEST)
            yield Check(f"{name}, mean", float(off.mean()), MEAN)

    def _kept(self, seen: "Marched") -> Iterator[Check]:
        """Which samples are near the body, and their nearest vertices."""
        if "mid/pts_mask_packed" not in self.golden:
            return
        bits = np.unpackbits(self.golden["mid/pts_mask_packed"].numpy())[: seen.kept.numel()]
        golden = torch.from_numpy(bits).bool().view(seen.kept.shape)
        surely = (seen.distance - self.model.config.near_body_m).abs() > ROUNDING_M
        differ = int((surely & (golden != seen.kept)).sum())
        yield Check("samples kept", differ, 0, f"of {golden.numel()} differ, {int(golden.sum())} kept")
        both = golden & seen.kept
        vertex = torch.from_numpy(np.ravel(self.golden["mid/inmask_vertex_id"].numpy())).long()[both[golden]]
        yield self._nearest("inmask_vertex_id", seen.points[both], self.inputs.vertices, vertex)


def sample_volumes(
    volumes: tuple[Float[Tensor, "batch _ _ _ _"], ...],
    points: Float[Tensor, "batch point 3"],
    bounds: Float[Tensor, "2 3"],
) -> Float[Tensor, "batch point channel"]:
    """Return trilinear features at canonical points, all scales in one row.

    The published grid coordinates: all scales are normalised by the finest grid's size, corners aligned.
    """
    size = points.new_tensor(voxel_grid(bounds)[::-1])
    grid = ((points - bounds[0]) / VOXEL_M / size * 2 - 1)[:, None, None]
    found = [F.grid_sample(volume, grid, align_corners=True)[:, :, 0, 0] for volume in volumes]
    return torch.cat(found, dim=1).transpose(1, 2)


def _short(name: str) -> str:
    return name.removeprefix("mid/")


def _picking(model: PaperNetwork, level: int) -> Reprojection:
    """Return a reprojection that passes one level's channels through unchanged."""
    picking = Reprojection(model.config)
    assert len(set(picking.shares)) == 1
    picking.point = model.reprojection.point
    nn.init.zeros_(picking.join.bias)
    nn.init.zeros_(picking.join.weight)
    nn.init.eye_(picking.join.weight.split(picking.shares, dim=1)[level])
    return picking


@dataclass(frozen=True)
class Marched:
    """The rays of an image, and which samples contributed."""

    colours: PublishedColours
    points: Tensor
    """(ray, sample, 3): in world space."""
    kept: Tensor
    """(ray, sample): near the body."""
    distance: Tensor
    """(ray, sample): from the nearest vertex, metres; infinite where clearly far."""


def march(field: PaperField, inputs: GoldenInputs, config: SherfConfig) -> Marched:
    """March all rays by the published algorithm: find the nearest vertex of every sample."""
    depths = published_depths(inputs.near, inputs.far, config.samples)
    points = inputs.origins[:, None] + depths[..., None] * inputs.directions[:, None]
    # published: measured in the body's frame and in single precision, to the last bit
    R, T = inputs.pose.R_world_body, inputs.pose.T_world_body
    in_body, vertices = (points - T) @ R, (inputs.vertices - T) @ R
    found, vertex = cKDTree(vertices.numpy()).query(in_body.numpy(), distance_upper_bound=2 * config.near_body_m)
    distance, vertex = torch.from_numpy(found), torch.from_numpy(vertex)
    x, y, z = (in_body - vertices[vertex.clamp_max(len(vertices) - 1)]).square().unbind(dim=-1)
    kept = distance.isfinite() & (x + y + z < config.near_body_m**2)
    density, colour = torch.full(depths.shape, EMPTY_DENSITY), torch.zeros(*depths.shape, 3)
    near = (points[kept], inputs.directions[kept.nonzero()[:, 0]], vertex[kept])
    parts = [field.near(*some) for some in zip(*(x.split(POINTS_PER_CHUNK) for x in near), strict=True)]
    if parts:
        density[kept], colour[kept] = (torch.cat(x) for x in zip(*parts, strict=True))
    return Marched(composite_published(density, colour, depths, inputs.directions), points, kept, distance)


def fitting_statistics(golden: Golden, model: PaperNetwork) -> Literal["frame", "running"]:
    """Return which statistics normalised the image, judged by the image code."""
    off = {}
    for statistics in ("frame", "running"):
        use_statistics(model, statistics)
        golden_code, code = golden.pair("mid/code", model.encoder.code(golden.inputs.subject.image[None]))
        off[statistics] = float((golden_code - code).abs().max())
    return min(off, key=off.get)


def use_statistics(model: PaperNetwork, statistics: Literal["frame", "running"]) -> None:
    """Set the statistics of all normalisation layers."""
    for module in model.modules():
        if isinstance(module, FrameNorm):
            module.statistics = statistics
