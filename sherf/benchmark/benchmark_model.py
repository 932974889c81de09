"""A model under test, with the body and the device that it runs on."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sherf.avatar.encoder import AvatarEncoder
from sherf.avatar.renderer import FieldRenderer, Renderer
from sherf.body.body_model import BodyModel
from sherf.render.backend import Backend
from sherf.scene import Subject


@dataclass(frozen=True)
class BenchmarkModel:
    """A model on a body and a device."""

    model: AvatarEncoder
    body: BodyModel
    backend: Backend

    def encode(self, subject: Subject, vertices: Float[Tensor, "vertex 3"]) -> Renderer:
        """Return the renderer of the avatar that the model makes of an observation.

        Args:
            subject: the observation; its image is black outside the person.
            vertices: of the observed body in world space, metres; given by the data set or estimated.
        """
        return FieldRenderer(self.model.encode(subject, self.body, {}, vertices), self.body, self.backend)
