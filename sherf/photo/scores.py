"""Scores of a fit against the detections that it was made from, as report.json gives them."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.image import in_frame, sample_nearest
from sherf.camera.pinhole import project, resize
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.render.raycast import Hits, cast
from sherf.scene import Camera, PosedBody

SILHOUETTE_SIDE = 512  # px: longer side at which silhouettes are compared, unless the photo is smaller
HIDDEN_BEHIND_M = 0.02  # a vertex this far behind the first surface is hidden
PARTS = {
    "head": ("nose", "left_ear", "right_ear"),
    "torso": ("left_shoulder", "right_shoulder", "left_hip", "right_hip"),
    **{
        f"{side} {part}": tuple(f"{side}_{name}" for name in names)
        for side in ("left", "right")
        for part, names in (
            ("arm", ("elbow", "wrist")), ("hand", ("hand",)), ("leg", ("knee", "ankle")), ("foot", ("heel", "toe")),
        )
    },
}  # fmt: skip
OFF_PERCENT = 4.0  # of the height: a part with a larger landmark error is named as misplaced
GOOD_ERROR, USABLE_ERROR, HOPELESS_ERROR = 1.5, 5.0, 12.0  # % of the height; the last before displacement
GOOD_IOU, USABLE_IOU, HOPELESS_IOU = 0.72, 0.55, 0.35  # loose clothes and hats alone lower it to about 0.75
GOOD_SEEN = 0.7
HIDDEN = 0.3  # mean visibility of a part's landmarks below which the part is hidden


@dataclass(frozen=True)
class Scores:
    """Scores of one fit."""

    keypoint_error: float
    """Mean distance of the body's landmarks from the visible detected ones, % of the body's height in the photo."""
    silhouette_iou: float
    """Intersection over union of the bare body's silhouette and the mask, inside the photo."""
    seen: float
    """Share of the landmarks that are inside the photo and visible."""
    surface_seen: float = 0.0
    """Share of the body's surface that the photo shows: at best about half."""
    confidence: dict[str, float] = field(default_factory=dict)
    """By part: mean visibility of its landmarks, in [0, 1]."""
    errors: dict[str, float] = field(default_factory=dict)
    """By part: mean error of its visible landmarks, % of the body's height."""
    landmarks: dict[str, float] = field(default_factory=dict)
    """By landmark, visible or not: its error, % of the body's height."""

    @property
    def verdict(self) -> str:
        """The overall judgement: "good", "usable" or "poor"."""
        if self.keypoint_error <= GOOD_ERROR and self.silhouette_iou >= GOOD_IOU and self.seen >= GOOD_SEEN:
            return "good"
        if self.keypoint_error <= USABLE_ERROR and self.silhouette_iou >= USABLE_IOU:
            return "usable"
        return "poor"

    @property
    def is_hopeless(self) -> bool:
        """Whether the body does not lie on the person at all."""
        return self.keypoint_error > HOPELESS_ERROR or self.silhouette_iou < HOPELESS_IOU

    @property
    def reasons(self) -> list[str]:
        """What is wrong with the fit, one phrase each; empty for a good one."""
        reasons = [
            f"the body's {part} is off by {error:.0f} % of the body's height"
            for part, error in self.errors.items()
            if error > OFF_PERCENT
        ]
        if self.keypoint_error > GOOD_ERROR and not reasons:
            reasons.append(f"the landmarks are off by {self.keypoint_error:.1f} % of the body's height")
        if self.silhouette_iou < GOOD_IOU:
            reasons.append(
                f"the body's silhouette overlaps the mask by only {self.silhouette_iou:.2f} (intersection over union)"
            )
        if self.seen < GOOD_SEEN:
            hidden = [part for part, confidence in self.confidence.items() if confidence < HIDDEN]
            which = f": {', '.join(hidden)} hidden or cut off" if hidden else ""
            reasons.append(f"only {self.seen:.0%} of the landmarks are visible{which}")
        return reasons


def score_fit(body: BodyModel, fit: BodyFit, person: Person) -> Scores:
    """Return the scores of a fit against the landmarks and the mask that it was made from.

    Args:
        body: the body model that was fitted.
        fit: body and camera.
        person: landmarks and mask in the pixels of the photo.
    """
    points = marks.displaced_landmarks(body, fit.pose)
    posed = body.pose(fit.pose)
    pixels, _ = project(fit.camera, points)
    height = _height_px(body, fit, posed)
    target, visibility = marks.from_blazepose(person.landmarks), marks.from_blazepose(person.visibility)
    h, w = fit.camera.size
    available = marks.available_on(body)
    inside = in_frame(target, fit.camera.size)
    counted = inside & (visibility > 0.5) & available
    error = 100 * (pixels - target).norm(dim=-1) / height
    scale = min(1.0, SILHOUETTE_SIDE / max(h, w))
    size = (max(round(h * scale), 1), max(round(w * scale), 1))
    camera = resize(fit.camera, size)
    silhouette = cast(posed.vertices, body.faces, camera)
    mask = torch.nn.functional.interpolate(person.mask[None, None], size, mode="area")[0, 0] > 0.5
    union = (silhouette.hit | mask).sum().clamp_min(1)
    return Scores(
        keypoint_error=float(error[counted].mean()) if bool(counted.any()) else 100.0,
        silhouette_iou=float((silhouette.hit & mask).sum() / union),
        seen=float(counted.sum() / available.sum()),
        surface_seen=_surface_seen(body, camera, posed.vertices, silhouette),
        confidence={
            part: round(float((visibility * inside)[indices].mean()), 3) for part, indices in part_indices().items()
        },
        errors={
            part: round(float(error[indices][counted[indices]].mean()), 2)
            for part, indices in part_indices().items()
            if bool(counted[indices].any())
        },
        landmarks={mark.name: float(value) for mark, value in zip(marks.LANDMARKS, error, strict=True)},
    )


def part_indices() -> dict[str, Int[Tensor, " part_landmark"]]:
    """Return the landmarks of each part."""
    return {part: torch.tensor([marks.INDEX[name] for name in names]) for part, names in PARTS.items()}


def _height_px(body: BodyModel, fit: BodyFit, posed: PosedBody) -> float:
    """Return the height that the body would have in the photo if it stood upright at its position, px."""
    _, depth = project(fit.camera, posed.joints[:1])
    return max(float(fit.camera.K[1, 1] / depth[0]) * body.height(fit.pose.betas), 1.0)


def _surface_seen(body: BodyModel, camera: Camera, vertices: Float[Tensor, "vertex 3"], hits: Hits) -> float:
    """Return the share of the body's area that faces the camera, is not hidden, and is inside the photo."""
    pixels, depth = project(camera, vertices)
    facing = (vertex_normals(vertices, body.faces) * (camera.position - vertices)).sum(dim=1) > 0
    is_shown = facing & in_frame(pixels, camera.size) & (depth < sample_nearest(hits.depth, pixels) + HIDDEN_BEHIND_M)
    corners = vertices[body.faces]
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1)
    return float((area * is_shown[body.faces].float().mean(dim=1)).sum() / area.sum())
