"""The feature fusion transformer: attention over the tokens of each point (SHERF, section 3.3)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class FusionTransformer(nn.Module):
    """Pre-norm transformer layers (Vaswani et al. 2017; Xiong et al. 2020) over the tokens of each point."""

    def __init__(self, width: int = 32, heads: int = 3, head_width: int = 16, depth: int = 1):
        """Create the layers.

        Args:
            width: channels of a token.
            heads: attention heads.
            head_width: channels of each head.
            depth: number of layers; 0 returns the tokens unchanged.
        """
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, heads, head_width) for _ in range(depth))

    def forward(
        self, tokens: Float[Tensor, "*point token width"], needed: int | None = None
    ) -> Float[Tensor, "*point needed width"]:
        """Return the tokens of each point after attending to each other.

        Args:
            tokens: tokens of each point.
            needed: number of leading tokens to return; the others still contribute. None: all.
        """
        for layer in self.layers[:-1]:
            tokens = layer(tokens, tokens.shape[-2])
        for layer in self.layers[-1:]:
            tokens = layer(tokens, tokens.shape[-2] if needed is None else needed)
        return tokens[..., :needed, :]


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, head_width: int):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * heads * head_width, bias=False)
        self.to_out = nn.Linear(heads * head_width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, tokens: Float[Tensor, "*point token width"], needed: int) -> Float[Tensor, "*point needed width"]:
        tokens = tokens[..., :needed, :] + self._attend(self.attention_norm(tokens), needed)
        return tokens + self.mlp(self.mlp_norm(tokens))

    def _attend(self, tokens: Float[Tensor, "*point token width"], needed: int) -> Float[Tensor, "*point needed width"]:
        # Elementwise over all pairs: twice as fast as half a million small matrix products.
        to_q, to_kv = self.to_qkv.weight.split([len(self.to_qkv.weight) // 3, 2 * len(self.to_qkv.weight) // 3])
        q = F.linear(tokens[..., :needed, :], to_q).unflatten(-1, (self.heads, -1))
        k, v = F.linear(tokens, to_kv).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        scores = (q[..., :, None, :, :] * k[..., None, :, :, :]).sum(dim=-1) * q.shape[-1] ** -0.5
        attention = F.softmax(scores, dim=-2)
        mixed = (attention[..., None] * v[..., None, :, :, :]).sum(dim=-3)
        return self.to_out(mixed.flatten(start_dim=-2))
