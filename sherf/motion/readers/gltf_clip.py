"""Read animations of rigged glTF 2.0 files: .glb, or .gltf with embedded data.

Format: Khronos, "glTF 2.0 Specification" (chapters on nodes and animations).
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation, Slerp

from sherf.errors import BadInput
from sherf.motion.checked_arrays import MAX_FRAMES
from sherf.motion.readers.gltf_document import MAX_NUMBERS, Document, load_buffers, parse_container, read_accessor
from sherf.motion.readers.retarget import MAX_JOINT_FRAMES, SkeletonClip

FPS = 30.0
"""At which curves are sampled: glTF has key frames, no frame rate."""
MAX_NODES, MAX_CHANNELS = 5000, 15_000
MAX_NAME_LENGTH, MAX_LISTED_CLIPS = 100, 12
"""Characters of an animation's name, and names shown in a message."""
MAX_VALUE = 1e9


def read_gltf(path: Path, content: bytes, clip: str | None = None) -> SkeletonClip:
    """Read one animation of a rigged glTF file, sampled at 30 frames per second.

    Args:
        path: the file, for messages.
        content: its bytes.
        clip: the animation's name or number, counted from 1; the first if not given.

    Returns:
        All nodes of the file as a skeleton, in the file's axes and unit (by the specification +y up, metres).

    Raises:
        BadInput: the file is damaged, too large, refers to other files, or has no (such) animation.
    """
    try:
        return _read_clip(path, content, clip)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, struct.error, RecursionError) as error:
        raise BadInput(
            f"{path} is not a valid glTF file ({type(error).__name__}: {error}). Export it again."
        ) from error


def _read_clip(path: Path, content: bytes, wanted: str | None) -> SkeletonClip:
    """Return one animation; a malformed document raises any of the errors that `read_gltf` converts.

    Raises:
        BadInput: the file is too large, or has no (such) animation.
    """
    document, binary = parse_container(path, content)
    animations = document.get("animations") or []
    names = tuple(_printable(a.get("name")) or str(i) for i, a in enumerate(animations, start=1))
    chosen = _choose_clip(names, wanted)
    if chosen is None:
        raise BadInput(
            f"{path} has no animation{'' if wanted is None else f' {wanted!r}'}: "
            f"{', '.join(names[:MAX_LISTED_CLIPS]) or 'none'}{' ...' if len(names) > MAX_LISTED_CLIPS else ''}."
        )
    nodes = document["nodes"]
    if len(nodes) > MAX_NODES:
        raise BadInput(f"{path} has {len(nodes)} nodes, more than the maximum of {MAX_NODES}. Export the rig alone.")
    order, parents = _sort_nodes(nodes)
    buffers = load_buffers(path, document, binary)
    curves = _read_curves(path, document, buffers, animations[chosen])
    if not curves:
        raise BadInput(f"{path}: the animation {names[chosen]} moves no joint. Choose another, or export it again.")
    seconds = max(float(curve.times[-1]) for curve in curves.values())
    frames = max(1, round(seconds * FPS) + 1)
    if frames > MAX_FRAMES or frames * len(order) > MAX_JOINT_FRAMES:
        raise BadInput(
            f"{path}: its animation takes {seconds:.0f} s for {len(order)} nodes: too long. Cut it into shorter pieces."
        )
    return _pose_skeleton(nodes, order, parents, curves, frames, names, names[chosen])


def _pose_skeleton(
    nodes: list[Document],
    order: list[int],
    parents: list[int],
    curves: dict[tuple[int, str], "_Curve"],
    frames: int,
    clips: tuple[str, ...],
    clip: str,
) -> SkeletonClip:
    """Sample all curves and return world positions and rotations by forward kinematics; scale is ignored."""
    times = np.arange(frames) / FPS
    rotations, positions = np.zeros((frames, len(order), 3, 3)), np.zeros((frames, len(order), 3))
    rest_rotations, rest_positions = np.zeros((len(order), 3, 3)), np.zeros((len(order), 3))
    for i, node in enumerate(order):
        rest_rotation, rest_position = _rest_transform(nodes[node])
        turning, moving = curves.get((node, "rotation")), curves.get((node, "translation"))
        rotation = np.broadcast_to(rest_rotation, (frames, 3, 3)) if turning is None else turning.rotations_at(times)
        position = np.broadcast_to(rest_position, (frames, 3)) if moving is None else moving.positions_at(times)
        parent = parents[i]
        if parent < 0:
            rotations[:, i], positions[:, i] = rotation, position
            rest_rotations[i], rest_positions[i] = rest_rotation, rest_position
            continue
        rotations[:, i] = rotations[:, parent] @ rotation
        positions[:, i] = positions[:, parent] + np.einsum("fij,fj->fi", rotations[:, parent], position)
        rest_rotations[i] = rest_rotations[parent] @ rest_rotation
        rest_positions[i] = rest_positions[parent] + rest_rotations[parent] @ rest_position
    labels = tuple(str(nodes[node].get("name", node)) for node in order)
    return SkeletonClip(labels, tuple(parents), rest_positions, rest_rotations, positions, rotations, FPS, clips, clip)


def _printable(name: object) -> str:
    """Return a name's printable characters; empty if there are none."""
    return "".join(letter for letter in str(name or "") if letter.isprintable())[:MAX_NAME_LENGTH].strip()


def _choose_clip(names: tuple[str, ...], wanted: str | None) -> int | None:
    """Return a clip's index by its name, or else by its number from 1; the first if none is wanted."""
    if wanted is None:
        return 0 if names else None
    if wanted in names:
        return names.index(wanted)
    return int(wanted) - 1 if re.fullmatch(r"[1-9]\d{0,5}", wanted) and int(wanted) <= len(names) else None


