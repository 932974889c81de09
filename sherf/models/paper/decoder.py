"""The radiance decoder: NeRF's network (Mildenhall et al. 2020, Fig. 7) on fused features."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sherf.models.layers.positional_encoding import encoded_width, positional_encoding

POINT_OCTAVES, DIRECTION_OCTAVES = 6, 4
COLOUR_PADDING = 0.001  # as in mip-NeRF (Barron et al. 2021): widens the sigmoid slightly beyond [0, 1]


class NerfDecoder(nn.Module):
    """Decodes canonical point, direction and fused tokens to raw density and colour."""

    def __init__(self, token_width: int = 32, width: int = 128, depth: int = 8, skip_after: int = 4):
        """Create the layers.

        Args:
            token_width: channels of a fused token.
            width: channels of the hidden layers.
            depth: number of hidden layers.
            skip_after: index of the hidden layer after which the inputs are concatenated again.
        """
        super().__init__()
        self.skip_after = skip_after
        inputs = encoded_width(3, POINT_OCTAVES) + token_width
        widths = [inputs] + [width + inputs * (i == skip_after) for i in range(depth - 1)]
        self.trunk = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        self.others = encoded_width(3, DIRECTION_OCTAVES) + token_width
        """Inputs of the view layer besides the feature."""
        self.view = nn.Linear(width + self.others, width // 2)
        self.colour = nn.Linear(width // 2, 3)

    def forward(
        self,
        points: Float[Tensor, "*point 3"],
        directions: Float[Tensor, "*point 3"],
        density_token: Float[Tensor, "*point width"],
        colour_token: Float[Tensor, "*point width"],
    ) -> tuple[Float[Tensor, " *point"], Float[Tensor, "*point 3"]]:
        """Return raw density and colour.

        Args:
            points: canonical space, metres.
            directions: view directions warped to canonical space, not normalised.
            density_token: fused token for the density.
            colour_token: fused token for the colour.

        Returns:
            Density before its ReLU, 1/m, and colour, slightly beyond [0, 1] at the extremes.
        """
        inputs = torch.cat([positional_encoding(points, POINT_OCTAVES), density_token], dim=-1)
        hidden = inputs
        for i, layer in enumerate(self.trunk):
            hidden = F.relu(layer(hidden), inplace=True)
            if i == self.skip_after:
                hidden = torch.cat([inputs, hidden], dim=-1)
        # Two consecutive linear layers are folded into one: the feature itself is never computed.
        from_hidden, from_others = self.view.weight.split([len(self.feature.weight), self.others], dim=1)
        bias = self.view.bias + from_hidden @ self.feature.bias
        others = torch.cat([positional_encoding(directions, DIRECTION_OCTAVES), colour_token], dim=-1)
        view = F.linear(hidden, from_hidden @ self.feature.weight, bias) + F.linear(others, from_others)
        colour = torch.sigmoid(self.colour(F.relu(view, inplace=True)))
        return self.density(hidden)[..., 0], colour * (1 + 2 * COLOUR_PADDING) - COLOUR_PADDING
