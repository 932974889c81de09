"""The feature bank: everything that is computed once per photo (SHERF, section 3.2)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.published_canonical import published_canonical
from sherf.models.config import RGB_CHANNELS, RGB_OCTAVES, TOKENS, SherfConfig
from sherf.models.layers.positional_encoding import positional_encoding
from sherf.models.layers.resnet import ImageCode, ResnetStages
from sherf.models.paper.sparse import SparseVolume
from sherf.models.paper.synthesis import Mapping, Synthesis
from sherf.models.paper.volume import BOX_MARGIN_M, PointVolume, voxelise
from sherf.scene import Camera, OnDevice, Subject

PLANE_MARGIN_Z_M = 0.1
"""The planes' box is this much deeper than the volume's, towards front and back."""
DEPTH_EPS = 1e-5  # added to depths before dividing, as published


@dataclass(frozen=True)
class FeatureBank(OnDevice):
    """What a network keeps of one photo: an avatar."""

    subject: Subject
    vertices: Float[Tensor, "vertex 3"]
    """The body in the photo, world space, metres."""
    planes: Float[Tensor, "plane channel h w"] | None
    """Planes over canonical (x, y), (x, z), (z, y); or the unwrapped photo's, front and back (`atlas.py`)."""
    volumes: tuple[SparseVolume, ...]
    """Point-level features at three scales, canonical space; none if that level is off."""
    pixels: Float[Tensor, "feature h2 w2"] | None
    """Feature map of the masked photo (or of the person cut out of it), half its size."""

    @property
    def made(self) -> tuple[Tensor, ...]:
        """What the network made of the photo."""
        maps = (self.planes, self.pixels, *(volume.features for volume in self.volumes))
        return tuple(x for x in maps if x is not None)


@dataclass(frozen=True)
class CanonicalSpace(OnDevice):
    """The body's big pose and the boxes around it: the same for everybody."""

    vertices: Float[Tensor, "vertex 3"]
    volume_bounds: Float[Tensor, "2 3"]
    """Lowest and highest corner of the point volume, metres."""
    plane_bounds: Float[Tensor, "2 3"]
    """Of the planes."""

    @classmethod
    def of(cls, body: BodyModel) -> "CanonicalSpace":
        """Canonical space of a body model."""
        return cls.around(body.pose(body.big_pose()).vertices)

    @classmethod
    def around(cls, vertices: Float[Tensor, "vertex 3"]) -> "CanonicalSpace":
        """Canonical space of a body in its big pose."""
        tight = torch.stack([vertices.min(dim=0).values, vertices.max(dim=0).values])
        outward = tight.new_tensor([[-1.0], [1.0]])
        volume = tight + outward * BOX_MARGIN_M
        return cls(vertices, volume, volume + outward * tight.new_tensor([0.0, 0.0, PLANE_MARGIN_Z_M]))


class FeatureEncoder(nn.Module):
    """From the photo to the bank."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        self.config = config
        width, statistics = config.encoder_width, config.batch_norm
        uses_image = "pixel" in config.levels or "point" in config.levels
        self.pixels = ResnetStages(1, pool_stem=False, width=width, statistics=statistics) if uses_image else None
        if "global" in config.levels:
            self.code = ImageCode(width, statistics)
            self.mapping = Mapping(config.style_width, config.mapping_depth)
            self.synthesis = Synthesis(
                TOKENS * config.token_width,
                config.plane_resolution,
                config.style_width,
                config.synthesis_base,
                config.synthesis_most,
            )
        if "point" in config.levels:
            self.vertex = nn.Linear(config.pixel_channels, config.volume_channels[0])
            self.volume = PointVolume(config.volume_channels, config.volume_channels[0], statistics)

    def forward(
        self,
        subjects: list[Subject],
        body: BodyModel,
        vertices: Float[Tensor, "batch vertex 3"] | None = None,
        space: CanonicalSpace | None = None,
    ) -> list[FeatureBank]:
        """Encode photos of one size.

        Args:
            vertices: the bodies in world space where a data set gives them; else the subjects' poses do.
            space: likewise; else the body's.
        """
        images = torch.stack([s.image * s.mask for s in subjects])
        if vertices is None:
            vertices = torch.stack([body.pose(s.pose).vertices for s in subjects])
        pixels = None if self.pixels is None else self.pixels(images)
        planes = self._planes(images) if "global" in self.config.levels else None
        volumes: list[tuple[SparseVolume, ...]] = [() for _ in subjects]
        if "point" in self.config.levels:
            assert pixels is not None
            bounds = (space or CanonicalSpace.of(body)).volume_bounds
            volumes = self._volumes(subjects, body, images, pixels, vertices, bounds)
        keeps_pixels = pixels is not None and "pixel" in self.config.levels
        return [
            FeatureBank(
                subject,
                vertices[i],
                None if planes is None else planes[i],
                volumes[i],
                pixels[i] if keeps_pixels and pixels is not None else None,
            )
            for i, subject in enumerate(subjects)
        ]

    def _planes(self, images: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch 3 channel r r"]:
        return self.synthesis(self.mapping(self.code(images))).unflatten(1, (TOKENS, -1))

    def _volumes(
        self,
        subjects: list[Subject],
        body: BodyModel,
        images: Float[Tensor, "batch 3 h w"],
        pixels: Float[Tensor, "batch channel h2 w2"],
        vertices: Float[Tensor, "batch vertex 3"],
        bounds: Float[Tensor, "2 3"],
    ) -> list[tuple[SparseVolume, ...]]:
        features, points = [], []
        for i, subject in enumerate(subjects):
            seen = vertex_features(images[i], pixels[i], subject.camera, vertices[i])
            facing = faces_camera(vertices[i], body.faces, subject.camera)
            features.append(self.vertex(seen) * facing[:, None])
            points.append(published_canonical(body, subject.pose, vertices[i]))
        scales = self.volume(voxelise(torch.stack(features), torch.stack(points), bounds))
        return [tuple(scale.input(i) for scale in scales) for i in range(len(subjects))]


def published_pixels(camera: Camera, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 2"]:
    """Pixel coordinates in the published convention: the top-left pixel's centre is (0, 0)."""
    projection = published_projection(camera)
    return divide(points @ projection[:, :3].T + projection[:, 3])


