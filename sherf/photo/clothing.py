"""How far clothes, shoes and hair lie off the surface of the bare body."""

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.skeleton import JOINT_NAMES
from sherf.photo import landmarks as marks

SURFACE_STRIDE = 4  # every fourth vertex is compared with the outline of the mask

# Clothing thickness by joint, millimetres: means over the people that `sherf generate openpeople` makes.
THICKNESS_MM = {
    "pelvis": 18, "spine1": 21, "spine2": 18, "spine3": 15, "neck": 7, "head": 6, "collar": 13, "shoulder": 16,
    "elbow": 12, "wrist": 2, "hand": 0, "hip": 17, "knee": 13, "ankle": 12, "foot": 13,
}  # fmt: skip


def clothing_thickness(weights: Float[Tensor, "vertex 24"]) -> Float[Tensor, " vertex"]:
    """Return the usual distance of clothes from each of a body's vertices, metres.

    Args:
        weights: the vertices' skinning weights.
    """
    of_joint = [THICKNESS_MM[name.removeprefix("left_").removeprefix("right_")] / 1000 for name in JOINT_NAMES]
    return weights @ weights.new_tensor(of_joint)


def clothed_surface(body: BodyModel) -> marks.OffsetVertices:
    """Return every `SURFACE_STRIDE`-th vertex of a body, displaced along its normal by the clothing thickness."""
    indices = torch.arange(0, len(body.v_template), SURFACE_STRIDE)
    normals = vertex_normals(body.v_template, body.faces)
    return marks.OffsetVertices(indices, (clothing_thickness(body.weights)[:, None] * normals)[indices])
