"""The photo overrules the network where it shows a point: its colours, its outline, at the resolution of the frame."""

import dataclasses
import math

import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.avatar.own_view import own_view
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import intrinsics
from sherf.models.config import SMALL
from sherf.models.surface.decoder import OffsetHead
from sherf.models.surface.filtered_photo import FilteredPhoto, filter_photo, photo_layers, pixel_ratio
from sherf.models.surface.network import SurfaceNetwork
from sherf.models.surface.trust import OWN_DEGREES, along_sight
from sherf.render.devices import choose_backend
from sherf.scene import Camera, Subject

TINY = dataclasses.replace(
    SMALL, encoder_width=8, plane_resolution=64, unwrap_width=8, token_width=8, decoder_width=16,
    observation_size=64, heads=1, head_width=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def avatar(body: BodyModel) -> EncodedAvatar:
    """An avatar of a network with random weights: what is right is right for another reason than training."""
    torch.manual_seed(0)
    subject = photograph(body, standing(math.radians(20)), camera_in_front((480, 360)))
    return ModelEncoder(SurfaceNetwork(TINY).eval(), choose_backend("cpu"), "x").encode(subject, body, {})


def test_an_untrained_avatar_is_its_photo_through_its_own_camera(avatar: EncodedAvatar, body: BodyModel) -> None:
    view = own_view(FieldRenderer(avatar, body, choose_backend("cpu")), avatar.bank.subject)
    assert view.overlap > 0.97
    assert view.psnr_inside > 32
    assert view.frame.visibility[(view.mask > 0.9) & (view.frame.opacity > 0.9)].mean() > 0.97


def test_directions_along_the_line_of_sight_fade_with_the_angle() -> None:
    sight = torch.tensor([[0.0, 0.0, 2.0]]).expand(7, 3)
    degrees = torch.tensor([0.0, OWN_DEGREES[0] - 0.1, 10.0, 15.0, 20.0, OWN_DEGREES[1] + 0.1, 90.0])
    radians = degrees.deg2rad()
    directions = torch.stack([radians.sin(), torch.zeros(7), radians.cos()], dim=1)
    share = along_sight(torch.eye(3).expand(7, 3, 3), sight, directions)
    assert share[:2].tolist() == [1, 1] and share[-2:].tolist() == [0, 0]
    assert share.diff().max() <= 0
    # turned to the photo's space first
    quarter = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    turned = along_sight(quarter.expand(7, 3, 3), sight, directions @ quarter)
    torch.testing.assert_close(turned, share)


def checkerboard(subject_size: tuple[int, int]) -> Subject:
    h, w = subject_size
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    image = ((x + y) % 2).float().expand(3, -1, -1)
    camera = Camera(intrinsics(1000.0, subject_size), torch.eye(3), torch.zeros(3), subject_size)
    return Subject(image, torch.ones(h, w), camera, standing(), "openbody")


def test_what_is_too_fine_for_a_frame_becomes_its_mean_and_coarse_frames_keep_a_plain_colour() -> None:
    layers = photo_layers(checkerboard((64, 48)), 3.0)
    sharp, coarse = filter_photo(layers, 1.0), filter_photo(layers, 4.0)
    pixels = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([40.0, 56.0]) + 4
    assert sharp.colour(pixels.floor() + 0.5).std() > 0.4
    torch.testing.assert_close(coarse.colour(pixels), torch.full((200, 3), 0.5), atol=1e-5, rtol=0)
    assert filter_photo(layers, 0.5).size == sharp.size == (64, 48)
    assert coarse.size == (16, 12)


def test_the_ratio_of_pixels_follows_focal_length_and_distance() -> None:
    photo = Camera(intrinsics(2000.0, (100, 100)), torch.eye(3), torch.zeros(3), (100, 100))
    frame = Camera(intrinsics(500.0, (100, 100)), torch.eye(3), torch.zeros(3), (100, 100))
    assert pixel_ratio(photo, 3.0, frame, torch.tensor(3.0)) == pytest.approx(4)
    assert pixel_ratio(photo, 3.0, frame, torch.tensor(1.5)) == pytest.approx(2)
    assert pixel_ratio(photo, 3.0, photo, torch.tensor(3.0)) == pytest.approx(1)


def half_masked() -> FilteredPhoto:
    """Return a photo of 400 pixels a metre whose left half is the person."""
    subject = checkerboard((200, 200))
    mask = torch.zeros(200, 200)
    mask[:, :100] = 1
    camera = dataclasses.replace(subject.camera, K=intrinsics(1200.0, (200, 200)))
    return filter_photo(photo_layers(dataclasses.replace(subject, mask=mask, camera=camera), 3.0), 1.0)


def test_matter_ends_at_the_masks_outline_but_what_is_far_outside_may_be_hidden() -> None:
    photo = half_masked()
    inside, beside, far, beyond = torch.tensor([[50.0, 100], [110.0, 100], [195.0, 100], [-20.0, 100]]).split(1)
    own = torch.ones(1)
    assert photo.coverage(inside, own) == 1
    assert photo.coverage(beside, own) == 0
    assert photo.coverage(far, own) == 1, "something else may hide the person here"
    assert photo.coverage(beyond, own) == 1, "outside of the photo nothing is known"
    just_outside = torch.tensor([[101.5, 100.0]])
    assert photo.coverage(just_outside, own) < 0.01 < 0.9 < photo.coverage(just_outside)
    assert photo.coverage(beside) < 0.01, "from other directions too, a little further out"


def test_opacity_behind_a_surface_is_the_coverage() -> None:
    """Closed form: transmittance through deep matter of coverage c is 1 - c, however the ray is cut into intervals."""
    head = OffsetHead(8)
    edges = torch.linspace(-0.05, 0.1, 31)
    middle, half = (edges[1:] + edges[:-1]) / 2, edges.diff() / 2
    for coverage in (0.0, 0.3, 0.9, 1.0):
        covered = torch.full_like(middle, coverage)
        density = head.density(middle, torch.ones_like(middle), half, half, covered)
        transmittance = torch.exp(-(density * 2 * half).sum())
        assert float(1 - transmittance) == pytest.approx(coverage, abs=2e-3)


def test_from_the_side_the_avatar_is_whole(avatar: EncodedAvatar, body: BodyModel) -> None:
    """What is cut off at the outline of the photo does not cut into the avatar as seen from elsewhere."""
    subject = avatar.bank.subject
    renderer = FieldRenderer(avatar, body, choose_backend("cpu"))
    plain = dataclasses.replace(avatar, bank=dataclasses.replace(avatar.bank, raised=None, layer=None))
    centre = body.pose(subject.pose).joints[0]
    camera = _turned(subject.camera, centre)
    with_photo = renderer.frame(camera, subject.pose).opacity.sum()
    without = FieldRenderer(plain, body, choose_backend("cpu")).frame(camera, subject.pose).opacity.sum()
    assert float(with_photo / without) == pytest.approx(1, abs=0.03)


def _turned(camera: Camera, centre: torch.Tensor) -> Camera:
    """Return the camera turned by a right angle about a vertical axis."""
    turn = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    R = camera.R @ turn
    return Camera(camera.K, R, camera.T + camera.R @ centre - R @ centre, camera.size)
