"""Animations of rigged glTF files: .glb, or .gltf with everything in it."""

import base64
import binascii
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from sherf.errors import BadInput
from sherf.motion.npz import MAX_FRAMES
from sherf.motion.readers.retarget import MOST_PLACES, SkeletonClip

FPS = 30.0
MAGIC, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
MOST_NODES, MOST_CHANNELS, MOST_CHUNKS = 5000, 15_000, 16
MOST_DOCUMENT_BYTES = 32 * 2**20
"""Of JSON: as Python's objects it takes twenty times as much."""
LONGEST_NAME, MOST_NAMED = 100, 12
"""Of animations: letters of a name, and names in a message."""
LARGEST = 1e9
MOST_NUMBERS = 10_000_000
"""In all curves."""
COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
Document = dict[str, Any]


def is_gltf(head: bytes) -> bool:
    """Whether a file begins as a GLB does, or as glTF's JSON may."""
    return head[:4] == b"glTF" or (head.lstrip()[:1] == b"{" and b'"asset"' in head)


def read_gltf(path: Path, content: bytes, clip: str | None = None) -> SkeletonClip:
    """One animation of a rigged figure, at 30 frames a second.

    Args:
        clip: name of the animation, or its number, counted from 1; the first if not given.

    Raises:
        BadInput: the file is damaged, refers to other files, or holds no animation (of that name).
    """
    try:
        return _read(path, content, clip)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, struct.error, RecursionError) as error:
        raise BadInput(f"{path} is no whole glTF file ({type(error).__name__}: {error}). Export it again.") from error


def _read(path: Path, content: bytes, wanted: str | None) -> SkeletonClip:
    document, binary = _open(path, content)
    animations = document.get("animations") or []
    names = tuple(_printable(a.get("name")) or str(i) for i, a in enumerate(animations, start=1))
    chosen = _chosen(names, wanted)
    if chosen is None:
        raise BadInput(
            f"{path} has no animation{'' if wanted is None else f' {wanted!r}'}: "
            f"{', '.join(names[:MOST_NAMED]) or 'none'}{' ...' if len(names) > MOST_NAMED else ''}."
        )
    animation = animations[chosen]
    nodes = document["nodes"]
    if len(nodes) > MOST_NODES:
        raise BadInput(f"{path} has {len(nodes)} nodes; at most {MOST_NODES} are read.")
    order, parents = _order(nodes)
    buffers = _buffers(path, document, binary)
    curves = _curves(path, document, buffers, animation)
    if not curves:
        raise BadInput(f"{path}: its animation moves no joint.")
    seconds = max(float(curve.times[-1]) for curve in curves.values())
    frames = max(1, round(seconds * FPS) + 1)
    if frames > MAX_FRAMES or frames * len(order) > MOST_PLACES:
        raise BadInput(
            f"{path}: its animation takes {seconds:.0f} s for {len(order)} nodes: too long. Cut it into shorter pieces."
        )
    moments = np.arange(frames) / FPS
    turns, places = np.zeros((frames, len(order), 3, 3)), np.zeros((frames, len(order), 3))
    rest_turns, rest_places = np.zeros((len(order), 3, 3)), np.zeros((len(order), 3))
    for i, node in enumerate(order):
        rest_turn, rest_place = _rest(nodes[node])
        turn, place = curves.get((node, "rotation")), curves.get((node, "translation"))
        own_turn = np.broadcast_to(rest_turn, (frames, 3, 3)) if turn is None else turn.turns(moments)
        own_place = np.broadcast_to(rest_place, (frames, 3)) if place is None else place.places(moments)
        above = parents[i]
        if above < 0:
            turns[:, i], places[:, i], rest_turns[i], rest_places[i] = own_turn, own_place, rest_turn, rest_place
            continue
        turns[:, i] = turns[:, above] @ own_turn
        places[:, i] = places[:, above] + np.einsum("fij,fj->fi", turns[:, above], own_place)
        rest_turns[i] = rest_turns[above] @ rest_turn
        rest_places[i] = rest_places[above] + rest_turns[above] @ rest_place
    labels = tuple(str(nodes[node].get("name", node)) for node in order)
    return SkeletonClip(labels, tuple(parents), rest_places, rest_turns, places, turns, FPS, names, names[chosen])


