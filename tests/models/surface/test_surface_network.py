"""The surface-anchored network: atlas, samples of the photo, density and colour along rays, avatar files."""

import dataclasses
from pathlib import Path

import pytest
import torch
from stage import camera_in_front, photograph, standing

from sherf.avatar.avatar_file import load_avatar, save_avatar
from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import camera_rays, project
from sherf.models.atlas import atlas_of, front_share
from sherf.models.config import SMALL, SherfConfig
from sherf.models.surface.decoder import OffsetHead
from sherf.models.surface.encoder import map_rows, observe, sample_maps
from sherf.models.surface.field import SurfaceField
from sherf.models.surface.network import SurfaceNetwork
from sherf.models.surface.observed import FAR_M, Observed, crop_camera, crop_image
from sherf.models.surface.uv_maps import fill_colours, spherical_harmonics
from sherf.render import deferred
from sherf.render.deferred import follow_deferred, shade
from sherf.render.devices import choose_backend
from sherf.render.march import MarchOptions
from sherf.render.sampling import OccupancyGrid
from sherf.render.torch_backend import BruteForceSurface
from sherf.scene import Frame, Subject
from sherf.training.objective import Objective
from sherf.training.options import TrainingOptions

TINY = dataclasses.replace(
    SMALL, encoder_width=8, plane_resolution=64, unwrap_width=8, token_width=8, decoder_width=16,
    observation_size=64, heads=1, head_width=8,
)  # fmt: skip


def network(config: SherfConfig = TINY) -> SurfaceNetwork:
    torch.manual_seed(0)
    return SurfaceNetwork(config).eval()


@pytest.fixture(scope="module")
def avatar(subject: Subject, body: BodyModel) -> EncodedAvatar:
    in_bytes = dataclasses.replace(subject, image=(subject.image * 255).round() / 255)
    return ModelEncoder(network(), choose_backend("cpu"), "x").encode(in_bytes, body, {"verdict": "good"})


@pytest.fixture(scope="module")
def observed(subject: Subject, body: BodyModel) -> Observed:
    vertices = body.pose(subject.pose).vertices
    return observe(SMALL, subject, vertices, body, atlas_of(body, 64, 32), vertices)


