"""Motion files of other programs: read as their formats define them, or refused with the reason."""

import base64
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sherf.body.body_model import BodyModel
from sherf.body.lbs import joint_transforms
from sherf.body.skeleton import JOINT_NAMES, PARENTS, joint_index
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.errors import BadInput
from sherf.export.gltf import encode_glb
from sherf.export.motion_files import format_bvh
from sherf.export.rigged import RiggedMesh
from sherf.motion.motion import Motion, move_to_origin
from sherf.motion.read import read_motion
from sherf.motion.readers.bvh import read_bvh
from sherf.motion.readers.joint_names import match_joints, split_side
from sherf.motion.readers.retarget import least_rotation
from sherf.motion.resample import resample

MIXAMO = {
    "pelvis": "mixamorig:Hips", "spine1": "mixamorig:Spine", "spine2": "mixamorig:Spine1", "spine3": "mixamorig:Spine2",
    "neck": "mixamorig:Neck", "head": "mixamorig:Head",
    **{
        f"{side}_{ours}": f"mixamorig:{side.title()}{theirs}"
        for side in ("left", "right")
        for ours, theirs in (
            ("hip", "UpLeg"), ("knee", "Leg"), ("ankle", "Foot"), ("foot", "ToeBase"), ("collar", "Shoulder"),
            ("shoulder", "Arm"), ("elbow", "ForeArm"), ("wrist", "Hand"),
        )
    },
}  # fmt: skip
LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From motion space to a z-up file: (x, y, z) -> (x, -z, y)."""


def _rotations(motion: Motion) -> np.ndarray:
    """Return the world rotations of all joints."""
    local = axis_angle_to_matrix(motion.joints).double().numpy()
    world = np.zeros_like(local)
    for joint, parent in enumerate(PARENTS):
        world[:, joint] = local[:, joint] if parent < 0 else world[:, parent] @ local[:, joint]
    return world


def _positions(motion: Motion, body: BodyModel) -> np.ndarray:
    rest = body.J_template
    transforms = joint_transforms(axis_angle_to_matrix(motion.joints), rest, PARENTS)
    posed = torch.einsum("fjik,jk->fji", transforms[..., :3, :3], rest) + transforms[..., :3, 3]
    return (posed + motion.translation[:, None]).numpy()


def _bvh(
    motion: Motion, rest: np.ndarray, rested: np.ndarray, axes: np.ndarray, scale: float, names: dict[str, str]
) -> str:
    """Write a motion as BVH for a skeleton with another rest pose, axes and unit.

    Args:
        motion: the motion to write.
        rest: (24, 3), rest positions, motion space, metres.
        rested: (24, 3, 3), SMPL's rest pose -> the skeleton's, world rotations.
        axes: rotation from motion space to the file's axes.
        scale: the file's units per metre.
        names: SMPL joint -> name in the file; others are left out.

    Returns:
        The file's text.
    """
    kept = [joint for joint, name in enumerate(JOINT_NAMES) if name in names]
    world = axes @ _rotations(motion) @ rested.transpose(0, 2, 1) @ axes.T
    lines, columns = ["HIERARCHY"], []

    def write(joint: int, depth: int) -> None:
        parent = PARENTS[joint]
        offset = scale * axes @ (rest[joint] - rest[parent] if parent >= 0 else np.zeros(3))
        local = world[:, joint] if parent < 0 else world[:, parent].transpose(0, 2, 1) @ world[:, joint]
        pad = "\t" * depth
        lines.append(f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {names[JOINT_NAMES[joint]]}")
        lines.append(f"{pad}{{\n{pad}\tOFFSET {offset[0]:.6f} {offset[1]:.6f} {offset[2]:.6f}")
        if parent < 0:
            lines.append(f"{pad}\tCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation")
            columns.append(scale * (motion.translation.numpy() + rest[0]) @ axes.T)
        else:
            lines.append(f"{pad}\tCHANNELS 3 Zrotation Xrotation Yrotation")
        columns.append(Rotation.from_matrix(local).as_euler("ZXY", degrees=True))
        children = [child for child in kept if PARENTS[child] == joint]
        for child in children:
            write(child, depth + 1)
        if not children:
            lines.append(f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET 0 0 0\n{pad}\t}}")
        lines.append(f"{pad}}}")

    write(0, 0)
    numbers = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(numbers)}", f"Frame Time: {1 / motion.fps:.6f}"]
    lines += [" ".join(f"{x:.6f}" for x in row) for row in numbers]
    return "\n".join(lines) + "\n"


def _directions(places: np.ndarray) -> np.ndarray:
    ends = np.stack([places[:, joint_index(b)] - places[:, joint_index(a)] for a, b in LIMBS], axis=1)
    return ends / np.linalg.norm(ends, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def dance() -> Motion:
    motion = read_motion("dance")
    joints = motion.joints.clone()
    for name in ("left_hand", "right_hand"):  # other skeletons lack these
        joints[:, joint_index(name)] = 0
    return Motion("dance", *move_to_origin(joints.double().numpy(), motion.translation.numpy()), fps=motion.fps)


@pytest.mark.parametrize(("axes", "scale"), [(np.eye(3), 100.0), (Z_UP, 1.0), (Z_UP, 39.37)])
def test_a_bvh_of_smpls_skeleton_is_read_as_the_same_motion(
    dance: Motion, body: BodyModel, tmp_path: Path, axes: np.ndarray, scale: float
) -> None:
    """Y or z up, in centimetres, metres or inches."""
    rest = body.J_template.double().numpy()
    path = tmp_path / "dance.bvh"
    path.write_text(_bvh(dance, rest, np.tile(np.eye(3), (24, 1, 1)), axes, scale, MIXAMO))
    read = read_motion(path)
    assert len(read) == len(dance) and read.fps == pytest.approx(30, rel=1e-3)
    assert np.allclose(_rotations(read), _rotations(dance), atol=2e-3)
    leg = sum(np.linalg.norm(rest[b] - rest[a]) for a, b in ((1, 4), (4, 7)))
    assert np.allclose(read.translation * leg / 0.791, dance.translation, atol=3e-3)
    unit = {100.0: "centimetres", 1.0: "metres", 39.37: "inches"}[scale]
    assert unit in read.source and f"{'y' if axes is not Z_UP else 'z'} up" in read.source
    assert "left_hand" in read.source


def test_another_rest_pose_changes_no_direction(dance: Motion, body: BodyModel, tmp_path: Path) -> None:
    """A skeleton whose rest pose has half-lowered arms and legs apart keeps its limbs' directions."""
    rest = body.J_template.double().numpy()
    rested = np.tile(np.eye(3), (24, 1, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for joint in ("shoulder", "elbow", "wrist", "hand"):
            rested[joint_index(f"{side}_{joint}")] = Rotation.from_euler("z", -45 * sign, degrees=True).as_matrix()
        for joint in ("hip", "knee", "ankle", "foot"):
            rested[joint_index(f"{side}_{joint}")] = Rotation.from_euler("z", 12 * sign, degrees=True).as_matrix()
    moved = rest.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            moved[joint] = moved[parent] + rested[parent] @ (rest[joint] - rest[parent])
    path = tmp_path / "a_pose.bvh"
    path.write_text(_bvh(dance, moved, rested, np.eye(3), 100.0, MIXAMO))
    read = read_motion(path)
    cosine = (_directions(_positions(read, body)) * _directions(_positions(dance, body))).sum(axis=-1)
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 1.0
    assert np.allclose(_rotations(read)[:, joint_index("head")], _rotations(dance)[:, joint_index("head")], atol=2e-3)


def test_bvh_joints_follow_the_hierarchy_and_channels(tmp_path: Path) -> None:
    """Two bones, one frame, by hand: the root rotated by 90 degrees about z, its child about x."""
    text = (
        "HIERARCHY\nROOT Hips\n{\n OFFSET 0 0 0\n"
        " CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
        " JOINT Upper arm\n {\n  OFFSET 10 0 0\n  CHANNELS 3 Zrotation Xrotation Yrotation\n  JOINT Hand\n  {\n"
        "   OFFSET 0 5 0\n   CHANNELS 3 Zrotation Xrotation Yrotation\n"
        "   End Site\n   {\n    OFFSET 1 0 0\n   }\n  }\n }\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 0.02\n1 2 3 90 0 0 0 90 0 0 0 0\n"
    )
    clip = read_bvh(tmp_path / "two.bvh", text)
    assert clip.names == ("Hips", "Upper arm", "Hand") and clip.fps == pytest.approx(50)
    assert np.allclose(clip.positions[0], [[1, 2, 3], [1, 12, 3], [1, 12, 8]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HIERARCHY", "too early"),
        ("HIERARCHY\nJOINT Hips", "ROOT"),
        ("HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 x", "number"),
        ("HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Wrotation", "Wrotation"),
        ("HIERARCHY\nROOT Hips\n{\nCHANNELS 99", "channels"),
        ("HIERARCHY\nROOT Hips\n{\nJOINT A\n{\n", "too early"),
        ("HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\n}\nMOTION\nFrames: 0\nFrame Time: .1", "no frames"),
        ("HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\n}\nMOTION\nFrames: 10000000\nFrame Time: .1", "frames"),
        ("HIERARCHY\nROOT A\n{\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 2\nFrame Time: .1\n1", "2 numbers"),
        ("HIERARCHY\nROOT A\n{\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0\n1", "frame rate"),
        ("HIERARCHY\nROOT A\n{\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: .1\nnan", "finite"),
        ("HIERARCHY\nROOT Tail\n{\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: .1\n1", "Tail"),
        ("HIERARCHY\n" + "ROOT a { " + "JOINT a { " * 600, "joints"),
    ],
)
def test_a_broken_bvh_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "broken.bvh").write_text(text)
    with pytest.raises(BadInput, match=message):
        read_motion(tmp_path / "broken.bvh")


def test_an_exported_glb_is_read_as_the_same_motion(dance: Motion, body: BodyModel, tmp_path: Path) -> None:
    triangle = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    mesh = RiggedMesh(
        vertices=triangle,
        normals=triangle * 0 + np.float32([0, 0, 1]),
        uv=triangle[:, :2],
        faces=np.array([[0, 1, 2]]),
        joints=np.zeros((3, 4), int),
        weights=np.float32([[1, 0, 0, 0]] * 3),
        texture=np.zeros((8, 8, 3), np.float32),
        visibility=np.zeros((8, 8), np.float32),
        rest_joints=body.J_template.numpy(),
        parents=PARENTS,
        visible_share=0.0,
    )
    (tmp_path / "dance").write_bytes(encode_glb(mesh, [resample(dance, 30.0)]))
    read = read_motion(tmp_path / "dance")
    assert "glTF" in read.source and "metres" in read.source
    assert len(read) == len(dance)
    assert np.allclose(_rotations(read), _rotations(dance), atol=2e-3)


@pytest.mark.parametrize(
    "content", [b"glTF", b"glTF\2\0\0\0\0\0\0\0", b'{"asset": {"version": "2.0"}}', b'{"asset": 3}']
)
def test_a_broken_gltf_is_refused_with_the_reason(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.glb").write_bytes(content)
    with pytest.raises(BadInput, match=r"broken\.glb"):
        read_motion(tmp_path / "broken.glb")


def _poses(frames: int = 6) -> np.ndarray:
    poses = 0.2 * np.random.default_rng(0).standard_normal((frames, 72))
    poses[:, :3] = 0
    return poses


def test_aist_is_scaled_and_its_pickle_is_not_executed(tmp_path: Path) -> None:
    trajectory = np.cumsum(np.ones((6, 3)), axis=0) * 93.0
    content = {"smpl_poses": _poses(), "smpl_trans": trajectory, "smpl_scaling": np.array([93.0]), "smpl_loss": 1.5}
    (tmp_path / "g.pkl").write_bytes(pickle.dumps(content, protocol=2))
    read = read_motion(tmp_path / "g.pkl")
    assert read.fps == 60 and "AIST" in read.source
    assert np.allclose(read.translation[-1], [5, 5, 5], atol=1e-5)
    assert np.allclose(read.joints[:, 1:].reshape(6, -1), _poses()[:, 3:], atol=1e-6)

    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"smpl_poses": Evil()}))
    with pytest.raises(BadInput):
        read_motion(tmp_path / "evil.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("shape", [(0, 24, 3), (0, 72), (0, 52, 3), (0,)])
def test_files_without_frames_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    np.savez(tmp_path / "a.npz", poses=np.zeros(shape), trans=np.zeros((0, 3)), mocap_framerate=60)
    split = {"global_orient": np.zeros((0, 1, 3)), "body_pose": np.zeros((0, 23, 3))}
    np.savez(tmp_path / "b.npz", transl=np.zeros((0, 3)), **split)
    for name in ("a.npy", "a.npz", "b.npz"):
        with pytest.raises(BadInput, match=name):
            read_motion(tmp_path / name)


AMASS = {"betas": np.zeros(16), "gender": np.array("female"), "mocap_framerate": np.array(60.0)}


def _lying(frames: int = 6) -> np.ndarray:
    """Return poses of a body on its back, head towards +y, in z-up axes."""
    poses = _poses(frames)
    poses[:, 0] = 0.1
    return poses


def test_the_layout_determines_the_up_axis_before_the_body_does(tmp_path: Path) -> None:
    """A body lying in AMASS' axes points along y."""
    np.savez(tmp_path / "amass.npz", poses=_lying(), trans=np.zeros((6, 3)), **AMASS)
    np.savez(tmp_path / "other.npz", poses=_lying(), trans=np.zeros((6, 3)), mocap_framerate=60)
    (tmp_path / "aist.pkl").write_bytes(pickle.dumps({"smpl_poses": _lying() + np.eye(72)[0] * 1.6}, protocol=2))
    amass, other, aist = (read_motion(tmp_path / name) for name in ("amass.npz", "other.npz", "aist.pkl"))
    assert "z up (AMASS convention)" in amass.source
    assert "y up (from the body's orientation)" in other.source
    assert "y up (AIST++ convention)" in aist.source
    up = axis_angle_to_matrix(amass.joints[:, 0])[:, :, 1].mean(dim=0)
    assert abs(float(up[1])) < 0.2


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "metres"), (100.0, "centimetres"), (1000.0, "millimetres")])
@pytest.mark.parametrize("height", [0.93, 0.0])
def test_a_trajectory_implausible_in_metres_is_in_a_smaller_unit(
    tmp_path: Path, scale: float, unit: str, height: float
) -> None:
    """By the pelvis' height or, if that is relative to the start, by the speed."""
    trajectory = np.zeros((60, 3))
    trajectory[:, 0], trajectory[:, 2] = np.arange(60) * 1.4 / 60, height
    np.savez(tmp_path / "a.npz", poses=_poses(60), trans=scale * trajectory, **AMASS)
    read = read_motion(tmp_path / "a.npz")
    assert f", {unit}" in read.source
    assert float(read.translation[-1].norm()) == pytest.approx(1.4 * 59 / 60, abs=1e-4)


