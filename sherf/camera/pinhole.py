"""Pinhole cameras as pure functions: projection, rays, placement, and paths around a subject.

The world is y-up and metric, cameras are OpenCV (+x right, +y down, +z forward), and the top-left pixel's centre
is (0.5, 0.5). `transforms_json.py` reads and writes camera files.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from sherf.camera.rotations import axis_angle_to_matrix
from sherf.scene import Camera, Rays

MIN_DEPTH = 1e-3
"""Metres. The projection of nearer points, and of those behind the camera, divides by this: finite but meaningless."""


def project(
    camera: Camera, points_world: Float[Tensor, "*any point 3"]
) -> tuple[Float[Tensor, "*view point 2"], Float[Tensor, "*view point"]]:
    """Project world-space points to pixel coordinates.

    Values and gradients are always finite. A point whose depth is not positive lies behind the camera and its pixel
    is meaningless: test `depth > 0` before sampling an image there.

    Args:
        camera: one camera, or several with a view axis.
        points_world: metres; without a view axis they are projected into every view.

    Returns:
        Pixel coordinates (x, y), and the depth along the camera's z axis in metres.
    """
    points = torch.einsum("...ij,...pj->...pi", camera.R, points_world) + camera.T[..., None, :]
    depth = points[..., 2]
    on_plane = points[..., :2] / depth.clamp(min=MIN_DEPTH)[..., None]
    pixels = torch.einsum("...ij,...pj->...pi", camera.K[..., :2, :2], on_plane) + camera.K[..., None, :2, 2]
    return pixels, depth


def pixel_centres(size: tuple[int, int], device: torch.device | None = None) -> Float[Tensor, "pixel 2"]:
    """Return the coordinates (x, y) of all pixel centres of a (height, width) image, row by row."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5


def camera_rays(camera: Camera, pixels: Float[Tensor, "ray 2"] | None = None) -> Rays:
    """Return the world-space rays of a camera through pixels, with unit directions, from 0 to infinity.

    Args:
        camera: one camera without a view axis.
        pixels: coordinates (x, y); by default all pixel centres, row by row.
    """
    if pixels is None:
        pixels = pixel_centres(camera.size, camera.K.device).to(camera.K.dtype)
    on_plane = _on_image_plane(camera, pixels)
    towards = torch.cat([on_plane, torch.ones_like(on_plane[:, :1])], dim=-1)
    directions = normalize(towards @ camera.R, dim=-1)
    near = directions.new_zeros(len(directions))
    return Rays(camera.position.expand_as(directions), directions, near, torch.full_like(near, math.inf))


