"""The tri-planes: StyleGAN2's mapping and synthesis networks (Karras et al. 2020), an independent implementation.

Weights are stored with unit variance and scaled at run time (equalised learning rate, Karras et al. 2018). The
published network's noise inputs have strength zero and are left out. One style is used for all layers: no style mixing,
no truncation.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

GAIN = math.sqrt(2.0)  # preserves the variance through a leaky ReLU
SLOPE = 0.2  # of the leaky ReLU
FILTER = (1.0, 3.0, 3.0, 1.0)  # resampling filter, not normalised
DEMODULATION_EPS = 1e-8


class ScaledLinear(nn.Module):
    """A fully connected layer with an equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0, bias: float = 0.0):
        """Draw the weights.

        Args:
            inputs: input channels.
            outputs: output channels.
            rate: learning rate multiplier.
            bias: initial value of the biases.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.rate, self.scale = rate, rate / math.sqrt(inputs)

    def forward(self, x: Float[Tensor, "batch input"]) -> Float[Tensor, "batch output"]:
        """Return the layer's output, without an activation."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Mapping(nn.Module):
    """The mapping network: turns the image code into the style that modulates all layers."""

    def __init__(self, width: int = 512, depth: int = 2, rate: float = 0.01):
        """Create the layers.

        Args:
            width: channels of code and style.
            depth: number of layers.
            rate: learning rate multiplier.
        """
        super().__init__()
        self.layers = nn.ModuleList(ScaledLinear(width, width, rate) for _ in range(depth))

    def forward(self, code: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        """Return the style of each code."""
        x = code * (code.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE) * GAIN
        return x


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by the style (sections 2.2 and 2.3)."""

    def __init__(self, style: int, channels_in: int, channels: int, kernel: int = 3, upsample: bool = False):
        """Draw the weights.

        Args:
            style: channels of the style.
            channels_in: input channels.
            channels: output channels.
            kernel: side of the kernel; a kernel of 1 is not demodulated.
            upsample: whether to double the resolution.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.affine = ScaledLinear(style, channels_in, bias=1.0)
        self.upsample, self.demodulate = upsample, kernel > 1

    def forward(
        self, x: Float[Tensor, "batch in h w"], style: Float[Tensor, "batch style"]
    ) -> Float[Tensor, "batch out h2 w2"]:
        """Return the modulated convolution, without an activation."""
        scale = self.affine(style)
        if not self.demodulate:  # toRGB: equalised learning rate instead of demodulation
            scale = scale / math.sqrt(self.weight[0].numel())
        kernel = self.weight * scale[:, None, :, None, None]
        if self.demodulate:
            kernel = kernel * (kernel.square().sum((2, 3, 4), keepdim=True) + DEMODULATION_EPS).rsqrt()
        batch, channels = kernel.shape[:2]
        # One grouped convolution for the batch: each image has its own kernel.
        grouped = x.reshape(1, -1, *x.shape[2:])
        if self.upsample:
            transposed = kernel.transpose(1, 2).flatten(end_dim=1)
            y = blur(F.conv_transpose2d(grouped, transposed, stride=2, groups=batch), (1, 1, 1, 1))
        else:
            y = F.conv2d(grouped, kernel.flatten(end_dim=1), padding=kernel.shape[-1] // 2, groups=batch)
        return y.view(batch, channels, *y.shape[2:]) + self.bias[:, None, None]


class SynthesisBlock(nn.Module):
    """One resolution: convolutions, and this resolution's contribution to the planes (skip architecture)."""

    def __init__(self, style: int, channels_in: int, channels: int, planes: int):
        """Create the layers.

        Args:
            style: channels of the style.
            channels_in: input channels; 0 for the first block, which does not upsample.
            channels: output channels.
            planes: channels of all planes together.
        """
        super().__init__()
        self.up = ModulatedConv(style, channels_in, channels, upsample=True) if channels_in else None
        self.conv = ModulatedConv(style, channels, channels)
        self.to_planes = ModulatedConv(style, channels, planes, kernel=1)

    def forward(
        self, x: Float[Tensor, "batch in h w"], style: Float[Tensor, "batch style"]
    ) -> tuple[Float[Tensor, "batch out h2 w2"], Float[Tensor, "batch plane h2 w2"]]:
        """Return features for the next block, and the contribution to the planes."""
        if self.up is not None:
            x = _activate(self.up(x, style))
        x = _activate(self.conv(x, style))
        return x, self.to_planes(x, style)


class Synthesis(nn.Module):
    """The synthesis network: a learned constant, upsampled block by block to the planes' resolution."""

    def __init__(self, planes: int = 96, resolution: int = 256, style: int = 512, base: int = 32768, most: int = 512):
        """Create the blocks.

        Args:
            planes: channels of all planes together.
            resolution: side of the planes, a power of two.
            style: channels of the style.
            base: a block has base / r channels at resolution r.
            most: maximum number of channels of a block.
        """
        super().__init__()
        resolutions = [2**i for i in range(2, int(math.log2(resolution)) + 1)]
        channels = [min(base // r, most) for r in resolutions]
        self.const = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.blocks = nn.ModuleList(
            SynthesisBlock(style, channels_in, channels_out, planes)
            for channels_in, channels_out in zip([0, *channels[:-1]], channels, strict=True)
        )

    def forward(self, style: Float[Tensor, "batch style"]) -> Float[Tensor, "batch plane r r"]:
        """Return all planes of each style, their channels one after another."""
        x = self.const.expand(len(style), -1, -1, -1)
        planes = None
        for block in self.blocks:
            x, new = block(x, style)
            planes = new if planes is None else upsample(planes) + new
        assert planes is not None
        return planes


def blur(x: Float[Tensor, "batch channel h w"], pad: tuple[int, int, int, int]) -> Float[Tensor, "batch channel h2 w2"]:
    """Return a low-pass filtered image. The filter sums to 4, to be used after inserting zeros between pixels.

    Args:
        x: the image.
        pad: left, right, top and bottom padding.
    """
    line = x.new_tensor(FILTER)
    kernel = torch.outer(line, line) * (4.0 / line.sum() ** 2)
    channels = x.shape[1]
    return F.conv2d(F.pad(x, pad), kernel.expand(channels, 1, 4, 4), groups=channels)


def upsample(x: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel 2*h 2*w"]:
    """Return the image at twice its size, low-pass filtered."""
    batch, channels, h, w = x.shape
    with_zeros = x.new_zeros(batch, channels, 2 * h, 2 * w)
    with_zeros[:, :, ::2, ::2] = x
    return blur(with_zeros, (2, 1, 2, 1))


def _activate(x: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch channel h w"]:
    return F.leaky_relu(x, SLOPE) * GAIN