def published_projection(camera: Camera) -> Float[Tensor, "3 4"]:
    """World point to homogeneous pixel (x z, y z, z), published convention."""
    half = camera.K.new_tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    return (camera.K - half) @ torch.cat([camera.R, camera.T[:, None]], dim=1)


def divide(homogeneous: Float[Tensor, "point 3"]) -> Float[Tensor, "point 2"]:
    """Pixel coordinates of homogeneous pixels."""
    return homogeneous[:, :2] / (homogeneous[:, 2:] + DEPTH_EPS)


def published_grid(pixels: Float[Tensor, "point 2"], size: tuple[int, int]) -> Float[Tensor, "point 2"]:
    """Grid coordinates for `grid_sample(align_corners=True)`: divided by the size, not by the size less one."""
    return 2 * pixels / pixels.new_tensor(size[::-1]) - 1


def encode_colour(colour: Float[Tensor, "point 3"]) -> Float[Tensor, "point 32"]:
    """Encoded colour, cut to a round number of channels."""
    return positional_encoding(colour, RGB_OCTAVES)[:, :RGB_CHANNELS]


def vertex_features(
    image: Float[Tensor, "3 h w"],
    pixels: Float[Tensor, "channel h2 w2"],
    camera: Camera,
    points: Float[Tensor, "point 3"],
) -> Float[Tensor, "point feature"]:
    """What the photo shows at the projections of points: its features, then its encoded colour."""
    grid = published_grid(published_pixels(camera, points), camera.size)[None, :, None]
    found, colour = (F.grid_sample(layers[None], grid, align_corners=True)[0, :, :, 0].T for layers in (pixels, image))
    return torch.cat([found, encode_colour(colour)], dim=1)


def faces_camera(vertices: Float[Tensor, "vertex 3"], faces: Tensor, camera: Camera) -> Bool[Tensor, " vertex"]:
    """Which vertices' normals point towards the camera. Occlusion by other parts is not looked at, as published."""
    normals = _published_normals(vertices, faces)
    towards = (normals @ camera.R.T * (vertices @ camera.R.T + camera.T)).sum(dim=1)
    return towards < 0


def _published_normals(vertices: Float[Tensor, "vertex 3"], faces: Tensor) -> Float[Tensor, "vertex 3"]:
    """Sum of at most three faces' unit normals: for each corner slot the last face that names the vertex there."""
    a, b, c = vertices[faces].unbind(dim=1)
    across = F.normalize(torch.linalg.cross(b - a, c - a), dim=1, eps=1e-8)
    number = torch.arange(len(faces), device=faces.device)
    normals = torch.zeros_like(vertices)
    for slot in range(3):
        last = torch.full((len(vertices),), -1, device=faces.device).scatter_reduce(0, faces[:, slot], number, "amax")
        normals = normals + across[last.clamp_min(0)] * (last >= 0)[:, None]
    return normals
