"""The layer of what stands off the body: closed, thick, attached, and cut where depth jumps."""

import dataclasses
from pathlib import Path

import pytest
import torch
import trimesh
from stage import camera_in_front, standing

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.errors import BadInput
from sherf.models.surface.layer import Layer, to_rest, unpack_layer
from sherf.models.surface.uncovered import OwnImage, layer_of_uncovered
from sherf.render.raycast import cast
from sherf.scene import PosedBody

SIZE = (320, 240)


@pytest.fixture(scope="module")
def posed(body: BodyModel) -> PosedBody:
    return body.pose(standing())


@pytest.fixture(scope="module")
def hat(body: BodyModel, posed: PosedBody) -> OwnImage:
    """A body with a disc of 30 cm behind its head, which no surface covers."""
    camera = camera_in_front(SIZE)
    hits = cast(posed.vertices, body.faces, camera)
    opacity = hits.hit.float()
    (x, y), _ = (v[0] for v in project(camera, posed.joints[15:16]))
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    radius = 0.15 * float(camera.K[0, 0]) / 3.2
    disc = ((columns - x).square() + (rows - y + 8).square() < radius**2).float()
    depth = torch.where(hits.hit, hits.depth, 0.0)
    return OwnImage(camera, torch.maximum(opacity, disc), opacity, depth, 0.09 * opacity)


@pytest.fixture(scope="module")
def layer(hat: OwnImage, posed: PosedBody, body: BodyModel) -> Layer:
    found = layer_of_uncovered(hat, posed, body)
    assert found is not None
    return found


def test_it_covers_what_was_uncovered_with_a_closed_body_as_thick_as_wide(
    layer: Layer, hat: OwnImage, posed: PosedBody
) -> None:
    points = layer.posed(posed)
    mesh = trimesh.Trimesh(points.numpy(), layer.faces.numpy(), process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    missing = (hat.mask > 0.5) & (hat.opacity < 0.5)
    shown = cast(points, layer.faces, hat.camera).hit
    assert (shown & missing).sum() > 0.97 * missing.sum()
    thickness = float((points @ hat.camera.R[2]).max() - (points @ hat.camera.R[2]).min())
    assert 0.06 < thickness < 0.3, "neither a cut-out nor a beam"


def test_it_moves_with_the_head(layer: Layer, body: BodyModel) -> None:
    assert layer.weights[:, [12, 15]].sum(dim=1).min() > 0.5
    torch.testing.assert_close(layer.weights.sum(dim=1), torch.ones(len(layer.rest)))
    turned = standing()
    turned.joints[15, 1] = 0.7
    points = layer.posed(body.pose(turned))
    torch.testing.assert_close(to_rest(points, layer.weights, body.pose(turned)), layer.rest, atol=1e-4, rtol=0)
    rotation = layer.rotations(body.pose(standing()), body.pose(turned))
    assert (rotation.det() - 1).abs().max() < 0.2
    assert (points - layer.posed(body.pose(standing()))).norm(dim=1).max() > 0.05


def test_nothing_uncovered_makes_no_layer(hat: OwnImage, posed: PosedBody, body: BodyModel) -> None:
    assert layer_of_uncovered(dataclasses.replace(hat, mask=hat.opacity), posed, body) is None
    empty = dataclasses.replace(hat, opacity=torch.zeros(SIZE), depth=torch.zeros(SIZE))
    assert layer_of_uncovered(empty, posed, body) is None, "no body to attach it to"


def test_a_patch_away_from_the_person_is_not_attached(hat: OwnImage, posed: PosedBody, body: BodyModel) -> None:
    mask = hat.opacity.clone()
    mask[10:40, 10:40] = 1
    assert layer_of_uncovered(dataclasses.replace(hat, mask=mask), posed, body) is None


def test_matter_between_two_depths_is_cut_and_not_stretched(posed: PosedBody, body: BodyModel) -> None:
    """Between a hand in front and a trunk half a metre behind it there is no web."""
    camera = camera_in_front(SIZE)
    opacity, depth = torch.zeros(SIZE), torch.zeros(SIZE)
    opacity[100:200, 60:100], depth[100:200, 60:100] = 1, 2.6
    opacity[100:200, 112:150], depth[100:200, 112:150] = 1, 3.3
    mask = opacity.clone()
    mask[100:200, 60:150] = 1
    found = layer_of_uncovered(OwnImage(camera, mask, opacity, depth, 0.05 * opacity), posed, body)
    assert found is not None
    points = found.posed(posed) @ camera.R[2] + camera.T[2]
    assert (points[found.faces].amax(dim=1) - points[found.faces].amin(dim=1)).max() < 0.2


def packed(layer: Layer) -> dict[str, torch.Tensor]:
    return {"layer.rest": layer.rest, "layer.weights": layer.weights.half(), "layer.faces": layer.faces.int()}


def test_a_file_holds_it_and_damage_is_refused(layer: Layer) -> None:
    again = unpack_layer(Path("a"), packed(layer))
    assert again is not None and unpack_layer(Path("a"), {}) is None
    assert again.faces.equal(layer.faces) and again.rest.equal(layer.rest)
    torch.testing.assert_close(again.weights, layer.weights, atol=2e-3, rtol=0)
    for name, value in {
        "layer.faces": packed(layer)["layer.faces"] - 1,
        "layer.rest": torch.full_like(layer.rest, torch.nan),
        "layer.weights": packed(layer)["layer.weights"][:-1],
    }.items():
        with pytest.raises(BadInput, match=name):
            unpack_layer(Path("a"), packed(layer) | {name: value})
    too_far = packed(layer)
    too_far["layer.faces"] = too_far["layer.faces"] + len(layer.rest)
    with pytest.raises(BadInput, match=r"layer\.faces"):
        unpack_layer(Path("a"), too_far)
