"""The photo unwrapped onto the canonical body and inpainted: UV feature maps of front and back (the global level)."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.camera.image import sample_image
from sherf.models.atlas import Atlas
from sherf.models.layers.interpolate import weighted_rows
from sherf.models.surface.observed import SAMPLE_FEATURES, Observed, premultiply, unpremultiply

PROBE_HEIGHTS_M = (0.01, 0.03, 0.06, 0.1, 0.15)
"""Heights above the surface at which the mask is sampled, metres: they tell how far clothes and hair extend."""
PHOTO_CHANNELS = 12
"""Channels to which the photo's features are reduced."""
STATIC = 5
"""Channels that depend on the body alone: coverage, normal, depth."""
PER_SIDE = 3 + SAMPLE_FEATURES + PHOTO_CHANNELS + 4 + len(PROBE_HEIGHTS_M) + STATIC
"""Channels of the unwrapped photo: colour, sample features, photo features, mirrored colour and visibility, the mask's
probes, static."""
WIDEST = 4
"""The coarsest level of the U-Net has this many times the width of the finest."""
MIRROR_WEIGHT, OPPOSITE_WEIGHT = 0.2, 0.05
"""Weights of the colours of a texel's mirror image and of the other side of the body; its own has 1."""
COARSE_WEIGHT, MIN_WEIGHT = 0.01, 1e-6
"""Weight of the next coarser level of the pyramid; smallest divisor."""
HARMONICS = 9
"""Number of spherical harmonics up to degree 2."""
LOGIT_EPS = 0.02
"""Fill colours are clamped to this distance from 0 and 1, so that they can still be corrected."""


class UVFeatureMaps(nn.Module):
    """Unwraps the photo onto the canonical body's front and back and inpaints it."""

    def __init__(self, photo_width: int, width: int, depth: int, out: int):
        """Create the layers.

        Args:
            photo_width: channels of the photo's feature map.
            width: channels of the inpainting U-Net's finest level.
            depth: its residual blocks at each level.
            out: channels of each map.
        """
        super().__init__()
        self.photo = nn.Linear(photo_width, PHOTO_CHANNELS)
        self.completion = InpaintingUNet(2 * (PER_SIDE + 3), width, depth, 2 * out)
        hidden, coefficients = nn.Linear(2 * WIDEST * width, 64), nn.Linear(64, 3 * HARMONICS)
        self.light = nn.Sequential(hidden, nn.LeakyReLU(0.1), coefficients)
        nn.init.zeros_(coefficients.weight)
        nn.init.zeros_(coefficients.bias)

    def forward(
        self, observed: Observed, atlas: Atlas, photo: Float[Tensor, "channel h w"]
    ) -> Float[Tensor, "2 out row column"]:
        """Return the front and the back map.

        The first three channels are the logit of a colour: the fill's, plus shading and a correction.

        Args:
            observed: the observed person.
            atlas: of the maps.
            photo: the encoder's feature map of the cropped photo.
        """
        inputs = unwrap_photo(observed, atlas, self.photo, photo)
        with torch.no_grad():
            fill = fill_colours(inputs[:, :3], inputs[:, 4:5], atlas.front_back_similarity[:, None])
        maps = torch.cat([inputs, fill], dim=1).flatten(end_dim=1)
        planes, code = self.completion(maps[None])
        planes = planes[0].unflatten(0, (2, -1)).float()
        coefficients = self.light(code[0].float()).unflatten(0, (HARMONICS, 3))
        shading = spherical_harmonics(atlas.surface.interpolate(atlas.normals)) @ coefficients
        colour = planes[:, :3] + torch.logit(fill, eps=LOGIT_EPS) + shading.permute(0, 3, 1, 2)
        return torch.cat([colour, planes[:, 3:]], dim=1)


class InpaintingUNet(nn.Module):
    """The inpainting U-Net (Ronneberger et al. 2015); it works at half its input's resolution."""

    def __init__(self, channels: int, width: int, depth: int, out: int):
        """Create the layers.

        Args:
            channels: input channels.
            width: channels of the finest level.
            depth: residual blocks at each level, downwards and upwards.
            out: output channels.
        """
        super().__init__()
        self.stem = nn.Conv2d(4 * channels, width, 1)
        widths = [width, width + width // 3, 2 * width, 3 * width, WIDEST * width]
        self.down = nn.ModuleList(
            nn.Sequential(Residual(a), nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(0.1), *_residuals(depth - 1, b))
            for a, b in pairwise(widths)
        )
        self.deepest = nn.Sequential(*_residuals(2, widths[-1]))
        self.whole = nn.Linear(2 * widths[-1], widths[-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a + b, b, 3, 1, 1), nn.LeakyReLU(0.1), *_residuals(depth, b))
            for b, a in reversed(list(pairwise(widths)))
        )
        last = nn.Conv2d(width, 4 * out, 1)
        self.out = nn.Sequential(_norm(width), nn.LeakyReLU(0.1), last)
        nn.init.uniform_(last.weight, -0.03, 0.03)

    def forward(
        self, maps: Float[Tensor, "batch channel h w"]
    ) -> tuple[Float[Tensor, "batch out h w"], Float[Tensor, "batch code"]]:
        """Return the inpainted maps, and a global code of them."""
        x = self.stem(F.pixel_unshuffle(maps, 2))
        skips = []
        for stage in self.down:
            skips.append(x)
            x = stage(x)
        x = self.deepest(x)
        code = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        x = x + self.whole(code)[:, :, None, None]
        for stage, skip in zip(self.up, reversed(skips), strict=True):
            x = stage(torch.cat([F.interpolate(x, size=skip.shape[2:]), skip], dim=1))
        return F.pixel_shuffle(self.out(x), 2), code