def _printable(name: object) -> str:
    """A name that can be shown and typed; nothing if it is none."""
    return "".join(letter for letter in str(name or "") if letter.isprintable())[:LONGEST_NAME].strip()


def _chosen(names: tuple[str, ...], wanted: str | None) -> int | None:
    """The first unless another is wanted; names before numbers; None if there is none."""
    if wanted is None:
        return 0 if names else None
    if wanted in names:
        return names.index(wanted)
    return int(wanted) - 1 if re.fullmatch(r"[1-9]\d{0,5}", wanted) and int(wanted) <= len(names) else None


def _curves(
    path: Path, document: Document, buffers: list[bytes], animation: Document
) -> dict[tuple[int, str], "_Curve"]:
    """By node, and whether it turns or moves."""
    if len(animation["channels"]) > MOST_CHANNELS:
        raise BadInput(f"{path} has {len(animation['channels'])} channels; at most {MOST_CHANNELS} are read.")
    curves: dict[tuple[int, str], _Curve] = {}
    known: dict[int, _Curve] = {}
    for channel in animation["channels"]:
        node, kind, number = channel["target"].get("node"), channel["target"]["path"], channel["sampler"]
        if node is None or kind not in ("rotation", "translation"):
            continue
        if number not in known:
            known[number] = _Curve.of(document, buffers, animation["samplers"][number])
        curves[int(node), kind] = known[number]
        if sum(curve.values.size for curve in known.values()) > MOST_NUMBERS:
            raise BadInput(f"{path} holds more numbers than a motion needs. Export it with fewer keys.")
    return curves


def _open(path: Path, content: bytes) -> tuple[Document, bytes]:
    """The JSON, and a GLB's binary chunk."""
    if content[:4] != b"glTF":
        return _document(path, content), b""
    _, version, _ = struct.unpack_from("<III", content)
    if version != 2:
        raise BadInput(f"{path} is glTF {version}; version 2 is read.")
    at, document, binary = 12, None, b""
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(content):
            break
        length, kind = struct.unpack_from("<II", content, at)
        chunk = content[at + 8 : at + 8 + length]
        if len(chunk) != length:
            raise BadInput(f"{path} ends too early. Is it complete?")
        if kind == JSON_CHUNK:
            document = _document(path, chunk)
        elif kind == BINARY_CHUNK:
            binary = chunk
        at += 8 + length
    if not isinstance(document, dict):
        raise BadInput(f"{path} holds no glTF document.")
    return document, binary


def _document(path: Path, content: bytes) -> Any:
    if len(content) > MOST_DOCUMENT_BYTES:
        raise BadInput(f"{path} has {len(content) >> 20} MB of JSON. Export it as .glb, without meshes.")
    return json.loads(content)


def _buffers(path: Path, document: Document, binary: bytes) -> list[bytes]:
    found = []
    for buffer in document["buffers"]:
        uri = buffer.get("uri")
        if uri is None:
            found.append(binary)
        elif str(uri).startswith("data:") and ";base64," in uri:
            try:
                found.append(base64.b64decode(uri.partition(";base64,")[2], validate=True))
            except binascii.Error as error:
                raise BadInput(f"{path}: damaged data in it ({error}).") from error
        else:
            raise BadInput(f"{path} keeps its numbers in another file ({str(uri)[:80]}). Export it as .glb.")
    return found


def _order(nodes: list[Document]) -> tuple[list[int], list[int]]:
    """All nodes, parents first, and each one's parent's place in that order, -1 for roots."""
    parent = dict.fromkeys(range(len(nodes)), -1)
    for i, node in enumerate(nodes):
        for child in node.get("children") or []:
            if not 0 <= child < len(nodes) or parent[child] >= 0:
                raise ValueError("a node with two parents, or none there")
            parent[child] = i
    order = [i for i in parent if parent[i] < 0]
    for node in order:
        order.extend(nodes[node].get("children") or [])
    if len(order) != len(nodes):
        raise ValueError("nodes in a circle")
    place = {node: i for i, node in enumerate(order)}
    return order, [place.get(parent[node], -1) for node in order]


