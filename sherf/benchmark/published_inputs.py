"""What the published evaluation gives to a network and scores: resized images, rays cut by the body's box, masks.

Its oddities are kept. Rays go through integer pixel coordinates and are not of unit length: their camera-space z is 1,
so that distances along them are depths. Arrays are NumPy, as in the published code.
"""

from dataclasses import dataclass, replace
from itertools import product

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from sherf.datasets.multiview import View
from sherf.scene import BodyPose, Camera

BODY_BOX_MARGIN_M = 0.05
"""Between the vertices and the body's box, outside whose projection targets are black."""
RAY_BOX_EXTRA_MARGIN_M = 0.01
"""Between the body's box and the larger one that cuts the rays."""
HIT_TOLERANCE_M = 1e-6
SMALLEST_DIRECTION = 1e-8
"""Replaces direction components of 0, by which the distances to the planes are divided."""
PIXEL_CENTRE = 0.5

BOX_FACES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
"""Corners of each face; corners are numbered by the bits (x, y, z), x the highest."""


@dataclass(frozen=True)
class PublishedCamera:
    """An OpenCV camera, x_camera = R x_world + T, metres, whose top-left pixel has its centre at (0, 0)."""

    K: Float[np.ndarray, "3 3"]
    R: Float[np.ndarray, "3 3"]
    T: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class PublishedBoxRays:
    """All rays of an image, in world space, and where they enter and leave a body's box."""

    origins: Float[np.ndarray, "ray 3"]
    directions: Float[np.ndarray, "ray 3"]
    """Not of unit length: their camera-space z is 1."""
    near: Float[np.ndarray, " ray"]
    """In multiples of the direction; 0 where the box is not hit exactly twice."""
    far: Float[np.ndarray, " ray"]
    """In multiples of the direction; 1 where the box is not hit exactly twice."""
    hit: Bool[np.ndarray, " ray"]
    """Whether the ray hits the box exactly twice: the pixels that the published metrics score."""


@dataclass(frozen=True)
class PublishedInputs:
    """One observation and one target, as the published network receives them."""

    observed_image: Float[np.ndarray, "3 h w"]
    """Black outside the person's mask."""
    observed_mask: Float[np.ndarray, "h w"]
    """0 or 1 in the published data sets; the person's share of each pixel in OpenPeople."""
    observed_camera: PublishedCamera
    observed_pose: BodyPose
    observed_vertices: Float[np.ndarray, "vertex 3"]
    """World space, metres."""
    image: Float[np.ndarray, "3 h w"]
    """The target, black outside the person's mask and outside the projection of the body's box."""
    mask: Bool[np.ndarray, "h w"]
    """The person in the target."""
    pose: BodyPose
    vertices: Float[np.ndarray, "vertex 3"]
    """Of the target, world space, metres."""
    camera: PublishedCamera
    rays: PublishedBoxRays


def published_inputs(
    observation: View, target: View, scale: float = 1.0, silhouette_margin: float = BODY_BOX_MARGIN_M
) -> PublishedInputs:
    """Return a pair of views prepared as in the published evaluation.

    Args:
        observation: the view that the network sees.
        target: the view that it predicts.
        scale: the published image_scaling: 1 for 512 x 512 THuman images, 1/2 for ZJU-MoCap, 1/3 for HuMMan.
        silhouette_margin: of the box outside whose projection the target is black, metres; 0 for HuMMan.
    """
    observed_image, observed_mask, observed_camera = _resized(observation, observation.subject.mask > 0, scale)
    image, mask, camera = _resized(_blacken_uncertain_rim(target), target.subject.mask, scale)
    vertices = target.vertices.numpy()
    size = (mask.shape[0], mask.shape[1])
    image = image * box_silhouette(vertices, camera, size, silhouette_margin)
    return PublishedInputs(
        observed_image=observed_image,
        observed_mask=observed_mask,
        observed_camera=observed_camera,
        observed_pose=observation.subject.pose,
        observed_vertices=observation.vertices.numpy(),
        image=image,
        mask=mask != 0,
        pose=target.subject.pose,
        vertices=vertices,
        camera=camera,
        rays=published_box_rays(vertices, camera, size),
    )


def published_camera(camera: Camera, scale: float = 1.0) -> PublishedCamera:
    """Return one of our cameras in the published convention, for an image resized by `scale`.

    K is scaled as in the published code: as if pixel centres stayed on integers, a shift of up to half a pixel.
    """
    K = camera.K.double().numpy().copy()
    K[:2, 2] -= PIXEL_CENTRE
    K[:2] *= scale
    return PublishedCamera(K, camera.R.double().numpy(), camera.T.double().numpy())


