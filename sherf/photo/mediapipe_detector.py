"""MediaPipe's person detector, pose_detection.tflite (Bazarevsky et al. 2020), run and decoded.

Follows MediaPipe's graph pose_detection_cpu.pbtxt: letterboxed 224 x 224 input, SSD anchors, sigmoid scores,
weighted non-maximum suppression. Pixel coordinates have (0, 0) at the image's top-left corner.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

from sherf.photo.affine_warp import warp_affine
from sherf.photo.mediapipe_model import load_model

INPUT_SIDE = 224
ANCHOR_STRIDES = (8, 16, 32, 32, 32)  # two anchors per cell and layer: aspect ratio 1 and the interpolated scale
SCORE_LOGIT_LIMIT = 100.0
SAME_PERSON_IOU = 0.3


@dataclass(frozen=True)
class Candidate:
    """A possible person, to be verified by the landmark model."""

    score: float
    """Confidence in [0, 1]."""
    hips: Float[np.ndarray, "2"]
    """Centre of the hips, px."""
    circle: Float[np.ndarray, "2"]
    """Point on the circle about the hips that encloses the body, above the head of an upright person, px."""


def find_candidates(
    image: UInt8[np.ndarray, "h w 3"], window: tuple[float, float, float, float], threshold: float = 0.5
) -> list[Candidate]:
    """Detect people in a window of an image, best first.

    Args:
        image: sRGB.
        window: x0, y0, x1, y1, px.
        threshold: least score.

    Returns:
        Candidates in the pixels of the image.

    Raises:
        MissingAsset: the model's file or ai-edge-litert is missing.
    """
    x0, y0, x1, y1 = window
    side = max(x1 - x0, y1 - y0)
    corner = np.array([(x0 + x1 - side) / 2, (y0 + y1 - side) / 2])
    raw_boxes, raw_scores = load_model("pose/pose_detection.tflite").run(_letterbox(image, window, corner, side))
    logits = raw_scores[0, :, 0].clip(-SCORE_LOGIT_LIMIT, SCORE_LOGIT_LIMIT)
    scores = 1 / (1 + np.exp(-logits.astype(np.float64)))
    keep = scores >= threshold
    points = _decode(raw_boxes[0][keep], anchors()[keep])
    merged = weighted_suppression(points, scores[keep])
    return [Candidate(s, corner + p[2] * side, corner + p[3] * side) for p, s in merged]


@cache
def anchors() -> Float[np.ndarray, "2254 2"]:
    """Return the centres (x, y) of the detector's anchors in [0, 1], in the order of its outputs."""
    layers = []
    for stride in ANCHOR_STRIDES:
        cells = INPUT_SIDE // stride
        ticks = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(ticks, ticks, indexing="ij")
        layers.append(np.stack([x, y], axis=-1).reshape(-1, 2).repeat(2, axis=0))
    # Layers of equal stride are interleaved: all anchors of a cell are adjacent.
    by_stride = [*layers[:2], layers[2].reshape(-1, 2, 2).repeat(3, axis=0).reshape(-1, 2)]
    return np.concatenate(by_stride)


def weighted_suppression(
    points: Float[np.ndarray, "box 6 2"], scores: Float[np.ndarray, " box"]
) -> list[tuple[Float[np.ndarray, "6 2"], float]]:
    """Merge overlapping boxes into their score-weighted mean (BlazeFace, Bazarevsky et al. 2019, section 4).

    Args:
        points: of each box, the top-left and bottom-right corners and the four keypoints.
        scores: confidence in [0, 1].

    Returns:
        Merged points with the best score of each group, best first.
    """
    rest = np.argsort(-scores, kind="stable")
    groups: list[tuple[Float[np.ndarray, "6 2"], float]] = []
    while len(rest):
        overlap = box_iou(points[rest[0], :2], points[rest, :2])
        group = rest[(overlap > SAME_PERSON_IOU) | (np.arange(len(rest)) == 0)]
        weights = scores[group] / scores[group].sum()
        groups.append((np.einsum("b,bpc->pc", weights, points[group]), float(scores[group[0]])))
        rest = np.setdiff1d(rest, group, assume_unique=True)
        rest = rest[np.argsort(-scores[rest], kind="stable")]
    return groups


def box_iou(box: Float[np.ndarray, "2 2"], boxes: Float[np.ndarray, "box 2 2"]) -> Float[np.ndarray, " box"]:
    """Return the intersection over union of one box with many; a box is its top-left and bottom-right corner."""
    size = np.minimum(box[1], boxes[:, 1]) - np.maximum(box[0], boxes[:, 0])
    common = size.clip(0).prod(axis=1)
    union = (box[1] - box[0]).prod() + (boxes[:, 1] - boxes[:, 0]).prod(axis=1) - common
    return common / np.maximum(union, 1e-12)


def _decode(raw: Float[np.ndarray, "box 12"], centres: Float[np.ndarray, "box 2"]) -> Float[np.ndarray, "box 6 2"]:
    """Return corners and keypoints of the boxes in [0, 1] of the letterboxed square."""
    values = raw.reshape(-1, 6, 2).astype(np.float64) / INPUT_SIDE
    centre, size = values[:, 0] + centres, values[:, 1]
    corners = np.stack([centre - size / 2, centre + size / 2], axis=1)
    return np.concatenate([corners, values[:, 2:] + centres[:, None]], axis=1)


def _letterbox(
    image: UInt8[np.ndarray, "h w 3"],
    window: tuple[float, float, float, float],
    corner: Float[np.ndarray, "2"],
    side: float,
) -> Float[np.ndarray, "1 224 224 3"]:
    """Return the window centred in a black square, as the detector's input in [-1, 1]."""
    x0, y0, x1, y1 = (round(v) for v in window)
    scale = INPUT_SIDE / side
    offset = (np.array([x0, y0]) - corner) * scale
    matrix = np.array([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]])
    square = warp_affine(image[y0:y1, x0:x1], matrix, (INPUT_SIDE, INPUT_SIDE))
    return square[None].astype(np.float32) / 127.5 - 1
