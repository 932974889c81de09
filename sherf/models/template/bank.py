"""The feature bank of the template: the clothed surface, the photo as its texture, and a fill for unseen parts."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.models.template.clothing import clothed, estimate_displacement, mesh_laplacian, smooth_normals
from sherf.models.template.texture import RIM, erode_mask, fill_smoothly, sample_photo
from sherf.render.raycast import occluder_depth
from sherf.scene import OnDevice, Subject

FAR_M = 1e4
"""Depth of the background, metres."""


@dataclass(frozen=True)
class TemplateBank(OnDevice):
    """The template's features of a photo."""

    subject: Subject
    displacement: Float[Tensor, " vertex"]
    """Normal displacement of the clothed surface from the bare body in the rest pose, metres."""
    surface: Float[Tensor, "vertex 3"]
    """The clothed surface in the photo's pose, world space, metres."""
    facing: Float[Tensor, " vertex"]
    """Cosine between that surface's normals and the direction to the photo's camera."""
    fill: Float[Tensor, "vertex 3"]
    """Colour where neither a point nor its mirror image is visible in the photo."""
    layers: Float[Tensor, "5 h w"]
    """The photo (3), its eroded mask, and the surface's depth with a margin (metres)."""

    @property
    def encoded(self) -> tuple[Tensor, ...]:
        """The tensors that the model computed from the photo."""
        return self.displacement, self.fill


def encode(subject: Subject, body: BodyModel) -> TemplateBank:
    """Return the bank of a photo. The subject has to be posed on this body model."""
    distance = estimate_displacement(body, body.pose(subject.pose), subject)
    unfilled = assemble(subject, body, distance, torch.zeros_like(body.v_template))
    colour, visible = sample_photo(unfilled.surface, unfilled.facing, subject.camera, unfilled.layers)
    # Use the mirror vertex where it is more visible.
    best = torch.where((visible > visible[body.mirror])[:, None], colour, colour[body.mirror])
    known = (torch.maximum(visible, visible[body.mirror]) - 0.05).clamp_min(0)
    if float(known.max()) <= 0:
        best, known = _mean_colour(subject).expand_as(colour), torch.ones_like(known)
    fill = fill_smoothly(best, known, body.faces, body.v_template, body.weights)
    return replace(unfilled, fill=fill)


def assemble(
    subject: Subject, body: BodyModel, distance: Float[Tensor, " vertex"], fill: Float[Tensor, "vertex 3"]
) -> TemplateBank:
    """Return a bank from the tensors that a saved avatar stores.

    Args:
        subject: the observation.
        body: the body model.
        distance: normal displacement of the clothed surface, metres.
        fill: colour of the unseen parts.
    """
    surface = clothed(body, body.pose(subject.pose), distance)
    camera = subject.camera
    normals = smooth_normals(surface, body.faces, mesh_laplacian(body))
    facing = (normals * F.normalize(camera.position - surface, dim=-1)).sum(-1)
    rim = max(1, round(RIM * camera.size[0]))
    depth = occluder_depth(surface, body.faces, camera, rim, FAR_M)
    layers = torch.cat([subject.image, erode_mask(subject.mask, rim)[None], depth[None]])
    return TemplateBank(subject, distance, surface, facing, fill, layers)


def _mean_colour(subject: Subject) -> Float[Tensor, " 3"]:
    """Return the person's mean colour: the fallback when the body lies beside the mask."""
    return (subject.image * subject.mask).sum((1, 2)) / subject.mask.sum().clamp_min(1e-6)
