"""The person's mask at full resolution: edges of the picture, shape of the model's 256 x 256 mask."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from sherf.camera.image import to_bytes
from sherf.errors import MissingAsset
from sherf.photo.detect import Person
from sherf.photo.options import Masker

WORK_SIDE = 512  # px of the person's surroundings, longer side: bounds the time of GrabCut
ROUNDS = 4  # of GrabCut
MARGIN = 0.08  # of the person's height, around the box: what GrabCut learns the background from
BAND_INSIDE, BAND_OUTSIDE = 0.015, 0.03  # of the person's height from the model's outline: there GrabCut decides
CERTAIN = 0.99  # of the model's mask: above it colour has no say
HEAD_BAND = 0.06  # of the person's height outside the head: hair and hats are what the model cuts
BONE_WIDTH = 0.01  # of the person's height; what lies on a visible bone is the person
FRAYS = 0.004  # of the person's height: finer notches and threads are smoothed away
MIN_AGREEMENT = 0.8  # IoU with the model's mask; below it GrabCut followed the wrong edge
ALPHA_AGREEMENT = 0.5  # IoU above which an alpha channel is this person alone
SOFT_RADIUS = 3  # px of the picture: half-width of the soft edge
SOFT_EPSILON = 1e-4  # of the guided filter, squared sRGB: weaker edges than 0.01 are smoothed over
ALPHA_BEYOND, FOREGROUND_BEYOND = 0.03, 0.12  # of the height: what lies so far off the person found is another's
REMBG_MODEL = "u2net_human_seg"
TORSO = (11, 12, 24, 23)
BONES = (
    *((11, 12), (11, 23), (12, 24), (23, 24), (23, 25), (25, 27), (24, 26), (26, 28), (27, 31), (28, 32)),
    *((11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20), (0, 7), (0, 8)),
)


def person_mask(
    image: Float[Tensor, "3 h w"], alpha: Float[Tensor, "h w"] | None, person: Person, masker: Masker = "mediapipe"
) -> Float[Tensor, "h w"]:
    """The person's mask: the file's own alpha channel if it has one, otherwise what the masker makes of it.

    An alpha channel, or a foreground, that shows several people is cut down to this one.

    Raises:
        MissingAsset: the masker is not installed.
    """
    beyond = ALPHA_BEYOND
    if alpha is None and masker == "rembg":
        alpha, beyond = foreground(image), FOREGROUND_BEYOND
    if alpha is None:
        return refine_mask(image, person)
    near, cut_out = person.mask > 0.5, alpha > 0.5
    if _iou(near.numpy(), cut_out.numpy()) >= ALPHA_AGREEMENT:
        return alpha
    reach = 2 * round(beyond * max(person.box[3] - person.box[1], 1)) + 1
    spread = cv2.dilate(person.mask.numpy(), np.ones((reach, reach), np.uint8))
    return alpha * torch.from_numpy(cv2.blur(spread, (reach, reach)))


def foreground(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
    """What rembg (U²-Net, Qin et al. 2020) cuts out: people with all that they carry, and other things in front.

    Raises:
        MissingAsset: rembg is not installed, or cannot fetch its model.
    """
    try:
        from rembg import new_session, remove
    except ImportError as error:
        raise MissingAsset(f"--masker rembg needs rembg ({error}).\nInstall it: pip install 'sherf[rembg]'") from error
    pixels = to_bytes(image)
    try:
        mask = remove(pixels, session=new_session(REMBG_MODEL), only_mask=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingAsset(
            f"rembg cannot be used: {error}.\nIt fetches its model on first use: is there a connection?"
        ) from error
    return torch.from_numpy(np.asarray(mask, np.float32).reshape(pixels.shape[:2]) / 255)


def refine_mask(image: Float[Tensor, "3 h w"], person: Person) -> Float[Tensor, "h w"]:
    """Move the mask's outline onto the picture's edges: GrabCut (Rother et al. 2004) in a band, then a guided filter.

    Where GrabCut disagrees badly with the model's mask, the model's mask is returned, in one piece.

    Args:
        image: sRGB in [0, 1].
        person: with the model's mask, which is smooth to about 1 % of the person's height.
    """
    height = max(person.box[3] - person.box[1], person.box[2] - person.box[0])
    x0, y0, x1, y1 = _surroundings(person, MARGIN * height)
    if min(x1 - x0, y1 - y0) < 8 or not bool((person.mask > 0.5).any()):
        return person.mask
    full = to_bytes(image[:, y0:y1, x0:x1])
    scale = min(1.0, WORK_SIDE / max(full.shape[:2]))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    pixels = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(person.mask[y0:y1, x0:x1].cpu().numpy(), size, interpolation=cv2.INTER_AREA)
    figure = _Figure(
        points=(person.landmarks.cpu().numpy() - (x0, y0)) * scale,
        seen=person.visibility.cpu().numpy() > 0.5,
        height=height * scale,
    )
    coarse = _main_piece(soft > 0.5, figure)
    refined = _main_piece(_grab_cut(pixels, coarse, soft > CERTAIN, figure), figure)
    if _iou(refined, coarse) < MIN_AGREEMENT:
        refined = coarse
    sharp = cv2.resize(refined.astype(np.float32), full.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    mask = torch.zeros_like(person.mask)
    mask[y0:y1, x0:x1] = torch.from_numpy(_soften(full, sharp, max(SOFT_RADIUS, round(1.5 / scale))))
    return mask


@dataclass(frozen=True)
class _Figure:
    """The skeleton in the reduced surroundings."""

    points: Float[np.ndarray, "33 2"]
    """px."""
    seen: Bool[np.ndarray, "33"]
    height: float
    """Of the person, px."""

    def pixels(self, share: float) -> int:
        """A share of the person's height in whole pixels, at least one."""
        return max(1, round(share * self.height))

    def draw(self, size: tuple[int, int], width: float) -> Bool[np.ndarray, "h w"]:
        """The visible bones; `width` is a share of the height."""
        canvas = np.zeros(size, np.uint8)
        corners = self.points.round().clip(-9999, 9999).astype(np.int32)
        for start, end in BONES:
            if self.seen[start] and self.seen[end]:
                cv2.line(canvas, corners[start].tolist(), corners[end].tolist(), 1, self.pixels(width))
        return canvas > 0


