"""Which point of a body is which of BlazePose's 33 landmarks, and which bone directions they give."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.scene import BodyPose


@dataclass(frozen=True)
class Landmark:
    """One observed point: the mean of some BlazePose landmarks is a joint or a vertex of the body."""

    name: str
    blazepose: tuple[int, ...]
    joint: int | None = None
    vertex: int | None = None
    limb: tuple[int, ...] = ()
    """Joints that move the vertex, in a body whose vertices are numbered as SMPL's."""
    weight: float = 1.0


# Vertices sit at the indices that SMPL-H names (nose 332, eyes, ears, heels, toes), in SMPL and in the open body.
# BlazePose's finger landmarks are knuckles, and so is the centre of SMPL's hand joint. Its hips lie outside SMPL's.
LANDMARKS = (
    Landmark("nose", (0,), vertex=332, limb=(15,), weight=0.7),
    Landmark("left_eye", (2,), vertex=2800, limb=(15,), weight=0.4),
    Landmark("right_eye", (5,), vertex=6260, limb=(15,), weight=0.4),
    Landmark("left_ear", (7,), vertex=583, limb=(15,), weight=0.7),
    Landmark("right_ear", (8,), vertex=4071, limb=(15,), weight=0.7),
    Landmark("left_shoulder", (11,), joint=16),
    Landmark("right_shoulder", (12,), joint=17),
    Landmark("left_elbow", (13,), joint=18),
    Landmark("right_elbow", (14,), joint=19),
    Landmark("left_wrist", (15,), joint=20),
    Landmark("right_wrist", (16,), joint=21),
    Landmark("left_hand", (17, 19), joint=22, weight=0.5),
    Landmark("right_hand", (18, 20), joint=23, weight=0.5),
    Landmark("left_hip", (23,), joint=1, weight=0.6),
    Landmark("right_hip", (24,), joint=2, weight=0.6),
    Landmark("left_knee", (25,), joint=4),
    Landmark("right_knee", (26,), joint=5),
    Landmark("left_ankle", (27,), joint=7),
    Landmark("right_ankle", (28,), joint=8),
    Landmark("left_heel", (29,), vertex=3387, limb=(7, 10), weight=0.7),
    Landmark("right_heel", (30,), vertex=6787, limb=(8, 11), weight=0.7),
    Landmark("left_toe", (31,), vertex=3216, limb=(7, 10), weight=0.7),
    Landmark("right_toe", (32,), vertex=6617, limb=(8, 11), weight=0.7),
)

# From the joint or vertex to where the detector sees the landmark, on the left side, millimetres in the joint's frame
# at rest: from rendered people (`python benchmarks/calibrate_landmarks.py`). They halve the landmarks' errors.
OFFSETS_MM = {
    "nose": (0, 10, -10), "eye": (-1, -1, -4), "ear": (-29, 8, 44), "shoulder": (-9, -1, 3), "elbow": (-6, 2, 14),
    "wrist": (5, 1, 7), "hand": (-19, -9, 11), "hip": (11, 11, 28), "knee": (-5, -15, 5), "ankle": (3, 22, 5),
    "heel": (-6, -1, 10), "toe": (12, 6, -26),
}  # fmt: skip
INDEX = {landmark.name: i for i, landmark in enumerate(LANDMARKS)}

# Bones whose direction in space BlazePose's world landmarks give (start, end).
BONES = (
    *(
        (f"{side}_{start}", f"{side}_{end}")
        for side in ("left", "right")
        for start, end in (
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "hand"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("heel", "toe"),
            ("hip", "shoulder"),
        )
    ),
    ("right_shoulder", "left_shoulder"),
    ("right_hip", "left_hip"),
    ("right_ear", "left_ear"),
    ("left_ear", "nose"),
    ("right_ear", "nose"),
)
BONE_STARTS = torch.tensor([INDEX[a] for a, _ in BONES])
BONE_ENDS = torch.tensor([INDEX[b] for _, b in BONES])

