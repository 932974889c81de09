"""Encode the photo into the feature bank (SHERF, section 3.2): tri-planes, point volume, pixel-aligned feature map."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sherf.body.body_model import BodyModel
from sherf.body.published_canonical import published_canonical
from sherf.models.config import TOKENS, SherfConfig
from sherf.models.layers.positional_encoding import encode_colour
from sherf.models.layers.resnet import ImageCode, ResnetStages
from sherf.models.paper.bank import CanonicalSpace, FeatureBank
from sherf.models.paper.projection import published_grid, published_pixels
from sherf.models.paper.sparse import SparseVolume
from sherf.models.paper.synthesis import Mapping, Synthesis
from sherf.models.paper.volume import PointVolume, voxelise
from sherf.scene import Camera, Subject


class FeatureEncoder(nn.Module):
    """Encodes photos into feature banks."""

    def __init__(self, config: SherfConfig):
        """Create the encoders of the enabled levels."""
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
        """Return the feature banks of photos of equal size.

        Args:
            subjects: the observations.
            body: the body model.
            vertices: the bodies in world space, metres, as a data set provides them; None computes them from the poses.
            space: the canonical space, as a data set provides it; None computes it from the body model.
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
            sampled = vertex_features(images[i], pixels[i], subject.camera, vertices[i])
            is_facing = faces_camera(vertices[i], body.faces, subject.camera)
            features.append(self.vertex(sampled) * is_facing[:, None])
            points.append(published_canonical(body, subject.pose, vertices[i]))
        scales = self.volume(voxelise(torch.stack(features), torch.stack(points), bounds))
        return [tuple(scale.input(i) for scale in scales) for i in range(len(subjects))]


def vertex_features(
    image: Float[Tensor, "3 h w"],
    pixels: Float[Tensor, "channel h2 w2"],
    camera: Camera,
    points: Float[Tensor, "point 3"],
) -> Float[Tensor, "point feature"]:
    """Return the photo's features and encoded colour at the projections of world points.

    Args:
        image: masked photo, sRGB in [0, 1].
        pixels: its feature map.
        camera: the photo's camera.
        points: world space, metres.
    """
    grid = published_grid(published_pixels(camera, points), camera.size)[None, :, None]
    features, colour = (
        F.grid_sample(layers[None], grid, align_corners=True)[0, :, :, 0].T for layers in (pixels, image)
    )
    return torch.cat([features, encode_colour(colour)], dim=1)


def faces_camera(vertices: Float[Tensor, "vertex 3"], faces: Tensor, camera: Camera) -> Bool[Tensor, " vertex"]:
    """Return whether each vertex normal points towards the camera. Self-occlusion is ignored, as published.

    Args:
        vertices: world space, metres.
        faces: vertex indices of the triangles.
        camera: the photo's camera.
    """
    normals = _published_normals(vertices, faces)
    along_ray = (normals @ camera.R.T * (vertices @ camera.R.T + camera.T)).sum(dim=1)
    return along_ray < 0


def _published_normals(vertices: Float[Tensor, "vertex 3"], faces: Tensor) -> Float[Tensor, "vertex 3"]:
    """Return vertex normals as published, not normalised.

    A normal sums up to three unit face normals: for each of the three corners, that of the last face which has the
    vertex there.
    """
    a, b, c = vertices[faces].unbind(dim=1)
    face_normals = F.normalize(torch.linalg.cross(b - a, c - a), dim=1, eps=1e-8)
    number = torch.arange(len(faces), device=faces.device)
    normals = torch.zeros_like(vertices)
    for slot in range(3):
        last = torch.full((len(vertices),), -1, device=faces.device).scatter_reduce(0, faces[:, slot], number, "amax")
        normals = normals + face_normals[last.clamp_min(0)] * (last >= 0)[:, None]
    return normals
