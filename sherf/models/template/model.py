"""The template as a `Model`: an avatar without learned weights."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.models.packed_tensors import check_vertices, read_tensor
from sherf.models.template.bank import TemplateBank, assemble, encode
from sherf.models.template.clothing import clothed
from sherf.models.template.field import TemplateField
from sherf.render.backend import Backend
from sherf.render.march import MarchOptions
from sherf.scene import PosedBody, Subject

LARGEST = 1e6
"""Bound of the numbers in an avatar file: colours and metres."""
OPTIONS = MarchOptions()
"""How frames are marched."""


class TemplateModel:
    """The template, a `Model` without learned weights, for any body model."""

    name = "template"
    body_model = None

    def for_inference(self, device: torch.device) -> "TemplateModel":
        """Return the model itself: it has no weights to move."""
        return self

    def encode(
        self, subject: Subject, body: BodyModel, vertices: Float[Tensor, "vertex 3"] | None = None
    ) -> TemplateBank:
        """Encode an observation: `Model.encode`, on the CPU whatever its device, as most of it is sparse algebra.

        `vertices` is ignored: the body is computed from the pose.

        Returns:
            The bank, on the subject's device.
        """
        device = torch.device("cpu")
        return encode(subject.to(device), body.to(device)).to(subject.image.device)

    def complete(self, bank: TemplateBank, body: BodyModel, backend: Backend) -> TemplateBank:
        """Return the bank as it is: the template follows the mask's outline by itself (`Model.complete`)."""
        return bank

    def reader(
        self, bank: TemplateBank, body: BodyModel, backend: Backend, chunk: int | None = None
    ) -> "TemplateReader":
        """Prepare a bank for rendering: `Model.reader`."""
        return TemplateReader(bank, body, backend, OPTIONS.on(backend, chunk))

    def pack(self, bank: TemplateBank) -> dict[str, Tensor]:
        """Return the tensors that an avatar file stores besides the subject."""
        return {"stand_off": bank.displacement, "fill": bank.fill}

    def unpack(self, source: Path, tensors: dict[str, Tensor], subject: Subject, body: BodyModel) -> TemplateBank:
        """Return the bank from the tensors of an avatar file: `Model.unpack`.

        Raises:
            BadInput: a tensor is missing or invalid, or the body model has another number of vertices.
        """
        for name in ("stand_off", "fill"):
            check_vertices(source, tensors, name, body)
        displacement = read_tensor(source, tensors, "stand_off", (None,), largest=LARGEST)
        fill = read_tensor(source, tensors, "fill", (None, 3), largest=LARGEST)
        return assemble(subject, body, displacement, fill)


class TemplateReader:
    """A bank prepared for rendering: `BankReader`."""

    def __init__(self, bank: TemplateBank, body: BodyModel, backend: Backend, options: MarchOptions = OPTIONS):
        """Store what all poses share.

        Args:
            bank: on the backend's device, like `body`.
            body: the body model.
            backend: the operations that differ between devices.
            options: how frames are marched.
        """
        self.bank, self.body, self.backend, self.options = bank, body, backend, options

    def field(self, posed: PosedBody) -> TemplateField:
        """Return the radiance field of a posed body."""
        return TemplateField(self.bank, self.body, posed, self.backend, self.options)

    def outline(self, posed: PosedBody) -> Float[Tensor, "vertex 3"]:
        """Return the clothed surface, world space, metres."""
        return clothed(self.body, posed, self.bank.displacement)
