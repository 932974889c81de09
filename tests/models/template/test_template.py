"""The template avatar, compared with a photo whose ground truth is known."""

import dataclasses
import math

import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import turntable
from sherf.models.template.bank import TemplateBank, encode
from sherf.models.template.clothing import NOMINAL_M, clothed, estimate_displacement
from sherf.models.template.model import TemplateModel
from sherf.render.devices import choose_backend
from sherf.render.raycast import cast
from sherf.scene import Frame, Subject


@pytest.fixture(scope="module")
def bank(subject: Subject, body: BodyModel) -> TemplateBank:
    return encode(subject, body)


def _frame(bank: TemplateBank, body: BodyModel, degrees: float) -> Frame:
    camera = turntable(bank.subject.camera, torch.zeros(3), 2, degrees=2.0 * degrees)[1]
    reader = TemplateModel().reader(bank, body, choose_backend("cpu"))
    with torch.no_grad():
        return reader.field(body.pose(bank.subject.pose)).render(camera)


def test_the_photos_own_view_reproduces_the_photo(bank: TemplateBank, body: BodyModel) -> None:
    frame = _frame(bank, body, 0)
    person = (bank.subject.mask > 0.5) & (frame.opacity > 0.99)
    assert float(person.sum() / bank.subject.mask.sum()) > 0.95
    error = (frame.rgb - bank.subject.image)[:, person]
    assert -10 * math.log10(float(error.square().mean())) > 27
    assert float(frame.visibility[person].mean()) > 0.8


def test_the_far_side_is_marked_as_unseen(bank: TemplateBank, body: BodyModel) -> None:
    frame = _frame(bank, body, 180)
    assert float(frame.opacity.sum()) > 0.8 * float(bank.subject.mask.sum())
    assert float((frame.visibility * frame.opacity).sum() / frame.opacity.sum()) < 0.1


def test_the_background_does_not_bleed_into_the_person(body: BodyModel) -> None:
    """The same person in front of two backgrounds gives the same avatar, except at the outline."""
    frames = []
    for wall in (0.0, 1.0):
        seen = photograph(body, standing(), camera_in_front())
        image = torch.where(seen.mask > 0.5, seen.image, torch.tensor(wall))
        frames.append(_frame(encode(dataclasses.replace(seen, image=image), body), body, 120).rgb)
    assert float((frames[0] - frames[1]).abs().mean()) < 2e-3


def test_the_opaque_surface_has_no_holes(bank: TemplateBank, body: BodyModel) -> None:
    for degrees in (0, 70, 200):
        frame = _frame(bank, body, degrees)
        solid = torch.nn.functional.max_pool2d(-(frame.opacity[None, None] > 0.5).float(), 5, 1, 2)[0, 0] == -1
        assert float(frame.opacity[solid].min()) > 0.8


@pytest.mark.parametrize("thickness", [0.0, 0.02, 0.04])
def test_the_outline_of_thick_clothes_is_found(body: BodyModel, thickness: float) -> None:
    """The mask of an inflated body displaces the surface by the same amount, on average."""
    seen = photograph(body, standing(math.radians(30)), camera_in_front((480, 360)))
    posed = body.pose(seen.pose)
    inflated = clothed(body, posed, torch.full((len(body.v_template),), thickness))
    mask = cast(inflated, body.faces, seen.camera).hit.float()
    distance = estimate_displacement(body, posed, dataclasses.replace(seen, mask=mask))
    trunk_and_legs = body.weights[:, [0, 1, 2, 3, 4, 5, 6, 9]].sum(1) > 0.9
    assert float(distance[trunk_and_legs].mean()) == pytest.approx(thickness, abs=0.008)


def test_an_empty_mask_gives_the_nominal_displacement(body: BodyModel) -> None:
    """A body beside its mask is a bad fit and must not crash."""
    seen = photograph(body, standing(), camera_in_front())
    lost = encode(dataclasses.replace(seen, mask=torch.zeros_like(seen.mask)), body)
    assert float(lost.displacement.max()) <= NOMINAL_M * 1.5
    assert lost.fill.isfinite().all()
