"""Complete a bank so that the avatar covers what the photo's mask shows: raise the surface, then add a layer."""

import scipy.sparse as sp
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.sparse.linalg import spsolve
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.mesh_graph import neighbour_mean
from sherf.camera.pinhole import camera_rays, project, resize
from sherf.models.mask_outline import distance_to_outline
from sherf.models.surface.field import SurfaceField
from sherf.models.surface.tables import SurfaceTables
from sherf.models.surface.uncovered import OwnImage
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import Camera, Subject

CELL_M = 0.0055
"""About the size of the pixels at which the avatar is compared with its photo, metres."""
MAX_RAISED_M = 0.035
"""Matter further off the surface becomes a layer, metres."""
STIFFNESS, PRIOR = 4.0, 0.02
"""Weights of smoothness, and of no change, beside the outline's evidence."""


def raise_surface(tables: SurfaceTables, body: BodyModel) -> Float[Tensor, " vertex"]:
    """Return by how much each vertex of the clothed surface is to be raised to reach the mask's outline, metres.

    Args:
        tables: of the bank.
        body: the body model.
    """
    bank = tables.bank
    clothed = tables.clothed(bank.vertices, vertex_normals(bank.vertices, body.faces))
    weight, distance = distance_to_outline(clothed.cpu(), body.faces.cpu(), bank.subject.to("cpu"))
    weight = weight * (distance < MAX_RAISED_M)
    count = len(clothed)
    laplacian = sp.eye(count) - neighbour_mean(body.faces.cpu().numpy(), count)
    system = sp.diags(weight + PRIOR) + STIFFNESS * (laplacian.T @ laplacian)
    raised = spsolve(system.tocsc(), weight * distance)
    return torch.from_numpy(raised.clip(0, MAX_RAISED_M)).float().to(clothed.device)


def own_image(field: SurfaceField, subject: Subject, clothed: Float[Tensor, "vertex 3"]) -> OwnImage:
    """Return the avatar beside its photo, through the photo's camera, on the CPU.

    Args:
        field: in the photo's pose.
        subject: the observation.
        clothed: the clothed surface in the photo, world space, metres.
    """
    depth = float(project(subject.camera, clothed)[1].median())
    scale = min(1.0, depth / float(subject.camera.K[0, 0]) / CELL_M)
    h, w = (max(8, round(n * scale)) for n in subject.camera.size)
    camera = resize(subject.camera, (h, w))
    frame = field.render(camera).to("cpu")
    mask = F.interpolate(subject.mask[None, None], (h, w), mode="area")[0, 0].cpu()
    camera = camera.to("cpu")
    return OwnImage(camera, mask, frame.opacity, frame.depth, _half_thickness(clothed.cpu(), field.body, camera))


def _half_thickness(clothed: Float[Tensor, "vertex 3"], body: BodyModel, camera: Camera) -> Float[Tensor, "h w"]:
    """Return half the distance between the first and the last surface along each pixel's ray, metres."""
    rays = camera_rays(camera)
    along = (rays.directions @ camera.R[2]).reshape(camera.size)
    far = 2 * float(project(camera, clothed)[1].max())
    scene = mesh_scene(clothed, body.faces)
    ends = rays.origins + far * rays.directions
    forwards, backwards = (
        torch.from_numpy(scene.cast_rays(as_open3d(torch.cat([origins, directions], dim=1)))["t_hit"].numpy())
        for origins, directions in ((rays.origins, rays.directions), (ends, -rays.directions))
    )
    thickness = (far - backwards - forwards).reshape(camera.size)
    return torch.where(thickness.isfinite(), thickness / 2 * along, 0.0)