def _read_curves(
    path: Path, document: Document, buffers: list[bytes], animation: Document
) -> dict[tuple[int, str], "_Curve"]:
    """Return curves by node and target path, "rotation" or "translation"; scale and weights are ignored.

    Raises:
        BadInput: there are too many channels or numbers.
    """
    channels = animation["channels"]
    if len(channels) > MAX_CHANNELS:
        raise BadInput(
            f"{path} has {len(channels)} channels, more than the maximum of {MAX_CHANNELS}. Export the rig alone."
        )
    curves: dict[tuple[int, str], _Curve] = {}
    by_sampler: dict[int, _Curve] = {}
    for channel in channels:
        node, target, sampler = channel["target"].get("node"), channel["target"]["path"], channel["sampler"]
        if node is None or target not in ("rotation", "translation"):
            continue
        if sampler not in by_sampler:
            by_sampler[sampler] = _Curve.from_sampler(document, buffers, animation["samplers"][sampler])
        curves[int(node), target] = by_sampler[sampler]
        if sum(curve.values.size for curve in by_sampler.values()) > MAX_NUMBERS:
            raise BadInput(f"{path}: its animation has more than {MAX_NUMBERS} numbers. Export it with fewer keys.")
    return curves


def _sort_nodes(nodes: list[Document]) -> tuple[list[int], list[int]]:
    """Return all nodes, parents first, and each one's parent as an index into that order, -1 for roots.

    Raises:
        ValueError: the nodes are not a forest.
    """
    parent = dict.fromkeys(range(len(nodes)), -1)
    for i, node in enumerate(nodes):
        for child in node.get("children") or []:
            if not 0 <= child < len(nodes) or parent[child] >= 0:
                raise ValueError("a node has two parents, or a child that does not exist")
            parent[child] = i
    order = [i for i in parent if parent[i] < 0]
    for i in order:
        order.extend(nodes[i].get("children") or [])
    if len(order) != len(nodes):
        raise ValueError("the nodes form a cycle")
    rank = {node_index: i for i, node_index in enumerate(order)}
    return order, [rank.get(parent[i], -1) for i in order]


def _rest_transform(node: Document) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Return a node's rotation and translation relative to its parent; of a matrix, the nearest rotation.

    Raises:
        ValueError: its numbers are not usable.
    """
    if "matrix" in node:
        matrix = np.array(node["matrix"], float).reshape(4, 4).T
        if not (np.abs(matrix) < MAX_VALUE).all():  # LAPACK may not return for infinite values
            raise ValueError("a node's matrix is not finite")
        u, _, v = np.linalg.svd(matrix[:3, :3])
        u[:, 2] *= np.sign(np.linalg.det(u @ v))  # mirrored nodes
        return u @ v, matrix[:3, 3]
    quaternion = np.array(node.get("rotation", (0, 0, 0, 1)), float)
    if not 1e-6 < np.linalg.norm(quaternion) < 1e6:
        raise ValueError("a node's rotation is not a unit quaternion")
    return Rotation.from_quat(quaternion).as_matrix(), np.array(node.get("translation", (0, 0, 0)), float)


@dataclass(frozen=True)
class _Curve:
    """Key frames of one animation sampler."""

    times: Float[np.ndarray, " key"]
    """Seconds, increasing."""
    values: Float[np.ndarray, "key number"]
    """Quaternions (x, y, z, w) or translations."""
    is_stepped: bool
    """Whether values are held until the next key instead of interpolated."""

    @staticmethod
    def from_sampler(document: Document, buffers: list[bytes], sampler: Document) -> "_Curve":
        """Return a sampler's curve.

        CUBICSPLINE keys hold in-tangent, value and out-tangent; only the values are used, since keys are dense enough
        for linear interpolation.

        Raises:
            ValueError: times and values do not fit each other, or times decrease.
        """
        times = read_accessor(document, buffers, sampler["input"])[:, 0]
        values = read_accessor(document, buffers, sampler["output"])
        interpolation = sampler.get("interpolation", "LINEAR")
        if interpolation == "CUBICSPLINE":
            values = values[1::3]
        if len(times) != len(values) or len(times) == 0 or (np.diff(times) < 0).any():
            raise ValueError("an animation's times and values do not fit each other")
        kept = np.concatenate([[True], np.diff(times) > 0])
        return _Curve(times[kept].astype(float), values[kept].astype(float), interpolation == "STEP")

    def rotations_at(self, times: Float[np.ndarray, " frame"]) -> Float[np.ndarray, "frame 3 3"]:
        """Interpolate rotations spherically; before the first and after the last key they are held."""
        rotations = Rotation.from_quat(self.values)
        if self.is_stepped or len(self.times) == 1:
            return rotations[self._keys_before(times)].as_matrix()
        return Slerp(self.times, rotations)(times.clip(self.times[0], self.times[-1])).as_matrix()

    def positions_at(self, times: Float[np.ndarray, " frame"]) -> Float[np.ndarray, "frame 3"]:
        """Interpolate translations linearly; before the first and after the last key they are held."""
        if self.is_stepped or len(self.times) == 1:
            return self.values[self._keys_before(times)]
        return np.stack([np.interp(times, self.times, axis) for axis in self.values.T], axis=1)

    def _keys_before(self, times: Float[np.ndarray, " frame"]) -> Int[np.ndarray, " frame"]:
        return (np.searchsorted(self.times, times, side="right") - 1).clip(0)
