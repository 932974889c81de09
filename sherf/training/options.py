"""Options of a training: model, data, losses and schedule. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Interval

from sherf.models.config import PAPER, SMALL, SherfConfig

Share = Annotated[float, Interval(ge=0, le=1)]
Amount = Annotated[float, Interval(ge=0)]
Count = Annotated[int, Interval(ge=0, lt=2**53)]
Positive = Annotated[int, Interval(ge=1, lt=2**53)]


@dataclass(frozen=True)
class AugmentOptions:
    """How often, and how much, training pairs are changed."""

    mirror: Share = 0.5
    """Share of pairs that are mirrored."""
    exposure: Amount = 0.06
    """Standard deviation of each colour channel's factor."""
    gamma: Amount = 0.1
    """Standard deviation of the logarithm of the exponent of colours."""
    fit: Share = 0.3
    """Share of observations whose body and mask are disturbed as by a fit to a photo."""
    joints: Amount = 0.02
    """Standard deviation of joint rotations, radians."""
    betas: Amount = 0.25
    """Standard deviation of shape coefficients."""
    depth: Amount = 0.012
    """Standard deviation of the distance, as a share of it."""
    aside_m: Amount = 0.006
    """Standard deviation of the position, metres."""
    occluded: Share = 0.1
    """Share of observations with an occluder."""
    cut: Share = 0.1
    """Share of observations that are cropped within the person."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; 0 disables one."""

    colour: Amount = 1.0
    """Mean squared error of colours."""
    mask: Amount = 0.1
    """Mean squared error of opacity."""
    ssim: Amount = 0.1
    """1 - SSIM of patches."""
    lpips: Amount = 0.1
    """LPIPS of patches."""
    occupancy: Amount = 0.0
    """Cross entropy of samples: empty before the surface and solid behind it, where the data set has depths."""
    surface: Amount = 0.0
    """Distance of the field's surface from the data set's, where it has depths."""
    texture: Amount = 0.0
    """Colours of the UV feature maps themselves against all views of the pose, where the data set has depths."""
    stand_off: Amount = 0.0
    """Displacement of the UV feature maps themselves against the surface in all views of the pose, where the data set
    has depths."""


@dataclass(frozen=True)
class TrainingOptions:
    """One training."""

    model: SherfConfig
    """The network."""
    losses: LossWeights = field(default_factory=LossWeights)
    learning_rate: Amount = 1e-3
    steps: Positive = 60_000
    """Length of the whole schedule."""
    adam: tuple[Share, Share] = (0.9, 0.99)
    """Adam's decay rates."""
    halve_steps: Count = 0
    """Halve the learning rate every this many steps; 0: never."""
    warm_up: Count = 500
    """Steps in which the learning rate rises linearly."""
    slow_after: Count = 0
    """From this step on, the learning rate falls with the inverse square root of the step; 0: never."""
    decay: Share = 0.3
    """Last share of the steps, in which the learning rate falls to a hundredth along a cosine."""
    batch: Positive = 1
    """Pairs per step, over all processes."""
    patch: Count = 64
    """Side of the square patch of rays, pixels; 0: the rectangle around the body's box, as published."""
    rays: Count = 512
    """Single rays beside the patch."""
    step_m: Amount = 0.014
    """Length of a sample along a ray, metres (with `anchor="surface"`)."""
    density_noise: Amount = 0.0
    """Standard deviation of the noise added to raw densities, 1/m (with `anchor="vertices"`)."""
    rescale_lpips: bool = True
    """Feed VGG with [-1, 1], as it was trained, instead of [0, 1], as published."""
    ema: Share = 0.999
    """Decay of the running average of the weights."""
    clip: Amount = 5.0
    """Largest norm of a gradient; 0: unlimited."""
    front: Share = 0.7
    """Share of observations that are the data set's first view."""
    same_pose: Share = 0.5
    """Share of targets in the observation's pose."""
    maps_steps: Count = 0
    """Number of first steps that train the UV feature maps alone, from `texture` and `stand_off`: three such steps take
    as long as one with rendering."""
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    seed: Count = 0

    @property
    def supervises_maps(self) -> bool:
        """Whether any loss supervises the UV feature maps themselves."""
        return self.losses.texture > 0 or self.losses.stand_off > 0


NO_AUGMENTATION = AugmentOptions(mirror=0.0, exposure=0.0, gamma=0.0, fit=0.0, occluded=0.0, cut=0.0)
TRAININGS = {
    "sherf-small": TrainingOptions(
        SMALL,
        LossWeights(
            colour=5.0, mask=0.4, ssim=0.1, lpips=0.2, occupancy=0.05, surface=0.02, texture=10.0, stand_off=1.0
        ),
        maps_steps=3_000,
        slow_after=1_000,
        batch=2,
        patch=48,
        rays=256,
    ),
    "sherf-paper": TrainingOptions(
        PAPER,
        LossWeights(colour=100.0, mask=10.0, ssim=1.0, lpips=1.0),
        learning_rate=2e-3,
        steps=200_000,
        adam=(0.0, 0.99**0.8),
        halve_steps=4000,
        warm_up=0,
        decay=0.0,
        batch=4,
        patch=0,
        rays=0,
        density_noise=1.0,
        rescale_lpips=False,
        ema=0.5 ** (4 / 10_000),
        clip=0.0,
        front=0.0,
        same_pose=1.0,
        augment=NO_AUGMENTATION,
    ),
}


@dataclass(frozen=True)
class TrainOptions:
    """What to train on, where the results go, and how long to train."""

    data: Path
    """Folder of the data set."""
    out: Path
    """Folder for state, checkpoint and logs. Safe to interrupt; run the same command again to resume."""
    dataset: Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"] = "openpeople"
    """Which data set it is."""
    duration: Annotated[str, tyro.conf.arg(name="for")] = ""
    """Stop after this long, such as 90s, 30m or 2.5h. Default: the whole schedule."""
    begin_with: Path | None = None
    """Start from a checkpoint's weights instead of random ones."""
    changed_data: bool = False
    """Resume although the data set differs from the one that the training started with."""
    overwrite: bool = False
    """Discard another training in the folder."""
    save_minutes: float = 10.0
    """Minutes between saves of the state."""
    validation_steps: int = 1000
    """Steps between renderings of a few people of the validation split; 0: never."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 computes convolutions and linear layers in bfloat16: faster on recent processors and GPUs."""
    body_model: str | None = None
    """Body model: openbody, smpl (your own file in $SHERF_SMPL_FOLDER), or the path of an SMPL .npz or .pkl. Default:
    openbody for openpeople, else smpl."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
