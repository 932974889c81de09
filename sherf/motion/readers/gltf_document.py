"""Parse glTF 2.0 documents: the JSON, the GLB container, buffers and accessors. Nothing in them is trusted.

Malformed documents also raise LookupError, TypeError, ValueError and others; `read_gltf` converts them.

Format: Khronos, "glTF 2.0 Specification" (chapters on buffers and accessors, and on the GLB container).
"""

import base64
import binascii
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sherf.errors import BadInput

JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942
MAX_CHUNKS = 16
MAX_DOCUMENT_BYTES = 32 * 2**20
"""Of JSON, which takes twenty times as much memory as Python objects."""
MAX_NUMBERS = 10_000_000
"""In an accessor, and in all curves of an animation."""
COMPONENT_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
ELEMENT_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
Document = dict[str, Any]


def is_gltf(head: bytes) -> bool:
    """Return whether a file's first bytes are those of GLB, or may be those of glTF's JSON."""
    return head[:4] == b"glTF" or (head.lstrip()[:1] == b"{" and b'"asset"' in head)


def parse_container(path: Path, content: bytes) -> tuple[Document, bytes]:
    """Parse a .glb or .gltf file.

    Args:
        path: the file, for messages.
        content: its bytes.

    Returns:
        The JSON document, unchecked, and the GLB's binary chunk, which is empty for a .gltf file.

    Raises:
        BadInput: the version is not 2, the file ends too early, or there is no JSON chunk.
    """
    if content[:4] != b"glTF":
        return _parse_document(path, content), b""
    _, version, _ = struct.unpack_from("<III", content)
    if version != 2:
        raise BadInput(f"{path} is glTF {version}; only version 2 is supported. Export it as glTF 2.0.")
    offset, document, binary = 12, None, b""
    for _ in range(MAX_CHUNKS):
        if offset + 8 > len(content):
            break
        length, kind = struct.unpack_from("<II", content, offset)
        chunk = content[offset + 8 : offset + 8 + length]
        if len(chunk) != length:
            raise BadInput(f"{path} ends too early. Is it complete? Export it again.")
        if kind == JSON_CHUNK:
            document = _parse_document(path, chunk)
        elif kind == BINARY_CHUNK:
            binary = chunk
        offset += 8 + length
    if not isinstance(document, dict):
        raise BadInput(f"{path} has no glTF document. Export it again.")
    return document, binary


def _parse_document(path: Path, content: bytes) -> Any:
    """Return the parsed JSON.

    Raises:
        BadInput: it is too large.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise BadInput(f"{path} has {len(content) >> 20} MB of JSON. Export it as .glb, without meshes.")
    return json.loads(content)


def load_buffers(path: Path, document: Document, binary: bytes) -> list[bytes]:
    """Load all buffers of a document; data URIs are decoded.

    Args:
        path: the file, for messages.
        document: the JSON document.
        binary: the GLB's binary chunk.

    Returns:
        The buffers, in the document's order.

    Raises:
        BadInput: a data URI is damaged, or a buffer is in another file.
    """
    buffers = []
    for buffer in document["buffers"]:
        uri = buffer.get("uri")
        if uri is None:
            buffers.append(binary)
        elif str(uri).startswith("data:") and ";base64," in uri:
            try:
                buffers.append(base64.b64decode(uri.partition(";base64,")[2], validate=True))
            except binascii.Error as error:
                raise BadInput(f"{path}: its embedded data is damaged ({error}). Export it again.") from error
        else:
            raise BadInput(f"{path} keeps its data in another file ({str(uri)[:80]}). Export it as .glb.")
    return buffers


def read_accessor(document: Document, buffers: list[bytes], index: int) -> Float[np.ndarray, "element number"]:
    """Read an accessor's elements; normalised integers are converted to [-1, 1] as the specification defines.

    Args:
        document: the JSON document.
        buffers: its buffers, from `load_buffers`.
        index: the accessor's.

    Returns:
        One row per element, in double precision.

    Raises:
        ValueError: the accessor is sparse, reaches beyond its buffer, is too large, or is not finite.
    """
    accessor = document["accessors"][index]
    if "sparse" in accessor:
        raise ValueError("sparse accessors are not supported")
    view = document["bufferViews"][accessor["bufferView"]]
    component = np.dtype(COMPONENT_TYPES[accessor["componentType"]])
    size, count = ELEMENT_SIZES[accessor["type"]], accessor["count"]
    begin = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    element = component.itemsize * size
    stride = view.get("byteStride") or element
    raw = np.frombuffer(buffers[view["buffer"]], np.uint8)
    if (
        not 0 < count * size <= MAX_NUMBERS
        or begin < 0
        or stride < element  # elements that overlap, or lie before the buffer
        or begin + stride * (count - 1) + element > len(raw)
    ):
        raise ValueError("an accessor reaches beyond its buffer")
    elements = np.lib.stride_tricks.as_strided(raw[begin:], (count, element), (stride, 1))
    numbers = np.ascontiguousarray(elements).view(component).astype(float)
    if component.kind in "iu" and accessor.get("normalized"):
        numbers = (numbers / np.iinfo(component.name).max).clip(-1, 1)
    if not np.isfinite(numbers).all():
        raise ValueError("an accessor holds numbers that are not finite")
    return numbers