WEIGHTS = torch.tensor([landmark.weight for landmark in LANDMARKS])
VERTICES = torch.tensor([landmark.vertex for landmark in LANDMARKS if landmark.vertex is not None])

# The joints that turn the offsets; the right side's are mirrored.
FRAMES = torch.tensor([mark.limb[0] if mark.joint is None else mark.joint for mark in LANDMARKS])
OFFSETS = torch.tensor(
    [
        [(-1 if mark.name.startswith("right") else 1) * x / 1000, y / 1000, z / 1000]
        for mark in LANDMARKS
        for x, y, z in (OFFSETS_MM[mark.name.removeprefix("left_").removeprefix("right_")],)
    ]
)

# What to draw as a skeleton.
SKELETON = (
    *(bone for bone in BONES if "heel" not in bone[0] and "ear" not in bone[0]),
    ("left_ankle", "left_toe"),
    ("right_ankle", "right_toe"),
)


def observed(values: Float[Tensor, "33 *axis"]) -> Float[Tensor, "landmark *axis"]:
    """Return BlazePose values (points, visibilities) in the order of LANDMARKS."""
    return torch.stack([values[list(landmark.blazepose)].mean(dim=0) for landmark in LANDMARKS])


def known_on(body: BodyModel) -> Bool[Tensor, " landmark"]:
    """Tell which LANDMARKS a body has: joints always, vertices only where they lie on the limb that they should.

    A body in SMPL's layout may number its vertices otherwise.
    """
    return torch.tensor(
        [
            mark.vertex is None
            or (mark.vertex < len(body.weights) and float(body.weights[mark.vertex, list(mark.limb)].sum()) > 0.5)
            for mark in LANDMARKS
        ]
    )


def offsets(T_world_rest: Float[Tensor, "*frame 24 4 4"]) -> Float[Tensor, "*frame landmark 3"]:
    """From the body's joints and vertices to where the detector sees the LANDMARKS, world space, metres."""
    return (T_world_rest[..., FRAMES, :3, :3] * OFFSETS[:, None]).sum(dim=-1)


@dataclass(frozen=True)
class Surface:
    """Points over some of a body's vertices."""

    vertices: Int[Tensor, " point"]
    offsets: Float[Tensor, "point 3"]
    """From the vertices, in the rest pose, metres."""


def on_body(
    body: BodyModel, pose: BodyPose, more: Surface | None = None
) -> tuple[Float[Tensor, "*frame landmark 3"], Float[Tensor, "*frame vertex 3"]]:
    """Return the posed body's LANDMARKS, where the detector sees them, and `more` points in world space, metres."""
    wanted = VERTICES.clamp_max(len(body.v_template) - 1)  # see known_on()
    offsets_m = None
    if more is not None:
        offsets_m = torch.cat([more.offsets.new_zeros(len(wanted), 3), more.offsets])
        wanted = torch.cat([wanted, more.vertices])
    vertices, joints, T_world_rest = body.pose_vertices(pose, wanted, offsets_m)
    from_vertices = iter(vertices[..., : len(VERTICES), :].unbind(dim=-2))
    points = [next(from_vertices) if mark.joint is None else joints[..., mark.joint, :] for mark in LANDMARKS]
    return torch.stack(points, dim=-2) + offsets(T_world_rest), vertices[..., len(VERTICES) :, :]


def imbalance(points: Float[Tensor, "*frame landmark 3"]) -> Float[Tensor, "*frame 2"]:
    """Return how far the middle of the body is from above its feet, horizontally (x, z), in body heights.

    A photo hardly tells whether someone leans towards the camera; gravity does.
    """

    def middle(*parts: str) -> Float[Tensor, "*frame 3"]:
        own = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in parts]
        return points[..., own, :].mean(dim=-2)

    feet = middle("ankle", "toe")
    height = (points[..., INDEX["nose"], :] - feet).norm(dim=-1, keepdim=True).detach().clamp_min(0.5)
    return ((middle("hip", "shoulder") - feet) / height)[..., [0, 2]]
