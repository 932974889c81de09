"""Feet that stand: where a foot stands in a motion, it stands on whoever plays it.

Bodies differ in their thighs, shins and feet, not in size alone, so what stands on one slides and sinks on another by
centimetres; and so do filmed and smoothed motions on any. In the order of Kovar, Schreiner and Gleicher, "Footskate
Cleanup for Motion Capture Editing", 2002: feet are held where they stand, the pelvis goes where the legs can reach
them, the legs follow; before and after, all of it blends into the motion as it was.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, label, minimum_filter1d

from sherf.motion.leg_ik import Legs, reaching
from sherf.motion.motion import Motion

NEAR_M, FAR_M = 0.02, 0.06
"""A sole lower than the first keeps its height over the ground, a higher one than the second is let be."""
STANDS, STAYS = (0.02, 0.15), (0.04, 0.25)
"""Metres over the ground, metres a second: a foot stands that is below the second all along, once below the first."""
SHORTEST_S = 0.1
"""What is low and slow for less does not stand."""
LOWEST_M, LEAST = 0.06, 0.25
"""Where the lower foot is lower than the first and rests, in more than this share of the frames, is the ground."""
SLIPS, AGREE, AGREED = (0.03, 0.25), 0.05, 0.6
"""Shares of its way by which a body's feet may slide with it for its steps to be called too long or short; so near to
each other these have to be; along this share of the way."""
SETTLE_S = 0.03
"""Standard deviation of the window in which a sole comes down from its own height to the ground."""
SWAY_M, MOSTLY = 0.06, 0.7
"""A foot is held where it is so near to the middle of where it stands; one that is not so near for this share of the
time slides on purpose."""
RAMP_S = 0.2
"""Within so long a foot comes to the place where it will stand, and leaves that where it stood."""
CALM_S = 0.08
"""The pelvis follows what the feet need over a Gaussian window of this standard deviation."""
SEATED, UPRIGHT = 0.5, 0.75
"""Of the hips' height at rest: lower than the first, the body may rest on something else than its feet."""


def planted(own: Motion, legs: Legs, like: Legs) -> Motion:
    """A motion on somebody's body, whose feet stand while those of the mean body stand.

    Feet that slide on purpose (on the spot, on ice) keep their height over the ground alone; feet in the air, and what
    else touches the ground, are let be.

    Args:
        own: scaled to the body, and on its ground.
        legs: of the body, in `own`.
        like: the mean body's, in the same motion scaled to that, and on its ground.
    """
    scale, fps = legs.stature / like.stature, own.fps / own.pace
    heights = like.heights - _ground(like, fps)
    near = _smoothstep((FAR_M - heights) / (FAR_M - NEAR_M))
    held, aside = _held(legs.slid, _standing(heights, like.slid, fps), fps, SWAY_M * scale)
    settled = gaussian_filter1d(held.astype(float), SETTLE_S * fps, axis=0, mode="nearest")
    up = near * (scale * heights.clip(0) * (1 - settled) - legs.heights)
    up = gaussian_filter1d(up, SETTLE_S * fps, axis=0, mode="nearest").clip(near * -legs.heights)

    # what both feet need, the pelvis does; a foot in the air goes with it
    raised = _upright(legs) * up.sum(axis=1) / near.sum(axis=1).clip(1)
    raised = gaussian_filter1d(raised, CALM_S * fps, mode="nearest")
    up = up + (1 - near) * raised[:, None]
    ankles = legs.joints[:, :, 2] + np.stack([aside[..., 0], up, aside[..., 1]], axis=-1)
    sunk = _sunk(legs, raised, ankles, near, CALM_S * fps)
    ankles[..., 1] += (1 - near) * sunk[:, None]
    return reaching(own, legs, raised + sunk, ankles)


def stride(legs: Legs, motion: Motion) -> float:
    """How long the way has to be, as a share of what it is, for feet not to slide that the body passes over.

    1 unless most of them agree: of a file that says nothing of its legs, steps may be too long or too short.

    Args:
        legs: of the mean body, in the motion.
    """
    fps = motion.fps / motion.pace
    over = np.diff(motion.translation.double().numpy()[:, None, [0, 2]], axis=0)
    slides = np.diff(legs.slid, axis=0)
    low = legs.heights - _ground(legs, fps) < STAYS[0]
    length = np.broadcast_to(np.linalg.norm(over, axis=-1), low[1:].shape)
    rests = low[1:] & low[:-1] & (2 * np.linalg.norm(slides, axis=-1) < length)
    if len(rests) == 0 or rests.mean() < LEAST:
        return 1.0
    slips, weights = ((slides * over).sum(axis=-1) / length.clip(1e-9) ** 2)[rests], length[rests]
    order = np.argsort(slips)
    middle = slips[order][np.searchsorted(weights[order].cumsum(), weights.sum() / 2)]
    agreed = weights[np.abs(slips - middle) < AGREE].sum() > AGREED * weights.sum()
    return float(1 - middle) if agreed and SLIPS[0] < abs(middle) < SLIPS[1] else 1.0


