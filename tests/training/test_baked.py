"""What all views of a moment say of each texel: stand-off and colour of a person whose clothes are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from stage import body_colour, camera_in_front, standing

from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.camera.pinhole import turntable
from sherf.datasets.multiview import View
from sherf.models.surface.atlas import Atlas, atlas_of
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.render.raycast import cast
from sherf.scene import Subject
from sherf.training.texture_cache import HEIGHTS_M, Baked, Bakery, bake, own_reach

STAND_OFF_M = 0.02


@pytest.fixture(scope="module")
def views(body: BodyModel) -> list[View]:
    """The body with clothes of 2 cm, from eight sides."""
    pose = standing()
    vertices = body.pose(pose).vertices
    clothed = vertices + STAND_OFF_M * vertex_normals(vertices, body.faces)
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
def baked(views: list[View], body: BodyModel, atlas: Atlas) -> Baked:
    return bake(body, atlas, views)


def test_heights_below_the_clothes_are_solid_and_those_above_empty(baked: Baked) -> None:
    heights = torch.tensor(HEIGHTS_M)
    above, below = heights > STAND_OFF_M + 0.008, (heights < STAND_OFF_M - 0.004) & (heights > 0.008)
    assert baked.empty[:, above].float().mean() > 0.6 and baked.solid[:, below].float().mean() > 0.8
    assert baked.solid[:, above].float().mean() < 0.02 and baked.empty[:, below].float().mean() < 0.02
    assert not (baked.empty & baked.solid).any()


def test_colours_are_the_clothes(baked: Baked, body: BodyModel, atlas: Atlas) -> None:
    truth = atlas.surface.of(body_colour(body))[atlas.covered]
    seen = baked.weight > 0.5
    assert seen.float().mean() > 0.8
    assert (baked.colour - truth)[seen].abs().mean() < 0.02


def test_a_mirror_swaps_left_and_right(baked: Baked) -> None:
    twice = baked.mirrored().mirrored()
    there = baked.mirror >= 0
    assert there.float().mean() > 0.98
    assert torch.equal(twice.colour[there], baked.colour[there]) and torch.equal(twice.solid[there], baked.solid[there])
    # this person is symmetric, but for the arms' and legs' own poses
    both = there & (baked.weight > 0.5) & (baked.mirrored().weight > 0.5)
    assert (baked.mirrored().colour - baked.colour)[both].abs().mean() < 0.02


def test_a_vertex_stays_the_nearest_up_to_its_reach(views: list[View], body: BodyModel) -> None:
    vertices = views[0].vertices
    normals = vertex_normals(vertices, body.faces)
    reach = own_reach(vertices, normals, body)
    distance = mesh_scene(vertices, body.faces).compute_distance(as_open3d(vertices + reach[:, None] * normals))
    torch.testing.assert_close(torch.from_numpy(distance.numpy()), reach, rtol=0, atol=0.004)
    assert reach.max() > 0.25 and (reach < 0.1).any()


def test_what_is_kept_is_what_was_baked(
    baked: Baked, views: list[View], body: BodyModel, atlas: Atlas, tmp_path: Path
) -> None:
    def never() -> list[View]:
        raise AssertionError("it was there already")

    bakery = Bakery(body, atlas, tmp_path / "baked")
    first, again = bakery("7_0", lambda: views), bakery("7_0", never)
    for kept in (first, again):
        torch.testing.assert_close(kept.colour, baked.colour, rtol=0, atol=0.5 / 255 + 1e-6)
        torch.testing.assert_close(kept.weight, baked.weight, rtol=1e-3, atol=1e-3)
        assert torch.equal(kept.empty, baked.empty) and torch.equal(kept.solid, baked.solid)
    (tmp_path / "baked" / "7_0.safetensors").write_bytes(b"half a file")
    assert torch.equal(bakery("7_0", lambda: views).solid, baked.solid)


def test_without_depths_nothing_is_known(views: list[View], body: BodyModel, atlas: Atlas) -> None:
    blind = [View(view.subject, view.vertices) for view in views]
    baked = bake(body, atlas, blind)
    assert not baked.empty.any() and not baked.solid.any() and baked.weight.max() == 0


def test_between_the_legs_under_a_skirt_there_is_matter_and_else_there_is_none(
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
        first = torch.where(skirt.hit & ((view.depth == 0) | (skirt.depth < view.depth)), skirt.depth, view.depth)
        skirted.append(replace(view, subject=replace(subject, mask=(first > 0).float()), depth=first))
    points = atlas.surface.of(vertices)[atlas.covered]
    thigh = atlas.surface.of(body.weights)[atlas.covered][:, [1, 2]].sum(dim=1) > 0.9
    inwards = atlas.surface.of(vertex_normals(vertices, body.faces))[atlas.covered][:, 0] * points[:, 0].sign() < -0.7
    inner = thigh & (points[:, 1] > low + 0.05) & (points[:, 1] < high - 0.15) & inwards
    assert inner.sum() > 20
    bare, dressed = bake(body, atlas, views), bake(body, atlas, skirted)
    assert bare.empty[inner].any() and not dressed.empty[inner].any()
    assert dressed.solid[inner][:, 9:12].float().mean() > bare.solid[inner][:, 9:12].float().mean()
