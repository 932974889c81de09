"""A body model with SMPL's layout: arrays in, posed bodies out. Differentiable, over free leading frame axes."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.lbs import (
    affine,
    axis_angle_to_matrix,
    blend_transforms,
    joint_transforms,
    transform_points,
)
from sherf.body.skeleton import BIG_POSE, NUM_BETAS, NUM_JOINTS, joint_index
from sherf.scene import BodyPose, OnDevice, PosedBody


@dataclass(frozen=True, eq=False)
class BodyModel(OnDevice):
    """Template, shape space and skinning of a body with SMPL's 24 joints: y up, facing +z, metres, T-pose at rest."""

    name: str
    """Betas belong to one body model: this says which."""
    v_template: Float[Tensor, "vertex 3"]
    """Mean shape in the rest pose."""
    shapedirs: Float[Tensor, "vertex 3 10"]
    """Metres of displacement per unit of each beta."""
    posedirs: Float[Tensor, "vertex 3 207"] | None
    """Metres of displacement per unit of each pose feature; None means zero."""
    J_regressor: Float[Tensor, "24 vertex"]
    """Joint centres as a linear function of the shaped template."""
    weights: Float[Tensor, "vertex 24"]
    """Skinning weights, rows sum to 1."""
    parents: tuple[int, ...]
    """Index of each joint's parent, -1 for the root."""
    faces: Int[Tensor, "face 3"]
    """Vertex indices, counter-clockwise seen from outside."""

    @property
    def device(self) -> torch.device:
        """Where the arrays lie."""
        return self.v_template.device

    @cached_property
    def J_template(self) -> Float[Tensor, "24 3"]:
        """Joint centres of the mean shape."""
        return self.J_regressor @ self.v_template

    @cached_property
    def J_shapedirs(self) -> Float[Tensor, "24 3 10"]:
        """Metres of joint displacement per unit of each beta."""
        return torch.einsum("jv,vck->jck", self.J_regressor, self.shapedirs)

    @cached_property
    def mirror(self) -> Int[Tensor, " vertex"]:
        """For each vertex, the vertex that takes its place when left and right are swapped.

        Exact for a symmetric template; for others the vertex nearest to the mirrored place.
        """
        from scipy.spatial import cKDTree  # a quarter of a second, and most commands mirror nothing

        template = self.v_template.detach().cpu().double().numpy()
        _, nearest = cKDTree(template).query(template * [-1.0, 1.0, 1.0])
        return torch.as_tensor(nearest, dtype=torch.long, device=self.device)

    def rest_pose(self, betas: Float[Tensor, "*frame 10"] | None = None) -> BodyPose:
        """All rotations zero, at the model's own origin, with the mean shape or `betas`."""
        if betas is None:
            betas = self.v_template.new_zeros(NUM_BETAS)
        frame = betas.shape[:-1]
        return BodyPose(
            betas=betas,
            joints=betas.new_zeros(*frame, NUM_JOINTS, 3),
            R_world_body=torch.eye(3, dtype=betas.dtype, device=betas.device).expand(*frame, 3, 3),
            T_world_body=betas.new_zeros(*frame, 3),
        )

    def height(self, betas: Float[Tensor, " shape"]) -> float:
        """From the soles to the crown, upright, metres."""
        heights = self.pose(self.rest_pose(betas)).vertices[:, 1]
        return float(heights.max() - heights.min())

    def big_pose(self) -> BodyPose:
        """The mean shape with its legs apart: the pose of canonical space."""
        rest = self.rest_pose()
        joints = rest.joints.clone()
        for name, rotation in BIG_POSE.items():
            joints[joint_index(name)] = joints.new_tensor(rotation)
        return replace(rest, joints=joints)

    def shaped(self, betas: Float[Tensor, "*frame 10"]) -> Float[Tensor, "*frame vertex 3"]:
        """Vertices of a shape in the rest pose, without pose offsets."""
        return self.v_template + self._offsets(betas)

    def rest_joints(self, betas: Float[Tensor, "*frame 10"]) -> Float[Tensor, "*frame 24 3"]:
        """Joint centres of a shape in the rest pose. Pose offsets do not move joints."""
        return self.J_template + _along(self.J_shapedirs, betas)

    def pose(self, pose: BodyPose) -> PosedBody:
        """Shape, pose and place the body: all vertices."""
        rotations, joints, T_world_rest = self._place(pose)
        offsets = self._offsets(pose.betas)
        if self.posedirs is not None:
            offsets = offsets + _along(self.posedirs, _pose_features(rotations))
        offsets = offsets.expand(*joints.shape[:-2], -1, -1)
        blended = blend_transforms(self.weights, T_world_rest)
        return PosedBody(
            vertices=transform_points(blended, self.v_template + offsets),
            joints=joints,
            T_world_rest=T_world_rest,
            weights=self.weights,
            offsets=offsets,
        )

    def pose_vertices(
        self,
        pose: BodyPose,
        vertex_ids: Int[Tensor, " chosen"],
        offsets: Float[Tensor, "chosen 3"] | None = None,
    ) -> tuple[Float[Tensor, "*frame chosen 3"], Float[Tensor, "*frame 24 3"], Float[Tensor, "*frame 24 4 4"]]:
        """A few vertices, the joints, and the joints' transforms from the rest pose, in world space.

        What `pose` gives, at a price that a fit can pay per step.

        Args:
            offsets: what is added to the vertices in the rest pose, metres; joints stay.
        """
        rotations, joints, T_world_rest = self._place(pose)
        template = self.v_template[vertex_ids]
        template = template if offsets is None else template + offsets
        rest = template + _along(self.shapedirs[vertex_ids], pose.betas)
        if self.posedirs is not None:
            rest = rest + _along(self.posedirs[vertex_ids], _pose_features(rotations))
        return transform_points(blend_transforms(self.weights[vertex_ids], T_world_rest), rest), joints, T_world_rest

    def _offsets(self, betas: Float[Tensor, "*frame 10"]) -> Float[Tensor, "*frame vertex 3"]:
        return _along(self.shapedirs, betas)

    def _place(
        self, pose: BodyPose
    ) -> tuple[Float[Tensor, "*frame 24 3 3"], Float[Tensor, "*frame 24 3"], Float[Tensor, "*frame 24 4 4"]]:
        """Joint rotations, joint centres in world space, and rest -> world transforms."""
        rotations = axis_angle_to_matrix(pose.joints)
        joints_rest = self.rest_joints(pose.betas)
        T_body_rest = joint_transforms(rotations, joints_rest, self.parents)
        T_world_rest = affine(pose.R_world_body, pose.T_world_body)[..., None, :, :] @ T_body_rest
        return rotations, transform_points(T_world_rest, joints_rest), T_world_rest


def _along(
    directions: Float[Tensor, "point 3 coefficient"], coefficients: Float[Tensor, "*frame coefficient"]
) -> Float[Tensor, "*frame point 3"]:
    """Linear combination of displacement fields."""
    return (coefficients @ directions.flatten(end_dim=1).T).unflatten(-1, (-1, 3))


def _pose_features(rotations: Float[Tensor, "*frame 24 3 3"]) -> Float[Tensor, "*frame 207"]:
    """What drives the pose blend shapes (SMPL, Eq. 9): rotations below the root, minus the identity."""
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return (rotations[..., 1:, :, :] - identity).flatten(start_dim=-3)