def _on_image_plane(camera: Camera, pixels: Float[Tensor, "*any point 2"]) -> Float[Tensor, "*view point 2"]:
    """Return camera-space x and y at depth 1 for each pixel; K is upper triangular, possibly with skew."""
    K = camera.K[..., None, :, :]
    y = (pixels[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    x = (pixels[..., 0] - K[..., 0, 2] - K[..., 0, 1] * y) / K[..., 0, 0]
    return torch.stack([x, y], dim=-1)


def intrinsics(
    focal_px: float, size: tuple[int, int], centre: tuple[float, float] | None = None
) -> Float[Tensor, "3 3"]:
    """Return the K of a camera with square pixels.

    Args:
        focal_px: focal length, pixels.
        size: of the image, (height, width) in pixels.
        centre: principal point (x, y), pixels; by default the centre of the image.
    """
    x, y = centre if centre is not None else (size[1] / 2, size[0] / 2)
    return torch.tensor([[focal_px, 0.0, x], [0.0, focal_px, y], [0.0, 0.0, 1.0]])


def look_at(
    eye: Float[Tensor, "*view 3"], target: Float[Tensor, "*view 3"], up: Float[Tensor, "3"] | None = None
) -> tuple[Float[Tensor, "*view 3 3"], Float[Tensor, "*view 3"]]:
    """Return R and T (world to camera, metres) of cameras that see a target at the principal point.

    Args:
        eye: camera centres in world space, metres.
        target: points to look at.
        up: world direction that appears upright, by default +y. A camera that looks straight along it has its upper
            image edge towards -z instead.
    """
    upright = eye.new_tensor([0.0, 1.0, 0.0]) if up is None else up.to(eye)
    forward = normalize(target - eye, dim=-1)
    right = torch.linalg.cross(forward, upright.expand_as(forward))
    along_up = right.norm(dim=-1, keepdim=True) < 1e-4
    instead = torch.linalg.cross(forward, eye.new_tensor([0.0, 0.0, -1.0]).expand_as(forward))
    right = normalize(torch.where(along_up, instead, right), dim=-1)
    R = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)
    return R, -torch.einsum("...ij,...j->...i", R, eye)


def resize(camera: Camera, size: tuple[int, int]) -> Camera:
    """Return the same view for another image size (height, width): K is scaled, each axis on its own."""
    scale = camera.K.new_tensor([size[1] / camera.size[1], size[0] / camera.size[0], 1.0])
    return replace(camera, K=camera.K * scale[:, None], size=size)


def turntable(base: Camera, centre: Float[Tensor, "3"], frames: int, degrees: float = 360.0) -> Camera:
    """Rotate a camera rigidly about the vertical axis through a centre, at constant speed.

    Args:
        base: the camera of frame 0, without a view axis.
        centre: world space, metres.
        frames: number of cameras.
        degrees: the whole angle; the last frame is one step short of it, so that a full circle loops. Positive is
            counter-clockwise seen from above: the camera moves towards the right of its image.

    Returns:
        Cameras with a view axis of length `frames`.
    """
    azimuth = math.radians(degrees) * _phase(base, frames)
    return _rotate_camera(base, centre, azimuth, torch.zeros_like(azimuth))


def rotate_around(base: Camera, centre: Float[Tensor, "3"], azimuth_degrees: float, elevation_degrees: float) -> Camera:
    """Rotate one camera rigidly about a centre.

    Args:
        base: without a view axis.
        centre: world space, metres.
        azimuth_degrees: about the vertical axis; positive moves the camera towards the right of its image.
        elevation_degrees: positive moves the camera upwards.

    Returns:
        One camera without a view axis.
    """
    azimuth, elevation = (base.K.new_tensor([math.radians(x)]) for x in (azimuth_degrees, elevation_degrees))
    return _rotate_camera(base, centre, azimuth, elevation)[0]


def orbit(
    base: Camera,
    centre: Float[Tensor, "3"],
    frames: int,
    azimuth_degrees: float = 25.0,
    elevation_degrees: float = 10.0,
) -> Camera:
    """Swing a camera to both sides about a centre, and twice up and down meanwhile: a lying figure eight that loops.

    Args:
        base: the camera of frame 0, without a view axis.
        centre: world space, metres.
        frames: number of cameras.
        azimuth_degrees: largest angle to each side.
        elevation_degrees: largest angle up and down.

    Returns:
        Cameras with a view axis of length `frames`.
    """
    phase = 2 * math.pi * _phase(base, frames)
    azimuth = math.radians(azimuth_degrees) * phase.sin()
    elevation = math.radians(elevation_degrees) * (2 * phase).sin()
    return _rotate_camera(base, centre, azimuth, elevation)


def _phase(base: Camera, frames: int) -> Float[Tensor, " frame"]:
    """Return a value for each frame: 0 at the first, one step short of 1 at the last."""
    return torch.arange(frames, device=base.K.device, dtype=base.K.dtype) / frames


def _rotate_camera(
    base: Camera, centre: Float[Tensor, "3"], azimuth: Float[Tensor, " frame"], elevation: Float[Tensor, " frame"]
) -> Camera:
    """Return a camera (without a view axis) rotated rigidly about a centre in world space, one view per angle.

    Args:
        base: the camera before its rotations.
        centre: metres.
        azimuth: radians about world +y.
        elevation: radians about the camera's own horizontal axis, positive upwards; applied before the azimuth.
    """
    centre = centre.to(base.T)
    right = base.R[0] * base.R.new_tensor([1.0, 0.0, 1.0])
    if right.norm() < 1e-4:
        right = base.R.new_tensor([1.0, 0.0, 0.0])
    up = base.R.new_tensor([0.0, 1.0, 0.0])
    # world -> world: moves the camera, not the scene
    tilt = axis_angle_to_matrix(-elevation[:, None] * normalize(right, dim=0))
    rotation = axis_angle_to_matrix(azimuth[:, None] * up) @ tilt
    R = torch.einsum("ij,fkj->fik", base.R, rotation)
    position = centre + rotation @ (base.position - centre)
    return Camera(base.K.expand_as(R), R, -torch.einsum("fij,fj->fi", R, position), base.size)
