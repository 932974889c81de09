"""Meshes of avatars: surface, skinning, texture, and files that other programs read correctly."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import open3d
import pygltflib as gltf
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation
from stage import camera_in_front, photograph, standing

from sherf.api.export import export_avatar
from sherf.api.render import animate_motion
from sherf.avatar.avatar_file import save_avatar
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.body.lbs import vertex_normals
from sherf.body.skeleton import JOINT_NAMES, PARENTS
from sherf.camera.pinhole import project
from sherf.errors import BadInput, SherfError
from sherf.export.gltf import VRM_BONES, encode_glb
from sherf.export.marching_cubes import extract_surface
from sherf.export.mesh_files import write_obj, write_ply, write_points
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.mesh_unwrap import decimate, decimate_and_unwrap, unwrap
from sherf.export.options import ExportOptions, VrmOptions
from sherf.export.rigged import RiggedMesh, bake_texture, build_rigged_mesh
from sherf.export.sequence import FrameSequence
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.models.solid import Solid
from sherf.models.template.bank import encode
from sherf.models.template.model import TemplateModel
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.playback import apply, leg_height, scale_to_legs
from sherf.motion.read import read_motion
from sherf.motion.resample import resample
from sherf.render.devices import choose_backend
from sherf.render.sampling import OccupancyGrid
from sherf.scene import BodyPose, Camera

BACKEND = choose_backend("cpu")


@pytest.fixture(scope="module")
def avatar(body: BodyModel) -> EncodedAvatar:
    """An avatar of the coloured body, by the template model."""
    with torch.no_grad():
        return EncodedAvatar(
            encode(photograph(body, standing(), camera_in_front((320, 240))), body),
            TemplateModel(),
            {"photo_sha256": "abc"},
        )


@pytest.fixture(scope="module")
def mesh(avatar: EncodedAvatar, body: BodyModel) -> RiggedMesh:
    return build_rigged_mesh(avatar, body, BACKEND, triangles=6000, texture=256, spacing=0.01)


def _balls(body: BodyModel, *balls: tuple[float, tuple[float, float, float]]) -> Solid:
    """A union of balls, red and visible where x > 0, else blue and invisible."""
    parts = [trimesh.creation.icosphere(3, radius).apply_translation(centre) for radius, centre in balls]
    whole = trimesh.util.concatenate(parts)
    grid = OccupancyGrid.around(
        torch.from_numpy(np.asarray(whole.vertices)).float(), torch.from_numpy(np.asarray(whole.faces)), 0.03, 0.0125
    )

    def inside(points: torch.Tensor) -> torch.Tensor:
        return torch.stack([r - (points - torch.tensor(c)).norm(dim=1) for r, c in balls]).amax(dim=0)

    def colour(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        right = (points[:, :1] > 0).float()
        return torch.cat([right, torch.zeros_like(right), 1 - right], dim=1), right[:, 0]

    posed = body.pose(body.rest_pose())
    return Solid(posed, grid, (posed.vertices, body.faces), inside, colour)


def test_marching_cubes_extracts_a_sphere_from_a_ball(body: BodyModel) -> None:
    """Watertight, wound outwards, of the right volume; a smaller ball beside it is dropped."""
    solid = _balls(body, (0.2, (0.0, 0.1, 0.0)), (0.05, (0.4, 0.0, 0.0)))
    vertices, faces = extract_surface(solid, 0.008)
    shape = trimesh.Trimesh(vertices, faces, process=False)
    assert shape.is_watertight and shape.is_winding_consistent
    assert shape.volume == pytest.approx(4 / 3 * np.pi * 0.2**3, rel=0.01)
    radius = np.linalg.norm(vertices - [0, 0.1, 0], axis=1)
    assert np.allclose(radius, 0.2, atol=5e-4)
    outwards = (vertices - [0, 0.1, 0]) / radius[:, None]
    normals = vertex_normals(torch.from_numpy(vertices), torch.from_numpy(faces)).numpy()
    assert (normals * outwards).sum(axis=1).min() > 0.98
    fewer, coarse = decimate(vertices, faces, 500)
    assert 400 <= len(coarse) <= 500
    assert trimesh.Trimesh(fewer, coarse, process=False).volume == pytest.approx(shape.volume, rel=0.05)


def test_unwrapping_in_a_process_gives_the_same_mesh_and_can_be_cancelled(
    body: BodyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh = extract_surface(_balls(body, (0.2, (0.0, 0.0, 0.0))), 0.02)
    for expected, found in zip(unwrap(*decimate(*mesh, 800)), decimate_and_unwrap(*mesh, 800), strict=True):
        np.testing.assert_array_equal(found, expected)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decimate_and_unwrap(*mesh, 800, stop)
    monkeypatch.setattr("sherf.export.mesh_unwrap.sys.executable", "/bin/false")
    with pytest.raises(SherfError, match="unwrapped"):
        decimate_and_unwrap(*mesh, 800)


def test_an_empty_solid_has_no_surface(body: BodyModel) -> None:
    solid = _balls(body, (0.2, (0.0, 0.0, 0.0)))
    empty = replace(solid, _inside=lambda points: torch.full_like(points[:, 0], -1.0))
    with pytest.raises(BadInput, match="no surface"):
        extract_surface(empty, 0.01)


def test_the_baked_texture_shows_the_solids_colours(body: BodyModel) -> None:
    """Sampled at the centre of each triangle: red and visible on one side, blue and invisible on the other."""
    solid = _balls(body, (0.2, (0.0, 0.0, 0.0)))
    vertices, faces, uv = unwrap(*decimate(*extract_surface(solid, 0.02), 800))
    assert uv.min() >= 0 and uv.max() <= 1
    image, visibility, visible_share = bake_texture(solid, vertices, faces, uv, 256)
    centres, centres_uv = vertices[faces].mean(axis=1), uv[faces].mean(axis=1)
    clear = np.abs(centres[:, 0]) > 0.03
    column, row = (centres_uv[clear] * 256).astype(int).T
    right = centres[clear, 0] > 0
    assert np.allclose(image[row, column], np.where(right[:, None], [1, 0, 0], [0, 0, 1]), atol=0.02)
    assert np.array_equal(visibility[row, column] > 0.5, right)
    assert visible_share == pytest.approx(0.5, abs=0.1)
    corner = uv[faces]
    area = np.abs(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])).sum() / 2
    assert 0.3 < area < 1.0  # charts fill the texture without overlaps


def test_the_mesh_is_an_avatar_in_the_rest_pose(mesh: RiggedMesh, body: BodyModel) -> None:
    assert 4000 < len(mesh.faces) <= 6000
    assert np.allclose(mesh.weights.sum(axis=1), 1, atol=1e-5) and mesh.weights.min() >= 0
    assert mesh.joints.shape == mesh.weights.shape == (len(mesh.vertices), 4)
    rest = mesh.posed(body.rest_pose()).numpy()
    assert np.allclose(rest, mesh.vertices, atol=1e-5)
    left_hand = mesh.vertices[:, 0].argmax()
    assert JOINT_NAMES[mesh.joints[left_hand, 0]] in ("left_hand", "left_wrist")
    assert 0.1 < mesh.visible_share < 0.6


def test_a_root_rotation_rotates_all_vertices(mesh: RiggedMesh, body: BodyModel) -> None:
    pose = body.rest_pose()
    joints = pose.joints.clone()
    joints[0] = torch.tensor([0.3, 1.0, -0.2])
    placed = replace(pose, joints=joints, T_world_body=torch.tensor([1.0, 2.0, 3.0]))
    pelvis = mesh.rest_joints[0]
    rotated = Rotation.from_rotvec(joints[0].numpy()).apply(mesh.vertices - pelvis) + pelvis + [1, 2, 3]
    assert np.allclose(mesh.posed(placed).numpy(), rotated, atol=1e-5)


def test_the_posed_mesh_agrees_with_the_volume_renderer(
    avatar: EncodedAvatar, mesh: RiggedMesh, body: BodyModel
) -> None:
    """Over a walk: silhouettes overlap by 95 %, colours agree to 25 dB."""
    pose = avatar.bank.subject.pose
    walk = apply(read_motion("walk"), pose, leg_height_m=leg_height(body.rest_joints(pose.betas)))
    camera = camera_in_front((320, 240))
    volume, fast = FieldRenderer(avatar, body, BACKEND), MeshRenderer(mesh)
    for i in (0, 10, 20):
        pose_at_origin = replace(walk[i], T_world_body=torch.zeros(3))
        a, b = volume.frame(camera, pose_at_origin), fast.frame(camera, pose_at_origin)
        both, either = (a.opacity > 0.5) & (b.opacity > 0.5), (a.opacity > 0.5) | (b.opacity > 0.5)
        assert float(both.sum() / either.sum()) > 0.95
        assert float(-10 * (a.rgb - b.rgb).square().mean().log10()) > 25
        assert float((a.depth - b.depth)[both].abs().median()) < 0.01
        assert float((a.visibility - b.visibility)[both].abs().mean()) < 0.1


def test_a_camera_that_looks_away_renders_an_empty_frame(mesh: RiggedMesh, body: BodyModel) -> None:
    """A camera inside the person, and one with half the person in its frame, work too."""
    camera, fast, pose = camera_in_front((60, 40)), MeshRenderer(mesh), body.rest_pose()
    away = replace(camera, R=camera.R * torch.tensor([[-1.0], [1.0], [-1.0]]), T=camera.T * torch.tensor([-1.0, 1, -1]))
    assert float(fast.frame(away, pose).opacity.max()) == 0
    aside = replace(camera, T=camera.T + torch.tensor([1.6, 0.0, 0.0]))
    whole, half = (fast.frame(c, pose).opacity.sum() for c in (camera, aside))
    assert 0 < float(half) < 0.8 * float(whole)
    within = replace(camera, T=torch.tensor([0.0, 0.0, 0.1]))
    assert fast.frame(within, pose).rgb.isfinite().all()


class _Reader:
    """Plays a GLB by the specification: glTF 2.0, 3.7.3.3 (skins) and 3.11 (animations)."""

    def __init__(self, content: bytes) -> None:
        self.file = gltf.GLTF2.load_from_bytes(content)
        self.blob = self.file.binary_blob()

    def numbers(self, index: int) -> np.ndarray:
        accessor = self.file.accessors[index]
        view = self.file.bufferViews[accessor.bufferView]
        kind = {gltf.FLOAT: np.float32, gltf.UNSIGNED_BYTE: np.uint8, gltf.UNSIGNED_INT: np.uint32}
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
        flat = np.frombuffer(self.blob, kind[accessor.componentType], accessor.count * width, view.byteOffset)
        return flat.reshape(accessor.count, width)

    def vertices(self, clip: int | None, frame: int) -> np.ndarray:
        positions = {i: np.array(node.translation) for i, node in enumerate(self.file.nodes[:24])}
        rotations = {i: np.eye(3) for i in positions}
        if clip is not None:
            animation = self.file.animations[clip]
            for channel in animation.channels:
                value = self.numbers(animation.samplers[channel.sampler].output)[frame]
                if channel.target.path == "translation":
                    positions[channel.target.node] = value
                else:
                    rotations[channel.target.node] = Rotation.from_quat(value).as_matrix()
        parent = {child: i for i, node in enumerate(self.file.nodes[:24]) for child in node.children}
        world: list[np.ndarray] = []
        for i in range(24):
            local = np.eye(4)
            local[:3, :3], local[:3, 3] = rotations[i], positions[i]
            world.append(world[parent[i]] @ local if i in parent else local)
        skin = self.file.skins[0]
        inverse = self.numbers(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.stack([world[node] for node in skin.joints]) @ inverse
        attributes = self.file.meshes[0].primitives[0].attributes
        weights, joints = self.numbers(attributes.WEIGHTS_0), self.numbers(attributes.JOINTS_0)
        blended = (weights[..., None, None] * matrices[joints]).sum(axis=1)
        points = self.numbers(attributes.POSITION)
        return np.einsum("vij,vj->vi", blended[:, :3, :3], points) + blended[:, :3, 3]


def test_a_glb_plays_the_exported_motion(mesh: RiggedMesh, body: BodyModel) -> None:
    """Played by the specification, each frame has our posed vertices, on the ground."""
    legs = leg_height(torch.from_numpy(mesh.rest_joints))
    motions = [scale_to_legs(resample(read_motion(name), 30.0), legs) for name in ("walk", "turn")]
    reader = _Reader(encode_glb(mesh, motions, {"tool": "sherf"}))
    ground = np.array([0, mesh.vertices[:, 1].min(), 0])
    assert reader.vertices(None, 0)[:, 1].min() == pytest.approx(0, abs=1e-5)
    assert np.allclose(reader.vertices(None, 0), mesh.vertices - ground, atol=1e-5)
    for clip, motion in enumerate(motions):
        for frame in (0, len(motion) // 2, len(motion) - 1):
            pose = BodyPose(torch.zeros(10), motion.joints[frame], torch.eye(3), motion.translation[frame])
            assert np.allclose(reader.vertices(clip, frame), mesh.posed(pose).numpy() - ground, atol=1e-4)
        animation = reader.file.animations[clip]
        assert animation.name == motion.name
        times = reader.numbers(animation.samplers[0].input)[:, 0]
        assert np.allclose(np.diff(times), 1 / 30, atol=1e-5) and len(times) == len(motion)
    assert reader.file.asset.extras["tool"] == "sherf"
    assert [node.name for node in reader.file.nodes[:24]] == list(JOINT_NAMES)


def test_quaternions_of_neighbouring_frames_are_in_one_hemisphere(mesh: RiggedMesh) -> None:
    """Players interpolate quaternions of neighbouring frames: q and -q must not alternate."""
    reader = _Reader(encode_glb(mesh, [resample(read_motion("turn"), 30.0)]))
    for sampler in reader.file.animations[0].samplers[1:]:
        rotations = reader.numbers(sampler.output)
        assert np.allclose(np.linalg.norm(rotations, axis=1), 1, atol=1e-5)
        assert (rotations[1:] * rotations[:-1]).sum(axis=1).min() > 0


def test_other_programs_load_the_glb(mesh: RiggedMesh, tmp_path: Path) -> None:
    (tmp_path / "me.glb").write_bytes(encode_glb(mesh))
    loaded = trimesh.load(tmp_path / "me.glb", force="mesh")
    assert len(loaded.faces) == len(mesh.faces)
    assert np.allclose(np.sort(loaded.extents), np.sort(np.ptp(mesh.vertices, axis=0)), atol=1e-4)
    assert loaded.visual.material.baseColorTexture.size == (256, 256)


def test_a_vrm_names_its_bones_and_its_licence(mesh: RiggedMesh) -> None:
    content = encode_glb(mesh, vrm={"name": "me", "licenseUrl": "https://vrm.dev/licenses/1.0/", "authors": ["a"]})
    length = struct.unpack("<I", content[12:16])[0]
    document = json.loads(content[20 : 20 + length])
    assert document["extensionsUsed"] == ["VRMC_vrm"]
    extension = document["extensions"]["VRMC_vrm"]
    assert extension["specVersion"] == "1.0" and extension["meta"]["name"] == "me"
    nodes = document["nodes"]
    required = ("hips", "spine", "head", "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperArm", "rightHand")
    for bone in required:
        node = extension["humanoid"]["humanBones"][bone]["node"]
        assert nodes[node]["name"] == VRM_BONES[bone]
    used = [bone["node"] for bone in extension["humanoid"]["humanBones"].values()]
    assert len(set(used)) == len(used)


def test_obj_and_ply_are_loaded_with_their_colours(mesh: RiggedMesh, tmp_path: Path) -> None:
    vertices = mesh.vertices + np.float32([0, 1, 0])
    files = write_obj(tmp_path / "me.obj", mesh, vertices, "made with sherf")
    assert [path.name for path in files] == ["me.obj", "me.mtl", "me.png"]
    loaded = trimesh.load(tmp_path / "me.obj", force="mesh", process=False)
    assert len(loaded.faces) == len(mesh.faces)
    assert np.allclose(loaded.bounds, [vertices.min(axis=0), vertices.max(axis=0)], atol=1e-4)
    assert np.asarray(loaded.visual.material.image).shape[:2] == (256, 256)
    (ply,) = write_ply(tmp_path / "me.ply", mesh, vertices)
    coloured = trimesh.load(ply, process=False)
    assert np.allclose(coloured.vertices, vertices, atol=1e-5)
    assert np.ptp(np.asarray(coloured.visual.vertex_colors)[:, :3], axis=0).min() > 50


def test_points_lie_evenly_on_the_surface_with_its_colours_and_normals(mesh: RiggedMesh, tmp_path: Path) -> None:
    """Trimesh and Open3D read the same points; each region has its area's share; writing again gives the same file."""
    count, vertices = 20_000, mesh.vertices + np.float32([0, 1, 0])
    (path,) = write_points(tmp_path / "me.ply", mesh, vertices, count)
    cloud, loaded = open3d.io.read_point_cloud(str(path)), trimesh.load(path)
    points, normals = np.asarray(cloud.points), np.asarray(cloud.normals)
    assert points.shape == normals.shape == np.asarray(cloud.colors).shape == (count, 3)
    assert isinstance(loaded, trimesh.PointCloud) and np.allclose(loaded.vertices, points)
    assert np.allclose(loaded.colors[:, :3] / 255, cloud.colors, atol=1e-6)
    surface = trimesh.Trimesh(vertices, mesh.faces, process=False)
    _, distance, face = trimesh.proximity.closest_point(surface, points[::20])
    assert distance.max() < 1e-5
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert np.quantile((surface.face_normals[face] * normals[::20]).sum(axis=1), 0.05) > 0.5
    upper = surface.triangles_center[:, 1] > 1.2
    share = surface.area_faces[upper].sum() / surface.area
    assert (points[:, 1] > 1.2).mean() == pytest.approx(share, abs=0.01)
    texture = (mesh.texture * 255).round().astype(np.uint8).reshape(-1, 3)
    assert set(map(tuple, loaded.colors[::100, :3])) <= set(map(tuple, texture))
    before = path.read_bytes()
    assert write_points(path, mesh, vertices, count) == [path] and path.read_bytes() == before


