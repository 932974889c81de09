"""A body model in SMPL's layout: shape and pose parameters to posed bodies. Differentiable, with free frame axes.

Model: Loper et al., "SMPL: A Skinned Multi-Person Linear Model", 2015.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.body.lbs import affine, blend_transforms, joint_transforms, transform_points
from sherf.body.skeleton import BIG_POSE, NUM_BETAS, NUM_JOINTS, joint_index
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.scene import BodyPose, OnDevice, PosedBody


@dataclass(frozen=True, eq=False)
class BodyModel(OnDevice):
    """Template, shape space and skinning of a body with SMPL's 24 joints: y up, facing +z, metres, T-pose at rest."""

    name: str
    """Identifies the model; betas are only meaningful for the model that they were made for."""
    v_template: Float[Tensor, "vertex 3"]
    """Mean shape in the rest pose."""
    shapedirs: Float[Tensor, "vertex 3 10"]
    """Metres of displacement per unit of each beta."""
    posedirs: Float[Tensor, "vertex 3 207"] | None
    """Metres of displacement per unit of each pose feature; None for zero."""
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
        """Return the device of the arrays."""
        return self.v_template.device

    def to(self, device: torch.device | str) -> "BodyModel":
        """Return the body model on a device: always the same object for a device, so that caches recognise it."""
        device = torch.empty(0, device=device).device  # "cuda" has the number of the current GPU
        if device not in self._copies:
            copy = super().to(device)
            copy.__dict__["_copies"] = self._copies
            self._copies[device] = copy
        return self._copies[device]

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the arrays, without caches and copies on other devices."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _copies(self) -> "dict[torch.device, BodyModel]":
        """Copies on other devices, shared by all of them."""
        return {self.device: self}

    @cached_property
    def J_template(self) -> Float[Tensor, "24 3"]:
        """Return the joint centres of the mean shape in the rest pose, metres."""
        return self.J_regressor @ self.v_template

    @cached_property
    def J_shapedirs(self) -> Float[Tensor, "24 3 10"]:
        """Return the displacement of the joint centres per unit of each beta, metres."""
        return torch.einsum("jv,vck->jck", self.J_regressor, self.shapedirs)

    @cached_property
    def mirror(self) -> Int[Tensor, " vertex"]:
        """Return each vertex's counterpart when left and right are swapped.

        Exact for a symmetric template; for others the vertex nearest to the mirrored position.
        """
        from scipy.spatial import cKDTree  # takes a quarter of a second, and most commands do not need it

        template = self.v_template.detach().cpu().double().numpy()
        _, nearest = cKDTree(template).query(template * [-1.0, 1.0, 1.0])
        return torch.as_tensor(nearest, dtype=torch.long, device=self.device)

    def rest_pose(self, betas: Float[Tensor, "*frame 10"] | None = None) -> BodyPose:
        """Return the rest pose, at the world's origin and unrotated, with the mean shape or with `betas`."""
        if betas is None:
            betas = self.v_template.new_zeros(NUM_BETAS)
        frame = betas.shape[:-1]
        return BodyPose(
            betas=betas,
            joints=betas.new_zeros(*frame, NUM_JOINTS, 3),
            R_world_body=torch.eye(3, dtype=betas.dtype, device=betas.device).expand(*frame, 3, 3),
            T_world_body=betas.new_zeros(*frame, 3),
        )

    def at_rest(self, pose: BodyPose) -> BodyPose:
        """Return the rest pose of a person's own shape, displacement included."""
        return replace(self.rest_pose(pose.betas), displacement=pose.displacement)

    def height(self, betas: Float[Tensor, " shape"]) -> float:
        """Return the height of a shape in the rest pose, from the soles to the crown, metres."""
        heights = self.pose(self.rest_pose(betas)).vertices[:, 1]
        return float(heights.max() - heights.min())

    def big_pose(self) -> BodyPose:
        """Return the mean shape with its legs apart: the pose that defines canonical space."""
        rest = self.rest_pose()
        joints = rest.joints.clone()
        for name, rotation in BIG_POSE.items():
            joints[joint_index(name)] = joints.new_tensor(rotation)
        return replace(rest, joints=joints)

    def rest_vertices(self, betas: Float[Tensor, "*frame 10"]) -> Float[Tensor, "*frame vertex 3"]:
        """Return the vertices of a shape in the rest pose, metres."""
        return self.v_template + self._offsets(betas)

    def rest_joints(self, betas: Float[Tensor, "*frame 10"]) -> Float[Tensor, "*frame 24 3"]:
        """Return the joint centres of a shape in the rest pose, metres. Pose offsets do not move joints."""
        return self.J_template + _combine(self.J_shapedirs, betas)

    def pose(self, pose: BodyPose) -> PosedBody:
        """Shape, pose and place the body; its vertices, joints and transforms are in world space."""
        rotations, joints, T_world_rest = self._place(pose)
        offsets = self._offsets(pose.betas)
        if pose.displacement is not None:
            offsets = offsets + pose.displacement
        if self.posedirs is not None:
            offsets = offsets + _combine(self.posedirs, _pose_features(rotations))
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
        """Pose selected vertices only: as `pose` does, but fast enough for every step of a fit.

        Args:
            pose: one pose, or several with frame axes.
            vertex_ids: indices of the vertices.
            offsets: displacement of these vertices in the rest pose, metres; joints do not move.

        Returns:
            The vertices and the joint centres in world space, metres, and each joint's transform from the rest pose to
            world space.
        """
        rotations, joints, T_world_rest = self._place(pose)
        template = self.v_template[vertex_ids]
        template = template if offsets is None else template + offsets
        rest = template + _combine(self.shapedirs[vertex_ids], pose.betas)
        if pose.displacement is not None:
            rest = rest + pose.displacement[..., vertex_ids, :]
        if self.posedirs is not None:
            rest = rest + _combine(self.posedirs[vertex_ids], _pose_features(rotations))
        return transform_points(blend_transforms(self.weights[vertex_ids], T_world_rest), rest), joints, T_world_rest

    def _offsets(self, betas: Float[Tensor, "*frame 10"]) -> Float[Tensor, "*frame vertex 3"]:
        return _combine(self.shapedirs, betas)

    def _place(
        self, pose: BodyPose
    ) -> tuple[Float[Tensor, "*frame 24 3 3"], Float[Tensor, "*frame 24 3"], Float[Tensor, "*frame 24 4 4"]]:
        """Return joint rotations, joint centres in world space, and transforms from the rest pose to world space."""
        rotations = axis_angle_to_matrix(pose.joints)
        joints_rest = self.rest_joints(pose.betas)
        T_body_rest = joint_transforms(rotations, joints_rest, self.parents)
        T_world_rest = affine(pose.R_world_body, pose.T_world_body)[..., None, :, :] @ T_body_rest
        return rotations, transform_points(T_world_rest, joints_rest), T_world_rest


def _combine(
    directions: Float[Tensor, "point 3 coefficient"], coefficients: Float[Tensor, "*frame coefficient"]
) -> Float[Tensor, "*frame point 3"]:
    """Return the linear combination of displacement fields."""
    return (coefficients @ directions.flatten(end_dim=1).T).unflatten(-1, (-1, 3))


def _pose_features(rotations: Float[Tensor, "*frame 24 3 3"]) -> Float[Tensor, "*frame 207"]:
    """Return the features that drive the pose blend shapes (SMPL, Eq. 9): rotations below the root minus identity."""
    identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return (rotations[..., 1:, :, :] - identity).flatten(start_dim=-3)
