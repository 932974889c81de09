"""The correspondence of BlazePose's 33 landmarks (Bazarevsky et al. 2020) with points of a body, and the bones between.

The fit uses 23 landmarks, `LANDMARKS`; an axis named `landmark` runs over them, one named `bone` over `BONES`.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.scene import BodyPose


@dataclass(frozen=True)
class Landmark:
    """One observed point: the mean of some BlazePose landmarks, which is a joint or a vertex of the body."""

    name: str
    blazepose: tuple[int, ...]
    """Indices of the BlazePose landmarks."""
    joint: int | None = None
    """The body's joint, or None for a vertex."""
    vertex: int | None = None
    """The body's vertex, in SMPL's numbering, or None for a joint."""
    limb: tuple[int, ...] = ()
    """Joints that move the vertex in a body with SMPL's vertex numbering."""
    weight: float = 1.0
    """Weight of the reprojection error in the fit."""


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

# From the joint or vertex to where the detector places the landmark, left side, millimetres in the joint's frame in the
# rest pose. Calibrated on rendered people (`python benchmarks/calibrate_landmarks.py`); they halve the landmark error.
OFFSETS_MM = {
    "nose": (0, 10, -10), "eye": (-1, -1, -4), "ear": (-29, 8, 44), "shoulder": (-9, -1, 3), "elbow": (-6, 2, 14),
    "wrist": (5, 1, 7), "hand": (-19, -9, 11), "hip": (11, 11, 28), "knee": (-5, -15, 5), "ankle": (3, 22, 5),
    "heel": (-6, -1, 10), "toe": (12, 6, -26),
}  # fmt: skip
NEIGHBOURS = 40
"""A landmark of a displaced body moves as the mean of this many vertices around it."""
INDEX = {landmark.name: i for i, landmark in enumerate(LANDMARKS)}

# Pairs of landmarks (start, end) whose direction in space is estimated from BlazePose's world landmarks.
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

# The joints that rotate the offsets; those of the right side are mirrored.
FRAMES = torch.tensor([mark.limb[0] if mark.joint is None else mark.joint for mark in LANDMARKS])
OFFSETS = torch.tensor(
    [
        [(-1 if mark.name.startswith("right") else 1) * x / 1000, y / 1000, z / 1000]
        for mark in LANDMARKS
        for x, y, z in (OFFSETS_MM[mark.name.removeprefix("left_").removeprefix("right_")],)
    ]
)

# The bones that an overlay draws.
SKELETON = (
    *(bone for bone in BONES if "heel" not in bone[0] and "ear" not in bone[0]),
    ("left_ankle", "left_toe"),
    ("right_ankle", "right_toe"),
)


def from_blazepose(values: Float[Tensor, "33 *axis"]) -> Float[Tensor, "landmark *axis"]:
    """Return BlazePose values (points or visibilities) as means in the order of `LANDMARKS`."""
    return torch.stack([values[list(landmark.blazepose)].mean(dim=0) for landmark in LANDMARKS])


def available_on(body: BodyModel) -> Bool[Tensor, " landmark"]:
    """Return which of `LANDMARKS` a body has: all joints, and the vertices that lie on the expected limb.

    A body model with SMPL's joints may number its vertices differently.
    """
    return torch.tensor(
        [
            mark.vertex is None
            or (mark.vertex < len(body.weights) and float(body.weights[mark.vertex, list(mark.limb)].sum()) > 0.5)
            for mark in LANDMARKS
        ]
    )


def landmark_offsets(T_world_rest: Float[Tensor, "*frame 24 4 4"]) -> Float[Tensor, "*frame landmark 3"]:
    """Return the offsets from a body's joints and vertices to where the detector places `LANDMARKS`.

    Args:
        T_world_rest: the posed joints' transforms from the rest pose.

    Returns:
        World space, metres.
    """
    return (T_world_rest[..., FRAMES, :3, :3] * OFFSETS[:, None]).sum(dim=-1)


@dataclass(frozen=True)
class OffsetVertices:
    """Some of a body's vertices, each with an offset."""

    vertices: Int[Tensor, " point"]
    """Indices of the vertices."""
    offsets: Float[Tensor, "point 3"]
    """Offset from each vertex in the rest pose, metres."""


def body_landmarks(
    body: BodyModel, pose: BodyPose, surface: OffsetVertices | None = None
) -> tuple[Float[Tensor, "*frame landmark 3"], Float[Tensor, "*frame point 3"]]:
    """Return the posed body's landmarks where the detector places them, and further points of its surface.

    Landmarks that the body lacks (see `available_on`) are returned at some other vertex.

    Args:
        body: the body model.
        pose: of one or more frames.
        surface: the further points; none are returned without it.

    Returns:
        Landmarks and surface points, both in world space, metres.
    """
    wanted = VERTICES.clamp_max(len(body.v_template) - 1)  # a body without these landmarks may have fewer vertices
    offsets_m = None
    if surface is not None:
        offsets_m = torch.cat([surface.offsets.new_zeros(len(wanted), 3), surface.offsets])
        wanted = torch.cat([wanted, surface.vertices])
    vertices, joints, T_world_rest = body.pose_vertices(pose, wanted, offsets_m)
    from_vertices = iter(vertices[..., : len(VERTICES), :].unbind(dim=-2))
    points = [next(from_vertices) if mark.joint is None else joints[..., mark.joint, :] for mark in LANDMARKS]
    return torch.stack(points, dim=-2) + landmark_offsets(T_world_rest), vertices[..., len(VERTICES) :, :]


def displaced_landmarks(body: BodyModel, pose: BodyPose) -> Float[Tensor, "landmark 3"]:
    """Return the landmarks of a body whose vertices are displaced: each moves as the vertices around it.

    Args:
        body: the body model.
        pose: without a frame axis.

    Returns:
        World space, metres.
    """
    plain = replace(pose, displacement=None)
    points, _ = body_landmarks(body, plain)
    if pose.displacement is None:
        return points
    before, after = body.pose(plain).vertices, body.pose(pose).vertices
    return points + (after - before)[vertices_around(points, before)].mean(dim=1)


def vertices_around(
    points: Float[Tensor, "landmark 3"], vertices: Float[Tensor, "vertex 3"]
) -> Int[Tensor, "landmark near"]:
    """Return the vertices nearest to each landmark, with which it moves."""
    return torch.cdist(points, vertices).topk(NEIGHBOURS, largest=False).indices


def imbalance(points: Float[Tensor, "*frame landmark 3"]) -> Float[Tensor, "*frame 2"]:
    """Return the horizontal offset (x, z) of the body's centre from its feet, in body heights.

    One photo hardly shows whether a person leans towards the camera; balance rules most of that out.

    Args:
        points: landmarks in a y-up world space, metres.
    """

    def middle(*parts: str) -> Float[Tensor, "*frame 3"]:
        indices = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in parts]
        return points[..., indices, :].mean(dim=-2)

    feet = middle("ankle", "toe")
    height = (points[..., INDEX["nose"], :] - feet).norm(dim=-1, keepdim=True).detach().clamp_min(0.5)
    return ((middle("hip", "shoulder") - feet) / height)[..., [0, 2]]