def test_an_exported_point_cloud_has_the_requested_number_of_points(avatar: EncodedAvatar, tmp_path: Path) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    options = ExportOptions(points=1234, triangles=2000, texture=64)
    files = export_avatar(tmp_path / "avatar.safetensors", tmp_path / "me.ply", options)
    assert [path.name for path in files] == ["me.ply", "me.ply.provenance.json"]
    assert len(trimesh.load(files[0]).vertices) == 1234


def test_the_avatars_photo_is_not_overwritten(avatar: EncodedAvatar, tmp_path: Path) -> None:
    """The photo has the texture's path; it is recognised by its digest in the avatar."""
    photo = tmp_path / "me.png"
    photo.write_text("the photo")
    own = replace(avatar, report={"photo_sha256": file_sha256(photo)})
    save_avatar(own, tmp_path / "avatar.safetensors")
    with pytest.raises(BadInput, match=r"me\.png would be overwritten"):
        export_avatar(tmp_path / "avatar.safetensors", tmp_path / "me.obj")
    assert photo.read_text() == "the photo"


def test_a_name_without_a_suffix_gets_the_suffix_of_the_format(avatar: EncodedAvatar, tmp_path: Path) -> None:
    """Even if a folder of that name exists."""
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    (tmp_path / "person").mkdir()
    options = ExportOptions(format="bvh", motion=("wave",))
    files = export_avatar(tmp_path / "avatar.safetensors", tmp_path / "person", options)
    assert [path.name for path in files] == ["person.bvh", "person.bvh.provenance.json"]
    for folder in (tmp_path / "..", Path()):
        with pytest.raises(BadInput, match="is a folder"):
            export_avatar(tmp_path / "avatar.safetensors", folder, options)