def _surroundings(person: Person, margin: float) -> tuple[int, int, int, int]:
    """The person's box with a margin, in whole pixels inside the image."""
    height, width = person.mask.shape
    x0, y0, x1, y1 = person.box
    low = (max(0, int(x0 - margin)), max(0, int(y0 - margin)))
    return (*low, min(width, int(np.ceil(x1 + margin))), min(height, int(np.ceil(y1 + margin))))


def _grab_cut(
    pixels: UInt8[np.ndarray, "h w 3"],
    coarse: Bool[np.ndarray, "h w"],
    certain: Bool[np.ndarray, "h w"],
    figure: _Figure,
) -> Bool[np.ndarray, "h w"]:
    """The coarse mask with its outline decided by colour, in a band around it."""
    size = coarse.shape
    # cv2.erode counts what lies outside the picture as person: a mask cut by the border stays closed there.
    core = _eroded(coarse, figure.pixels(BAND_INSIDE)) | certain | (figure.draw(size, BONE_WIDTH) & coarse)
    reach = _dilated(coarse, figure.pixels(BAND_OUTSIDE))
    head = np.zeros(size, np.uint8)
    centre, radius = figure.points[[7, 8]].mean(axis=0), figure.pixels(0.13)
    if figure.seen[[7, 8]].any():
        cv2.circle(head, centre.round().astype(int).tolist(), radius, 1, -1)
        reach |= _dilated(coarse, figure.pixels(HEAD_BAND)) & (head > 0)
    labels = np.full(size, cv2.GC_BGD, np.uint8)
    labels[reach] = cv2.GC_PR_BGD
    labels[coarse] = cv2.GC_PR_FGD
    labels[core] = cv2.GC_FGD
    if not (labels == cv2.GC_BGD).any() or not core.any():
        return coarse
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(pixels), labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.medianBlur(cut, 2 * figure.pixels(FRAYS) + 1) > 0


def _main_piece(mask: Bool[np.ndarray, "h w"], figure: _Figure) -> Bool[np.ndarray, "h w"]:
    """The largest connected piece on the torso, or the largest of all where none is there."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        return mask
    torso = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(torso, figure.points[list(TORSO)].round().clip(-9999, 9999).astype(np.int32), 1)
    on_torso = np.bincount(labels[torso > 0], minlength=count) > 0
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    candidates = areas * on_torso if (areas * on_torso).any() else areas
    return labels == int(candidates.argmax())


def _soften(
    pixels: UInt8[np.ndarray, "h w 3"], mask: Float[np.ndarray, "h w"], radius: int
) -> Float[np.ndarray, "h w"]:
    """A soft edge along the picture's own: guided filter (He et al. 2010) by brightness, near the outline only."""
    guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    def mean(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        return cv2.blur(values, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_mask = mean(guide), mean(mask)
    slope = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + SOFT_EPSILON)
    edge = mean(slope) * guide + mean(mean_mask - slope * mean_guide)
    # Contrast around one half is raised: the filter's tails would let the background shine through.
    return ((edge - 0.5) * 1.5 + 0.5).clip(0, 1)


def _eroded(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    return cv2.erode(mask.astype(np.uint8), _disc(reach)) > 0


def _dilated(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(mask.astype(np.uint8), _disc(reach)) > 0


def _disc(radius: int) -> UInt8[np.ndarray, "d d"]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _iou(a: Bool[np.ndarray, "h w"], b: Bool[np.ndarray, "h w"]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))