def _ground(legs: Legs, fps: float) -> float:
    """Height of the ground on which the lower foot rests for the most part; 0 if it does not."""
    lower = legs.heights.min(axis=1)
    rests = (_speeds(lower[:, None], fps) < STANDS[1]) & (np.abs(lower) < LOWEST_M) & (_upright(legs) > 0.5)
    return float(np.median(lower[rests])) if rests.mean() > LEAST else 0.0


def _upright(legs: Legs) -> Float[np.ndarray, " frame"]:
    """1 where the body stands on its feet, 0 where it may sit or lie."""
    return _smoothstep((legs.joints[:, :, 0, 1].mean(axis=1) / legs.stature - SEATED) / (UPRIGHT - SEATED))


def _speeds(places: Float[np.ndarray, "frame *foot axis"], fps: float) -> Float[np.ndarray, "frame *foot"]:
    """Towards the frame before or after, whichever is slower, metres a second."""
    if len(places) == 1:
        return np.zeros(places.shape[:-1])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1) * fps
    return np.minimum(np.concatenate([steps[:1], steps]), np.concatenate([steps, steps[-1:]]))


def _standing(
    heights: Float[np.ndarray, "frame 2"], slid: Float[np.ndarray, "frame 2 2"], fps: float
) -> Bool[np.ndarray, "frame 2"]:
    """Where a foot is low and slow, with hysteresis: all along a little, once very much."""
    speeds = _speeds(slid, fps)
    once, stands = ((heights < high) & (speeds < fast) for high, fast in (STANDS, STAYS))
    for foot in (0, 1):
        spans, _ = label(stands[:, foot])
        long = np.bincount(spans) >= max(2, SHORTEST_S * fps)
        stands[:, foot] &= (long & (np.bincount(spans, once[:, foot]) > 0))[spans]
    return stands


def _held(
    slid: Float[np.ndarray, "frame 2 2"], stands: Bool[np.ndarray, "frame 2"], fps: float, sway: float
) -> tuple[Bool[np.ndarray, "frame 2"], Float[np.ndarray, "frame 2 2"]]:
    """Which feet are held, and how far each is moved to the side for that, x and z, metres.

    While it is held, back by what it has slid, so that it is on the whole where it was; before and after, smoothly to
    and from there.
    """
    held, aside = stands.copy(), np.zeros_like(slid)
    for foot in (0, 1):
        spans, _ = label(stands[:, foot])
        count = np.bincount(spans)
        middle = np.stack([np.bincount(spans, axis) for axis in slid[:, foot].T], axis=1) / count.clip(1)[:, None]
        back = middle[spans] - slid[:, foot]
        near = np.linalg.norm(back, axis=1) < sway
        held[:, foot] &= near & (np.bincount(spans, near) > MOSTLY * count)[spans]
        if held[:, foot].any():
            aside[:, foot] = _bridged(back, held[:, foot], RAMP_S * fps)
    return held, aside


def _bridged(
    values: Float[np.ndarray, "frame 2"], on: Bool[np.ndarray, " frame"], ramp: float
) -> Float[np.ndarray, "frame 2"]:
    """Values where they are on; elsewhere smoothly from the last to the next, by way of 0 where both are far.

    Args:
        ramp: frames from a value to 0.
    """
    frames, count = np.arange(len(on)), len(on)
    last = np.maximum.accumulate(np.where(on, frames, -1))
    following = np.minimum.accumulate(np.where(on, frames, count)[::-1])[::-1]
    since = np.where(last < 0, np.inf, frames - last)
    until = np.where(following == count, np.inf, following - frames)
    length = np.minimum(since + until, ramp).clip(1e-9)
    shares = _smoothstep(1 - since / length), _smoothstep(1 - until / length) * ~on
    return shares[0][:, None] * values[last.clip(0)] + shares[1][:, None] * values[following.clip(max=count - 1)]


def _sunk(
    legs: Legs,
    raised: Float[np.ndarray, " frame"],
    ankles: Float[np.ndarray, "frame 2 3"],
    near: Float[np.ndarray, "frame 2"],
    calm: float,
) -> Float[np.ndarray, " frame"]:
    """By how much the pelvis must sink, smoothly, for legs to reach the ankles on the ground; not positive, metres.

    Args:
        raised: by how much it is raised already.
        calm: standard deviation of the window, frames.
    """
    down = ankles - legs.joints[:, :, 0]
    under = np.sqrt((legs.reach**2 - down[..., 0] ** 2 - down[..., 2] ** 2).clip(0))
    short = (near * np.minimum(down[..., 1] - raised[:, None] + under, 0)).min(axis=1)
    return gaussian_filter1d(minimum_filter1d(short, 2 * int(2 * calm) + 1), calm, mode="nearest")


def _smoothstep(share: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """From 0 to 1 with level ends."""
    share = share.clip(0, 1)
    return share * share * (3 - 2 * share)