def _rest(node: Document) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    if "matrix" in node:
        matrix = np.array(node["matrix"], float).reshape(4, 4).T
        if not (np.abs(matrix) < LARGEST).all():  # LAPACK may never come back from an infinite one
            raise ValueError("a matrix that is not finite")
        u, _, v = np.linalg.svd(matrix[:3, :3])
        u[:, 2] *= np.sign(np.linalg.det(u @ v))  # a mirrored node's nearest rotation
        return u @ v, matrix[:3, 3]
    quaternion = np.array(node.get("rotation", (0, 0, 0, 1)), float)
    if not 1e-6 < np.linalg.norm(quaternion) < 1e6:
        raise ValueError("a rotation that is none")
    turn = Rotation.from_quat(quaternion).as_matrix()
    return turn, np.array(node.get("translation", (0, 0, 0)), float)


@dataclass(frozen=True)
class _Curve:
    times: Float[np.ndarray, " key"]
    values: Float[np.ndarray, "key number"]
    steps: bool

    @staticmethod
    def of(document: Document, buffers: list[bytes], sampler: Document) -> "_Curve":
        times = _numbers(document, buffers, sampler["input"])[:, 0]
        values = _numbers(document, buffers, sampler["output"])
        kind = sampler.get("interpolation", "LINEAR")
        if kind == "CUBICSPLINE":  # tangent, value, tangent: keys are dense enough to go straight from value to value
            values = values[1::3]
        if len(times) != len(values) or len(times) == 0 or (np.diff(times) < 0).any():
            raise ValueError("an animation whose moments and values do not fit")
        kept = np.concatenate([[True], np.diff(times) > 0])
        return _Curve(times[kept].astype(float), values[kept].astype(float), kind == "STEP")

    def turns(self, moments: NDArray) -> Float[np.ndarray, "frame 3 3"]:
        turns = Rotation.from_quat(self.values)
        if self.steps or len(self.times) == 1:
            return turns[self._before(moments)].as_matrix()
        return Slerp(self.times, turns)(moments.clip(self.times[0], self.times[-1])).as_matrix()

    def places(self, moments: NDArray) -> Float[np.ndarray, "frame 3"]:
        if self.steps or len(self.times) == 1:
            return self.values[self._before(moments)]
        return np.stack([np.interp(moments, self.times, axis) for axis in self.values.T], axis=1)

    def _before(self, moments: NDArray) -> NDArray:
        return (np.searchsorted(self.times, moments, side="right") - 1).clip(0)


def _numbers(document: Document, buffers: list[bytes], index: int) -> Float[np.ndarray, "row number"]:
    """An accessor's numbers; whole numbers that stand for shares are brought to [-1, 1]."""
    accessor = document["accessors"][index]
    if "sparse" in accessor:
        raise ValueError("sparse numbers")
    view = document["bufferViews"][accessor["bufferView"]]
    kind, width, count = np.dtype(COMPONENTS[accessor["componentType"]]), WIDTHS[accessor["type"]], accessor["count"]
    begin = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    row = kind.itemsize * width
    stride = view.get("byteStride") or row
    raw = np.frombuffer(buffers[view["buffer"]], np.uint8)
    if (
        not 0 < count * width <= MOST_NUMBERS
        or begin < 0
        or stride < row  # rows that overlap, or lie before the buffer
        or begin + stride * (count - 1) + row > len(raw)
    ):
        raise ValueError("numbers beyond the end of the file")
    rows = np.lib.stride_tricks.as_strided(raw[begin:], (count, row), (stride, 1))
    numbers = np.ascontiguousarray(rows).view(kind).astype(float)
    if kind.kind in "iu" and accessor.get("normalized"):
        numbers = (numbers / np.iinfo(kind).max).clip(-1, 1)
    if not np.isfinite(numbers).all():
        raise ValueError("numbers that are not finite")
    return numbers
