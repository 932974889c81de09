"""What a training is made of: model, data, losses and schedule."""

from dataclasses import dataclass, field

from sherf.models.config import PAPER, SMALL, SherfConfig
from sherf.training.augment import AugmentOptions


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; 0 leaves one out."""

    colour: float = 1.0
    mask: float = 0.1
    ssim: float = 0.1
    lpips: float = 0.1
    occupancy: float = 0.0
    """Empty before the surface and solid behind it, where the data set knows depths."""
    surface: float = 0.0
    """The field's surface lies where the data set knows it."""
    texture: float = 0.0
    """The planes' own colours are what all views of the moment show, where depths are known."""
    stand_off: float = 0.0
    """The planes' own stand-off is where all views of the moment see the surface, likewise."""


@dataclass(frozen=True)
class TrainingOptions:
    """One training."""

    model: SherfConfig
    losses: LossWeights = field(default_factory=LossWeights)
    learning_rate: float = 1e-3
    steps: int = 60_000
    """The whole schedule."""
    adam: tuple[float, float] = (0.9, 0.99)
    """Adam's decay rates."""
    halve_steps: int = 0
    """The learning rate is halved every so many steps; 0: never."""
    warm_up: int = 500
    slow_after: int = 0
    """From this step on the rate falls as one over the root of the step; 0: it does not."""
    decay: float = 0.3
    """Share of the steps, at the end, in which the learning rate sinks to a hundredth."""
    batch: int = 1
    """Pairs a step, over all processes."""
    patch: int = 64
    """Side of the square of neighbouring rays, pixels; 0: the rectangle around the body's box, as published."""
    rays: int = 512
    """Single rays beside it."""
    step_m: float = 0.014
    """Length of a sample along a ray, metres (with `anchor="surface"`)."""
    density_noise: float = 0.0
    """Standard deviation of what is added to the raw density (with `anchor="vertices"`), 1/m."""
    rescale_lpips: bool = True
    """Give VGG [-1, 1], as it was made for, and not [0, 1], as published."""
    ema: float = 0.999
    clip: float = 5.0
    """Largest norm of a gradient; 0: any."""
    front: float = 0.7
    """Share of observations that are the data set's first view."""
    same_pose: float = 0.5
    """Share of targets in the observation's pose."""
    maps_steps: int = 0
    """The first so many steps learn the planes alone, from `texture` and `stand_off`: three in the time of one."""
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    seed: int = 0

    @property
    def looks_at_maps(self) -> bool:
        """Whether any loss needs what all views of a moment show."""
        return self.model.anchor == "surface" and (self.losses.texture > 0 or self.losses.stand_off > 0)


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