def _write_clips(path: Path, names: list[str | None]) -> Path:
    """Write a glTF file with two legs; clip i has i + 1 frames of 1/30 s after the first."""
    nodes = [
        {"name": "Hips", "children": [1, 3], "translation": [0, 1, 0]},
        {"name": "LeftUpLeg", "children": [2], "translation": [0.1, 0, 0]},
        {"name": "LeftLeg", "translation": [0, -0.4, 0]},
        {"name": "RightUpLeg", "children": [4], "translation": [-0.1, 0, 0]},
        {"name": "RightLeg", "translation": [0, -0.4, 0]},
    ]
    content, views, accessors, animations = b"", [], [], []
    for i, name in enumerate(names):
        for kind, array in (("SCALAR", [[0], [(i + 1) / 30]]), ("VEC4", [[0, 0, 0, 1]] * 2)):
            data = np.float32(array).tobytes()
            views.append({"buffer": 0, "byteOffset": len(content), "byteLength": len(data)})
            accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "type": kind, "count": 2})
            content += data
        animation = {
            "channels": [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}],
            "samplers": [{"input": 2 * i, "output": 2 * i + 1}],
        }
        animations.append(animation if name is None else animation | {"name": name})
    uri = f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"
    document = {
        "asset": {"version": "2.0"}, "nodes": nodes, "animations": animations, "accessors": accessors,
        "bufferViews": views, "buffers": [{"byteLength": len(content), "uri": uri}],
    }  # fmt: skip
    path.write_text(json.dumps(document))
    return path


