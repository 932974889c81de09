"""Body and camera estimated from the observed image instead of taken from the data set, as for a user's photo."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput, NoPerson
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.displacement import lay_on_person
from sherf.photo.face_mesh import find_face
from sherf.photo.fit import fit_body
from sherf.scene import BodyPose, Camera, Subject


@dataclass(frozen=True)
class Similarity:
    """Similarity transform between two world spaces: x_target = scale R x_source + T, metres."""

    scale: float
    R: Float[Tensor, "3 3"]
    T: Float[Tensor, "3"]

    def transform_points(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """Map points from the source to the target world."""
        return self.scale * points @ self.R.T + self.T

    def transform_camera(self, camera: Camera) -> Camera:
        """Map a camera of the target world to the source world, where it sees the same image."""
        return replace(camera, R=camera.R @ self.R, T=(camera.R @ self.T + camera.T) / self.scale)


@dataclass(frozen=True)
class EstimatedBody:
    """An observation with the body and camera that were fitted to its image."""

    subject: Subject
    similarity: Similarity
    """From the estimated world to the data set's."""


def estimate_body(subject: Subject, body: BodyModel) -> EstimatedBody:
    """Fit body and camera to an observation's image and mask.

    Args:
        subject: the observation; its own pose and camera serve to align the two worlds only.
        body: the model to fit.

    Returns:
        The fitted observation and how its world lies in the data set's.

    Raises:
        BadInput: no person was detected in the image.
    """
    image = subject.image * subject.mask + (1 - subject.mask)  # a white background, closer to a photo than black
    try:
        person = choose_person(detect_people(image.clamp(0, 1)))
    except NoPerson as error:
        raise BadInput(f"no person was detected in the observation: {error}") from error
    person = replace(person, mask=subject.mask)
    fit = fit_body(body, person, subject.camera.size, None)
    fit = lay_on_person(body, fit, person, find_face(image.clamp(0, 1), person))
    fitted = replace(subject, camera=fit.camera, pose=fit.pose)
    joints = body.pose(fit.pose).joints, body.pose(subject.pose).joints
    return EstimatedBody(fitted, similarity_between(*joints))


def similarity_between(source: Float[Tensor, "point 3"], target: Float[Tensor, "point 3"]) -> Similarity:
    """Return the least-squares similarity from source to target points (Umeyama 1991), never a reflection."""
    a, b = source.double(), target.double()
    source_centred, target_centred = a - a.mean(dim=0), b - b.mean(dim=0)
    U, singular_values, Vh = torch.linalg.svd(target_centred.T @ source_centred)
    signs = torch.ones(3, dtype=U.dtype)
    signs[2] = torch.sign(torch.linalg.det(U @ Vh))
    R = U @ torch.diag(signs) @ Vh
    scale = float((singular_values * signs).sum() / source_centred.square().sum())
    T = b.mean(dim=0) - scale * R @ a.mean(dim=0)
    return Similarity(scale, R.float(), T.float())


def repose(estimated: BodyPose, target: BodyPose, body: BodyModel) -> tuple[BodyPose, Similarity]:
    """Put the estimated body shape into the target's pose.

    Args:
        estimated: pose whose betas and displacement are kept.
        target: pose whose joint rotations, root rotation and translation are taken.
        body: the model of both.

    Returns:
        The new pose, and the similarity from it to the target, which restores the target's height.
    """
    pose = replace(target, betas=estimated.betas, displacement=estimated.displacement)
    return pose, similarity_between(body.pose(pose).joints, body.pose(target).joints)
