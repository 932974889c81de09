"""What a benchmark does with a model: an avatar from an observation, pictures from the avatar."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sherf.avatar.renderer import Renderer, make_renderer
from sherf.body.body_model import BodyModel
from sherf.models.load import AvatarModel
from sherf.render.devices import Backend
from sherf.scene import Subject


@dataclass(frozen=True)
class BenchmarkModel:
    """A model on a body and a device."""

    model: AvatarModel
    body: BodyModel
    backend: Backend

    def encode(self, subject: Subject, vertices: Float[Tensor, "vertex 3"]) -> Renderer:
        """What shows the observed person. The photo is black outside of them; the data set gives the vertices."""
        return make_renderer(self.model.encode(subject, self.body, {}, vertices), self.body, self.backend)