def test_a_clip_is_selected_by_name_or_number(tmp_path: Path) -> None:
    path = _write_clips(tmp_path / "me.gltf", ["idle", "run/fast", None, "2"])
    first = read_motion(path)
    assert len(first) == 2 and first.name == "me"
    assert "clip idle of idle, run/fast, 3, 2: me.gltf#NAME or #2" in first.source
    for wanted, frames, name in (
        ("run/fast", 3, "me-runfast"),
        ("3", 4, "me-3"),
        ("2", 5, "me-2"),
        ("idle", 2, "me-idle"),
    ):
        read = read_motion(f"{path}#{wanted}")
        assert len(read) == frames and read.name == name
    for wrong in ("jump", "0", "9", "-1", "9999999"):
        with pytest.raises(BadInput, match=f"no animation '{wrong}': idle"):
            read_motion(f"{path}#{wrong}")
    _write_clips(tmp_path / "me.gltf#idle", [None] * 7)
    assert "of 1, 2, 3" in read_motion(f"{path}#idle").source  # a file of the whole name takes precedence
    alone = read_motion(_write_clips(tmp_path / "one.gltf", ["idle"]))
    assert "clip" not in alone.source


def test_only_gltf_has_clips_to_select(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", _poses())
    with pytest.raises(BadInput, match="not a glTF file and has no clip 'walk'"):
        read_motion(f"{tmp_path / 'a.npy'}#walk")
    with pytest.raises(BadInput, match=r"b\.npy#walk not found"):
        read_motion(f"{tmp_path / 'b.npy'}#walk")


def test_bare_arrays_json_and_smplx_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", _poses())
    (tmp_path / "b.json").write_text(json.dumps({"poses": _poses().tolist(), "fps": 25}))
    smplx = {"global_orient": _poses()[:, :3], "body_pose": _poses()[:, 3:66].reshape(6, 21, 3), "fps": 25.0}
    np.savez(tmp_path / "c.npz", transl=np.zeros((6, 3)), **smplx)
    bare, listed, x = (read_motion(tmp_path / name) for name in ("a.npy", "b.json", "c.npz"))
    assert bare.fps == 30 and "no frame rate" in bare.source
    assert listed.fps == x.fps == 25
    torch.testing.assert_close(bare.joints, listed.joints)
    torch.testing.assert_close(x.joints[:, :22], listed.joints[:, :22])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"once upon a time", "unknown format"),
        (b'{"poses": 3}', "shape"),
        (b'{"poses": [[1, 2], [3]]}', "JSON"),
        (b'{"dances": [1, 2, 3]}', "no motion"),
        (b"\x93NUMPY garbage", "npy"),
        (b"\x80\x04garbage", "pickle"),
        (b"PK\x03\x04garbage", "npz"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_motion(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "side", "rest"),
    [
        ("mixamorig:LeftUpLeg", "left", "upleg"),
        ("upperleg01.L", "left", "upperleg"),
        ("lThigh", "left", "thigh"),
        ("thigh_r", "right", "thigh"),
        ("Bip01 R Calf", "right", "calf"),
        ("RightHandIndex1", "right", "handindex"),
        ("left_collar", "left", "collar"),
        ("LHipJoint", "", "lhipjoint"),
        ("Spine1", "", "spine"),
        ("root", "", "root"),
        ("J_Bip_C_Hips", "", "hips"),
        ("J_Bip_C_UpperChest", "", "upperchest"),
        ("J_Bip_L_UpperLeg", "left", "upperleg"),
        ("J_Bip_R_ToeBase", "right", "toebase"),
        ("J_Sec_Hair1_01", "", "jsechair"),
        ("mixamorigHips", "", "hips"),
        ("mixamorigLeftUpLeg", "left", "upleg"),
        ("mixamorig1:Hips", "", "hips"),
        ("mixamorig12_RightForeArm", "right", "forearm"),
    ],
)
def test_joint_names_are_split_into_side_and_part(name: str, side: str, rest: str) -> None:
    assert split_side(name) == (side, rest)


