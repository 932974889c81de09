"""The template avatar: density a shell on the clothed body's surface, colour what the photo saw there."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.models.template.clothing import clothed, mesh_laplacian, smooth_normals, stand_off
from sherf.models.template.texture import RIM, fill_smoothly, guarded_depth, guarded_mask, see
from sherf.render.devices import Backend
from sherf.render.raycast import cast
from sherf.scene import OnDevice, PosedBody, Radiance, Subject

SOFTNESS_M = 0.0015  # the shell's density rises over this distance
DENSITY = 1500.0  # 1/m inside: opaque within a few millimetres
REACH_M = 0.008  # the density is nothing further out than this


@dataclass(frozen=True)
class TemplateBank(OnDevice):
    """What the template keeps of a photo."""

    subject: Subject
    stand_off: Float[Tensor, " vertex"]
    """Of the clothed surface from the bare body along the rest pose's normals, metres."""
    surface: Float[Tensor, "vertex 3"]
    """The clothed surface as the photo shows it, world space, metres."""
    facing: Float[Tensor, " vertex"]
    """Cosine between that surface's normals and the direction to the photo's camera."""
    fill: Float[Tensor, "vertex 3"]
    """Colour where neither the photo nor its mirror image saw the surface."""
    layers: Float[Tensor, "5 h w"]
    """The photo, its guarded mask, its guarded depth (metres)."""

    @property
    def made(self) -> tuple[Tensor, ...]:
        """What the model made of the photo."""
        return self.stand_off, self.fill


def encode(subject: Subject, body: BodyModel) -> TemplateBank:
    """Gather from the photo what the template needs. The subject must be posed on this body model."""
    distance = stand_off(body, body.pose(subject.pose), subject)
    unfilled = assemble(subject, body, distance, torch.zeros_like(body.v_template))
    colour, visible = see(unfilled.surface, unfilled.facing, subject.camera, unfilled.layers)
    # The mirror image knows what the photo did not see.
    best = torch.where((visible > visible[body.mirror])[:, None], colour, colour[body.mirror])
    known = (torch.maximum(visible, visible[body.mirror]) - 0.05).clamp_min(0)
    if float(known.max()) <= 0:
        best, known = _mean_colour(subject).expand_as(colour), torch.ones_like(known)
    fill = fill_smoothly(best, known, body.faces, body.v_template, body.weights)
    return replace(unfilled, fill=fill)


def assemble(
    subject: Subject, body: BodyModel, distance: Float[Tensor, " vertex"], fill: Float[Tensor, "vertex 3"]
) -> TemplateBank:
    """Complete a bank from what a saved avatar holds."""
    surface = clothed(body, body.pose(subject.pose), distance)
    camera = subject.camera
    normals = smooth_normals(surface, body.faces, mesh_laplacian(body))
    facing = (normals * F.normalize(camera.position - surface, dim=-1)).sum(-1)
    rim = max(1, round(RIM * camera.size[0]))
    depth = guarded_depth(cast(surface, body.faces, camera).depth, rim)
    layers = torch.cat([subject.image, guarded_mask(subject.mask, rim)[None], depth[None]])
    return TemplateBank(subject, distance, surface, facing, fill, layers)


def _mean_colour(subject: Subject) -> Float[Tensor, " 3"]:
    """Mean colour of the person: all that is left when the body lies beside the mask."""
    return (subject.image * subject.mask).sum((1, 2)) / subject.mask.sum().clamp_min(1e-6)


class TemplateField:
    """Radiance of a template avatar in one pose."""

    reach = REACH_M

    def __init__(self, bank: TemplateBank, body: BodyModel, posed: PosedBody, backend: Backend):
        self.bank, self.body = bank, body
        self.vertices = clothed(body, posed, bank.stand_off)
        self.surface = backend.surface(self.vertices, body.faces)

    def __call__(self, points: Float[Tensor, "point 3"], directions: Float[Tensor, "point 3"]) -> Radiance:
        """Return density and colour at world points; nothing depends on the direction."""
        nearest = self.surface.nearest(points)
        density = DENSITY * torch.sigmoid(-nearest.distance / SOFTNESS_M)
        density = torch.where(nearest.distance < REACH_M, density, 0.0)
        corners = self.body.faces[nearest.face]
        colour, seen = self._see(corners, nearest.barycentric)
        mirrored, mirror_seen = self._see(self.body.mirror[corners], nearest.barycentric)
        fill = torch.einsum("pk,pkc->pc", nearest.barycentric, self.bank.fill[corners])
        rest = torch.lerp(fill, mirrored, mirror_seen[:, None])
        return Radiance(density, torch.lerp(rest, colour, seen[:, None]), seen)

    def _see(self, corners: Tensor, barycentric: Tensor) -> tuple[Tensor, Tensor]:
        bank = self.bank
        points = torch.einsum("pk,pkc->pc", barycentric, bank.surface[corners])
        facing = (barycentric * bank.facing[corners]).sum(-1)
        return see(points, facing, bank.subject.camera, bank.layers)
