"""The person's mask at full resolution: the landmark model's 256 x 256 mask, snapped to the edges in the photo."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from sherf.errors import MissingAsset
from sherf.files.images import to_uint8
from sherf.photo.detect import Person
from sherf.photo.options import Masker

# Lengths without a unit are in person heights.
GRABCUT_SIDE = 512  # px: the longer side of what GrabCut sees, which bounds its time
GRABCUT_ITERATIONS = 4
MARGIN = 0.08  # around the person's box: the background that GrabCut learns from
BAND_INSIDE, BAND_OUTSIDE = 0.015, 0.03  # on either side of the model's outline: there GrabCut decides
CERTAIN = 0.99  # model mask value above which a pixel is foreground whatever its colour
HEAD_BAND = 0.06  # BAND_OUTSIDE around the head: the model tends to cut off hair and hats
BONE_WIDTH = 0.01  # pixels within this width of a visible bone are foreground
SMOOTHING = 0.004  # half-width of the median filter that removes notches and threads
MIN_AGREEMENT = 0.8  # IoU with the model's mask; below it GrabCut followed the wrong edge
ALPHA_AGREEMENT = 0.5  # IoU above which an alpha channel shows this person alone
SOFT_RADIUS = 3  # px of the photo: half-width of the soft edge
SOFT_EPSILON = 1e-4  # regularisation of the guided filter, squared sRGB: edges weaker than 0.01 are smoothed over
ALPHA_REACH, FOREGROUND_REACH = 0.03, 0.12  # from the model's mask: what lies farther away is another person
REMBG_MODEL = "u2net_human_seg"
TORSO = (11, 12, 24, 23)
SKELETON = (
    *((11, 12), (11, 23), (12, 24), (23, 24), (23, 25), (25, 27), (24, 26), (26, 28), (27, 31), (28, 32)),
    *((11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20), (0, 7), (0, 8)),
)


def person_mask(
    image: Float[Tensor, "3 h w"], alpha: Float[Tensor, "h w"] | None, person: Person, masker: Masker = "mediapipe"
) -> Float[Tensor, "h w"]:
    """Return the person's mask in [0, 1]: the photo's own alpha channel if it has one, else from the masker.

    An alpha channel or a foreground mask that shows several people is restricted to the surroundings of this one.

    Args:
        image: sRGB in [0, 1].
        alpha: the photo's alpha channel in [0, 1], if it has one.
        person: the detected person, with the landmark model's mask.
        masker: "mediapipe" refines the landmark model's mask (`refine_mask`); "rembg" segments the foreground.

    Raises:
        MissingAsset: the masker is not installed, or its model cannot be downloaded.
    """
    reach = ALPHA_REACH
    if alpha is None and masker == "rembg":
        alpha, reach = segment_foreground(image), FOREGROUND_REACH
    if alpha is None:
        return refine_mask(image, person)
    if _iou((person.mask > 0.5).numpy(), (alpha > 0.5).numpy()) >= ALPHA_AGREEMENT:
        return alpha
    kernel = 2 * round(reach * max(person.box[3] - person.box[1], 1)) + 1
    surroundings = cv2.dilate(person.mask.numpy(), np.ones((kernel, kernel), np.uint8))
    return alpha * torch.from_numpy(cv2.blur(surroundings, (kernel, kernel)))


def segment_foreground(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
    """Return rembg's foreground mask in [0, 1] (U²-Net, Qin et al. 2020): people and whatever else is in front.

    Args:
        image: sRGB in [0, 1].

    Raises:
        MissingAsset: rembg is not installed, or cannot download its model.
    """
    try:
        from rembg import new_session, remove  # type: ignore[import-not-found, unused-ignore]  # an optional package
    except ImportError as error:
        raise MissingAsset(f"--masker rembg needs rembg ({error}).\nInstall it: pip install 'sherf[rembg]'") from error
    pixels = to_uint8(image)
    try:
        mask = remove(pixels, session=new_session(REMBG_MODEL), only_mask=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingAsset(
            f"rembg cannot be used: {error}.\n"
            "It downloads its model on first use: check the network connection, or use --masker mediapipe."
        ) from error
    return torch.from_numpy(np.asarray(mask, np.float32).reshape(pixels.shape[:2]) / 255)


def refine_mask(image: Float[Tensor, "3 h w"], person: Person) -> Float[Tensor, "h w"]:
    """Snap the mask's outline to the photo's edges: GrabCut (Rother et al. 2004) in a band, then a guided filter.

    Where GrabCut disagrees strongly with the model's mask, the largest connected part of that mask is softened instead.

    Args:
        image: sRGB in [0, 1].
        person: with the model's mask, whose outline is accurate to about 1 % of the person's height.

    Returns:
        Coverage of each pixel of the photo by the person, in [0, 1].
    """
    height = max(person.box[3] - person.box[1], person.box[2] - person.box[0])
    x0, y0, x1, y1 = _surroundings(person, MARGIN * height)
    if min(x1 - x0, y1 - y0) < 8 or not bool((person.mask > 0.5).any()):
        return person.mask
    full = to_uint8(image[:, y0:y1, x0:x1])
    scale = min(1.0, GRABCUT_SIDE / max(full.shape[:2]))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    pixels = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(person.mask[y0:y1, x0:x1].cpu().numpy(), size, interpolation=cv2.INTER_AREA)
    skeleton = _Skeleton(
        points=(person.landmarks.cpu().numpy() - (x0, y0)) * scale,
        is_visible=person.visibility.cpu().numpy() > 0.5,
        height=height * scale,
    )
    coarse = _main_component(soft > 0.5, skeleton)
    refined = _main_component(_grab_cut(pixels, coarse, soft > CERTAIN, skeleton), skeleton)
    if _iou(refined, coarse) < MIN_AGREEMENT:
        refined = coarse
    sharp = cv2.resize(refined.astype(np.float32), full.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    mask = torch.zeros_like(person.mask)
    mask[y0:y1, x0:x1] = torch.from_numpy(_soften(full, sharp, max(SOFT_RADIUS, round(1.5 / scale))))
    return mask


@dataclass(frozen=True)
class _Skeleton:
    """The person's landmarks in the image that GrabCut sees."""

    points: Float[np.ndarray, "33 2"]
    """BlazePose's landmarks, px."""
    is_visible: Bool[np.ndarray, "33"]
    height: float
    """Height of the person, px."""

    def pixels(self, share: float) -> int:
        """Return a share of the person's height in whole pixels, at least one."""
        return max(1, round(share * self.height))

    def draw(self, size: tuple[int, int], width: float) -> Bool[np.ndarray, "h w"]:
        """Return the pixels on visible bones; `width` is a share of the height."""
        canvas = np.zeros(size, np.uint8)
        corners = self.points.round().clip(-9999, 9999).astype(np.int32)
        for start, end in SKELETON:
            if self.is_visible[start] and self.is_visible[end]:
                cv2.line(canvas, corners[start].tolist(), corners[end].tolist(), 1, self.pixels(width))
        return canvas > 0


