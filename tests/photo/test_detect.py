"""Person detection: landmarks lie on the person, and are mirrored and shifted with the image."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from sherf.errors import BadInput, NoPerson
from sherf.photo.completeness import check_person, find_cropped_sides
from sherf.photo.detect import Person, choose_person, detect_people
from sherf.photo.mediapipe_landmarks import MIRRORED
from sherf.photo.photo_reader import read_photo

LEFT_SHOULDER, RIGHT_SHOULDER = 11, 12
ANKLES = [27, 28]


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    """A person seen from behind, between a dog and a horse; 3 x 424 x 640."""
    return read_photo(Path(__file__).parents[2] / "examples" / "darknet_person.jpg").image


@pytest.fixture(scope="module")
def person(image: torch.Tensor) -> Person:
    people = detect_people(image)
    assert len(people) == 1, "the dog and the horse are not people"
    return people[0]


def height(person: Person) -> float:
    return person.box[3] - person.box[1]


def mean_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm(dim=1).mean())


def overlap(a: torch.Tensor, b: torch.Tensor) -> float:
    """Intersection over union of two soft masks at one half."""
    return float(((a > 0.5) & (b > 0.5)).sum() / ((a > 0.5) | (b > 0.5)).sum())


def test_person_is_where_the_photo_shows_them(image: torch.Tensor, person: Person) -> None:
    """By eye: blue jacket and boots between x 190 and 276, y 99 and 377."""
    torch.testing.assert_close(torch.tensor(person.box), torch.tensor([191.0, 100.0, 275.0, 375.0]), atol=6, rtol=0)
    assert person.score > 0.95
    assert person.mask.shape == image.shape[1:] and 0 <= float(person.mask.min()) <= float(person.mask.max()) <= 1
    x, y = person.landmarks.long().T
    assert float((person.mask[y, x] > 0.5).float().mean()) > 0.9
    # The jacket is the only blue in the image.
    is_jacket = (image[2] > 0.5) & (image[0] < 0.2)
    assert float((person.mask[is_jacket] > 0.5).float().mean()) > 0.97


def test_landmarks_distinguish_left_from_right_and_up_from_down(person: Person) -> None:
    """Seen from behind the person's left is on the image's left; metres agree with pixels."""
    assert float(person.landmarks[LEFT_SHOULDER, 0]) < float(person.landmarks[RIGHT_SHOULDER, 0])
    assert float(person.world[LEFT_SHOULDER, 0]) < float(person.world[RIGHT_SHOULDER, 0])
    assert float(person.world[[7, 8], 1].mean()) < -0.4 and float(person.world[ANKLES, 1].mean()) > 0.5
    # Seen from behind: the nose is farther away than the ears.
    assert float(person.world[0, 2]) > float(person.world[[7, 8], 2].mean())
    torch.testing.assert_close(person.world[[23, 24]].mean(dim=0), torch.zeros(3), atol=0.03, rtol=0)


def test_mirrored_photo_gives_mirrored_person(image: torch.Tensor, person: Person) -> None:
    (mirrored,) = detect_people(image.flip(2))
    back = mirrored.landmarks[MIRRORED[:33]] * torch.tensor([-1.0, 1.0]) + torch.tensor([image.shape[2], 0.0])
    assert mean_distance(back, person.landmarks) < 0.01 * height(person)
    world = mirrored.world[MIRRORED[:33]] * torch.tensor([-1.0, 1.0, 1.0])
    assert mean_distance(world, person.world) < 0.03
    assert overlap(mirrored.mask.flip(1), person.mask) > 0.95


def test_padded_photo_gives_shifted_person(image: torch.Tensor, person: Person) -> None:
    (shifted,) = detect_people(F.pad(image, (37, 50, 21, 60), value=0.5))
    assert mean_distance(shifted.landmarks - torch.tensor([37.0, 21.0]), person.landmarks) < 0.01 * height(person)
    assert overlap(shifted.mask[21:-60, 37:-50], person.mask) > 0.95


def test_world_landmarks_rotate_with_the_image(image: torch.Tensor, person: Person) -> None:
    """A rotation by 90 degrees to the left moves (x, y) to (y, -x), in pixels about the corner and in metres."""
    (rotated,) = detect_people(image.rot90(1, dims=(1, 2)))
    x, y = rotated.landmarks.T
    assert mean_distance(torch.stack([image.shape[2] - y, x], dim=1), person.landmarks) < 0.02 * height(person)
    x, y, z = rotated.world.T
    assert mean_distance(torch.stack([-y, x, z], dim=1), person.world) < 0.05


def test_smaller_photo_gives_the_same_person_smaller(image: torch.Tensor, person: Person) -> None:
    small = F.interpolate(image[None], scale_factor=0.5, mode="bilinear", antialias=True)[0]
    (found,) = detect_people(small)
    assert mean_distance(2 * found.landmarks, person.landmarks) < 0.015 * height(person)


def test_small_person_in_a_large_frame_is_found(image: torch.Tensor, person: Person) -> None:
    """The detector misses a person of 275 px in an image of 2000 px as a whole, but not in tiles."""
    frame = torch.full((3, 1400, 2000), 0.6)
    frame[:, 500:924, 1200:1840] = image
    found = detect_people(frame)[0]
    offset = torch.tensor([1200.0, 500.0])
    assert mean_distance(found.landmarks - offset, person.landmarks) < 0.02 * height(person)


def test_two_people_are_separated_and_chosen_by_number(image: torch.Tensor, person: Person) -> None:
    width = image.shape[2]
    people = detect_people(torch.cat([image, image], dim=2))
    assert len(people) == 2
    left, right = sorted(people, key=lambda p: p.box[0])
    assert mean_distance(left.landmarks, person.landmarks) < 0.01 * height(person)
    assert mean_distance(right.landmarks - torch.tensor([float(width), 0.0]), person.landmarks) < 0.01 * height(person)
    # The right copy is nearer to the centre of the image.
    assert choose_person(people) is right and choose_person(people, 1) is right and choose_person(people, 2) is left
    assert detect_people(torch.cat([image, image], dim=2), max_people=1)[0].box == right.box
    with pytest.raises(BadInput, match=r"no person number 3: 2 found(.|\n)*1: x \d+ to \d+(.|\n)*from 1 to 2"):
        choose_person(people, 3)
    with pytest.raises(BadInput, match="number 0"):
        choose_person(people, 0)


def test_a_small_person_beside_a_tall_one_is_found_by_a_thorough_search(image: torch.Tensor, person: Person) -> None:
    frame = torch.nn.functional.interpolate(image[None], scale_factor=3, mode="bilinear")[0]
    x0, y0, x1, y1 = (round(x) for x in person.box)
    frame[:, 600 : 600 + y1 - y0, 1300 : 1300 + x1 - x0] = image[:, y0:y1, x0:x1]
    assert len(detect_people(frame)) == 1
    tall, small = detect_people(frame, thorough=True)
    assert height(tall) == pytest.approx(3 * height(person), rel=0.05)
    assert mean_distance(small.landmarks - torch.tensor([1300.0 - x0, 600.0 - y0]), person.landmarks) < 5


def test_images_without_people_give_no_detections(image: torch.Tensor) -> None:
    noise = torch.rand(3, 200, 300, generator=torch.Generator().manual_seed(0))
    horse = image[:, :, 380:]
    for empty in (torch.ones(3, 300, 200), torch.zeros(3, 64, 64), noise, horse):
        assert detect_people(empty) == []
    with pytest.raises(NoPerson, match="no person was found"):
        choose_person([])


def test_whole_person_passes_with_a_warning_about_the_hidden_arm(image: torch.Tensor, person: Person) -> None:
    warnings = check_person(person, tuple(image.shape[1:]))
    assert all("hand" in w or "arm" in w for w in warnings) and any("left" in w for w in warnings)
    assert find_cropped_sides(person) == []


@pytest.mark.parametrize(
    ("rows", "words", "side"), [(slice(0, 250), "legs are outside", "bottom"), (slice(0, 215), "torso is", "bottom")]
)
def test_half_a_person_is_refused_unless_allowed(image: torch.Tensor, rows: slice, words: str, side: str) -> None:
    cut = image[:, rows]
    half = choose_person(detect_people(cut))
    with pytest.raises(NoPerson, match=rf"{words}(.|\n)*--allow-partial"):
        check_person(half, tuple(cut.shape[1:]))
    warnings = check_person(half, tuple(cut.shape[1:]), allow_partial=True)
    assert any(words in w for w in warnings) and f"the person is cut off at the {side} of the photo" in warnings


def test_missing_head_feet_and_arms_are_named(image: torch.Tensor, person: Person) -> None:
    """The same person with the image border moved over them."""
    size = tuple(image.shape[1:])
    everything = replace(person, visibility=torch.ones(33))
    assert check_person(everything, size) == []
    up = replace(everything, landmarks=person.landmarks - torch.tensor([0.0, 140.0]))
    with pytest.raises(NoPerson, match="head is outside the photo"):
        check_person(up, size)
    no_feet = replace(everything, landmarks=person.landmarks.clone())
    no_feet.landmarks[27:, 1] += 200
    assert [w.split(" is ")[0] for w in check_person(no_feet, size)] == ["left lower leg", "right lower leg"]
    hidden = person.visibility.new_ones(33)
    hidden[[13, 15, 17, 19, 21]] = 0.1
    assert check_person(replace(everything, visibility=hidden), size) == ["left arm is hidden and will be guessed"]


def test_tiny_and_doubtful_people_are_refused_with_the_number_found(image: torch.Tensor, person: Person) -> None:
    size = tuple(image.shape[1:])
    with pytest.raises(NoPerson, match="50 px tall, at least 64 px"):
        check_person(replace(person, box=(10.0, 10.0, 30.0, 60.0)), size, allow_partial=True)
    with pytest.raises(NoPerson, match="certainty 30%"):
        check_person(replace(person, score=0.3), size, allow_partial=True)
