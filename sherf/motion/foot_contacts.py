"""Foot contacts: feet that stand in a motion stand on any body that plays it.

Bodies differ in thighs, shins and feet, not only in size, so feet planted on one body slide and sink by centimetres on
another; so do feet in smoothed motions and in those estimated from videos. In the order of Kovar, Schreiner and
Gleicher, "Footskate Cleanup for Motion Capture Editing", 2002: positions of planted feet are fixed, the pelvis moves
to where the legs reach them, the legs are solved, and all changes blend smoothly into the frames around a contact.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, label, minimum_filter1d

from sherf.motion.leg_ik import Legs, solve_legs
from sherf.motion.motion import Motion

GROUND_FULL_M, GROUND_NONE_M = 0.02, 0.06
"""Sole height below which a sole keeps its exact height above the ground, and above which it is not corrected."""
CONTACT_START_M, CONTACT_START_M_S = 0.02, 0.15
"""A contact has to be this low and this slow at least once (upper threshold of the hysteresis) ..."""
CONTACT_KEEP_M, CONTACT_KEEP_M_S = 0.04, 0.25
"""... and this low and slow throughout (lower threshold), so that noise does not split it."""
MIN_CONTACT_S = 0.1
"""Shorter contacts are noise, or a foot passing close to the ground."""
MAX_GROUND_ERROR_M, MIN_RESTING_SHARE = 0.06, 0.25
"""The lower foot defines the ground if it rests, within this distance of 0, in more than this share of the frames."""
STRIDE_ERROR_RANGE = (0.03, 0.25)
"""Slide of resting feet as a share of the travel: less needs no correction of the stride, more is not a scale error."""
STRIDE_TOLERANCE, MIN_CONSISTENT_SHARE = 0.05, 0.6
"""More than this share of the travel has to slide by the median share, within this tolerance."""
GROUNDING_SMOOTHING_S = 0.03
"""Standard deviation of the window over which a sole moves from its own height to the ground."""
MAX_CONTACT_DRIFT_M, MIN_STEADY_SHARE = 0.06, 0.7
"""A foot is held while it is within this distance of its contact's mean position. A contact that is so for less than
this share of its frames slides on purpose."""
CONTACT_BLEND_S = 0.2
"""Time over which a foot moves to the position where it is held, and away from it."""
PELVIS_SMOOTHING_S = 0.08
"""Standard deviation of the window over which the pelvis follows the feet."""
SEATED_SHARE, STANDING_SHARE = 0.5, 0.75
"""Hip height as a share of that at rest: below the first the body may rest on something other than its feet, above the
second it stands."""


def plant_feet(motion: Motion, legs: Legs, mean_legs: Legs) -> Motion:
    """Plant the feet of a motion on a body wherever those of the mean body stand in the same motion.

    Feet that slide on purpose (in place, on skates) only keep their height above the ground. Feet in the air, and
    contacts of other parts of the body, are unchanged.

    Args:
        motion: at the body's scale and on its ground.
        legs: the body's, measured in `motion`.
        mean_legs: the mean body's, measured in the same motion at its own scale and on its ground.

    Returns:
        The motion with changed legs and height of the pelvis.
    """
    scale, fps = legs.hip_height / mean_legs.hip_height, motion.fps / motion.playback_speed
    heights = mean_legs.sole_heights - _ground_height(mean_legs, fps)
    ground_weight = _smoothstep((GROUND_NONE_M - heights) / (GROUND_NONE_M - GROUND_FULL_M))
    contacts = _detect_contacts(heights, mean_legs.sole_slides, fps)
    held, shift = _hold_contacts(legs.sole_slides, contacts, fps, MAX_CONTACT_DRIFT_M * scale)
    held_weight = gaussian_filter1d(held.astype(float), GROUNDING_SMOOTHING_S * fps, axis=0, mode="nearest")
    lift = ground_weight * (scale * heights.clip(0) * (1 - held_weight) - legs.sole_heights)
    lift = gaussian_filter1d(lift, GROUNDING_SMOOTHING_S * fps, axis=0, mode="nearest")
    lift = lift.clip(ground_weight * -legs.sole_heights)

    # the pelvis takes the mean lift of the feet near the ground; a foot in the air moves with the pelvis
    raised = _standing_weight(legs) * lift.sum(axis=1) / ground_weight.sum(axis=1).clip(1)
    raised = gaussian_filter1d(raised, PELVIS_SMOOTHING_S * fps, mode="nearest")
    lift = lift + (1 - ground_weight) * raised[:, None]
    ankles = legs.joints[:, :, 2] + np.stack([shift[..., 0], lift, shift[..., 1]], axis=-1)
    lowered = _lower_pelvis(legs, raised, ankles, ground_weight, PELVIS_SMOOTHING_S * fps)
    ankles[..., 1] += (1 - ground_weight) * lowered[:, None]
    return solve_legs(motion, legs, raised + lowered, ankles)


def estimate_stride_scale(legs: Legs, motion: Motion) -> float:
    """Estimate the scale of the root trajectory at which resting feet do not slide.

    Files that do not describe the performer's legs may have steps that are too long or too short.

    Args:
        legs: the mean body's, measured in `motion`.
        motion: at the mean body's scale.

    Returns:
        Factor for the translation; 1 unless most resting feet agree on another.
    """
    fps = motion.fps / motion.playback_speed
    travel = np.diff(motion.translation.double().numpy()[:, None, [0, 2]], axis=0)
    slides = np.diff(legs.sole_slides, axis=0)
    is_low = legs.sole_heights - _ground_height(legs, fps) < CONTACT_KEEP_M
    length = np.broadcast_to(np.linalg.norm(travel, axis=-1), is_low[1:].shape)
    is_resting = is_low[1:] & is_low[:-1] & (2 * np.linalg.norm(slides, axis=-1) < length)
    if len(is_resting) == 0 or is_resting.mean() < MIN_RESTING_SHARE:
        return 1.0
    errors = ((slides * travel).sum(axis=-1) / length.clip(1e-9) ** 2)[is_resting]
    weights = length[is_resting]
    order = np.argsort(errors)
    median = errors[order][np.searchsorted(weights[order].cumsum(), weights.sum() / 2)]
    consistent = weights[np.abs(errors - median) < STRIDE_TOLERANCE].sum() > MIN_CONSISTENT_SHARE * weights.sum()
    low, high = STRIDE_ERROR_RANGE
    return float(1 - median) if consistent and low < abs(median) < high else 1.0


def _ground_height(legs: Legs, fps: float) -> float:
    """Return the median height at which the lower foot rests; 0 if it rests too rarely."""
    lower = legs.sole_heights.min(axis=1)
    is_resting = _speeds(lower[:, None], fps) < CONTACT_START_M_S
    is_resting = is_resting & (np.abs(lower) < MAX_GROUND_ERROR_M) & (_standing_weight(legs) > 0.5)
    return float(np.median(lower[is_resting])) if is_resting.mean() > MIN_RESTING_SHARE else 0.0


def _standing_weight(legs: Legs) -> Float[np.ndarray, " frame"]:
    """Return 1 where the body stands on its feet and 0 where it may sit or lie."""
    hip_share = legs.joints[:, :, 0, 1].mean(axis=1) / legs.hip_height
    return _smoothstep((hip_share - SEATED_SHARE) / (STANDING_SHARE - SEATED_SHARE))


def _speeds(positions: Float[np.ndarray, "frame *foot axis"], fps: float) -> Float[np.ndarray, "frame *foot"]:
    """Return speeds in metres per second: the slower of the steps before and after each frame."""
    if len(positions) == 1:
        return np.zeros(positions.shape[:-1])
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * fps
    return np.minimum(np.concatenate([steps[:1], steps]), np.concatenate([steps, steps[-1:]]))


def _detect_contacts(
    heights: Float[np.ndarray, "frame 2"], slides: Float[np.ndarray, "frame 2 2"], fps: float
) -> Bool[np.ndarray, "frame 2"]:
    """Return where a foot is low and slow, with hysteresis."""
    speeds = _speeds(slides, fps)
    starts = (heights < CONTACT_START_M) & (speeds < CONTACT_START_M_S)
    contacts = (heights < CONTACT_KEEP_M) & (speeds < CONTACT_KEEP_M_S)
    for foot in (0, 1):
        spans, _ = label(contacts[:, foot])
        is_long = np.bincount(spans) >= max(2, MIN_CONTACT_S * fps)
        contacts[:, foot] &= (is_long & (np.bincount(spans, starts[:, foot]) > 0))[spans]
    return contacts


def _hold_contacts(
    slides: Float[np.ndarray, "frame 2 2"], contacts: Bool[np.ndarray, "frame 2"], fps: float, max_drift: float
) -> tuple[Bool[np.ndarray, "frame 2"], Float[np.ndarray, "frame 2 2"]]:
    """Return which feet are held, and their horizontal shift (x, z), metres.

    A held foot is shifted back by its slide to its contact's mean position; the shift blends in and out around the
    contact.
    """
    held, shift = contacts.copy(), np.zeros_like(slides)
    for foot in (0, 1):
        spans, _ = label(contacts[:, foot])
        count = np.bincount(spans)
        mean = np.stack([np.bincount(spans, axis) for axis in slides[:, foot].T], axis=1) / count.clip(1)[:, None]
        correction = mean[spans] - slides[:, foot]
        is_near = np.linalg.norm(correction, axis=1) < max_drift
        held[:, foot] &= is_near & (np.bincount(spans, is_near) > MIN_STEADY_SHARE * count)[spans]
        if held[:, foot].any():
            shift[:, foot] = _blend_gaps(correction, held[:, foot], CONTACT_BLEND_S * fps)
    return held, shift


def _blend_gaps(
    values: Float[np.ndarray, "frame 2"], valid: Bool[np.ndarray, " frame"], blend: float
) -> Float[np.ndarray, "frame 2"]:
    """Return valid values; between them, blend from the last to the next, by way of 0 where both are far.

    Args:
        values: any values; only the valid ones are used.
        valid: at least one frame.
        blend: frames from a value to 0.
    """
    frames, count = np.arange(len(valid)), len(valid)
    last = np.maximum.accumulate(np.where(valid, frames, -1))
    following = np.minimum.accumulate(np.where(valid, frames, count)[::-1])[::-1]
    since = np.where(last < 0, np.inf, frames - last)
    until = np.where(following == count, np.inf, following - frames)
    length = np.minimum(since + until, blend).clip(1e-9)
    last_weight, following_weight = _smoothstep(1 - since / length), _smoothstep(1 - until / length) * ~valid
    return (
        last_weight[:, None] * values[last.clip(0)] + following_weight[:, None] * values[following.clip(max=count - 1)]
    )


def _lower_pelvis(
    legs: Legs,
    raised: Float[np.ndarray, " frame"],
    ankles: Float[np.ndarray, "frame 2 3"],
    ground_weight: Float[np.ndarray, "frame 2"],
    sigma: float,
) -> Float[np.ndarray, " frame"]:
    """Return the smooth vertical offset of the pelvis with which the legs reach ankles near the ground.

    Args:
        legs: before the offset.
        raised: vertical offset of the pelvis so far, metres.
        ankles: target positions, metres.
        ground_weight: 1 for feet on the ground, 0 for feet in the air.
        sigma: standard deviation of the smoothing window, frames.

    Returns:
        Not positive, metres.
    """
    offset = ankles - legs.joints[:, :, 0]
    depth = np.sqrt((legs.reach**2 - offset[..., 0] ** 2 - offset[..., 2] ** 2).clip(0))
    missing = (ground_weight * np.minimum(offset[..., 1] - raised[:, None] + depth, 0)).min(axis=1)
    return gaussian_filter1d(minimum_filter1d(missing, 2 * int(2 * sigma) + 1), sigma, mode="nearest")


def _smoothstep(x: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """Return 3 x^2 - 2 x^3 for x clipped to [0, 1]: from 0 to 1 with zero slope at both ends."""
    x = x.clip(0, 1)
    return x * x * (3 - 2 * x)