def test_a_shoulder_is_the_upper_arm_or_else_the_collar() -> None:
    parents = [-1, 0, 1, 2]
    with_collar = match_joints(["pelvis", "left_collar", "left_shoulder", "left_elbow"], parents)
    assert (with_collar["left_collar"], with_collar["left_shoulder"]) == (1, 2)
    with_arm = match_joints(["Hips", "LeftShoulder", "LeftArm", "LeftForeArm"], parents)
    assert (with_arm["left_collar"], with_arm["left_shoulder"]) == (1, 2)


@pytest.mark.parametrize("prefix", ["", "DEF-", "ORG-"])
def test_rigify_spine_bones_include_pelvis_neck_and_head(prefix: str) -> None:
    names = ["root", *(f"{prefix}spine{number}" for number in ("", ".001", ".002", ".003", ".004", ".005", ".006"))]
    ours = match_joints([*names, f"{prefix}thigh.L", f"{prefix}thigh.R"], [-1, *range(7), 1, 1])
    assert {joint: ours[joint] for joint in ("pelvis", "neck", "head")} == {"pelvis": 1, "neck": 5, "head": 7}
    assert [ours[f"spine{i}"] for i in (1, 2, 3)] == [2, 3, 4]
    assert (ours["left_hip"], ours["right_hip"]) == (8, 9)
    short = match_joints(names[:5], [-1, *range(4)])  # too few bones for Rigify
    assert "neck" not in short and "head" not in short
    named = match_joints([*names, "head"], [-1, *range(7), 7])
    assert named["head"] == 8 and "neck" not in named


