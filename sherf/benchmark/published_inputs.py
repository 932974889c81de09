"""What the published evaluation hands to a network and scores: resized pictures, box rays, masks; oddities are kept.

Rays go through integer pixel coordinates and are not of unit length: their camera-space z is 1, so that distances
along them are depths. Arrays are NumPy, as there.
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

BOX_MARGIN_M = 0.05
RAY_BOX_MARGIN_M = 0.01
"""Rays are cut with a box that is larger by this than the body's box."""
HIT_TOLERANCE_M = 1e-6
SMALLEST_DIRECTION = 1e-8
PIXEL_CENTRE = 0.5

FACES = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
"""Of a box whose corners are numbered by (x, y, z) bits, x the highest."""


@dataclass(frozen=True)
class PublishedCamera:
    """A camera with the top-left pixel's centre at (0, 0)."""

    K: Float[np.ndarray, "3 3"]
    R: Float[np.ndarray, "3 3"]
    T: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class BoxRays:
    """All rays of a picture, cut with a body's box."""

    origins: Float[np.ndarray, "ray 3"]
    directions: Float[np.ndarray, "ray 3"]
    near: Float[np.ndarray, " ray"]
    """In units of the direction's length; 0 where the box is not hit exactly twice."""
    far: Float[np.ndarray, " ray"]
    """Likewise; 1 there."""
    hit: Bool[np.ndarray, " ray"]


@dataclass(frozen=True)
class PublishedInputs:
    """One observation and one target, as the published network receives them."""

    observed_image: Float[np.ndarray, "3 h w"]
    """Black outside of the person's mask."""
    observed_mask: Float[np.ndarray, "h w"]
    """0 or 1 in the published data sets; OpenPeople's knows how much of a pixel is the person's."""
    observed_camera: PublishedCamera
    observed_pose: BodyPose
    observed_vertices: Float[np.ndarray, "vertex 3"]
    image: Float[np.ndarray, "3 h w"]
    """The target, masked, and black outside the projection of the body's box."""
    mask: Bool[np.ndarray, "h w"]
    """The target's person."""
    pose: BodyPose
    vertices: Float[np.ndarray, "vertex 3"]
    camera: PublishedCamera
    rays: BoxRays


def published_inputs(
    observation: View, target: View, scale: float = 1.0, silhouette_margin: float = BOX_MARGIN_M
) -> PublishedInputs:
    """Prepare a pair of views.

    Args:
        scale: the published image_scaling: 1 for 512 x 512 THuman pictures, 1/2 for ZJU-MoCap, 1/3 for HuMMan.
        silhouette_margin: of the box outside whose projection the target is black, metres; 0 for HuMMan.
    """
    observed_image, observed_mask, observed_camera = _resized(observation, observation.subject.mask > 0, scale)
    image, mask, camera = _resized(_without_rim(target), target.subject.mask, scale)
    vertices = target.vertices.numpy()
    size = mask.shape
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
        rays=box_rays(vertices, camera, size),
    )


def published_camera(camera: Camera, scale: float = 1.0) -> PublishedCamera:
    """K scaled as there: as if pixel centres stayed on whole numbers, a shift of up to half a pixel."""
    K = camera.K.double().numpy().copy()
    K[:2, 2] -= PIXEL_CENTRE
    K[:2] *= scale
    return PublishedCamera(K, camera.R.double().numpy(), camera.T.double().numpy())


def house_camera(camera: PublishedCamera, size: tuple[int, int]) -> Camera:
    """The same camera in our convention, pixel centres at +0.5."""
    K = camera.K.copy()
    K[:2, 2] += PIXEL_CENTRE
    return Camera(*(torch.from_numpy(x).float() for x in (K, camera.R, camera.T)), size)


def box_mask(vertices: Float[np.ndarray, "vertex 3"], camera: Camera) -> Bool[np.ndarray, "h w"]:
    """The pixels that the published metrics score: rays that hit the body's box exactly twice."""
    return box_rays(vertices, published_camera(camera), camera.size).hit.reshape(camera.size)


def box_rays(vertices: Float[np.ndarray, "vertex 3"], camera: PublishedCamera, size: tuple[int, int]) -> BoxRays:
    """Cut a picture's rays with the box around the vertices."""
    origin = (-camera.R.T @ camera.T).astype(np.float32)
    column, row = np.meshgrid(np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32))
    pixels = np.stack([column, row, np.ones_like(column)], axis=-1).reshape(-1, 3)
    seen = pixels.astype(np.float64) @ np.linalg.inv(camera.K).T
    world = (seen - camera.T) @ camera.R
    directions = (world - (-camera.R.T @ camera.T)).astype(np.float32)
    directions[directions == 0] = SMALLEST_DIRECTION
    low, high = body_box(vertices)
    bounds = np.stack([low - RAY_BOX_MARGIN_M, high + RAY_BOX_MARGIN_M])
    # where the ray meets each of the six planes, and whether that is within the face
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        t = (bounds[None] - origin) / directions[:, None]
        points = origin + t.reshape(len(directions), 6, 1) * directions[:, None]
    inside = ((points >= bounds[0] - HIT_TOLERANCE_M) & (points <= bounds[1] + HIT_TOLERANCE_M)).all(axis=-1)
    hit = inside.sum(axis=1) == 2
    distance = np.where(inside, t.reshape(-1, 6), np.nan)[hit]
    near, far = np.zeros(len(hit), np.float32), np.ones(len(hit), np.float32)
    near[hit], far[hit] = np.nanmin(distance, axis=1), np.nanmax(distance, axis=1)
    return BoxRays(np.broadcast_to(origin, directions.shape), directions, near, far, hit)


def body_box(
    vertices: Float[np.ndarray, "vertex 3"], margin: float = BOX_MARGIN_M
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Lowest and highest corner of the box around a body, metres."""
    return vertices.min(axis=0) - margin, vertices.max(axis=0) + margin


def box_silhouette(
    vertices: Float[np.ndarray, "vertex 3"],
    camera: PublishedCamera,
    size: tuple[int, int],
    margin: float = BOX_MARGIN_M,
) -> Bool[np.ndarray, "h w"]:
    """Which pixels the projection of the body's box covers."""
    corners = np.array(list(product(*zip(*body_box(vertices, margin), strict=True))))
    projected = (corners @ camera.R.T + camera.T) @ camera.K.T
    pixels = np.round(projected[:, :2] / projected[:, 2:]).astype(np.int32)
    covered = np.zeros(size, np.uint8)
    for face in FACES:
        cv2.fillPoly(covered, [pixels[list(face)]], 1)
    return covered != 0


def _without_rim(view: View) -> View:
    """ZJU-MoCap's targets are black where the mask's rim is unsure."""
    if view.unsure is None:
        return view
    return replace(view, subject=replace(view.subject, image=view.subject.image * ~view.unsure))


def _resized(
    view: View, shown: Shaped[Tensor, "rows columns"], scale: float
) -> tuple[Float[np.ndarray, "3 h w"], Float[np.ndarray, "h w"], PublishedCamera]:
    """The picture times what is `shown` of it, the mask and the camera at a size."""
    subject = view.subject
    picture = (subject.image * shown).permute(1, 2, 0).numpy()
    mask = subject.mask.numpy()
    if scale != 1:
        height, width = (int(n * scale) for n in subject.camera.size)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.moveaxis(picture, -1, 0), mask, published_camera(subject.camera, scale)
