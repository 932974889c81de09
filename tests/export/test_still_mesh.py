"""Meshes in one pose: their texture shows the avatar's colours, and viewers can read them."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh
from stage import camera_in_front, photograph, standing

from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.avatar.renderer import prepared
from sherf.body.body_model import BodyModel
from sherf.export.gltf import encode_still_glb
from sherf.export.rigged import build_rigged_mesh
from sherf.export.still_mesh import StillMesh, quick_mesh
from sherf.models.template.model import TemplateModel
from sherf.render.devices import choose_backend


@pytest.fixture(scope="module")
def avatar(body: BodyModel) -> EncodedAvatar:
    subject = photograph(body, standing(0.4), camera_in_front((240, 180)))
    return ModelEncoder(TemplateModel(), choose_backend("cpu"), "template").encode(subject, body, {})


@pytest.fixture(scope="module")
def mesh(avatar: EncodedAvatar, body: BodyModel) -> StillMesh:
    return quick_mesh(avatar, body, choose_backend("cpu"))


def sampled(layers: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Return an image at UV coordinates, bilinearly."""
    pixels = (uv * np.array(layers.shape[1::-1]) - 0.5).astype(np.float32)
    return cv2.remap(layers.astype(np.float32), pixels[None], None, cv2.INTER_LINEAR)[0]


def test_the_texture_shows_the_avatars_colours_everywhere(
    mesh: StillMesh, avatar: EncodedAvatar, body: BodyModel
) -> None:
    rng = np.random.default_rng(0)
    face, weights = rng.integers(0, len(mesh.faces), 4000), rng.dirichlet([1, 1, 1], 4000)
    corners = mesh.faces[face]
    points = (mesh.vertices[corners] * weights[..., None]).sum(axis=1)
    uv = (mesh.uv[corners] * weights[..., None]).sum(axis=1)
    field = prepared(avatar, body, choose_backend("cpu")).field(body.pose(avatar.bank.subject.pose))
    colour, seen = field.solid().colour(torch.from_numpy(points).float())
    off = np.abs(sampled(mesh.texture, uv) - colour.numpy()).max(axis=1)
    assert np.median(off) < 0.01 and (off < 0.1).mean() > 0.95, "wrong cells would show other colours"
    assert (np.abs(sampled(mesh.visibility, uv) - seen.numpy()) < 0.2).mean() > 0.95


def test_the_file_is_a_glb_with_the_same_surface_and_texture(mesh: StillMesh) -> None:
    scene = trimesh.load(io.BytesIO(encode_still_glb(mesh)), file_type="glb", process=False)
    (loaded,) = scene.geometry.values()
    assert np.allclose(loaded.vertices, mesh.vertices, atol=1e-5) and np.array_equal(loaded.faces, mesh.faces)
    material = loaded.visual.material
    assert material.baseColorTexture.size == mesh.texture.shape[1::-1]
    # trimesh counts v from below
    assert np.allclose(loaded.visual.uv, mesh.uv * [1, -1] + [0, 1], atol=1e-5)


def test_a_rigged_mesh_is_taken_in_the_photos_pose(avatar: EncodedAvatar, body: BodyModel, tmp_path: Path) -> None:
    rigged = build_rigged_mesh(avatar, body, choose_backend("cpu"), triangles=2000, texture=64, spacing=0.02)
    pose = avatar.bank.subject.pose
    still = StillMesh.of(rigged, pose)
    ours = trimesh.Trimesh(still.vertices, still.faces, process=False)
    surface = body.pose(pose).vertices.numpy()
    near = np.abs(trimesh.proximity.closest_point(ours, surface[::40])[1])
    assert np.median(near) < 0.02, "the body lies within its clothes"
