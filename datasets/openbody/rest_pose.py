"""Convert anny's rest pose to SMPL's T-pose, and anny's bones to SMPL's joint centres. Batched over people."""

import numpy as np
from jaxtyping import Float

from sherf.body.skeleton import NUM_JOINTS, joint_index
from sherf.datasets.openbody.base_mesh import AnnyRig


def rotation_about(axis_angle: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3 3"]:
    """Convert axis-angle rotations in radians to matrices (Rodrigues' formula)."""
    angle = np.linalg.norm(axis_angle, axis=-1, keepdims=True)
    x, y, z = np.moveaxis(axis_angle / np.maximum(angle, 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle)[..., None] * cross + (1 - np.cos(angle))[..., None] * (cross @ cross)


def rotation_between(
    source: Float[np.ndarray, "person 3"], target: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "person 3 3"]:
    """Return the smallest rotation from each source direction to the target direction."""
    source = source / np.linalg.norm(source, axis=-1, keepdims=True)
    target = target / np.linalg.norm(target)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    return rotation_about(axis / np.maximum(sine, 1e-12) * np.arctan2(sine, (source @ target)[:, None]))


def _rotate(rotation: Float[np.ndarray, "person 3 3"], x: Float[np.ndarray, "person 3"]) -> np.ndarray:
    return np.einsum("nij,nj->ni", rotation, x)


def straighten_to_t_pose(
    rig: AnnyRig, vertices: Float[np.ndarray, "person 19158 3"], heads: Float[np.ndarray, "person bone 3"]
) -> tuple[Float[np.ndarray, "person 19158 3"], Float[np.ndarray, "person bone 3"]]:
    """Return vertices and bone heads in SMPL's rest pose: arms along x, palms down, feet 9 degrees outward.

    Args:
        rig: anny's rig.
        vertices: in anny's rest pose, SMPL's axes, metres.
        heads: bone heads in the same frame.
    """
    rotations = np.tile(np.eye(3), (*heads.shape[:2], 1, 1))
    for side, sign in ((".L", 1.0), (".R", -1.0)):
        _straighten_arm(rig, heads, rotations, side, sign)
        _straighten_leg(rig, heads, rotations, side, sign)
    posed_heads = np.zeros_like(heads)
    for bone, parent in enumerate(rig.bone_parents):
        posed_heads[:, bone] = heads[:, bone]
        if parent >= 0:
            offset = heads[:, bone] - heads[:, parent]
            posed_heads[:, bone] = posed_heads[:, parent] + _rotate(rotations[:, parent], offset)
    shifts = posed_heads - np.einsum("nbij,nbj->nbi", rotations, heads)
    transforms = np.concatenate([rotations, shifts[..., None]], axis=-1).astype(np.float32)
    posed = np.empty(vertices.shape)
    for person, transform in enumerate(transforms):
        blended = (rig.weights @ transform.reshape(-1, 12)).reshape(-1, 3, 4)
        posed[person] = np.einsum("vij,vj->vi", blended[:, :, :3], vertices[person]) + blended[:, :, 3]
    return posed, posed_heads


def _straighten_arm(rig: AnnyRig, heads: np.ndarray, rotations: np.ndarray, side: str, sign: float) -> None:
    """Set one arm's bone rotations in `rotations`."""

    def at(name: str) -> np.ndarray:
        return heads[:, rig.bone(name + side)]

    rotations[:, rig.bone("clavicle" + side)] = rotation_about(np.radians([0.0, 0.0, sign * 8.0]))
    rotations[:, rig.bone("shoulder01" + side)] = rotation_about(np.radians([0.0, 0.0, sign * 16.0]))

    # Upper arm 4 degrees back, forearm straight out: SMPL's arms are swept back slightly.
    sweep = np.radians(4.0)
    outward = np.array([sign, 0.0, 0.0])
    upper = rotation_between(at("lowerarm01") - at("upperarm01"), np.array([sign * np.cos(sweep), 0.0, -np.sin(sweep)]))
    for name in ("upperarm01", "upperarm02"):
        rotations[:, rig.bone(name + side)] = upper
    lower = rotation_between(_rotate(upper, at("wrist") - at("lowerarm01")), outward) @ upper

    # Roll about the forearm until the palm faces down, distributed along the forearm.
    along_hand, across_hand = at("finger3-1") - at("wrist"), at("finger2-1") - at("finger5-1")
    palm = np.cross(along_hand, across_hand) * sign
    palm = _rotate(lower, palm / np.linalg.norm(palm, axis=-1, keepdims=True))
    palm -= (palm @ outward)[:, None] * outward
    palm /= np.linalg.norm(palm, axis=-1, keepdims=True)
    palm = np.where(palm[:, 1:2] > 0, -palm, palm)
    down = np.array([0.0, -1.0, 0.0])
    roll = np.arctan2(np.cross(palm, down) @ outward, palm @ down)[:, None]
    rotations[:, rig.bone("lowerarm01" + side)] = rotation_about(outward * roll * 0.35) @ lower
    rotations[:, rig.bone("lowerarm02" + side)] = rotation_about(outward * roll * 0.8) @ lower
    rolled = rotation_about(outward * roll) @ lower
    straight = rotation_between(_rotate(rolled, along_hand), outward) @ rolled
    for bone in rig.bones_starting_with(("finger", "metacarpal", "wrist"), side):
        rotations[:, bone] = straight


def _straighten_leg(rig: AnnyRig, heads: np.ndarray, rotations: np.ndarray, side: str, sign: float) -> None:
    """Set one leg's bone rotations in `rotations`."""

    def at(name: str) -> np.ndarray:
        return heads[:, rig.bone(name + side)]

    spread, shin_in, shin_back, toes_out = np.radians([5.0, 1.5, 5.0, 9.0])
    thigh = rotation_between(
        at("lowerleg01") - at("upperleg01"), np.array([sign * np.sin(spread), -np.cos(spread), 0.0])
    )
    shin = rotation_between(
        at("foot") - at("lowerleg01"), np.array([-sign * np.sin(shin_in), -1.0, -np.sin(shin_back)])
    )
    for name, rotation in (("upperleg01", thigh), ("upperleg02", thigh), ("lowerleg01", shin), ("lowerleg02", shin)):
        rotations[:, rig.bone(name + side)] = rotation
    forward = at("toe3-1") - at("foot")
    yaw = np.arctan2(forward[:, 0] * sign, forward[:, 2])
    foot = rotation_about(np.stack([0 * yaw, sign * (toes_out - yaw), 0 * yaw], axis=-1))
    for bone in rig.bones_starting_with(("toe", "foot"), side):
        rotations[:, bone] = foot


def smpl_joints(rig: AnnyRig, heads: Float[np.ndarray, "person bone 3"]) -> Float[np.ndarray, "person 24 3"]:
    """Return SMPL's 24 joint centres from anny's bone heads in the T-pose, metres."""
    joints = np.zeros((len(heads), NUM_JOINTS, 3))

    def at(name: str) -> np.ndarray:
        return heads[:, rig.bone(name)]

    def put(name: str, centre: np.ndarray) -> None:
        joints[:, joint_index(name)] = centre

    mid_hip = (at("upperleg01.L") + at("upperleg01.R")) / 2
    mid_shoulder = (at("upperarm01.L") + at("upperarm01.R")) / 2
    for side, end in (("left_", ".L"), ("right_", ".R")):
        hip = at("upperleg01" + end)
        # SMPL's joint lies 20 % nearer to the midline and 5 % down the thigh.
        put(side + "hip", hip + 0.2 * (mid_hip - hip) + 0.05 * (at("lowerleg01" + end) - hip))
        put(side + "knee", at("lowerleg01" + end))
        put(side + "ankle", at("foot" + end))
        put(side + "foot", (at("toe2-1" + end) + at("toe3-1" + end)) / 2)
        put(side + "collar", (at("clavicle" + end) + at("shoulder01" + end)) / 2)
        put(side + "shoulder", at("upperarm01" + end))
        put(side + "elbow", at("lowerarm01" + end))
        put(side + "wrist", at("wrist" + end))
        put(side + "hand", (at("finger3-1" + end) + at("finger4-1" + end)) / 2)
    put("pelvis", mid_hip + 0.75 * (at("spine04") - at("spine05")) * np.array([1.0, 1.0, 0.0]))
    put("neck", at("neck01"))
    put("head", at("head"))
    # anny's spine runs along the back: move its joints halfway to mid-depth.
    for name, centre, depth in (
        ("spine1", 0.15 * at("spine04") + 0.85 * at("spine03"), mid_hip),
        ("spine2", at("spine02").copy(), mid_shoulder),
        ("spine3", 0.35 * at("spine02") + 0.65 * at("spine01"), mid_shoulder),
    ):
        centre[:, 2] = (centre[:, 2] + depth[:, 2]) / 2
        put(name, centre)
    return joints