def test_vroid_joints_are_matched() -> None:
    middle = ["J_Bip_C_Hips", "J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_UpperChest", "J_Bip_C_Neck", "J_Bip_C_Head"]
    sided = ["UpperLeg", "LowerLeg", "Foot", "ToeBase", "Shoulder", "UpperArm", "LowerArm", "Hand"]
    names = ["Root", *middle, *(f"J_Bip_{side}_{part}" for side in "LR" for part in sided), "J_Sec_Hair1_01"]
    ours = match_joints(names, [-1, *range(6), *[1] * 16, 6])
    assert set(JOINT_NAMES) - ours.keys() == {"left_hand", "right_hand"}
    assert names[ours["pelvis"]] == "J_Bip_C_Hips" and names[ours["right_foot"]] == "J_Bip_R_ToeBase"


def test_the_least_rotation_takes_one_direction_to_another() -> None:
    random = np.random.default_rng(1)
    for a, b in random.standard_normal((20, 2, 3)):
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        R = least_rotation(a, b)
        assert np.allclose(R @ a, b)
        assert Rotation.from_matrix(R).magnitude() == pytest.approx(np.arccos(a @ b))
    assert np.allclose(least_rotation(np.array([0, 1.0, 0]), np.array([0, -1.0, 0])) @ [0, 1, 0], [0, -1, 0])


def test_an_exported_bvh_is_read_as_the_same_motion(dance: Motion, body: BodyModel, tmp_path: Path) -> None:
    """Only the absolute position is lost."""
    rest = body.J_template.double().numpy()
    (tmp_path / "dance.bvh").write_text(format_bvh(dance, rest, PARENTS))
    read = read_motion(tmp_path / "dance.bvh")
    assert np.allclose(_rotations(read), _rotations(dance), atol=2e-3)
    assert "left_hand" in read.source  # SMPL's hand joints are not matched
