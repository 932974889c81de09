"""The core types that flow from the photo to the frames, without logic beyond derived properties.

World space is metres; cameras are OpenCV (+x right, +y down, +z forward); images are sRGB in [0, 1],
`3 h w`, premultiplied on black. Leading axes `*view`, `*frame`, `*ray` may be absent, or batch axes of any number.
"""

from collections.abc import Callable
from dataclasses import Field, dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

OnDeviceT = TypeVar("OnDeviceT", bound="OnDevice")


class OnDevice:
    """Base of dataclasses that hold tensors and move between devices as a whole."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def to(self: OnDeviceT, device: torch.device | str) -> OnDeviceT:
        """Return a copy with all tensors on `device`, also those in tuples and in nested `OnDevice` dataclasses.

        Page-locked memory is copied to a GPU without waiting for it.
        """
        to_gpu = torch.device(device).type == "cuda"
        return self._with_tensors(lambda x: x.to(device, non_blocking=to_gpu))

    def pin_memory(self: OnDeviceT) -> OnDeviceT:
        """Return a copy with all tensors in page-locked memory: PyTorch's `DataLoader` calls it."""
        return self._with_tensors(Tensor.pin_memory)

    def _with_tensors(self: OnDeviceT, change: Callable[[Tensor], Tensor]) -> OnDeviceT:
        """Return a copy with all tensors changed."""
        return replace(self, **{field.name: _changed(getattr(self, field.name), change) for field in fields(self)})


def _changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return a field's value with its tensors changed; tuples of other things stay as they are."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, OnDevice):
        return value._with_tensors(change)
    if isinstance(value, tuple) and value and all(isinstance(x, Tensor | OnDevice) for x in value):
        return tuple(_changed(x, change) for x in value)
    return value


@dataclass(frozen=True)
class Camera(OnDevice):
    """Pinhole cameras: one, or several with a view axis. OpenCV axes, without lens distortion."""

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
        """Return the camera centre in world space, metres: -R^T T."""
        return -torch.einsum("...ij,...i->...j", self.R, self.T)

    def __len__(self) -> int:
        """Return the number of views along the first axis."""
        return self.K.shape[0]

    def __getitem__(self, view: int | slice) -> "Camera":
        return Camera(self.K[view], self.R[view], self.T[view], self.size)


@dataclass(frozen=True)
class BodyPose(OnDevice):
    """Shape, pose and placement of a body with SMPL's 24 joints.

    x_world = R_world_body @ x_body + T_world_body; before that, joint 0 rotates the body about its pelvis.
    """

    betas: Float[Tensor, "*frame 10"]
    """Shape coefficients of the named body model, roughly N(0, 1)."""
    joints: Float[Tensor, "*frame 24 3"]
    """Parent-relative rotations, axis-angle in radians; joint 0 is the global orientation."""
    R_world_body: Float[Tensor, "*frame 3 3"]
    """Rotation of the rigid placement."""
    T_world_body: Float[Tensor, "*frame 3"]
    """Translation of the rigid placement, metres."""
    displacement: Float[Tensor, "*frame vertex 3"] | None = None
    """Of the vertices in the rest pose, beyond what the betas describe (SMPL+D), metres; None for zero. Joints stay."""

    def __len__(self) -> int:
        """Return the number of frames along the first axis."""
        return self.joints.shape[0]

    def __getitem__(self, frame: int | slice) -> "BodyPose":
        displacement = None if self.displacement is None else self.displacement[frame]
        return BodyPose(
            self.betas[frame], self.joints[frame], self.R_world_body[frame], self.T_world_body[frame], displacement
        )


@dataclass(frozen=True)
class PosedBody(OnDevice):
    """A posed body: vertices, joints, and what maps points between the rest pose and world space."""

    vertices: Float[Tensor, "*frame vertex 3"]
    """World space, metres."""
    joints: Float[Tensor, "*frame 24 3"]
    """Joint centres in world space, metres."""
    T_world_rest: Float[Tensor, "*frame 24 4 4"]
    """Rigid transform of each joint, from the rest pose of the shaped body to world space."""
    weights: Float[Tensor, "vertex 24"]
    """Skinning weights, rows sum to 1."""
    offsets: Float[Tensor, "*frame vertex 3"]
    """Shape and pose offsets from the template, rest space: v_rest = v_template + offsets."""


@dataclass(frozen=True)
class Subject(OnDevice):
    """The observation: one photo, with the mask, the camera and the body of the person in it."""

    image: Float[Tensor, "3 h w"]
    """sRGB in [0, 1], not masked."""
    mask: Float[Tensor, "h w"]
    """Coverage of each pixel by the person, in [0, 1]."""
    camera: Camera
    """One camera, without a view axis."""
    pose: BodyPose
    """One body, without a frame axis."""
    body_model: str
    """Name of the body model that the pose's betas refer to."""


@dataclass(frozen=True)
class Rays:
    """Rays in world space."""

    origins: Float[Tensor, "*ray 3"]
    """Metres."""
    directions: Float[Tensor, "*ray 3"]
    """Unit vectors, except for the rays of `render/box.py`, whose directions have depth 1."""
    near: Float[Tensor, " *ray"]
    """Where the ray begins, in lengths of its direction: metres for unit vectors."""
    far: Float[Tensor, " *ray"]
    """Where it ends, in the same unit; far <= near marks a ray that hits nothing."""


@dataclass(frozen=True)
class RaySamples:
    """Samples of many rays, packed: sorted by ray, then by distance."""

    ray: Int[Tensor, " sample"]
    """Index of the ray that each sample lies on."""
    start: Float[Tensor, " sample"]
    """Distance along the ray at which the sample's interval begins, metres."""
    end: Float[Tensor, " sample"]
    """Distance along the ray at which it ends, metres."""
    num_rays: int
    """Number of rays, including those without samples."""
    at: Float[Tensor, " sample"] | None = None
    """Where along the ray the field is evaluated, in lengths of its direction; None for the middle of the interval."""

    @property
    def position(self) -> Float[Tensor, " sample"]:
        """Return where along the ray the field is evaluated, in lengths of its direction."""
        return (self.start + self.end) / 2 if self.at is None else self.at


@dataclass(frozen=True)
class Radiance:
    """Values of a radiance field at sample points."""

    density: Float[Tensor, " *sample"]
    """1/m, non-negative."""
    colour: Float[Tensor, "*sample 3"]
    """sRGB in [0, 1]."""
    visibility: Float[Tensor, " *sample"]
    """Share of the colour that comes from the photo: 1 observed, 0 invented."""


@dataclass(frozen=True)
class SurfacePoints:
    """Nearest points on a body's surface."""

    distance: Float[Tensor, " *point"]
    """Signed, metres: negative inside."""
    face: Int[Tensor, " *point"]
    """Index of the triangle that the nearest point lies on."""
    barycentric: Float[Tensor, "*point 3"]
    """Weights of the triangle's three corners, non-negative, with sum 1."""


@dataclass(frozen=True)
class Frame(OnDevice):
    """One rendered image."""

    rgb: Float[Tensor, "3 h w"]
    """sRGB in [0, 1], premultiplied: add (1 - opacity) * background."""
    opacity: Float[Tensor, "h w"]
    """1 - transmittance, in [0, 1]."""
    depth: Float[Tensor, "h w"]
    """Expected depth along the camera's z axis, metres; 0 where there is nothing."""
    visibility: Float[Tensor, "h w"]
    """Share of the pixel's colour that comes from the photo: 1 observed, 0 invented."""
