"""What a benchmark asks of a model, and the models that there are."""

from typing import Any, Protocol, runtime_checkable

import torch

from sherf.avatar import Avatar
from sherf.body.model import BodyModel
from sherf.devices import Backend
from sherf.scene import BodyPose, Camera, Frame, Subject
from sherf.sequence import Renderer
from sherf.template.model import encode


@runtime_checkable
class BenchmarkModel(Protocol):
    """Photo in, avatar out; avatar, camera and pose in, picture out."""

    name: str

    def encode(self, subject: Subject) -> Any:
        """What the model keeps of an observation. The photo is black outside the person."""
        ...

    def frame(self, avatar: Any, camera: Camera, pose: BodyPose) -> Frame:
        """The person from a camera, in a pose."""
        ...


class TemplateModel:
    """The avatar without learned weights."""

    name = "template"

    def __init__(self, body: BodyModel, backend: Backend):
        self.body, self.backend = body, backend

    def encode(self, subject: Subject) -> Renderer:
        """Gather the template's bank."""
        with torch.no_grad():
            return Renderer(Avatar(encode(subject, self.body), {}), self.body, self.backend)

    def frame(self, avatar: Renderer, camera: Camera, pose: BodyPose) -> Frame:
        """Render it."""
        return avatar.frame(camera, pose)
