"""Configuration of a network: one dataclass for the published model and for sherf-small."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval, Len

Width = Annotated[int, Interval(ge=1, le=2**16)]
"""A width or size in a configuration; the published ones reach 32768."""
Depth = Annotated[int, Interval(ge=1, le=256)]
"""A number of layers."""
OptionalDepth = Annotated[int, Interval(ge=0, le=256)]
"""A number of layers that may be zero."""
Name = Annotated[str, Len(1, 99)]
Metres = Annotated[float, Interval(gt=0, lt=2**16)]

MIN_PLANE_RESOLUTION = 4
"""Resolution of the tri-planes at which their synthesis begins."""

Level = Literal["global", "point", "pixel"]
"""Levels of the feature bank: global (tri-planes or UV feature maps), point-level (the sparse volume of the body's
vertices) and pixel-aligned (the image's feature map)."""

Lookup = Literal["seen", "mirrored", "opposite"]
"""Where the photo is sampled for a point: at the point itself, at its mirror image on the other half of the body, and
at the opposite point, straight through the body, where the front suggests what the back may look like."""


@dataclass(frozen=True)
class SherfConfig:
    """Options of a network. The defaults are the published choices (`sherf-paper`)."""

    name: Name = "sherf-paper"
    """Name of the model."""
    body_model: Name = "smpl"
    """The body model that the weights were trained with."""
    levels: tuple[Level, ...] = ("global", "point", "pixel")
    """Enabled levels; features of the others are zero and their encoders are not built."""
    batch_norm: Literal["frame", "running"] = "frame"
    """Statistics of batch normalisation. frame: those of each input, as in the published evaluation. running: the
    learned running averages."""
    encoder_width: Width = 64
    """Channels of the image encoders' first stage."""
    mapping_depth: OptionalDepth = 2
    """Layers of the mapping network (StyleGAN2)."""
    plane_resolution: Width = 256
    """Resolution of the tri-planes, a power of two from 4 on; with `anchor="surface"`, rows of the UV feature maps."""
    synthesis_base: Width = 32768
    """The tri-planes' synthesis network has base / r channels at resolution r, at most `synthesis_most`."""
    synthesis_most: Width = 512
    """Maximum number of channels of the synthesis network."""
    volume_channels: tuple[Width, Width, Width] = (32, 64, 96)
    """Channels of the point volume at its three scales (voxels 2, 4 and 8 times the finest)."""
    token_width: Width = 32
    """Channels of each token of a point, and of each plane or map."""
    fusion_depth: OptionalDepth = 1
    """Layers of the fusion transformer; 0 disables it."""
    heads: Width = 3
    """Attention heads of the fusion transformer."""
    head_width: Width = 16
    """Channels of each attention head."""
    decoder_width: Width = 128
    """Channels of the decoder's hidden layers."""
    decoder_depth: Depth = 8
    """Number of the decoder's hidden layers."""
    samples: Width = 48
    """Samples along each ray within the body's bounding box; used with `anchor="vertices"`."""
    near_body_m: Metres = 0.05
    """The field is empty beyond this distance from the body's nearest vertex (or surface), metres."""
    anchor: Literal["vertices", "surface"] = "vertices"
    """What carries a point between poses. vertices: its nearest vertex, as published. surface: its nearest surface
    point and the offset from it. The options below apply to surface only."""
    anchored: bool = True
    """Depth below the surface is the learned displacement minus the distance from the body; else it is predicted
    directly."""
    observation_size: Width = 256
    """The encoder receives a square crop around the person of this size, pixels."""
    lookups: tuple[Lookup, ...] = ("seen", "mirrored", "opposite")
    """Where the photo is sampled for each point; each adds a token to that of the UV feature maps."""
    occlusion: Literal["none", "body", "clothed"] = "clothed"
    """What occludes points in the photo: nothing, as published, the bare body, or the clothed body."""
    blend: bool = True
    """Colour is a learned blend of the sampled photo colours and a generated colour; else only the generated one."""
    unwrap_width: Width = 48
    """Channels of the inpainting U-Net, which completes the unwrapped photo."""
    unwrap_depth: Depth = 1
    """Residual blocks of the inpainting U-Net at each resolution, downwards and upwards."""

    def __post_init__(self) -> None:
        if self.anchor == "vertices" and self.plane_resolution < MIN_PLANE_RESOLUTION:
            raise ValueError(f"plane_resolution {self.plane_resolution} is below {MIN_PLANE_RESOLUTION}")

    @property
    def style_width(self) -> int:
        """Length of the image code: the channels of the encoder's fourth stage."""
        return 8 * self.encoder_width

    @property
    def num_planes(self) -> int:
        """Number of planes or maps of the global level."""
        return TOKENS if self.anchor == "vertices" else SIDES

    @property
    def plane_size(self) -> tuple[int, int]:
        """Rows and columns of each plane or map. UV feature maps have fewer columns: a standing body is narrow."""
        rows = self.plane_resolution
        return (rows, rows) if self.anchor == "vertices" else (rows, 2 * round(rows * ATLAS_WIDTH / 2))

    @property
    def num_tokens(self) -> int:
        """Tokens of a point: one per tri-plane, or one for the UV feature maps and one per look-up."""
        return TOKENS if self.anchor == "vertices" else 1 + len(self.lookups)

    @property
    def pixel_channels(self) -> int:
        """Channels sampled from the photo: the feature map and the encoded colour."""
        return self.encoder_width + RGB_CHANNELS


RGB_OCTAVES, RGB_CHANNELS = 5, 32
"""The photo's colour is encoded with 5 octaves and truncated to 32 of the 33 channels, as published."""

TOKENS = 3
"""Tokens of a point as published: one per tri-plane."""

SIDES = 2
"""UV feature maps: front and back."""

ATLAS_WIDTH = 0.5
"""Columns divided by rows of a UV feature map."""

PAPER = SherfConfig()
"""The published model."""
SMALL = SherfConfig(
    name="sherf-small",
    body_model="openbody",
    levels=("global", "pixel"),
    encoder_width=32,
    plane_resolution=256,
    heads=2,
    decoder_depth=3,
    near_body_m=0.15,
    anchor="surface",
    unwrap_depth=3,
)
"""The shipped model: anchored to the surface of the open body and sized for CPUs."""
