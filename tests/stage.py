"""A photo of the open body whose truth is known."""

import torch

from sherf.body.model import BodyModel
from sherf.camera import intrinsics, look_at
from sherf.render.raycast import cast
from sherf.scene import BodyPose, Camera, Subject


def standing(azimuth: float = 0.0) -> BodyPose:
    """Arms lowered and elbows bent a little, turned by `azimuth` radians about the vertical."""
    joints = torch.zeros(24, 3)
    joints[0, 1] = azimuth
    joints[16, 2], joints[17, 2] = -1.0, 1.0
    joints[18, 1], joints[19, 1] = -0.3, 0.3
    joints[1, 0], joints[4, 0] = -0.3, 0.35
    return BodyPose(torch.zeros(10), joints, torch.eye(3), torch.zeros(3))


def camera_in_front(size: tuple[int, int] = (320, 240)) -> Camera:
    R, T = look_at(torch.tensor([0.0, 0.1, 3.2]), torch.tensor([0.0, -0.2, 0.0]))
    return Camera(intrinsics(1.35 * size[0], size), R, T, size)


def body_colour(body: BodyModel) -> torch.Tensor:
    """A smooth, left-right symmetric colour of each vertex."""
    x, y, z = body.v_template.unbind(1)
    return torch.stack([0.5 + 0.4 * torch.sin(4 * y), 0.5 + 0.4 * torch.cos(5 * x), 0.5 + 0.3 * torch.tanh(6 * z)], 1)


def photograph(body: BodyModel, pose: BodyPose, camera: Camera) -> Subject:
    """A picture of the coloured body on a grey wall, exact to the pixel's centre."""
    vertices = body.pose(pose).vertices
    hits = cast(vertices, body.faces, camera)
    colour = body_colour(body)[body.faces[hits.face.clamp_min(0)]].mean(dim=2)
    image = torch.where(hits.hit[..., None], colour, torch.tensor(0.45)).permute(2, 0, 1)
    return Subject(image.contiguous(), hits.hit.float(), camera, pose, body.name)
