"""The avatar seen through its own photo's camera, compared with the photo: the test that needs no second camera."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from sherf.avatar.renderer import Renderer
from sherf.camera.pinhole import resize
from sherf.scene import Frame, Subject

SIDE = 512
"""Longer side of the compared images, pixels."""
BOTH = 0.9
"""Colours are compared where opacity and mask both exceed this."""
PERFECT_PSNR = 100.0
"""PSNR of equal colours, dB."""


@dataclass(frozen=True)
class OwnView:
    """A photo and the avatar's frame of the same camera, on white, and how far they agree."""

    photo: Float[Tensor, "3 h w"]
    """The masked photo on white, sRGB in [0, 1]."""
    mask: Float[Tensor, "h w"]
    """Coverage of each pixel by the person, in [0, 1]."""
    frame: Frame
    """The avatar through the photo's camera."""

    @property
    def render(self) -> Float[Tensor, "3 h w"]:
        """Return the frame on white, sRGB in [0, 1]."""
        return (self.frame.rgb + 1 - self.frame.opacity).clamp(0, 1)

    @property
    def overlap(self) -> float:
        """Return the soft intersection over union of opacity and mask: sum of minima over sum of maxima."""
        opacity = self.frame.opacity
        union = torch.maximum(opacity, self.mask).sum()
        return float(torch.minimum(opacity, self.mask).sum() / union) if union > 0 else 1.0

    @property
    def missing(self) -> float:
        """Return the share of the person's pixels that the avatar does not cover."""
        return float((self.mask - self.frame.opacity).clamp_min(0).sum() / self.mask.sum().clamp_min(1))

    @property
    def too_much(self) -> float:
        """Return the pixels that the avatar covers beyond the person, as a share of the person's."""
        return float((self.frame.opacity - self.mask).clamp_min(0).sum() / self.mask.sum().clamp_min(1))

    @property
    def psnr_inside(self) -> float:
        """Return the PSNR of the colours where opacity and mask both exceed `BOTH`, dB."""
        both = (self.frame.opacity > BOTH) & (self.mask > BOTH)
        return self._psnr(both)

    @property
    def psnr_box(self) -> float:
        """Return the PSNR over the bounding rectangle of the mask, dB."""
        rows, columns = (self.mask > 0.5).any(dim=1), (self.mask > 0.5).any(dim=0)
        return self._psnr(rows[:, None] & columns[None])

    @property
    def record(self) -> dict[str, float]:
        """Return the figures as report.json holds them."""
        names = ("overlap", "missing", "too_much")
        return {name: round(getattr(self, name), 4) for name in names} | {"psnr_inside": round(self.psnr_inside, 2)}

    @property
    def side_by_side(self) -> Float[Tensor, "3 h w2"]:
        """Return photo and render beside each other, sRGB in [0, 1]."""
        return torch.cat([self.photo, self.render], dim=2)

    def _psnr(self, where: Bool[Tensor, "h w"]) -> float:
        error = float((self.render - self.photo)[:, where].double().square().mean()) if bool(where.any()) else 1.0
        return PERFECT_PSNR if error <= 0 else min(-10 * math.log10(error), PERFECT_PSNR)


def own_view(renderer: Renderer, subject: Subject, side: int = SIDE) -> OwnView:
    """Return the avatar through its own photo's camera beside the photo, both reduced to `side` pixels.

    Args:
        renderer: of the avatar.
        subject: the avatar's observation.
        side: longer side of the images, pixels; a smaller photo keeps its size.
    """
    h, w = subject.camera.size
    scale = min(1.0, side / max(h, w))
    size = (max(1, round(h * scale)), max(1, round(w * scale)))
    frame = renderer.frame(resize(subject.camera, size), subject.pose)
    layers = torch.cat([subject.image * subject.mask, subject.mask[None]])
    reduced = F.interpolate(layers[None], size, mode="area")[0]
    mask = reduced[3]
    return OwnView(reduced[:3] + 1 - mask, mask, frame)
