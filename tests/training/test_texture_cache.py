"""Texture baking: occupancy and colour of each texel, for a person whose clothes are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from power_cuts import POWER_CUTS
from safetensors.torch import load_file, save_file
from stage import body_colour, camera_in_front, standing

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.pinhole import turntable
from sherf.datasets.multiview import View
from sherf.models.atlas import Atlas, atlas_of
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.render.raycast import cast
from sherf.scene import Subject
from sherf.training.texture_cache import HEIGHTS_M, TexelTargets, TextureCache, bake_texel_targets, compute_reach

DISPLACEMENT_M = 0.02


@pytest.fixture(scope="module")
def views(body: BodyModel) -> list[View]:
    """The body with clothes 2 cm above it, from eight sides."""
    pose = standing()
    vertices = body.pose(pose).vertices
    clothed = vertices + DISPLACEMENT_M * vertex_normals(vertices, body.faces)
    cameras = turntable(camera_in_front((320, 320)), vertices.mean(dim=0), 8)
    made = []
    for number in range(8):
        camera = cameras[number]
        hits = cast(clothed, body.faces, camera)
        colour = body_colour(body)[body.faces[hits.face.clamp_min(0)]].mean(dim=2) * hits.hit[..., None]
        subject = Subject(colour.permute(2, 0, 1).contiguous(), hits.hit.float(), camera, pose, body.name)
        made.append(View(subject, vertices, depth=torch.where(hits.hit, hits.depth, 0.0)))
    return made


@pytest.fixture(scope="module")
def atlas(body: BodyModel) -> Atlas:
    return atlas_of(body, 128, 64)


@pytest.fixture(scope="module")
def baked(views: list[View], body: BodyModel, atlas: Atlas) -> TexelTargets:
    return bake_texel_targets(body, atlas, views)


def test_heights_below_the_clothes_are_solid_and_heights_above_are_empty(baked: TexelTargets) -> None:
    heights = torch.tensor(HEIGHTS_M)
    above, below = heights > DISPLACEMENT_M + 0.008, (heights < DISPLACEMENT_M - 0.004) & (heights > 0.008)
    assert baked.empty[:, above].float().mean() > 0.6 and baked.solid[:, below].float().mean() > 0.8
    assert baked.solid[:, above].float().mean() < 0.02 and baked.empty[:, below].float().mean() < 0.02
    assert not (baked.empty & baked.solid).any()


def test_colours_are_those_of_the_clothes(baked: TexelTargets, body: BodyModel, atlas: Atlas) -> None:
    truth = atlas.surface.interpolate(body_colour(body))[atlas.covered]
    is_visible = baked.weight > 0.5
    assert is_visible.float().mean() > 0.8
    assert (baked.colour - truth)[is_visible].abs().mean() < 0.02


def test_mirroring_swaps_left_and_right(baked: TexelTargets) -> None:
    twice = baked.mirrored().mirrored()
    exists = baked.mirror >= 0
    assert exists.float().mean() > 0.98
    assert torch.equal(twice.colour[exists], baked.colour[exists])
    assert torch.equal(twice.solid[exists], baked.solid[exists])
    # This person is symmetric, except for the poses of arms and legs.
    both = exists & (baked.weight > 0.5) & (baked.mirrored().weight > 0.5)
    assert (baked.mirrored().colour - baked.colour)[both].abs().mean() < 0.02


def test_a_vertex_stays_the_nearest_surface_point_up_to_its_reach(views: list[View], body: BodyModel) -> None:
    vertices = views[0].vertices
    normals = vertex_normals(vertices, body.faces)
    reach = compute_reach(vertices, normals, body)
    distance = mesh_scene(vertices, body.faces).compute_distance(as_open3d(vertices + reach[:, None] * normals))
    torch.testing.assert_close(torch.from_numpy(distance.numpy()), reach, rtol=0, atol=0.004)
    assert reach.max() > 0.25 and (reach < 0.1).any()


def never() -> list[View]:
    raise AssertionError("the targets were cached")


@pytest.fixture(scope="module")
def cache(views: list[View], body: BodyModel, atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> TextureCache:
    return TextureCache(body, atlas, tmp_path_factory.mktemp("baked"))


def test_the_cache_returns_the_baked_targets(baked: TexelTargets, views: list[View], cache: TextureCache) -> None:
    first, again = cache.get("7_0", lambda: views), cache.get("7_0", never)
    for kept in (first, again):
        torch.testing.assert_close(kept.colour, baked.colour, rtol=0, atol=0.5 / 255 + 1e-6)
        torch.testing.assert_close(kept.weight, baked.weight, rtol=1e-3, atol=1e-3)
        assert torch.equal(kept.empty, baked.empty) and torch.equal(kept.solid, baked.solid)


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_damaged_targets_are_baked_again(
    views: list[View], baked: TexelTargets, cache: TextureCache, monkeypatch: pytest.MonkeyPatch, damage: Callable
) -> None:
    monkeypatch.setattr("sherf.training.texture_cache.bake_texel_targets", lambda *_: baked)
    cache.get("7_0", lambda: views)
    path = cache.folder / "7_0.safetensors"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert torch.equal(cache.get("7_0", lambda: views).solid, baked.solid)
    assert path.read_bytes() == whole
    cache.get("7_0", never)


def test_targets_of_earlier_versions_which_have_no_digest_are_kept(
    views: list[View], baked: TexelTargets, cache: TextureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sherf.training.texture_cache.bake_texel_targets", lambda *_: baked)
    cache.get("old", lambda: views)
    path = cache.folder / "old.safetensors"
    save_file(load_file(path), path)
    assert torch.equal(cache.get("old", never).solid, baked.solid)


def test_without_depths_all_targets_are_unknown(views: list[View], body: BodyModel, atlas: Atlas) -> None:
    blind = [View(view.subject, view.vertices) for view in views]
    baked = bake_texel_targets(body, atlas, blind)
    assert not baked.empty.any() and not baked.solid.any() and baked.weight.max() == 0


def test_the_space_between_the_legs_is_solid_under_a_skirt_alone(
    views: list[View], body: BodyModel, atlas: Atlas
) -> None:
    vertices = views[0].vertices
    low, high = float(vertices[:, 1].min()) + 0.5, float(body.pose(standing()).joints[0, 1])
    tube = trimesh.creation.cylinder(radius=0.26, height=high - low, sections=48)
    tube.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    corners = torch.from_numpy(tube.vertices).float() + torch.tensor(
        [0.0, (low + high) / 2, float(vertices[:, 2].mean())]
    )
    faces = torch.from_numpy(np.array(tube.faces))
    skirted = []
    for view in views:
        skirt, subject = cast(corners, faces, view.subject.camera), view.subject
        depth = torch.where(skirt.hit & ((view.depth == 0) | (skirt.depth < view.depth)), skirt.depth, view.depth)
        skirted.append(replace(view, subject=replace(subject, mask=(depth > 0).float()), depth=depth))
    points = atlas.surface.interpolate(vertices)[atlas.covered]
    thigh = atlas.surface.interpolate(body.weights)[atlas.covered][:, [1, 2]].sum(dim=1) > 0.9
    normals = atlas.surface.interpolate(vertex_normals(vertices, body.faces))[atlas.covered]
    inwards = normals[:, 0] * points[:, 0].sign() < -0.7
    inner = thigh & (points[:, 1] > low + 0.05) & (points[:, 1] < high - 0.15) & inwards
    assert inner.sum() > 20
    bare, dressed = bake_texel_targets(body, atlas, views), bake_texel_targets(body, atlas, skirted)
    assert bare.empty[inner].any() and not dressed.empty[inner].any()
    assert dressed.solid[inner][:, 9:12].float().mean() > bare.solid[inner][:, 9:12].float().mean()
