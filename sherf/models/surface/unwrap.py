"""The photo unwrapped onto the canonical body and completed: front and back maps of features (the global level)."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.camera.image import sample_image
from sherf.models.layers.interpolate import weigh
from sherf.models.surface.atlas import Atlas
from sherf.models.surface.observed import LOOK_FEATURES, Observed, premultiplied, straight

REACHES_M = (0.01, 0.03, 0.06, 0.1, 0.15)
"""Does the mask still cover what stands off the surface by so much?"""
PHOTO_CHANNELS = 12
STATIC = 5
PER_SIDE = 3 + LOOK_FEATURES + PHOTO_CHANNELS + 4 + len(REACHES_M) + STATIC
WIDEST = 4
MIRRORED, ACROSS = 0.2, 0.05
"""What a texel's mirror image, and what the other side of the body, count beside its own colour."""
PULL, LEAST = 0.01, 1e-6
"""What a coarser map counts."""
HARMONICS = 9
LOGIT_EPS = 0.02
"""Colours of the fill keep so far from black and white, that they can be corrected."""


class UnwrappedPlanes(nn.Module):
    """What the photo shows of the canonical body's front and back, completed."""

    def __init__(self, photo_width: int, width: int, depth: int, out: int):
        super().__init__()
        self.photo = nn.Linear(photo_width, PHOTO_CHANNELS)
        self.completion = Completion(2 * (PER_SIDE + 3), width, depth, 2 * out)
        self.light = nn.Sequential(nn.Linear(2 * WIDEST * width, 64), nn.LeakyReLU(0.1), nn.Linear(64, 3 * HARMONICS))
        nn.init.zeros_(self.light[2].weight)
        nn.init.zeros_(self.light[2].bias)

    def forward(
        self, observed: Observed, atlas: Atlas, photo: Float[Tensor, "channel h w"]
    ) -> Float[Tensor, "2 out row column"]:
        """Front and back map. The first three features of each are the logit of a colour: the fill's, in the light that
        falls there, corrected.

        Args:
            photo: the encoder's feature map of the cropped photo.
        """
        inputs = unwrapped(observed, atlas, self.photo, photo)
        with torch.no_grad():
            fill = filled(inputs[:, :3], inputs[:, 4:5], atlas.alike[:, None])
        maps = torch.cat([inputs, fill], dim=1).flatten(end_dim=1)
        planes, whole = self.completion(maps[None])
        planes = planes[0].unflatten(0, (2, -1)).float()
        light = harmonics(atlas.surface.of(atlas.normals)) @ self.light(whole[0].float()).unflatten(0, (HARMONICS, 3))
        colour = planes[:, :3] + torch.logit(fill, eps=LOGIT_EPS) + light.permute(0, 3, 1, 2)
        return torch.cat([colour, planes[:, 3:]], dim=1)


class Completion(nn.Module):
    """A U-Net (Ronneberger et al. 2015) that works at half its input's resolution."""

    def __init__(self, channels: int, width: int, depth: int, out: int):
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
        self.out = nn.Sequential(_norm(width), nn.LeakyReLU(0.1), nn.Conv2d(width, 4 * out, 1))
        nn.init.uniform_(self.out[2].weight, -0.03, 0.03)

    def forward(
        self, maps: Float[Tensor, "batch channel h w"]
    ) -> tuple[Float[Tensor, "batch out h w"], Float[Tensor, "batch whole"]]:
        """The maps completed, and a code of the whole."""
        x = self.stem(F.pixel_unshuffle(maps, 2))
        skips = []
        for stage in self.down:
            skips.append(x)
            x = stage(x)
        x = self.deepest(x)
        whole = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
        x = x + self.whole(whole)[:, :, None, None]
        for stage, skip in zip(self.up, reversed(skips), strict=True):
            x = stage(torch.cat([F.interpolate(x, size=skip.shape[2:]), skip], dim=1))
        return F.pixel_shuffle(self.out(x), 2), whole


class Residual(nn.Module):
    """x + convolutions of x."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = _norm(width)
        self.first, self.second = nn.Conv2d(width, width, 3, 1, 1), nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Float[Tensor, "batch width h w"]) -> Float[Tensor, "batch width h w"]:
        return x + self.second(F.leaky_relu(self.first(self.norm(x)), 0.1))


def _residuals(count: int, width: int) -> list[Residual]:
    return [Residual(width) for _ in range(count)]


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(8, width), width)


def harmonics(normals: Float[Tensor, "*point 3"]) -> Float[Tensor, "*point 9"]:
    """Spherical harmonics up to the second degree, but for their factors: light on a matte surface (Ramamoorthi and
    Hanrahan 2001)."""
    x, y, z = normals.unbind(dim=-1)
    return torch.stack([torch.ones_like(x), x, y, z, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], dim=-1)


def filled(
    colour: Float[Tensor, "2 3 row column"],
    visibility: Float[Tensor, "2 1 row column"],
    alike: Float[Tensor, "2 1 row column"],
) -> Float[Tensor, "2 3 row column"]:
    """A colour for every texel: what was seen there, of its mirror image, on the other side, or else around.

    Push and pull (Gortler et al. 1996): means of ever coarser maps fill what finer ones do not know.

    Args:
        colour: premultiplied by the visibility.
        alike: where front and back may have the same colour.
    """
    known = torch.cat([colour, visibility], dim=1)
    known = known + MIRRORED * known.flip(3)
    known = known + ACROSS * alike * known.flip(0)
    levels = [known]
    while levels[-1].shape[-1] > 1:
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
    whole = levels.pop()
    guess = whole.sum(dim=0, keepdim=True)
    guess = (guess[:, :3] / guess[:, 3:].clamp_min(LEAST)).expand(2, -1, -1, -1)
    for level in reversed(levels):
        coarser = F.interpolate(guess, size=level.shape[2:], mode="bilinear", align_corners=False)
        guess = (level[:, :3] + PULL * coarser) / (level[:, 3:] + PULL)
    return guess


def unwrapped(
    observed: Observed, atlas: Atlas, reduce: nn.Module, photo: Float[Tensor, "channel h w"]
) -> Float[Tensor, "2 texel_channel row column"]:
    """The input of the completion: for each texel what the photo shows of it, of its mirror image, and the body."""
    covered = atlas.covered
    corners, weights = atlas.surface.corners[covered], atlas.surface.weights[covered]
    with torch.no_grad():
        nothing = weights.new_zeros(len(weights), 3)
        look = observed.look("seen", corners, weights, nothing)
        colour = straight(sample_image(premultiplied(observed.subject), look.pixels)) * look.visibility[:, None]
        normals = weigh(atlas.normals, corners, weights)
        reaches = observed.reaches(corners, weights, normals, REACHES_M)
        depth = weigh(atlas.vertices, corners, weights)[:, 2:]
        static = torch.cat([torch.ones_like(depth), normals, 5 * depth], dim=1)
        known = torch.cat([colour, look.features, reaches, static], dim=1)
    shown = sample_image(photo, observed.in_crop(look.pixels) * (photo.shape[-1] / observed.crop.size[1]))
    texels = torch.cat([known, reduce(shown) * look.visibility[:, None]], dim=1)
    maps = texels.new_zeros(*covered.shape, texels.shape[1])
    maps[covered] = texels
    mirrored = torch.cat([maps[..., :3], maps[..., 4:5]], dim=-1).flip(2)
    return torch.cat([maps, mirrored], dim=-1).permute(0, 3, 1, 2)
