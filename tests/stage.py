"""Synthetic photos of a body with known ground truth."""

import torch

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import intrinsics, look_at, project
from sherf.photo import landmarks as marks
from sherf.photo.detect import Person
from sherf.render.raycast import cast
from sherf.scene import BodyPose, Camera, Subject


def standing(azimuth: float = 0.0) -> BodyPose:
    """Return a pose with lowered arms and slightly bent elbows, rotated by `azimuth` radians about the vertical."""
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
    """Return a smooth, left-right symmetric colour for each vertex."""
    x, y, z = body.v_template.unbind(1)
    return torch.stack([0.5 + 0.4 * torch.sin(4 * y), 0.5 + 0.4 * torch.cos(5 * x), 0.5 + 0.3 * torch.tanh(6 * z)], 1)


def photograph(body: BodyModel, pose: BodyPose, camera: Camera) -> Subject:
    """Render the coloured body before a grey wall, sampled at pixel centres."""
    vertices = body.pose(pose).vertices
    hits = cast(vertices, body.faces, camera)
    colour = body_colour(body)[body.faces[hits.face.clamp_min(0)]].mean(dim=2)
    image = torch.where(hits.hit[..., None], colour, torch.tensor(0.45)).permute(2, 0, 1)
    return Subject(image.contiguous(), hits.hit.float(), camera, pose, body.name)


def observed(body: BodyModel, pose: BodyPose, size: tuple[int, int] = (400, 300)) -> Person:
    """Return what a perfect detector would find of a body in front of the camera."""
    camera = camera_in_front(size)
    mask = photograph(body, pose, camera).mask
    points, _ = marks.body_landmarks(body, pose)
    pixels, _ = project(camera, points)
    in_camera = points @ camera.R.T + camera.T
    landmarks, world = torch.zeros(33, 2), torch.zeros(33, 3)
    for landmark, pixel, point in zip(marks.LANDMARKS, pixels, in_camera, strict=True):
        for index in landmark.blazepose:
            landmarks[index], world[index] = pixel, point
    world = world - world[[23, 24]].mean(0)
    rows, columns = mask.nonzero().unbind(1)
    box = (float(columns.min()), float(rows.min()), float(columns.max()) + 1, float(rows.max()) + 1)
    return Person(box=box, score=1.0, landmarks=landmarks, visibility=torch.ones(33), world=world, mask=mask)
