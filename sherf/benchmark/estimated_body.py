"""Body and camera from the picture instead of the data set: what a user's photo has to go through."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput, NoPerson
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.fit import fit_body
from sherf.scene import BodyPose, Camera, Subject


@dataclass(frozen=True)
class Similarity:
    """true = scale R estimated + T, world space."""

    scale: float
    R: Float[Tensor, "3 3"]
    T: Float[Tensor, "3"]

    def carry(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
        """Estimated points where they lie in the true world."""
        return self.scale * points @ self.R.T + self.T

    def seen_by(self, camera: Camera) -> Camera:
        """The camera that shows the estimated world as `camera` shows the true one."""
        return replace(camera, R=camera.R @ self.R, T=(camera.R @ self.T + camera.T) / self.scale)


@dataclass(frozen=True)
class Estimate:
    """The observation as a photo's fit sees it."""

    subject: Subject
    similarity: Similarity


def estimate(subject: Subject, body: BodyModel) -> Estimate:
    """Fit body and camera to an observation whose own are only used to compare; the mask is kept.

    Raises:
        BadInput: nobody is found in the picture.
    """
    picture = subject.image * subject.mask + (1 - subject.mask)  # people before a wall, as photos show them
    try:
        person = choose_person(detect_people(picture.clamp(0, 1)))
    except NoPerson as error:
        raise BadInput(f"nobody is found in the observation: {error}") from error
    person = replace(person, mask=subject.mask)
    fit = fit_body(body, person, subject.camera.size, None)
    fitted = replace(subject, camera=fit.camera, pose=fit.pose)
    joints = body.pose(fit.pose).joints, body.pose(subject.pose).joints
    return Estimate(fitted, similarity_between(*joints))


def similarity_between(source: Float[Tensor, "point 3"], target: Float[Tensor, "point 3"]) -> Similarity:
    """The similarity that brings points nearest to others in the mean square (Umeyama 1991)."""
    a, b = source.double(), target.double()
    centred, wanted = a - a.mean(dim=0), b - b.mean(dim=0)
    U, stretch, Vh = torch.linalg.svd(wanted.T @ centred)
    handed = torch.ones(3, dtype=U.dtype)
    handed[2] = torch.sign(torch.linalg.det(U @ Vh))
    R = U @ torch.diag(handed) @ Vh
    scale = float((stretch * handed).sum() / centred.square().sum())
    T = b.mean(dim=0) - scale * R @ a.mean(dim=0)
    return Similarity(scale, R.float(), T.float())


def driven(estimated: BodyPose, target: BodyPose, body: BodyModel) -> tuple[BodyPose, Similarity]:
    """The target's pose on the estimated shape, and how that lies to the target, which alone tells its height."""
    pose = replace(target, betas=estimated.betas)
    return pose, similarity_between(body.pose(pose).joints, body.pose(target).joints)
