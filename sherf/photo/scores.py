"""How well a fitted body lies on the person: what report.json says."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.image import in_frame, nearest
from sherf.camera.pinhole import project, resize
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.render.raycast import Hits, cast
from sherf.scene import Camera, PosedBody

SILHOUETTE_SIDE = 512  # px: masks are compared at this size, smaller photos at their own
HIDDEN_BEHIND_M = 0.02  # of a vertex behind the first surface: it is hidden
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
OFF_PERCENT = 6.0  # of the height: a part whose landmarks lie so far from the photo's is not where the photo has it
GOOD_ERROR, USABLE_ERROR, LEAST_ERROR = 3.5, 7.0, 12.0  # % of the height
GOOD_IOU, USABLE_IOU, LEAST_IOU = 0.72, 0.55, 0.35  # loose clothes and hats alone lower it to about 0.75
GOOD_SEEN = 0.7
UNSEEN = 0.3  # mean visibility of a part's landmarks


@dataclass(frozen=True)
class Scores:
    """Of a fit."""

    keypoint_error: float
    """Mean distance of the body's landmarks from the observed ones, % of the body's height in the photo."""
    silhouette_iou: float
    """Overlap of the bare body's silhouette with the mask, intersection over union inside the photo."""
    seen: float
    """Share of the landmarks that are inside the photo and visible."""
    surface_seen: float = 0.0
    """Share of the body's surface that the photo shows: half a body, at best."""
    confidence: dict[str, float] = field(default_factory=dict)
    """Of each part: how visible its landmarks are, 0 to 1."""
    errors: dict[str, float] = field(default_factory=dict)
    """Of each part: how far its visible landmarks are off, % of the body's height."""

    landmarks: dict[str, float] = field(default_factory=dict)
    """Of each landmark, seen or not: how far it is off, likewise."""

    @property
    def verdict(self) -> str:
        """good, usable or poor."""
        if self.keypoint_error <= GOOD_ERROR and self.silhouette_iou >= GOOD_IOU and self.seen >= GOOD_SEEN:
            return "good"
        if self.keypoint_error <= USABLE_ERROR and self.silhouette_iou >= USABLE_IOU:
            return "usable"
        return "poor"

    @property
    def is_hopeless(self) -> bool:
        """Whether the body lies elsewhere than the person."""
        return self.keypoint_error > LEAST_ERROR or self.silhouette_iou < LEAST_IOU

    @property
    def reasons(self) -> list[str]:
        """What speaks against the fit, in words."""
        reasons = [
            f"the body's {part} lies {error:.0f} % of its height off the photo's"
            for part, error in self.errors.items()
            if error > OFF_PERCENT
        ]
        if self.keypoint_error > GOOD_ERROR and not reasons:
            reasons.append(f"landmarks are off by {self.keypoint_error:.1f} % of the height")
        if self.silhouette_iou < GOOD_IOU:
            reasons.append(f"the body's outline overlaps the person's by {self.silhouette_iou:.2f} only")
        if self.seen < GOOD_SEEN:
            hidden = [part for part, confidence in self.confidence.items() if confidence < UNSEEN]
            which = f": {', '.join(hidden)} hidden or cut off" if hidden else ""
            reasons.append(f"only {self.seen:.0%} of the landmarks are seen{which}")
        return reasons


def score(body: BodyModel, fit: BodyFit, person: Person) -> Scores:
    """Compare a fit with the landmarks and the mask it was made from."""
    points, _ = marks.on_body(body, fit.pose)
    posed = body.pose(fit.pose)
    pixels, _ = project(fit.camera, points)
    height = _height_px(body, fit, posed)
    target, visible = marks.observed(person.landmarks), marks.observed(person.visibility)
    h, w = fit.camera.size
    known = marks.known_on(body)
    inside = in_frame(target, fit.camera.size)
    counted = inside & (visible > 0.5) & known
    distance = 100 * (pixels - target).norm(dim=-1) / height
    scale = min(1.0, SILHOUETTE_SIDE / max(h, w))
    size = (max(round(h * scale), 1), max(round(w * scale), 1))
    camera = resize(fit.camera, size)
    silhouette = cast(posed.vertices, body.faces, camera)
    mask = torch.nn.functional.interpolate(person.mask[None, None], size, mode="area")[0, 0] > 0.5
    union = (silhouette.hit | mask).sum().clamp_min(1)
    confidence, errors = {}, {}
    for part, names in PARTS.items():
        own = torch.tensor([marks.INDEX[name] for name in names])
        confidence[part] = round(float((visible * inside)[own].mean()), 3)
        if bool(counted[own].any()):
            errors[part] = round(float(distance[own][counted[own]].mean()), 2)
    return Scores(
        keypoint_error=float(distance[counted].mean()) if bool(counted.any()) else 100.0,
        silhouette_iou=float((silhouette.hit & mask).sum() / union),
        seen=float(counted.sum() / known.sum()),
        surface_seen=_surface_seen(body, camera, posed.vertices, silhouette),
        confidence=confidence,
        errors=errors,
        landmarks={mark.name: float(error) for mark, error in zip(marks.LANDMARKS, distance, strict=True)},
    )


def _height_px(body: BodyModel, fit: BodyFit, posed: PosedBody) -> float:
    """How tall the body would be in the picture if it stood upright where it is, px: the same lying and sitting."""
    _, depth = project(fit.camera, posed.joints[:1])
    return max(float(fit.camera.K[1, 1] / depth[0]) * body.height(fit.pose.betas), 1.0)


def _surface_seen(body: BodyModel, camera: Camera, vertices: Float[Tensor, "vertex 3"], hits: Hits) -> float:
    """Share of the body's area that faces the camera, unhidden, inside the photo."""
    pixels, depth = project(camera, vertices)
    facing = (vertex_normals(vertices, body.faces) * (camera.position - vertices)).sum(dim=1) > 0
    shown = facing & in_frame(pixels, camera.size) & (depth < nearest(hits.depth, pixels) + HIDDEN_BEHIND_M)
    corners = vertices[body.faces]
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1)
    return float((area * shown[body.faces].float().mean(dim=1)).sum() / area.sum())