def _vertices(body: BodyModel) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return every vertex as a point of the surface: corners, weights, offsets of zero."""
    corners = torch.arange(len(body.v_template))[:, None].expand(-1, 3)
    weights = torch.tensor([1.0, 0.0, 0.0]).expand(len(corners), 3)
    return corners, weights, torch.zeros(len(corners), 3)


def test_texels_lie_where_their_surface_points_are(body: BodyModel) -> None:
    atlas = atlas_of(body, 64, 32)
    points = atlas.surface.interpolate(atlas.vertices)[atlas.covered]
    side, row, column = atlas.covered.nonzero().unbind(dim=1)
    positions = atlas.positions(points)
    torch.testing.assert_close(positions, torch.stack([row, column], dim=1).float(), rtol=0, atol=1e-3)
    normals = atlas.surface.interpolate(atlas.normals)[atlas.covered]
    assert (front_share(normals)[side == 0] > 0.3).float().mean() > 0.95
    assert (front_share(normals)[side == 1] < 0.7).float().mean() > 0.95
    assert 0.25 < atlas.covered.float().mean() < 0.5


def test_flipping_a_map_mirrors_the_body(body: BodyModel) -> None:
    covered = atlas_of(body, 64, 32).covered
    assert (covered ^ covered.flip(2)).float().mean() < 0.01


def test_opposite_points_have_the_same_position_seen_from_the_front(body: BodyModel) -> None:
    atlas = atlas_of(body, 64, 32)
    opposite = atlas.opposite.interpolate(atlas.vertices)
    torch.testing.assert_close(opposite[:, :2], atlas.vertices[:, :2], rtol=0, atol=1e-4)
    behind = (opposite - atlas.vertices)[:, 2] * torch.where(atlas.normals[:, 2] >= 0, -1.0, 1.0)
    assert (behind > -1e-4).float().mean() > 0.99 and (behind > 0.02).float().mean() > 0.75


def test_maps_are_sampled_at_their_texels(body: BodyModel) -> None:
    atlas = atlas_of(body, 64, 32)
    planes = torch.rand(2, 5, 64, 32)
    points = atlas.surface.interpolate(atlas.vertices)[atlas.covered]
    side, row, column = atlas.covered.nonzero().unbind(dim=1)
    found = sample_maps(map_rows(planes, atlas), atlas, points, (side == 0).float())
    torch.testing.assert_close(found, planes[side, :, row, column], rtol=0, atol=1e-3)


def test_points_are_sampled_at_their_projections(observed: Observed, subject: Subject, body: BodyModel) -> None:
    """Offsets rotate with the body: a point above the surface in canonical space is above it in the photo."""
    corners, weights, no_offset = _vertices(body)
    posed = body.pose(subject.pose)
    pixels, _ = project(subject.camera, posed.vertices)
    sample = observed.sample("seen", corners, weights, no_offset)
    torch.testing.assert_close(sample.pixels, pixels, rtol=0, atol=1e-2)
    mirrored = observed.sample("mirrored", corners, weights, no_offset)
    torch.testing.assert_close(mirrored.pixels, pixels[body.mirror], rtol=0, atol=1e-2)
    head = body.weights[:, 15] > 0.99
    lifted = observed.sample(
        "seen", corners[head], weights[head], torch.tensor([[0.0, 0.1, 0.0]]).expand(head.sum(), 3)
    )
    assert ((pixels[head] - lifted.pixels)[:, 1] > 5).all(), "10 cm up in canonical space is up in the photo"


def test_visible_points_face_the_camera_unoccluded_within_mask_and_photo(
    observed: Observed, subject: Subject, body: BodyModel
) -> None:
    corners, weights, no_offset = _vertices(body)
    sample = observed.sample("seen", corners, weights, no_offset)
    facing = sample.features[:, 3]
    assert sample.visibility[facing > 0.6].median() > 0.8
    assert sample.visibility[facing < -0.1].max() < 0.05
    empty = dataclasses.replace(observed, subject=dataclasses.replace(subject, mask=torch.zeros_like(subject.mask)))
    assert empty.sample("seen", corners, weights, no_offset).visibility.max() == 0
    wall = dataclasses.replace(observed, depth=torch.full_like(observed.depth, 0.1))
    assert wall.sample("seen", corners, weights, no_offset).visibility.max() < 0.01
    assert observed.depth.max() == FAR_M


def test_the_fill_keeps_visible_colours_and_uses_mirror_image_other_side_and_surroundings() -> None:
    visibility = torch.zeros(2, 1, 64, 64)
    visibility[0, :, :32, :24] = 1  # upper left of the front
    colour = torch.zeros(2, 3, 64, 64)
    colour[0, 0, :16] = 1.0  # red above, blue below
    colour[0, 2, 16:] = 1.0
    similarity = torch.ones(2, 1, 64, 64)
    similarity[:, :, :8] = 0  # a head
    fill = fill_colours(colour * visibility, visibility, similarity)
    seen = visibility[0, 0] > 0
    assert (fill[0] - colour[0])[:, seen].abs().max() < 0.02
    mirrored = seen.flip(1)
    assert (fill[0] - colour[0])[:, mirrored].abs().max() < 0.1, "its mirror image"
    behind = (fill[1] - colour[0])[:, seen]
    assert behind.abs().mean() < 0.2 and (fill[1] - colour[0])[:, 9:32, 1:23].abs().max() < 0.3, "the other side"
    below = fill[0, :, 40:]
    assert (below[2] > below[0]).all(), "the rest resembles its surroundings: blue"
    assert fill.isfinite().all() and fill_colours(colour * 0, visibility * 0, similarity).isfinite().all()


def test_the_crop_shows_the_photo(subject: Subject, body: BodyModel) -> None:
    vertices = body.pose(subject.pose).vertices
    crop = crop_camera(subject.camera, vertices, 128)
    pixels, _ = project(crop, vertices)
    assert pixels.min() > 5 and pixels.max() < 123
    cropped = crop_image(subject.image * subject.mask, subject.camera, crop)
    again = photograph(body, subject.pose, crop)
    difference = (cropped - again.image * again.mask).abs().mean()
    assert difference < 0.03, "the same scene through both cameras"


def test_deferred_colour_approximates_colour_at_all_samples(
    avatar: EncodedAvatar, body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = choose_backend("cpu")
    subject = avatar.bank.subject
    assert isinstance(avatar.model, SurfaceNetwork)
    with torch.no_grad():
        field = SurfaceField(avatar.model.tables(avatar.bank, body), body, body.pose(subject.pose), backend)
        bundle = camera_rays(subject.camera)
        samples = backend.sample(bundle, field.grid, 0.01)
        whole = shade(field, bundle, samples, backend).colours
        options = MarchOptions(step=0.01, block=5, stop=1e-4)
        blocks = follow_deferred(field, bundle, samples, backend, options)
        monkeypatch.setattr(deferred, "TOGETHER_M", 0.0)  # every contributing sample has its own colour
        each = follow_deferred(field, bundle, samples, backend, options)
    torch.testing.assert_close(blocks.opacity, whole.opacity, rtol=0, atol=2e-3)
    difference = (blocks.rgb - whole.rgb).abs()
    assert difference.mean() < 1e-3 and (difference > 0.02).float().mean() < 0.02
    torch.testing.assert_close(each.rgb, whole.rgb, rtol=0, atol=2e-2)
    assert whole.opacity.max() > 0.8
    covered = whole.opacity.reshape(subject.camera.size)
    overlap = ((covered > 0.5) & (subject.mask > 0.5)).sum() / ((covered > 0.5) | (subject.mask > 0.5)).sum()
    assert overlap > 0.6, "the initial density follows the body"


def test_the_grid_contains_all_density(avatar: EncodedAvatar, body: BodyModel) -> None:
    assert isinstance(avatar.model, SurfaceNetwork)
    posed = body.pose(avatar.bank.subject.pose)
    with torch.no_grad():
        field = SurfaceField(avatar.model.tables(avatar.bank, body), body, posed, choose_backend("cpu"))
        low, high = posed.vertices.amin(dim=0) - 0.2, posed.vertices.amax(dim=0) + 0.2
        points = low + torch.rand(20_000, 3) * (high - low)
        coordinates = field.locate(points)
        # rays do not reach deeper
        dense = (field.inside(coordinates) > -0.01) & (coordinates.distance > -0.02)
        assert dense.sum() > 100 and field.grid.contains(points[dense]).all()


@pytest.mark.parametrize("step", [0.002, 0.01, 0.02])
@pytest.mark.parametrize("slope", [0.2, 0.7, 1.0])
def test_transmittance_is_one_half_at_the_surface_for_all_steps(step: float, slope: float) -> None:
    """NeuS: transmittance into a half space is sigmoid(-inside / softness); rays that leave it lose none."""
    head = OffsetHead(4)
    softness = float(head.log_softness.detach().exp())
    edges = torch.arange(-0.3, 0.3 + step / 2, step)
    length = edges.diff()
    before = length * torch.rand(len(length))
    inside, slopes = slope * (edges[:-1] + before), torch.full_like(length, slope)
    thickness = (head.density(inside, slopes, before, length - before) * length).cumsum(dim=0)
    expected = torch.sigmoid(-slope * edges[1:] / softness)
    torch.testing.assert_close(torch.exp(-thickness), expected, rtol=0, atol=1e-4)
    assert head.density(inside, -slopes, before, length - before).max() == 0


def test_the_grid_respects_each_vertexs_reach(body: BodyModel) -> None:
    vertices = body.pose(body.rest_pose()).vertices
    reach = torch.where(vertices[:, 1] > vertices[:, 1].median(), 0.09, 0.02)
    grid = OccupancyGrid.within(vertices, body.faces, reach, 0.02)
    chosen = torch.randperm(len(vertices))[:200]
    for share in (0.0, 0.6, 1.0):
        points = vertices[chosen] + share * reach[chosen, None] * torch.nn.functional.normalize(
            torch.randn(200, 3), dim=1
        )
        assert grid.contains(points).all()
    centres = grid.low + grid.voxel * (grid.occupied.nonzero()[::200] + 0.5)
    distance = BruteForceSurface(vertices, body.faces).nearest(centres).distance
    is_low = centres[:, 1] < vertices[:, 1].median() - 0.15
    assert distance.max() < 0.09 + 2 * 0.04 + 0.07 and distance[is_low].max() < 0.02 + 2 * 0.04 + 0.07


def test_a_saved_avatar_renders_the_same_frame(
    avatar: EncodedAvatar, body: BodyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    again = load_avatar(tmp_path / "avatar.safetensors", body)
    assert isinstance(again.model, SurfaceNetwork) and again.model.encoder is None
    subject = avatar.bank.subject
    backend = choose_backend("cpu")
    first, second = (FieldRenderer(a, body, backend).frame(subject.camera, subject.pose) for a in (avatar, again))
    assert first.opacity.max() > 0.8
    difference = (first.rgb - second.rgb).abs()
    assert difference.mean() < 1e-3 and (difference > 5e-3).float().mean() < 1e-3
    monkeypatch.setattr(deferred, "TOGETHER_M", 0.0)
    first, second = (FieldRenderer(a, body, backend).frame(subject.camera, subject.pose) for a in (avatar, again))
    torch.testing.assert_close(first.rgb, second.rgb, rtol=0, atol=5e-3)
    assert 0.2 < float((first.visibility * first.opacity).sum() / first.opacity.sum()) <= 1


@pytest.mark.parametrize(
    "changes",
    [
        {"lookups": ("seen",)},
        {"occlusion": "none"},
        {"occlusion": "body"},
        {"blend": False},
        {"anchored": False},
        {"levels": ("pixel",)},
        {"levels": ("global",)},
        {"fusion_depth": 0},
        {"unwrap_depth": 1},
    ],
)
def test_each_option_can_be_disabled(subject: Subject, body: BodyModel, changes: dict) -> None:
    """In single precision, and in half precision as in training."""
    model = network(dataclasses.replace(TINY, **changes))
    backend = choose_backend("cpu")
    encoded = ModelEncoder(model, backend, "x").encode(subject, body, {})

    def frame() -> Frame:
        return FieldRenderer(encoded, body, backend).frame(camera_in_front((64, 64)), standing())

    exact = frame()
    assert exact.rgb.isfinite().all() and exact.opacity.max() > 0.8
    Objective(model, body, backend, TrainingOptions(model.config), half=True)
    assert 0 < (frame().rgb - exact.rgb).abs().mean() < 0.01


def test_added_blocks_are_initially_the_identity(subject: Subject, body: BodyModel) -> None:
    """A trained network can be extended and trained further."""
    shallow, deep = network(dataclasses.replace(TINY, unwrap_depth=1)), network()
    grown = deep.load_state_dict(shallow.state_dict(), strict=False)
    assert grown.missing_keys and not grown.unexpected_keys
    vertices = body.pose(subject.pose).vertices
    with torch.no_grad():
        before, after = (model.encode(subject, body, vertices).maps for model in (shallow, deep))
    torch.testing.assert_close(after, before)


def test_gradients_reach_every_weight(avatar: EncodedAvatar, subject: Subject, body: BodyModel) -> None:
    model, backend = network().train(), choose_backend("cpu")
    tables = model.tables(model.encode(subject, body), body)
    field = SurfaceField(tables, body, body.pose(subject.pose), backend)
    bundle = camera_rays(camera_in_front((48, 48)))
    shaded = shade(field, bundle, backend.sample(bundle, field.grid, 0.01), backend)
    (shaded.colours.rgb.sum() + shaded.colours.opacity.sum()).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


def test_other_vertices_in_the_same_pose_give_another_frame(avatar: EncodedAvatar, body: BodyModel) -> None:
    """Data sets give vertices of their own: those of the frame before must not stay."""
    subject = avatar.bank.subject
    vertices = body.pose(subject.pose).vertices
    renderer = FieldRenderer(avatar, body, choose_backend("cpu"))
    shifts = (0.0, 0.1, 0.0)
    frames = [
        renderer.frame(subject.camera, subject.pose, vertices + torch.tensor([shift, 0.0, 0.0])) for shift in shifts
    ]
    assert float((frames[0].opacity - frames[1].opacity).abs().max()) > 0.5
    torch.testing.assert_close(frames[2].rgb, frames[0].rgb)


def test_harmonics_are_orthogonal_over_the_sphere() -> None:
    normals = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    values = spherical_harmonics(normals)
    product = values.T @ values / len(normals)
    scale = product.diagonal().sqrt()
    torch.testing.assert_close(product / scale / scale[:, None], torch.eye(9), rtol=0, atol=0.02)
