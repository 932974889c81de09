"""Avatar, camera and pose in, frame out; what belongs to a pose is kept while the pose stays the same."""

from dataclasses import replace
from threading import local
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.avatar.encoder import EncodedAvatar
from sherf.body.body_model import BodyModel
from sherf.models.protocol import BankReader, Field
from sherf.render.backend import Backend
from sherf.scene import BodyPose, Camera, Frame, PosedBody


@runtime_checkable
class Renderer(Protocol):
    """Renders one avatar; several threads may do so at once."""

    @property
    def is_parallel(self) -> bool:
        """Whether frames are rendered sooner side by side, each in a thread of its own."""
        ...

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """Render the avatar in a pose; the frame is on the CPU.

        Args:
            camera: without a view axis.
            pose: without a frame axis; frames of the same pose object and vertices share the work of posing.
            vertices: of the posed body, world space, where a data set provides them; else the pose decides.
        """
        ...

    def outline(self, pose: BodyPose) -> Float[Tensor, "point 3"]:
        """Return the approximate surface in a pose, with clothes as far as they are known, world space, metres."""
        ...


class _Last(local):
    """The field of the pose that a thread rendered last."""

    field: Field | None = None
    pose: BodyPose | None = None
    vertices: Tensor | None = None


class FieldRenderer:
    """Renders an avatar's radiance field, whatever its model."""

    def __init__(self, avatar: EncodedAvatar, body: BodyModel, backend: Backend, chunk: int | None = None):
        """Prepare the bank on the backend's device.

        Args:
            avatar: what is rendered.
            body: the body model that the avatar was made with.
            backend: the device and its operations.
            chunk: points evaluated at once, fewer take less memory; the model's own number if None.
        """
        self._body, self._backend = body.to(backend.device), backend
        self._reader = prepared(avatar, self._body, backend, chunk)
        self._last = _Last()

    @property
    def is_parallel(self) -> bool:
        """Whether frames are rendered sooner side by side: on the CPU, not on one GPU."""
        return not self._backend.is_gpu

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """Render the avatar in a pose: `Renderer.frame`. No gradients."""
        with torch.no_grad():
            last = self._last
            if last.field is None or pose is not last.pose or vertices is not last.vertices:
                last.field = self._reader.field(self._posed(pose, vertices))
                last.pose, last.vertices = pose, vertices
            return last.field.render(camera.to(self._backend.device)).to("cpu")

    def outline(self, pose: BodyPose) -> Float[Tensor, "point 3"]:
        """Return the surface in a pose, world space, metres. No gradients."""
        with torch.no_grad():
            return self._reader.outline(self._posed(pose, None)).cpu()

    def _posed(self, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None) -> PosedBody:
        """Pose the body, with a data set's own vertices where it provides them."""
        posed = self._body.pose(pose.to(self._backend.device))
        return posed if vertices is None else replace(posed, vertices=vertices.to(self._backend.device))


def prepared(avatar: EncodedAvatar, body: BodyModel, backend: Backend, chunk: int | None = None) -> BankReader:
    """Return an avatar's bank, prepared for rendering on the backend's device. No gradients.

    Args:
        avatar: what is rendered.
        body: the body model, on the backend's device.
        backend: the device and its operations.
        chunk: points evaluated at once; the model's own number if None.
    """
    model = avatar.model.for_inference(backend.device)
    with torch.no_grad():
        return model.reader(avatar.bank.to(backend.device), body, backend, chunk)
