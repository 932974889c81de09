"""What is not a person is refused: the landmark model has to agree with itself."""

import dataclasses

import pytest
import torch

from sherf.errors import NoPerson
from sherf.files.assets import assets_root
from sherf.photo.detect import choose_person, detect_people
from sherf.photo.photo_reader import read_photo
from sherf.photo.plausibility import MAX_SCATTER, agreement, check_plausible

EXAMPLES = assets_root().parent / "examples"


@pytest.mark.parametrize("name", ["person_1.jpg", "darknet_person.jpg"])
def test_people_agree_far_below_the_bound(name: str) -> None:
    image = read_photo(EXAMPLES / name).image
    person = choose_person(detect_people(image))
    presence, scatter = agreement(image, person)
    assert presence > 0.95 and scatter < MAX_SCATTER / 2
    assert check_plausible(image, person) == []


def test_something_else_is_refused_and_warned_of_when_forced() -> None:
    image = read_photo(EXAMPLES / "person_1.jpg").image
    person = choose_person(detect_people(image))
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NoPerson, match="does not look like a person"):
        check_plausible(noise, person)
    (warning,) = check_plausible(noise, person, force=True)
    assert "does not look like a person" in warning and "--force" not in warning


def test_a_person_of_whom_nothing_is_visible_scatters() -> None:
    image = read_photo(EXAMPLES / "person_1.jpg").image
    person = choose_person(detect_people(image))
    hidden = dataclasses.replace(person, visibility=torch.zeros(33))
    assert agreement(image, hidden)[1] == 1.0
