"""The core types: what flows from the photo to the frames. No logic beyond derived properties.

World space is metres; cameras are OpenCV (+x right, +y down, +z forward); images are sRGB in [0, 1],
`3 h w`, premultiplied on black. Leading axes `*view`, `*frame`, `*ray` are free: write for one, get the batch.
"""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

Moved = TypeVar("Moved", bound="OnDevice")


class OnDevice:
    """A dataclass of tensors, and of such dataclasses, that moves as a whole."""

    def to(self: Moved, device: torch.device | str) -> Moved:
        """The same with all its tensors on `device`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved = {name: x.to(device) for name, x in values.items() if isinstance(x, Tensor | OnDevice)}
        moved |= {name: tuple(y.to(device) for y in x) for name, x in values.items() if _is_series(x)}
        return replace(self, **moved)


def _is_series(x: object) -> bool:
    return isinstance(x, tuple) and len(x) > 0 and all(isinstance(y, Tensor | OnDevice) for y in x)


@dataclass(frozen=True)
class Camera(OnDevice):
    """Pinhole cameras, OpenCV axes."""

    K: Float[Tensor, "*view 3 3"]
    """Intrinsics in pixels. The top-left pixel's centre is (0.5, 0.5)."""
    R: Float[Tensor, "*view 3 3"]
    """World-to-camera rotation: x_camera = R @ x_world + T."""
    T: Float[Tensor, "*view 3"]
    """World-to-camera translation, metres."""
    size: tuple[int, int]
    """Image (height, width) in pixels."""

    @property
    def position(self) -> Float[Tensor, "*view 3"]:
        """Camera centre in world space, metres: -R^T T."""
        return -torch.einsum("...ij,...i->...j", self.R, self.T)

    def __len__(self) -> int:
        """Number of views along the first axis."""
        return self.K.shape[0]

    def __getitem__(self, view: int | slice) -> "Camera":
        return Camera(self.K[view], self.R[view], self.T[view], self.size)


@dataclass(frozen=True)
class BodyPose(OnDevice):
    """Shape, pose and placement of a body with SMPL's 24 joints.

    x_world = R_world_body @ x_body + T_world_body; joint 0 turns the body about its pelvis before that.
    """

    betas: Float[Tensor, "*frame 10"]
    """Shape coefficients of the named body model, roughly N(0, 1)."""
    joints: Float[Tensor, "*frame 24 3"]
    """Parent-relative rotations, axis-angle in radians; joint 0 is the global orientation."""
    R_world_body: Float[Tensor, "*frame 3 3"]
    """Rotation of the rigid placement."""
    T_world_body: Float[Tensor, "*frame 3"]
    """Translation of the rigid placement, metres."""

    def __len__(self) -> int:
        """Number of frames along the first axis."""
        return self.joints.shape[0]

    def __getitem__(self, frame: int | slice) -> "BodyPose":
        return BodyPose(self.betas[frame], self.joints[frame], self.R_world_body[frame], self.T_world_body[frame])


@dataclass(frozen=True)
class PosedBody(OnDevice):
    """A body model in one pose: what warping and sampling need."""

    vertices: Float[Tensor, "*frame vertex 3"]
    """World space, metres."""
    joints: Float[Tensor, "*frame 24 3"]
    """Joint centres in world space, metres."""
    T_world_rest: Float[Tensor, "*frame 24 4 4"]
    """Rest pose (of the shaped template) to world, per joint."""
    weights: Float[Tensor, "vertex 24"]
    """Skinning weights, rows sum to 1."""
    offsets: Float[Tensor, "*frame vertex 3"]
    """Shape and pose offsets from the template, rest space: v_rest = v_template + offsets."""


@dataclass(frozen=True)
class Subject(OnDevice):
    """The observation: one photo, who is where in it."""

    image: Float[Tensor, "3 h w"]
    """sRGB in [0, 1], not masked."""
    mask: Float[Tensor, "h w"]
    """Share of the person in each pixel, in [0, 1]."""
    camera: Camera
    """One camera, without a view axis."""
    pose: BodyPose
    """One body, without a frame axis."""
    body_model: str
    """Name of the body model that the pose's betas belong to."""


@dataclass(frozen=True)
class Rays:
    """Rays with unit directions, but for those of `render/box.py`."""

    origins: Float[Tensor, "*ray 3"]
    directions: Float[Tensor, "*ray 3"]
    near: Float[Tensor, " *ray"]
    """Distance along the ray, metres."""
    far: Float[Tensor, " *ray"]
    """Distance along the ray, metres; far <= near marks a ray that meets nothing."""


@dataclass(frozen=True)
class RaySamples:
    """Samples of many rays, packed: sorted by ray, then by distance."""

    ray: Int[Tensor, " sample"]
    """Index of the ray that each sample lies on."""
    start: Float[Tensor, " sample"]
    """Distance along the ray at which the sample's interval begins, metres."""
    end: Float[Tensor, " sample"]
    num_rays: int
    at: Float[Tensor, " sample"] | None = None
    """Where the field is asked, in lengths of the ray's direction; None: in the middle, the directions being unit."""

    @property
    def place(self) -> Float[Tensor, " sample"]:
        """Where the field is asked."""
        return (self.start + self.end) / 2 if self.at is None else self.at


@dataclass(frozen=True)
class Radiance:
    """What a field answers at sample points."""

    density: Float[Tensor, " *sample"]
    """1/m, non-negative."""
    colour: Float[Tensor, "*sample 3"]
    """sRGB in [0, 1]."""
    visibility: Float[Tensor, " *sample"]
    """Share of the colour that the photo saw: 1 seen, 0 invented."""


@dataclass(frozen=True)
class SurfacePoints:
    """Nearest points on a body's surface."""

    distance: Float[Tensor, " *point"]
    """Signed, metres: negative inside."""
    face: Int[Tensor, " *point"]
    barycentric: Float[Tensor, "*point 3"]
    """Weights of the face's three corners, non-negative, summing to 1."""


@dataclass(frozen=True)
class Frame:
    """One rendered picture."""

    rgb: Float[Tensor, "3 h w"]
    """Premultiplied; add (1 - opacity) * background."""
    opacity: Float[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    """Expected distance along the camera's z axis, metres; 0 where nothing is."""
    visibility: Float[Tensor, "h w"]
    """Share of the pixel's colour that the photo saw, 0 = invented."""
