"""Density anchored to the body's surface, and colour mixed from what the photo shows (used with `anchor="surface"`)."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.models.config import RGB_CHANNELS, Lookup, SherfConfig
from sherf.models.layers.fusion import FusionTransformer
from sherf.models.layers.positional_encoding import encoded_width, positional_encoding
from sherf.models.surface.observed import LOOK_FEATURES

DISTANCE_OCTAVES, POINT_OCTAVES = 3, 5
SCALE_M = 0.05
LOWEST_M, HIGHEST_M = -0.03, 0.16
UNTRAINED = -1.3
"""Logit of about 1 cm between these."""
FURTHER_M = 0.02
"""How far a point's own offset may lie from its surface point's."""
SOFTNESS_M = 0.005
"""Untrained: over such a depth light is lost."""
TRUST: dict[Lookup, float] = {"seen": 4.0, "mirrored": 2.0, "opposite": 0.0}
"""Untrained, what was seen counts more than its mirror image, and that more than what lies opposite."""


class OffsetHead(nn.Module):
    """How far clothes and hair stand off the body: one number for each surface point, and a correction in space."""

    def __init__(self, width: int, anchored: bool = True, hidden: int = 32):
        super().__init__()
        self.anchored = anchored
        self.base = nn.Linear(width, 1)
        self.plane = nn.Linear(width, hidden)
        self.point = nn.Linear(encoded_width(1, DISTANCE_OCTAVES) + encoded_width(3, 2) + LOOK_FEATURES, hidden)
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        self.log_softness = nn.Parameter(torch.tensor(math.log(SOFTNESS_M)))
        nn.init.zeros_(self.base.weight)
        nn.init.ones_(self.base.weight[:, 3:4])  # the planes say it outright, after a colour of three numbers
        nn.init.constant_(self.base.bias, UNTRAINED)
        nn.init.uniform_(self.out.weight, -0.02, 0.02)

    def base_m(self, rows: Float[Tensor, "point one_and_hidden"]) -> Float[Tensor, " point"]:
        """How far the clothed surface stands off the body's, metres."""
        return LOWEST_M + (HIGHEST_M - LOWEST_M) * torch.sigmoid(rows[:, 0])

    def rows(self, planes: Float[Tensor, "row width"]) -> Float[Tensor, "row one_and_hidden"]:
        """What of both is linear in the planes."""
        return torch.cat([self.base(planes), self.plane(planes)], dim=1)

    def forward(
        self,
        rows: Float[Tensor, "point one_and_hidden"],
        points: Float[Tensor, "point 3"],
        distance: Float[Tensor, " point"],
        seen: Float[Tensor, "point feature"],
    ) -> Float[Tensor, " point"]:
        """Metres by which the clothed surface lies outside of each point: positive inside."""
        inputs = [
            positional_encoding(distance[:, None] / SCALE_M, DISTANCE_OCTAVES),
            positional_encoding(points, 2),
            seen,
        ]
        hidden = F.relu(rows[:, 1:] + self.point(torch.cat(inputs, dim=1)))
        further = self.out(F.relu(self.hidden(hidden)))[:, 0].float()
        if not self.anchored:
            return SCALE_M * (further - 0.2)
        return self.base_m(rows) + FURTHER_M * torch.tanh(further) - distance

    def density(
        self,
        inside: Float[Tensor, " point"],
        slope: Float[Tensor, " point"],
        before: Float[Tensor, " point"],
        after: Float[Tensor, " point"],
    ) -> Float[Tensor, " point"]:
        """Mean density over intervals of rays, 1/m: light falls as sigmoid(-inside / softness) on the way in.

        After NeuS (Wang et al. 2021, Eq. 13): half of the light is left at the surface, however a ray meets it and
        however long the intervals are.

        Args:
            inside: at one place of each interval, metres.
            slope: by how much `inside` rises along the ray, -1 to 1.
            before: from the interval's start to the place, metres; `after` from there to its end.
        """
        softness = self.log_softness.exp()
        thickness = F.softplus((inside + slope * after) / softness) - F.softplus((inside - slope * before) / softness)
        return thickness.clamp_min(0) / (before + after)


class ColourHead(nn.Module):
    """Tokens of the planes and of each look-up, fused, to a colour and how much of it comes from where."""

    def __init__(self, config: SherfConfig):
        super().__init__()
        width, self.blend = config.token_width, config.blend
        self.trust = [TRUST[lookup] for lookup in config.lookups]
        self.plane = nn.Linear(width, width)
        self.photo = nn.Linear(config.encoder_width, width, bias=False)
        self.look = nn.Linear(RGB_CHANNELS + LOOK_FEATURES, width)
        self.kind = nn.Parameter(torch.empty(len(config.lookups), width).uniform_(-0.035, 0.035))
        self.fusion = FusionTransformer(width, config.heads, config.head_width, config.fusion_depth)
        hidden = config.decoder_width
        inputs = config.num_tokens * width + encoded_width(3, POINT_OCTAVES) + 4
        widths = [inputs] + [hidden] * (config.decoder_depth - 1)
        self.trunk = nn.ModuleList(nn.Linear(w, hidden) for w in widths)
        self.out = nn.Linear(hidden, 3 + 1 + len(config.lookups))
        nn.init.uniform_(self.out.weight, -0.02, 0.02)
        nn.init.zeros_(self.out.bias)

    def rows(self, planes: Float[Tensor, "row width"]) -> Float[Tensor, "row paint_and_token"]:
        """What of paint and token is linear in the planes."""
        return torch.cat([planes[:, :3], self.plane(planes)], dim=1)

    def forward(
        self,
        paint: Float[Tensor, "point 3"],
        tokens: Float[Tensor, "point token width"],
        points: Float[Tensor, "point 3"],
        normals: Float[Tensor, "point 3"],
        distance: Float[Tensor, " point"],
        found: Float[Tensor, "point lookup 3"],
        visibility: Float[Tensor, "point lookup"],
    ) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point source"]]:
        """Colour, and the shares of the look-ups and of the generated colour in it.

        Args:
            paint: logit of the colour that the planes say, the generated colour's main part.
        """
        fused = self.fusion(tokens).flatten(start_dim=1)
        rest = [positional_encoding(points, POINT_OCTAVES), normals, distance[:, None] / SCALE_M]
        hidden = torch.cat([fused, *rest], dim=1)
        for layer in self.trunk:
            hidden = F.relu(layer(hidden), inplace=True)
        out = self.out(hidden)
        generated = torch.sigmoid(paint + out[:, :3])
        if not self.blend:
            shares = torch.zeros_like(out[:, 3:])
            shares[:, -1] = 1
            return generated, shares
        trust = visibility * visibility.new_tensor(self.trust) - 1
        logits = 3 * out[:, 3:] + torch.cat([trust, torch.zeros_like(trust[:, :1])], dim=1)
        shares = F.softmax(logits, dim=1)
        colours = torch.cat([found, generated[:, None]], dim=1)
        return (shares[..., None] * colours).sum(dim=1).float(), shares.float()
