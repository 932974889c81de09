"""How well a fitted body lies on the person: what report.json says."""

from dataclasses import dataclass

import torch

from sherf.body.model import BodyModel
from sherf.camera import project, resize
from sherf.image import in_frame
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.photo.fit import BodyFit
from sherf.render.raycast import cast

SILHOUETTE_SIDE = 512  # px: masks are compared at this size, smaller photos at their own


@dataclass(frozen=True)
class Scores:
    keypoint_error: float
    """Mean distance of the body's landmarks from the observed ones, % of the body's height in the photo."""
    silhouette_iou: float
    """Overlap of the bare body's silhouette with the mask, intersection over union inside the photo."""
    seen: float
    """Share of the landmarks that are inside the photo and visible."""

    @property
    def verdict(self) -> str:
        """good, usable or poor. Loose clothes and hats alone lower the overlap to about 0.75."""
        if self.keypoint_error <= 3.5 and self.silhouette_iou >= 0.72 and self.seen >= 0.7:
            return "good"
        if self.keypoint_error <= 7.0 and self.silhouette_iou >= 0.55:
            return "usable"
        return "poor"


def score(body: BodyModel, fit: BodyFit, person: Person) -> Scores:
    """Compare a fit with the landmarks and the mask it was made from."""
    points, _ = marks.on_body(body, fit.pose)
    posed = body.pose(fit.pose)
    pixels, _ = project(fit.camera, points)
    vertex_pixels, _ = project(fit.camera, posed.vertices)
    height = float(vertex_pixels[:, 1].max() - vertex_pixels[:, 1].min())
    target, visible = marks.observed(person.landmarks), marks.observed(person.visibility)
    h, w = fit.camera.size
    known = marks.known_on(body)
    counted = in_frame(target, fit.camera.size) & (visible > 0.5) & known
    distance = (pixels - target).norm(dim=-1)
    error = float((distance * counted).sum() / counted.sum().clamp_min(1))

    scale = min(1.0, SILHOUETTE_SIDE / max(h, w))
    size = (max(round(h * scale), 1), max(round(w * scale), 1))
    silhouette = cast(posed.vertices, body.faces, resize(fit.camera, size)).hit
    mask = torch.nn.functional.interpolate(person.mask[None, None], size, mode="area")[0, 0] > 0.5
    union = (silhouette | mask).sum().clamp_min(1)
    return Scores(
        keypoint_error=100 * error / max(height, 1.0) if bool(counted.any()) else 100.0,
        silhouette_iou=float((silhouette & mask).sum() / union),
        seen=float(counted.sum() / known.sum()),
    )