def _surroundings(person: Person, margin: float) -> tuple[int, int, int, int]:
    """Return the person's box with a margin, x0, y0, x1, y1 in whole pixels inside the image."""
    height, width = person.mask.shape
    x0, y0, x1, y1 = person.box
    low = (max(0, int(x0 - margin)), max(0, int(y0 - margin)))
    return (*low, min(width, int(np.ceil(x1 + margin))), min(height, int(np.ceil(y1 + margin))))


def _grab_cut(
    pixels: UInt8[np.ndarray, "h w 3"],
    coarse: Bool[np.ndarray, "h w"],
    certain: Bool[np.ndarray, "h w"],
    skeleton: _Skeleton,
) -> Bool[np.ndarray, "h w"]:
    """Return the coarse mask with its outline decided by colour, in a band around it."""
    size = (coarse.shape[0], coarse.shape[1])
    # cv2.erode counts what lies outside the image as foreground: a mask cropped by the border stays closed there.
    core = _erode(coarse, skeleton.pixels(BAND_INSIDE)) | certain | (skeleton.draw(size, BONE_WIDTH) & coarse)
    reach = _dilate(coarse, skeleton.pixels(BAND_OUTSIDE))
    head = np.zeros(size, np.uint8)
    centre, radius = skeleton.points[[7, 8]].mean(axis=0), skeleton.pixels(0.13)
    if skeleton.is_visible[[7, 8]].any():
        cv2.circle(head, centre.round().astype(int).tolist(), radius, 1, -1)
        reach |= _dilate(coarse, skeleton.pixels(HEAD_BAND)) & (head > 0)
    labels = np.full(size, cv2.GC_BGD, dtype=np.uint8)
    labels[reach] = cv2.GC_PR_BGD
    labels[coarse] = cv2.GC_PR_FGD
    labels[core] = cv2.GC_FGD
    if not (labels == cv2.GC_BGD).any() or not core.any():
        return coarse
    cv2.setRNGSeed(0)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # colour models, which OpenCV fills
    no_rectangle = (0, 0, 0, 0)
    cv2.grabCut(
        np.ascontiguousarray(pixels), labels, no_rectangle, background, foreground, GRABCUT_ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )  # fmt: skip
    cut = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.medianBlur(cut, 2 * skeleton.pixels(SMOOTHING) + 1) > 0


def _main_component(mask: Bool[np.ndarray, "h w"], skeleton: _Skeleton) -> Bool[np.ndarray, "h w"]:
    """Return the largest connected component on the torso, or the largest of all if none touches the torso."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        return mask
    torso = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(torso, skeleton.points[list(TORSO)].round().clip(-9999, 9999).astype(np.int32), 1)
    on_torso = np.bincount(labels[torso > 0], minlength=count) > 0
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    candidates = areas * on_torso if (areas * on_torso).any() else areas
    return labels == int(candidates.argmax())


def _soften(
    pixels: UInt8[np.ndarray, "h w 3"], mask: Float[np.ndarray, "h w"], radius: int
) -> Float[np.ndarray, "h w"]:
    """Return the mask with a soft edge that follows the image's: guided filter (He et al. 2010) with grey guidance."""
    guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    def mean(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        return cv2.blur(values, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_mask = mean(guide), mean(mask)
    slope = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + SOFT_EPSILON)
    edge = mean(slope) * guide + mean(mean_mask - slope * mean_guide)
    # Raise the contrast about one half: the filter's tails would let the background show through.
    return ((edge - 0.5) * 1.5 + 0.5).clip(0, 1)


def _erode(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    return cv2.erode(mask.astype(np.uint8), _disc(reach)) > 0


def _dilate(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(mask.astype(np.uint8), _disc(reach)) > 0


def _disc(radius: int) -> UInt8[np.ndarray, "d d"]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _iou(a: Bool[np.ndarray, "h w"], b: Bool[np.ndarray, "h w"]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))
