"""Decoders of sherf-small: density anchored to the body's surface, and colour blended from samples of the photo."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.models.config import RGB_CHANNELS, Lookup, SherfConfig
from sherf.models.layers.fusion import FusionTransformer
from sherf.models.layers.positional_encoding import encoded_width, positional_encoding
from sherf.models.surface.observed import SAMPLE_FEATURES

DISTANCE_OCTAVES, POINT_OCTAVES = 3, 5
SCALE_M = 0.05
"""Distances from the body are divided by this before they are encoded, metres."""
MIN_DISPLACEMENT_M, MAX_DISPLACEMENT_M = -0.03, 0.16
INITIAL_LOGIT = -1.3
"""Logit of the initial displacement between these bounds: about 1 cm."""
CORRECTION_M = 0.02
"""Maximum correction of a surface point's displacement at points around it, metres."""
SOFTNESS_M = 0.005
"""Initial softness: depth over which transmittance falls at the surface, metres."""
INITIAL_TRUST: dict[Lookup, float] = {"seen": 4.0, "mirrored": 2.0, "opposite": 0.0}
"""Initial weights of visible samples: the point itself counts more than its mirror image, and that more than the
opposite point."""


class OffsetHead(nn.Module):
    """Displacement of clothes and hair from the body: a value for each surface point, and a correction in space."""

    def __init__(self, width: int, anchored: bool = True, hidden: int = 32):
        """Create the layers.

        Args:
            width: channels of the UV feature maps.
            anchored: see `SherfConfig.anchored`.
            hidden: channels of the hidden layers.
        """
        super().__init__()
        self.anchored = anchored
        self.base = nn.Linear(width, 1)
        self.plane = nn.Linear(width, hidden)
        self.point = nn.Linear(encoded_width(1, DISTANCE_OCTAVES) + encoded_width(3, 2) + SAMPLE_FEATURES, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        self.log_softness = nn.Parameter(torch.tensor(math.log(SOFTNESS_M)))
        nn.init.zeros_(self.base.weight)
        nn.init.ones_(self.base.weight[:, 3:4])  # the channel after the colour is the displacement itself
        nn.init.constant_(self.base.bias, INITIAL_LOGIT)
        nn.init.uniform_(self.out.weight, -0.02, 0.02)

    def base_m(self, rows: Float[Tensor, "point one_and_hidden"]) -> Float[Tensor, " point"]:
        """Return the displacement of the clothed surface from the body, metres."""
        return MIN_DISPLACEMENT_M + (MAX_DISPLACEMENT_M - MIN_DISPLACEMENT_M) * torch.sigmoid(rows[:, 0])

    def rows(self, planes: Float[Tensor, "row width"]) -> Float[Tensor, "row one_and_hidden"]:
        """Return the layers that are linear in the UV feature maps, applied to rows: displacement, hidden units."""
        return torch.cat([self.base(planes), self.plane(planes)], dim=1)

    def forward(
        self,
        rows: Float[Tensor, "point one_and_hidden"],
        points: Float[Tensor, "point 3"],
        distance: Float[Tensor, " point"],
        seen: Float[Tensor, "point feature"],
    ) -> Float[Tensor, " point"]:
        """Return the depth of points below the clothed surface, metres: positive inside.

        Args:
            rows: interpolated output of `rows`.
            points: their nearest surface points, canonical space, metres.
            distance: signed distance from the body, metres.
            seen: features of the photo's sample (`PhotoSample.features`).
        """
        inputs = [
            positional_encoding(distance[:, None] / SCALE_M, DISTANCE_OCTAVES),
            positional_encoding(points, 2),
            seen,
        ]
        hidden = F.relu(rows[:, 1:] + self.point(torch.cat(inputs, dim=1)))
        correction = self.out(F.relu(self.hidden(hidden)))[:, 0].float()
        if not self.anchored:
            return SCALE_M * (correction - 0.2)
        return self.base_m(rows) + CORRECTION_M * torch.tanh(correction) - distance

    def density(
        self,
        inside: Float[Tensor, " point"],
        slope: Float[Tensor, " point"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
        coverage: Float[Tensor, " point"] | None = None,
    ) -> Float[Tensor, " point"]:
        """Return the mean density over intervals of rays, 1/m: transmittance falls as sigmoid(-inside / softness).

        After NeuS (Wang et al. 2021, Eq. 13): transmittance is one half at the surface, whatever the angle of incidence
        and the length of the intervals. With a coverage c, transmittance is 1 - c (1 - sigmoid(-inside / softness)):
        however deep the matter, its opacity does not exceed c.

        Args:
            inside: depth below the surface at a sample within each interval, metres.
            slope: derivative of `inside` along the ray, -1 to 1.
            before: from the interval's start to the sample, metres.
            after: from the sample to the interval's end, metres.
            coverage: the greatest opacity of the matter, 0 to 1; None for 1.
        """
        softness = self.log_softness.exp()
        end, start = (inside + slope * after) / softness, (inside - slope * before) / softness
        thickness = F.softplus(end) - F.softplus(start)
        if coverage is not None:
            limited = torch.log1p(-coverage * torch.sigmoid(start)) - torch.log1p(-coverage * torch.sigmoid(end))
            thickness = torch.where(coverage < 1, limited, thickness)
        return thickness.clamp_min(0) / (before + after)


class ColourHead(nn.Module):
    """Fuses the tokens of the UV feature maps and of each look-up into a colour and the weights of its sources."""

    def __init__(self, config: SherfConfig):
        """Create the layers."""
        super().__init__()
        width, self.blend = config.token_width, config.blend
        self.trust = [INITIAL_TRUST[lookup] for lookup in config.lookups]
        self.plane = nn.Linear(width, width)
        self.photo = nn.Linear(config.encoder_width, width, bias=False)
        self.look = nn.Linear(RGB_CHANNELS + SAMPLE_FEATURES, width)
        self.kind = nn.Parameter(torch.empty(len(config.lookups), width).uniform_(-0.035, 0.035))
        self.fusion = FusionTransformer(width, config.heads, config.head_width, config.fusion_depth)
        hidden = config.decoder_width
        inputs = config.num_tokens * width + encoded_width(3, POINT_OCTAVES) + 4
        widths = [inputs] + [hidden] * (config.decoder_depth - 1)
        self.trunk = nn.ModuleList(nn.Linear(w, hidden) for w in widths)
        self.out = nn.Linear(hidden, 3 + 1 + len(config.lookups))
        nn.init.uniform_(self.out.weight, -0.02, 0.02)
        nn.init.zeros_(self.out.bias)

    def rows(self, planes: Float[Tensor, "row width"]) -> Float[Tensor, "row colour_and_token"]:
        """Return the layers that are linear in the UV feature maps, applied to their rows: colour logit and token."""
        return torch.cat([planes[:, :3], self.plane(planes)], dim=1)

    def forward(
        self,
        tokens: Float[Tensor, "point token width"],
        points: Float[Tensor, "point 3"],
        normals: Float[Tensor, "point 3"],
        distance: Float[Tensor, " point"],
    ) -> Float[Tensor, "point mixture"]:
        """Return what `blended` mixes the sources by: a correction of the colour's logit, and the sources' logits.

        Args:
            tokens: of the maps, then of each look-up.
            points: canonical space, metres.
            normals: unit normals of the nearest surface points, canonical space.
            distance: signed distance from the body, metres.
        """
        fused = self.fusion(tokens).flatten(start_dim=1)
        geometry = [positional_encoding(points, POINT_OCTAVES), normals, distance[:, None] / SCALE_M]
        hidden = torch.cat([fused, *geometry], dim=1)
        for layer in self.trunk:
            hidden = F.relu(layer(hidden), inplace=True)
        return self.out(hidden).float()

    def blended(
        self,
        colour_logit: Float[Tensor, "point 3"],
        mixture: Float[Tensor, "point mixture"],
        sampled: Float[Tensor, "point lookup 3"],
        visibility: Float[Tensor, "point lookup"],
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point source"]]:
        """Return the colour, and the weights of the look-ups and of the generated colour in it.

        Args:
            colour_logit: logit of the colour in the UV feature maps, which the generated colour corrects.
            mixture: as `forward` returns it.
            sampled: the photo's colours, sRGB in [0, 1].
            visibility: of the samples, 0 to 1.

        Returns:
            Colours, sRGB in [0, 1], and weights that sum to 1: those of the look-ups, then the generated colour's.
        """
        generated = torch.sigmoid(colour_logit + mixture[:, :3])
        if not self.blend:
            shares = torch.zeros_like(mixture[:, 3:])
            shares[:, -1] = 1
            return generated, shares
        trust = visibility * visibility.new_tensor(self.trust) - 1
        logits = 3 * mixture[:, 3:] + torch.cat([trust, torch.zeros_like(trust[:, :1])], dim=1)
        shares = F.softmax(logits, dim=1)
        colours = torch.cat([sampled, generated[:, None]], dim=1)
        return (shares[..., None] * colours).sum(dim=1), shares
