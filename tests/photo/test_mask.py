"""The refined mask follows the edges in the photo and stays close to the model's mask."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sherf.errors import MissingAsset
from sherf.photo.detect import Person, detect_people
from sherf.photo.mask import person_mask, refine_mask
from sherf.photo.photo_reader import read_photo


def overlap(a: torch.Tensor, b: torch.Tensor) -> float:
    """Intersection over union of two soft masks at one half."""
    return float(((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum())


def disc(centre: tuple[float, float], radius: float, size: tuple[int, int] = (300, 240)) -> torch.Tensor:
    y, x = torch.meshgrid(*(torch.arange(n) + 0.5 for n in size), indexing="ij")
    return ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2).float()


def person_with_mask(mask: torch.Tensor) -> Person:
    """A stand-in whose landmarks all lie in the middle of its mask."""
    rows, columns = torch.nonzero(mask > 0.5, as_tuple=True)
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    middle = torch.tensor([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    landmarks = middle.expand(33, 2).clone()
    world = torch.zeros(33, 3)
    return Person(box=box, score=1.0, landmarks=landmarks, visibility=torch.ones(33), world=world, mask=mask)


def blurred(mask: torch.Tensor, reach: int) -> torch.Tensor:
    return F.avg_pool2d(mask[None, None], 2 * reach + 1, 1, reach, count_include_pad=False)[0, 0]


@pytest.mark.parametrize("dark_on_light", [True, False])
def test_outline_moves_to_the_edge_in_the_image(dark_on_light: bool) -> None:
    """The model's mask is a disc 3 px too small; the image shows where the true one ends."""
    truth = disc((120, 150), 90)
    image = torch.full((3, 300, 240), 0.85) - 0.7 * truth
    image = (image if dark_on_light else 1 - image).clamp(0, 1)
    image = (image + 0.02 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    rough = blurred(disc((121, 149), 87), 4)
    refined = refine_mask(image, person_with_mask(rough))
    assert overlap(rough, truth) < 0.95
    assert overlap(refined, truth) > 0.985
    far_outside, far_inside = disc((120, 150), 96) == 0, disc((120, 150), 84) == 1
    assert float(refined[far_outside].max()) < 0.02 and float(refined[far_inside].min()) > 0.98


def test_without_edges_the_models_mask_is_kept() -> None:
    rough = blurred(disc((120, 150), 90), 4)
    refined = refine_mask(torch.full((3, 300, 240), 0.5), person_with_mask(rough))
    assert overlap(refined, rough) > 0.93


def test_only_the_component_on_the_torso_is_kept() -> None:
    body, stranger = disc((80, 150), 60), disc((200, 60), 25)
    image = 0.9 - 0.7 * (body + stranger).expand(3, -1, -1)
    refined = refine_mask(
        image, replace(person_with_mask(body + stranger), landmarks=torch.tensor([[80.0, 150.0]]).expand(33, 2))
    )
    assert overlap(refined, body) > 0.97 and float(refined[stranger > 0].max()) == 0


def test_alpha_is_the_mask_and_is_restricted_to_the_person_if_it_shows_more() -> None:
    image = torch.rand(3, 300, 240, generator=torch.Generator().manual_seed(0))
    body, others = disc((70, 150), 60), disc((170, 100), 40) + disc((180, 220), 50)
    person = person_with_mask(blurred(body, 4))
    assert torch.equal(person_mask(image, body, person), body)
    restricted = person_mask(image, (body + others).clamp(max=1), person)
    assert overlap(restricted, body) > 0.9


def test_photo_is_segmented_along_the_jacket() -> None:
    """The jacket, the only blue in the image, is inside; sky and grass beside it are outside."""
    image = read_photo(Path(__file__).parents[2] / "examples" / "darknet_person.jpg").image
    (person,) = detect_people(image)
    mask = refine_mask(image, person)
    is_jacket = (image[2] > 0.5) & (image[0] < 0.2)
    assert float((mask[is_jacket] > 0.5).float().mean()) > 0.98
    assert overlap(mask, person.mask) > 0.9
    # In the jacket's rows everything yellow is grass.
    is_grass = torch.zeros_like(is_jacket)
    is_grass[170:235] = (image[0] > image[2] + 0.1)[170:235]
    assert float(mask[is_grass].mean()) < float(person.mask[is_grass].mean())
    assert float((mask[is_grass] > 0.5).float().mean()) < 0.003


def test_rembgs_foreground_is_restricted_to_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fake of the package: its mask is used, except for what lies far from the person."""
    sessions: list[str] = []

    def remove(pixels: np.ndarray, session: str, only_mask: bool) -> np.ndarray:
        sessions.append(session)
        assert only_mask and pixels.dtype == np.uint8
        mask = np.zeros(pixels.shape[:2], np.uint8)
        mask[40:160, 40:100] = 255  # the person
        mask[40:160, 170:195] = 255  # another person
        return mask

    monkeypatch.setitem(sys.modules, "rembg", SimpleNamespace(new_session=lambda name: name, remove=remove))
    model_mask = torch.zeros(200, 200)
    model_mask[55:145, 48:92] = 1
    image = torch.full((3, 200, 200), 0.5)
    found = person_mask(image, None, person_with_mask(model_mask), "rembg")
    assert sessions == ["u2net_human_seg"]
    assert float(found[45:155, 52:88].mean()) > 0.5 and float(found[:, 170:].max()) < 0.05


def test_a_missing_masker_raises_with_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(MissingAsset, match="pip install"):
        person_mask(torch.zeros(3, 64, 64), None, person_with_mask(torch.ones(64, 64)), "rembg")
