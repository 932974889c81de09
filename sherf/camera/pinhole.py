"""Pinhole cameras as pure functions: projecting, rays, placing, and paths around a subject.

The world is y-up and metric, cameras are OpenCV (+x right, +y down, +z forward), and the top-left pixel's centre
is (0.5, 0.5). Reading and writing camera files is in `camera_file.py`.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from pytorch3d.transforms import axis_angle_to_matrix
from torch import Tensor
from torch.nn.functional import normalize

from sherf.scene import Camera, Rays

MIN_DEPTH = 1e-3
"""Metres. Nearer points, and those behind the camera, are divided by this instead: finite, but meaningless pixels."""


def project(
    camera: Camera, points_world: Float[Tensor, "*any point 3"]
) -> tuple[Float[Tensor, "*view point 2"], Float[Tensor, "*view point"]]:
    """Where points appear: pixel coordinates (x, y), and depth along the camera's z axis in metres.

    Always finite, values and gradients. The depth is the true one: where it is not positive the point lies behind the
    camera and its pixel means nothing, so test `depth > 0` before looking anything up. Points without a view axis
    are seen by every view of the camera.
    """
    points = torch.einsum("...ij,...pj->...pi", camera.R, points_world) + camera.T[..., None, :]
    depth = points[..., 2]
    on_plane = points[..., :2] / depth.clamp(min=MIN_DEPTH)[..., None]
    pixels = torch.einsum("...ij,...pj->...pi", camera.K[..., :2, :2], on_plane) + camera.K[..., None, :2, 2]
    return pixels, depth


def unproject(
    camera: Camera, pixels: Float[Tensor, "*any point 2"], depth: Float[Tensor, "*any point"]
) -> Float[Tensor, "*view point 3"]:
    """The world point at a depth (along the camera's z axis, metres) behind each pixel: undoes `project`."""
    on_plane = _on_image_plane(camera, pixels)
    points = torch.cat([on_plane * depth[..., None], depth[..., None].expand_as(on_plane[..., :1])], dim=-1)
    return torch.einsum("...ji,...pj->...pi", camera.R, points - camera.T[..., None, :])


def pixel_centres(size: tuple[int, int], device: torch.device | None = None) -> Float[Tensor, "pixel 2"]:
    """Pixel coordinates (x, y) of every pixel's centre of a (height, width) image, row by row."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5


def rays(camera: Camera, pixels: Float[Tensor, "ray 2"] | None = None) -> Rays:
    """Rays of one camera (without a view axis) through pixel coordinates, by default every pixel centre, row by row.

    Directions have unit length; near is 0 and far infinite, for the sampler clips rays to the body's box.
    """
    if pixels is None:
        pixels = pixel_centres(camera.size, camera.K.device).to(camera.K.dtype)
    on_plane = _on_image_plane(camera, pixels)
    towards = torch.cat([on_plane, torch.ones_like(on_plane[:, :1])], dim=-1)
    directions = normalize(towards @ camera.R, dim=-1)
    near = directions.new_zeros(len(directions))
    return Rays(camera.position.expand_as(directions), directions, near, torch.full_like(near, math.inf))


def _on_image_plane(camera: Camera, pixels: Float[Tensor, "*any point 2"]) -> Float[Tensor, "*view point 2"]:
    """Camera-space x and y at depth 1 behind each pixel; K is upper triangular, possibly with skew."""
    K = camera.K[..., None, :, :]
    y = (pixels[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    x = (pixels[..., 0] - K[..., 0, 2] - K[..., 0, 1] * y) / K[..., 0, 0]
    return torch.stack([x, y], dim=-1)


def intrinsics(
    focal_px: float, size: tuple[int, int], centre: tuple[float, float] | None = None
) -> Float[Tensor, "3 3"]:
    """K of a camera with square pixels; `centre` is the principal point (x, y), by default the image's middle."""
    x, y = centre if centre is not None else (size[1] / 2, size[0] / 2)
    return torch.tensor([[focal_px, 0.0, x], [0.0, focal_px, y], [0.0, 0.0, 1.0]])


def look_at(
    eye: Float[Tensor, "*view 3"], target: Float[Tensor, "*view 3"], up: Float[Tensor, "3"] | None = None
) -> tuple[Float[Tensor, "*view 3 3"], Float[Tensor, "*view 3"]]:
    """R and T of cameras at `eye` that see `target` at the principal point, with `up` (default +y) upright.

    Looking straight along `up`, the picture's upper edge points to -z instead.
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
    """The same view in an image of another (height, width): K is scaled, axis by axis."""
    scale = camera.K.new_tensor([size[1] / camera.size[1], size[0] / camera.size[0], 1.0])
    return replace(camera, K=camera.K * scale[:, None], size=size)


def turntable(base: Camera, centre: Float[Tensor, "3"], frames: int, degrees: float = 360.0) -> Camera:
    """The base camera carried around the vertical axis through `centre` (world, metres), looking as it did.

    Frame 0 is the base camera; the last frame stops one step short of `degrees`, so that a full circle loops.
    Positive degrees go counter-clockwise seen from above: the camera moves to the picture's right.
    """
    azimuth = math.radians(degrees) * _progress(base, frames)
    return _carried(base, centre, azimuth, torch.zeros_like(azimuth), torch.ones_like(azimuth))


def around(base: Camera, centre: Float[Tensor, "3"], azimuth_degrees: float, elevation_degrees: float) -> Camera:
    """The base camera carried around `centre` once, to the picture's right and upwards, looking as it did."""
    azimuth, elevation = (base.K.new_tensor([math.radians(x)]) for x in (azimuth_degrees, elevation_degrees))
    return _carried(base, centre, azimuth, elevation, torch.ones_like(azimuth))[0]


def orbit(
    base: Camera,
    centre: Float[Tensor, "3"],
    frames: int,
    azimuth_degrees: float = 25.0,
    elevation_degrees: float = 10.0,
) -> Camera:
    """A gentle swing to both sides, with two smaller ones up and down: a lying eight around the base camera."""
    phase = 2 * math.pi * _progress(base, frames)
    azimuth = math.radians(azimuth_degrees) * phase.sin()
    elevation = math.radians(elevation_degrees) * (2 * phase).sin()
    return _carried(base, centre, azimuth, elevation, torch.ones_like(phase))


def spiral(
    base: Camera,
    centre: Float[Tensor, "3"],
    frames: int,
    turns: int = 2,
    elevation_degrees: float = 25.0,
    nearer: float = 0.2,
) -> Camera:
    """Circles `turns` times while rising, sinking and coming `nearer` (a share of the distance); closes on itself."""
    phase = 2 * math.pi * _progress(base, frames)
    distance = 1 - nearer * (1 - phase.cos()) / 2
    return _carried(base, centre, turns * phase, math.radians(elevation_degrees) * phase.sin(), distance)


def _progress(base: Camera, frames: int) -> Float[Tensor, " frame"]:
    """0 at the first frame, one step short of 1 at the last."""
    return torch.arange(frames, device=base.K.device, dtype=base.K.dtype) / frames


def _carried(
    base: Camera,
    centre: Float[Tensor, "3"],
    azimuth: Float[Tensor, " frame"],
    elevation: Float[Tensor, " frame"],
    distance: Float[Tensor, " frame"],
) -> Camera:
    """The base camera (without a view axis) turned rigidly about `centre`, then moved towards it.

    Args:
        azimuth: radians about world +y.
        elevation: radians about the camera's own horizontal axis, positive upwards; applied before the azimuth.
        distance: factor on the distance between camera and centre.
    """
    centre = centre.to(base.T)
    right = base.R[0] * base.R.new_tensor([1.0, 0.0, 1.0])
    if right.norm() < 1e-4:
        right = base.R.new_tensor([1.0, 0.0, 0.0])
    up = base.R.new_tensor([0.0, 1.0, 0.0])
    # world -> world: carries the camera, not the scene
    tilt = axis_angle_to_matrix(-elevation[:, None] * normalize(right, dim=0))
    turn = axis_angle_to_matrix(azimuth[:, None] * up) @ tilt
    R = torch.einsum("ij,fkj->fik", base.R, turn)
    position = centre + distance[:, None] * (turn @ (base.position - centre))
    return Camera(base.K.expand_as(R), R, -torch.einsum("fij,fj->fi", R, position), base.size)
