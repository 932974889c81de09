"""The published checkpoint's tensor names, and the conversion of its tensors to ours.

The published network contains unused parts: a super-resolution, the heads and later stages of two image encoders,
the coarsest sparse convolutions, and constants (filters, noise, frequencies, counters). None of these is read.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sherf.errors import BadInput
from sherf.models.config import SherfConfig
from sherf.models.paper.network import PaperNetwork

COARSEST_PLANES = 4
"""Resolution of the synthesis network's first block. Published blocks are named after their resolutions."""
LAYERS_PER_CONVOLUTION = 3
"""Convolution, normalisation and ReLU alternate in a published sparse stage."""

PREFIXES = (
    (r"encoder\.pixels", "encoder_2d_feature.backbone"),
    (r"encoder\.code\.stages", "encoder_2d.backbone"),
    (r"encoder\.mapping\.layers\.(\d+)", r"backbone.mapping.fc\1"),
    (r"encoder\.synthesis\.const", f"backbone.synthesis.b{COARSEST_PLANES}.const"),
    (r"encoder\.synthesis\.blocks\.(\d+)", lambda m: f"backbone.synthesis.b{COARSEST_PLANES << int(m[1])}"),
    (r"encoder\.vertex", "conv1d_projection"),
    (r"encoder\.volume\.stages\.(\d+)\.down(?=\.)", lambda m: f"renderer.encoder_3d.down{int(m[1]) - 1}.0"),
    (r"encoder\.volume\.stages\.(\d+)\.down_norm", lambda m: f"renderer.encoder_3d.down{int(m[1]) - 1}.1"),
    (r"encoder\.volume\.stages\.(\d+)\.convs\.(\d+)", lambda m: _in_sparse_stage(m[1], m[2], 0)),
    (r"encoder\.volume\.stages\.(\d+)\.norms\.(\d+)", lambda m: _in_sparse_stage(m[1], m[2], 1)),
    (r"reprojection\.point", "renderer.conv1d_projection"),
    (r"reprojection\.join", "renderer.conv1d_reprojection"),
    (r"fusion\.layers\.(\d+)\.attention_norm", r"renderer.transformer.layers.\1.0.fn.norm"),
    (r"fusion\.layers\.(\d+)\.to_qkv", r"renderer.transformer.layers.\1.0.fn.fn.to_qkv"),
    (r"fusion\.layers\.(\d+)\.to_out", r"renderer.transformer.layers.\1.0.fn.fn.to_out.0"),
    (r"fusion\.layers\.(\d+)\.mlp_norm", r"renderer.transformer.layers.\1.1.fn.norm"),
    (r"fusion\.layers\.(\d+)\.mlp\.0", r"renderer.transformer.layers.\1.1.fn.fn.net.0"),
    (r"fusion\.layers\.(\d+)\.mlp\.2", r"renderer.transformer.layers.\1.1.fn.fn.net.3"),
    (r"decoder\.trunk", "decoder.pts_linears"),
    (r"decoder\.density", "decoder.alpha_linear"),
    (r"decoder\.feature", "decoder.feature_linear"),
    (r"decoder\.view", "decoder.views_linear"),
    (r"decoder\.colour", "decoder.rgb_linear"),
)
"""Prefixes of our names, as patterns, and what replaces them in the published names."""

RESNET_PARTS = (
    (r"\.stem\.", ".conv1."),
    (r"\.norm\.", ".bn1."),
    (r"\.norm(\d)\.", r".bn\1."),
    (r"\.shortcut\.", ".downsample."),
    (r"\.stages\.(\d+)\.", lambda m: f".layer{int(m[1]) + 1}."),
)
SYNTHESIS_PARTS = ((r"\.up\.", ".conv0."), (r"\.conv\.", ".conv1."), (r"\.to_planes\.", ".torgb."))


def published_name(name: str) -> str:
    """Return the published name of one of our tensors, a key of `PaperNetwork.state_dict()`.

    Raises:
        KeyError: there is no tensor of that name.
    """
    for pattern, replacement in PREFIXES:
        renamed, found = re.subn(f"^{pattern}", replacement, name)
        if found:
            parts = {"encoder_2d": RESNET_PARTS, "backbone.s": SYNTHESIS_PARTS}.get(renamed[:10], ())
            for part, replacement_of_part in parts:
                renamed = re.sub(part, replacement_of_part, renamed)
            return renamed
    raise KeyError(f"{name} has no published counterpart")


def from_published(tensors: Mapping[str, Tensor], config: SherfConfig) -> dict[str, Tensor]:
    """Return the state dict for `PaperNetwork(config)` from published tensors, in single precision.

    Args:
        tensors: by published name, of published shapes; unknown names are ignored.
        config: the network's configuration.

    Raises:
        BadInput: a tensor is missing, has another shape, or holds numbers that are not finite.
    """
    ours = {}
    for name, (published, shape) in required_tensors(config).items():
        if published not in tensors:
            raise BadInput(f"the published tensor {published} is missing (found {len(tensors)} others)")
        ours[name] = _checked(published, tensors[published], shape)
        if _is_pointwise(published):
            ours[name] = ours[name][..., 0]
    return ours


def required_tensors(config: SherfConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return published name and shape of each tensor that a network needs, by our names."""
    with torch.device("meta"):
        state = PaperNetwork(config).state_dict()
    required = {}
    for name, tensor in state.items():
        published = published_name(name)
        required[name] = (published, (*tensor.shape, *((1,) if _is_pointwise(published) else ())))
    return required


def _is_pointwise(published: str) -> bool:
    """Whether a weight belongs to a convolution of kernel size 1, which is a linear layer here."""
    return ("conv1d_projection" in published or "conv1d_reprojection" in published) and published.endswith(".weight")


def _checked(name: str, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    if tuple(tensor.shape) != shape:
        found, expected = (" x ".join(map(str, s)) or "one number" for s in (tensor.shape, shape))
        raise BadInput(f"the published tensor {name} has shape {found}, expected {expected}")
    single = tensor.detach().to(torch.float32)
    if not single.isfinite().all():
        raise BadInput(f"the published tensor {name} holds numbers that are not finite (NaN or infinite)")
    return single


def _in_sparse_stage(stage: str, convolution: str, offset: int) -> str:
    return f"renderer.encoder_3d.conv{stage}.{LAYERS_PER_CONVOLUTION * int(convolution) + offset}"