def test_a_mesh_in_one_pose_takes_the_motions_first_frame(
    avatar: EncodedAvatar, body: BodyModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    options = ExportOptions(motion=("wave",), triangles=2000, texture=64)
    files = export_avatar(tmp_path / "avatar.safetensors", tmp_path / "me.obj", options)
    assert "first frame of wave" in capsys.readouterr().err
    assert [path.name for path in files] == ["me.obj", "me.mtl", "me.png", "me.obj.provenance.json"]
    assert json.loads(files[-1].read_text())["photo_sha256"] == "abc"
    pose = avatar.bank.subject.pose
    first = apply(read_motion("wave"), pose, leg_height_m=leg_height(body.rest_joints(pose.betas)))[0]
    posed = body.pose(first).vertices
    width = float(posed[:, 0].max() - posed[:, 0].min())
    found = trimesh.load(files[0], force="mesh", process=False).extents[0]
    assert found == pytest.approx(width, abs=0.12)  # skin and clothes; a T-pose is far wider


def test_a_motion_for_a_vrm_is_ignored_with_a_warning(
    avatar: EncodedAvatar, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    options = ExportOptions(motion=("wave",), triangles=2000, texture=64)
    (path,) = export_avatar(tmp_path / "avatar.safetensors", tmp_path / "me.vrm", options)
    assert "warning: a .vrm does not hold motions" in capsys.readouterr().err
    assert gltf.GLTF2.load_from_bytes(path.read_bytes()).animations == []


def test_the_suffix_selects_the_format(avatar: EncodedAvatar, tmp_path: Path) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    options = ExportOptions(motion=("wave",), triangles=2000, texture=64)
    (path,) = export_avatar(tmp_path / "avatar.safetensors", tmp_path / "sub" / "me.glb", options)
    file = gltf.GLTF2.load(str(path))
    assert file.asset.extras["photo_sha256"] == "abc" and [a.name for a in file.animations] == ["wave"]
    assert file.asset.extras["invented"] == pytest.approx(1 - file.asset.extras["seen_by_the_photo"], abs=2e-3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["avatar.safetensors", "sub"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("me.fbx", ExportOptions(), "fbx|format"),
        ("me.glb", ExportOptions(triangles=3), "triangles"),
        ("me.glb", ExportOptions(texture=100_000), "texture"),
        ("me.glb", ExportOptions(motion=("moonwalk",)), "moonwalk"),
        ("me.obj", ExportOptions(frame=3), "frame"),
        ("me.glb", ExportOptions(frame=3, motion=("wave",)), r"--frame 3 .* \.obj or \.ply"),
        ("me.vrm", ExportOptions(posed="photo"), r"--posed photo .* \.obj or \.ply"),
        ("me.bvh", ExportOptions(posed="photo", motion=("wave",)), "--posed photo"),
        ("me.ply", ExportOptions(posed="photo", motion=("wave",)), "one pose"),
        ("me.obj", ExportOptions(motion=("wave", "walk")), "one pose"),
        ("me.obj", ExportOptions(points=1000), r"--points 1000 .* export \.ply"),
        ("me.ply", ExportOptions(points=-1), "--points -1"),
        ("me.obj", ExportOptions(frame=9999, motion=("wave",)), "9999"),
    ],
)
def test_impossible_exports_are_refused_before_anything_is_written(
    avatar: EncodedAvatar, tmp_path: Path, name: str, options: ExportOptions, message: str
) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    with pytest.raises(BadInput, match=message):
        export_avatar(tmp_path / "avatar.safetensors", tmp_path / "out" / name, options)
    assert not (tmp_path / "out").exists()


def test_a_vrm_carries_the_chosen_licence(avatar: EncodedAvatar, tmp_path: Path) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    licence = VrmOptions(author=("Ada", "Bo"), may_act="everyone", redistribution=True)
    options = ExportOptions(triangles=2000, texture=64)
    (path,) = export_avatar(tmp_path / "avatar.safetensors", tmp_path / "me.vrm", options, vrm=licence)
    content = path.read_bytes()
    document = json.loads(content[20 : 20 + struct.unpack("<I", content[12:16])[0]])
    meta = document["extensions"]["VRMC_vrm"]["meta"]
    assert meta["name"] == "me" and meta["authors"] == ["Ada", "Bo"] and meta["avatarPermission"] == "everyone"
    assert meta["allowRedistribution"] and meta["modification"] == "prohibited"


def test_parents_precede_their_children() -> None:
    """The reader above relies on it."""
    assert all(parent < joint for joint, parent in enumerate(PARENTS))


def test_exported_motions_are_the_rendered_ones(
    avatar: EncodedAvatar, mesh: RiggedMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same steps, with the feet on the ground, in rendered frames, in a motion file and in a GLB."""
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    sequences: list[FrameSequence] = []
    monkeypatch.setattr("sherf.api.render.write_sequence", lambda sequence, *_: sequences.append(sequence) or [])
    animate_motion(tmp_path / "avatar.safetensors", "squat", None, "still", OutputOptions(tmp_path / "video"))
    export_avatar(tmp_path / "avatar.safetensors", tmp_path / "squat.npz", ExportOptions(motion=("squat",)))
    clips: list[Motion] = []
    monkeypatch.setattr("sherf.export.exporter.build_rigged_mesh", lambda *_: mesh)
    monkeypatch.setattr("sherf.export.exporter.encode_glb", lambda _, motions, *__: clips.extend(motions) or b"")
    export_avatar(tmp_path / "avatar.safetensors", tmp_path / "squat.glb", ExportOptions(motion=("squat",)))
    moved, exported = sequences[0].poses, read_motion(tmp_path / "squat.npz")
    placed = apply(exported, avatar.bank.subject.pose)
    for motion in (placed, apply(clips[0], avatar.bank.subject.pose)):
        torch.testing.assert_close(motion.joints, moved.joints, atol=1e-5, rtol=0)
        torch.testing.assert_close(motion.T_world_body.diff(dim=0), moved.T_world_body.diff(dim=0), atol=1e-5, rtol=0)


def test_a_motion_is_exported_on_the_avatars_skeleton(avatar: EncodedAvatar, body: BodyModel, tmp_path: Path) -> None:
    save_avatar(avatar, tmp_path / "avatar.safetensors")
    for name in ("walk.bvh", "walk.npz"):
        files = export_avatar(tmp_path / "avatar.safetensors", tmp_path / name, ExportOptions(motion=("walk",)))
        assert [path.name for path in files] == [name, f"{name}.provenance.json"]
        assert json.loads(files[1].read_text())["photo_sha256"] == "abc"
        read = read_motion(tmp_path / name)
        assert len(read) == len(read_motion("walk"))
    with np.load(tmp_path / "walk.npz") as arrays:
        assert np.allclose(arrays["betas"], avatar.bank.subject.pose.betas)
        grounded = ground_motion(read_motion("walk"), body, avatar.bank.subject.pose.betas)
        assert np.allclose(arrays["trans"], grounded.translation, atol=1e-5)
        subject = avatar.bank.subject
        camera = Camera(
            *(torch.from_numpy(arrays[f"camera_{name}"]) for name in "KRT"), tuple(arrays["camera_size"].tolist())
        )
        assert camera.size == subject.camera.size
        pose = BodyPose(
            torch.from_numpy(arrays["betas"]),
            torch.from_numpy(arrays["photo_poses"]).reshape(24, 3),
            torch.from_numpy(arrays["photo_R"]),
            torch.from_numpy(arrays["photo_T"]),
        )
        for a, b in zip(
            project(camera, body.pose(pose).vertices),
            project(subject.camera, body.pose(subject.pose).vertices),
            strict=True,
        ):
            assert torch.allclose(a, b, atol=1e-3)
    with pytest.raises(BadInput, match="one motion"):
        export_avatar(tmp_path / "avatar.safetensors", tmp_path / "none.bvh")