def camera_from_published(camera: PublishedCamera, size: tuple[int, int]) -> Camera:
    """Return the camera in our convention, pixel centres at +0.5, for images of `size` (height, width)."""
    K = camera.K.copy()
    K[:2, 2] += PIXEL_CENTRE
    R, T = torch.from_numpy(camera.R).float(), torch.from_numpy(camera.T).float()
    return Camera(torch.from_numpy(K).float(), R, T, size)


def published_box_rays(
    vertices: Float[np.ndarray, "vertex 3"], camera: PublishedCamera, size: tuple[int, int]
) -> PublishedBoxRays:
    """Return an image's rays cut by the box around a body, number for number as the published evaluation does.

    Up to rounding these are the rays that `sherf.render.box` renders. Here NumPy's single precision and the six faces
    of the published code decide which pixels are scored: those whose rays hit exactly two faces, within a tolerance.

    Args:
        vertices: of the body, world space, metres.
        camera: of the image.
        size: (height, width) in pixels; rays are in row-major order.
    """
    origin = (-camera.R.T @ camera.T).astype(np.float32)
    column, row = np.meshgrid(np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32))
    pixels = np.stack([column, row, np.ones_like(column)], axis=-1).reshape(-1, 3)
    points_camera = pixels.astype(np.float64) @ np.linalg.inv(camera.K).T
    points_world = (points_camera - camera.T) @ camera.R
    directions = (points_world - (-camera.R.T @ camera.T)).astype(np.float32)
    directions[directions == 0] = SMALLEST_DIRECTION
    low, high = body_box(vertices)
    bounds = np.stack([low - RAY_BOX_EXTRA_MARGIN_M, high + RAY_BOX_EXTRA_MARGIN_M])
    # where the ray meets each of the six planes, and whether that is within the face
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        t = (bounds[None] - origin) / directions[:, None]
        points = origin + t.reshape(len(directions), 6, 1) * directions[:, None]
    inside = ((points >= bounds[0] - HIT_TOLERANCE_M) & (points <= bounds[1] + HIT_TOLERANCE_M)).all(axis=-1)
    hit = inside.sum(axis=1) == 2
    distance = np.where(inside, t.reshape(-1, 6), np.nan)[hit]
    near, far = np.zeros(len(hit), np.float32), np.ones(len(hit), np.float32)
    near[hit], far[hit] = np.nanmin(distance, axis=1), np.nanmax(distance, axis=1)
    return PublishedBoxRays(np.broadcast_to(origin, directions.shape), directions, near, far, hit)


def body_box(
    vertices: Float[np.ndarray, "vertex 3"], margin: float = BODY_BOX_MARGIN_M
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return the lowest and the highest corner of the axis-aligned box around a body, enlarged by `margin`, metres."""
    return vertices.min(axis=0) - margin, vertices.max(axis=0) + margin


def box_silhouette(
    vertices: Float[np.ndarray, "vertex 3"],
    camera: PublishedCamera,
    size: tuple[int, int],
    margin: float = BODY_BOX_MARGIN_M,
) -> Bool[np.ndarray, "h w"]:
    """Return the pixels that the projection of the body's box covers.

    Args:
        vertices: of the body, world space, metres.
        camera: that the box is projected into.
        size: (height, width) in pixels.
        margin: between the vertices and the box, metres.
    """
    corners = np.array(list(product(*zip(*body_box(vertices, margin), strict=True))))
    projected = (corners @ camera.R.T + camera.T) @ camera.K.T
    pixels = np.round(projected[:, :2] / projected[:, 2:]).astype(np.int32)
    covered = np.zeros(size, np.uint8)
    for face in BOX_FACES:
        cv2.fillPoly(covered, [pixels[list(face)]], 1)
    return covered != 0


def _blacken_uncertain_rim(view: View) -> View:
    """Black out the pixels at the mask's rim that ZJU-MoCap marks as uncertain."""
    if view.uncertain is None:
        return view
    return replace(view, subject=replace(view.subject, image=view.subject.image * ~view.uncertain))


def _resized(
    view: View, visible: Shaped[Tensor, "rows columns"], scale: float
) -> tuple[Float[np.ndarray, "3 h w"], Float[np.ndarray, "h w"], PublishedCamera]:
    """Return the image times `visible`, the mask and the camera, all resized by `scale`."""
    subject = view.subject
    image = (subject.image * visible).permute(1, 2, 0).numpy()
    mask = subject.mask.numpy()
    if scale != 1:
        height, width = (int(n * scale) for n in subject.camera.size)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.moveaxis(image, -1, 0), mask, published_camera(subject.camera, scale)