class Residual(nn.Module):
    """A pre-activation residual block, initially the identity."""

    def __init__(self, width: int):
        """Create the layers."""
        super().__init__()
        self.norm = _norm(width)
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.second.weight)
        assert self.second.bias is not None
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        """Return the sum of the input and two convolutions of it."""
        return x + self.second(F.leaky_relu(self.first(self.norm(x)), 0.1))


def _residuals(count: int, width: int) -> list[Residual]:
    return [Residual(width) for _ in range(count)]


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, width), width)


def spherical_harmonics(normals: Float[Tensor, "*point 3"]) -> Float[Tensor, "*point 9"]:
    """Return spherical harmonics up to degree 2 of unit normals, without their normalisation.

    They span the shading of matte surfaces (Ramamoorthi and Hanrahan 2001).
    """
    x, y, z = normals.unbind(dim=-1)
    return torch.stack([torch.ones_like(x), x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], dim=-1)


def fill_colours(
    colour: Float[Tensor, "2 3 row column"],
    visibility: Float[Tensor, "2 1 row column"],
    similarity: Float[Tensor, "2 1 row column"],
) -> Float[Tensor, "2 3 row column"]:
    """Return a colour for every texel, from the texel itself, its mirror image, the other side, and its surroundings.

    Push-pull interpolation (Gortler et al. 1996): coarser levels of a pyramid fill the gaps of finer ones.

    Args:
        colour: premultiplied by the visibility.
        visibility: 0 to 1.
        similarity: 1 where front and back may have the same colour, else 0 (`Atlas.front_back_similarity`).
    """
    known = torch.cat([colour, visibility], dim=1)
    known = known + MIRROR_WEIGHT * known.flip(3)
    known = known + OPPOSITE_WEIGHT * similarity * known.flip(0)
    levels = [known]
    while levels[-1].shape[-1] > 1:
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
    coarsest = levels.pop().sum(dim=0, keepdim=True)
    fill = (coarsest[:, :3] / coarsest[:, 3:].clamp_min(MIN_WEIGHT)).expand(2, -1, -1, -1)
    for level in reversed(levels):
        coarser = F.interpolate(fill, size=level.shape[2:], mode="bilinear", align_corners=False)
        fill = (level[:, :3] + COARSE_WEIGHT * coarser) / (level[:, 3:] + COARSE_WEIGHT)
    return fill


def unwrap_photo(
    observed: Observed, atlas: Atlas, reduce: nn.Module, photo: Float[Tensor, "channel h w"]
) -> Float[Tensor, "2 texel_channel row column"]:
    """Return the input of the inpainting U-Net: for each texel the photo, there and mirrored, and the body's geometry.

    Args:
        observed: the observed person.
        atlas: of the maps.
        reduce: reduces the channels of the photo's features.
        photo: the encoder's feature map of the cropped photo.
    """
    covered = atlas.covered
    corners, weights = atlas.surface.corners[covered], atlas.surface.weights[covered]
    with torch.no_grad():
        no_offset = weights.new_zeros(len(weights), 3)
        seen = observed.sample("seen", corners, weights, no_offset)
        colour = unpremultiply(sample_image(premultiply(observed.subject), seen.pixels)) * seen.visibility[:, None]
        normals = weighted_rows(atlas.normals, corners, weights)
        probes = observed.probe_mask(corners, weights, normals, PROBE_HEIGHTS_M)
        depth = weighted_rows(atlas.vertices, corners, weights)[:, 2:]
        static = torch.cat([torch.ones_like(depth), normals, 5 * depth], dim=1)
        known = torch.cat([colour, seen.features, probes, static], dim=1)
    features = sample_image(photo, observed.in_crop(seen.pixels) * (photo.shape[-1] / observed.crop.size[1]))
    texels = torch.cat([known, reduce(features) * seen.visibility[:, None]], dim=1)
    maps = texels.new_zeros(*covered.shape, texels.shape[1])
    maps[covered] = texels
    mirrored = torch.cat([maps[..., :3], maps[..., 4:5]], dim=-1).flip(2)
    return torch.cat([maps, mirrored], dim=-1).permute(0, 3, 1, 2)
