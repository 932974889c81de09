"""GLB (glTF 2.0) and VRM 1.0 files of a rigged mesh, with motions as clips."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib as gltf
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image

from sherf.body.skeleton import JOINT_NAMES
from sherf.export.rigged import RiggedMesh
from sherf.export.still_mesh import StillMesh
from sherf.files.output import atomic_output
from sherf.motion.motion import Motion, continuous_quaternions

ROUGHNESS = 0.9
"""Roughness of the material: cloth and skin without gloss."""
VRM_BONES = {
    "hips": "pelvis", "spine": "spine1", "chest": "spine2", "upperChest": "spine3", "neck": "neck", "head": "head",
    **{
        f"{side}{bone}": f"{side}_{joint}"
        for side in ("left", "right")
        for bone, joint in (
            ("UpperLeg", "hip"), ("LowerLeg", "knee"), ("Foot", "ankle"), ("Toes", "foot"), ("Shoulder", "collar"),
            ("UpperArm", "shoulder"), ("LowerArm", "elbow"), ("Hand", "wrist"),
        )
    },
}  # fmt: skip
"""VRM's bones and the joints they stand for; VRM has no bone for SMPL's two hand joints."""


def encode_glb(
    mesh: RiggedMesh,
    motions: Sequence[Motion] = (),
    provenance: Mapping[str, Any] | None = None,
    vrm: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a GLB file (glTF 2.0): one textured mesh, its skeleton in T-pose standing on y = 0, one clip per motion.

    Args:
        mesh: the avatar; written in metres, y up, facing +z, as glTF demands.
        motions: scaled to the mesh's legs (`sherf.motion.playback.scale_to_legs`).
        provenance: stored in the file's asset.extras.
        vrm: the avatar's licence fields (VRM 1.0's `meta`); makes the file a VRM.
    """
    builder = _Builder()
    down = np.array([0.0, float(mesh.vertices[:, 1].min()), 0.0], np.float32)
    rest = mesh.rest_joints - down
    nodes = _joint_nodes(rest, mesh.parents)
    skin = gltf.Skin(name="skeleton", joints=list(range(len(nodes))), skeleton=0)
    bind = np.tile(np.eye(4, dtype=np.float32), (len(nodes), 1, 1))
    bind[:, 3, :3] = -rest  # glTF stores matrices column-major
    skin.inverseBindMatrices = builder.add(bind.reshape(-1, 16), gltf.MAT4)
    nodes.append(gltf.Node(name="body", mesh=0, skin=0))
    document = gltf.GLTF2(
        asset=gltf.Asset(version="2.0", generator="sherf", extras=dict(provenance or {})),
        scene=0,
        scenes=[gltf.Scene(nodes=[0, len(nodes) - 1])],
        nodes=nodes,
        meshes=[gltf.Mesh(name="body", primitives=[_primitive(builder, mesh, down)])],
        skins=[skin],
        materials=[_material()],
        textures=[gltf.Texture(source=0, sampler=0)],
        samplers=[_sampler()],
        images=[gltf.Image(bufferView=builder.add_bytes(encode_png(mesh.texture)), mimeType="image/png")],
        animations=[_clip(builder, motion, rest) for motion in motions],
    )
    if vrm is not None:
        document.extensionsUsed = ["VRMC_vrm"]
        bones = {bone: {"node": JOINT_NAMES.index(joint)} for bone, joint in VRM_BONES.items()}
        document.extensions = {"VRMC_vrm": {"specVersion": "1.0", "meta": dict(vrm), "humanoid": {"humanBones": bones}}}
    document.accessors, document.bufferViews = builder.accessors, builder.views
    document.buffers = [gltf.Buffer(byteLength=len(builder.data))]
    document.set_binary_blob(bytes(builder.data))
    return b"".join(document.save_to_bytes())


def encode_still_glb(mesh: StillMesh, quality: int = 90) -> bytes:
    """Return a GLB file of a mesh without a skeleton, unlit: its texture holds the light of the photo.

    Args:
        mesh: written in its own coordinates, metres, y up.
        quality: of the texture's JPEG, 1 to 100.
    """
    builder = _Builder()
    indices = builder.add(mesh.faces.astype(np.uint32).reshape(-1), gltf.SCALAR, gltf.ELEMENT_ARRAY_BUFFER)
    attributes = gltf.Attributes(
        POSITION=builder.add(mesh.vertices, gltf.VEC3, gltf.ARRAY_BUFFER, bounds=True),
        TEXCOORD_0=builder.add(mesh.uv, gltf.VEC2, gltf.ARRAY_BUFFER),
    )
    material = _material()
    material.extensions, material.doubleSided = {"KHR_materials_unlit": {}}, True
    sampler = _sampler()
    sampler.minFilter = gltf.LINEAR  # in mip maps the triangles' colours would run into one another
    texture = gltf.Image(bufferView=builder.add_bytes(encode_jpeg(mesh.texture, quality)), mimeType="image/jpeg")
    document = gltf.GLTF2(
        asset=gltf.Asset(version="2.0", generator="sherf"),
        extensionsUsed=["KHR_materials_unlit"],
        scene=0,
        scenes=[gltf.Scene(nodes=[0])],
        nodes=[gltf.Node(name="body", mesh=0)],
        meshes=[gltf.Mesh(primitives=[gltf.Primitive(attributes=attributes, indices=indices, material=0)])],
        materials=[material],
        textures=[gltf.Texture(source=0, sampler=0)],
        samplers=[sampler],
        images=[texture],
    )
    document.accessors, document.bufferViews = builder.accessors, builder.views
    document.buffers = [gltf.Buffer(byteLength=len(builder.data))]
    document.set_binary_blob(bytes(builder.data))
    return b"".join(document.save_to_bytes())


def write_glb(path: Path, content: bytes) -> None:
    """Write a GLB atomically: the complete file or none.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_output(path) as partial:
        partial.write_bytes(content)


def encode_png(image: Float[np.ndarray, "h w 3"]) -> bytes:
    """Return an sRGB image in [0, 1] as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray((image * 255).round().astype(np.uint8)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def encode_jpeg(image: Float[np.ndarray, "h w 3"], quality: int = 90) -> bytes:
    """Return an sRGB image in [0, 1] as a JPEG file with colours at full resolution."""
    stream = io.BytesIO()
    picture = Image.fromarray((image.clip(0, 1) * 255).round().astype(np.uint8))
    picture.save(stream, format="JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


@dataclass
class _Builder:
    """Collects the binary chunk of a GLB and the accessors into it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[gltf.BufferView] = field(default_factory=list)
    accessors: list[gltf.Accessor] = field(default_factory=list)

    def add_bytes(self, content: bytes, target: int | None = None) -> int:
        """Append bytes as a new buffer view and return its index."""
        self.data.extend(b"\0" * (-len(self.data) % 4))
        self.views.append(gltf.BufferView(buffer=0, byteOffset=len(self.data), byteLength=len(content), target=target))
        self.data.extend(content)
        return len(self.views) - 1

    def add(self, numbers: NDArray, kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Append an array as a new accessor and return its index."""
        component = {"float32": gltf.FLOAT, "uint8": gltf.UNSIGNED_BYTE, "uint32": gltf.UNSIGNED_INT}
        numbers = np.ascontiguousarray(numbers, np.float32 if numbers.dtype.kind == "f" else numbers.dtype)
        flat = numbers.reshape(len(numbers), -1)
        self.accessors.append(
            gltf.Accessor(
                bufferView=self.add_bytes(numbers.tobytes(), target),
                componentType=component[numbers.dtype.name],
                count=len(numbers),
                type=kind,
                min=flat.min(axis=0).tolist() if bounds else None,
                max=flat.max(axis=0).tolist() if bounds else None,
            )
        )
        return len(self.accessors) - 1


def _primitive(builder: _Builder, mesh: RiggedMesh, down: Float[np.ndarray, "3"]) -> gltf.Primitive:
    """Return the mesh's triangles, moved so that `down` becomes the origin."""
    return gltf.Primitive(
        attributes=gltf.Attributes(
            POSITION=builder.add(mesh.vertices - down, gltf.VEC3, gltf.ARRAY_BUFFER, bounds=True),
            NORMAL=builder.add(mesh.normals, gltf.VEC3, gltf.ARRAY_BUFFER),
            TEXCOORD_0=builder.add(mesh.uv, gltf.VEC2, gltf.ARRAY_BUFFER),
            JOINTS_0=builder.add(
                np.where(mesh.weights > 0, mesh.joints, 0).astype(np.uint8), gltf.VEC4, gltf.ARRAY_BUFFER
            ),
            WEIGHTS_0=builder.add(mesh.weights, gltf.VEC4, gltf.ARRAY_BUFFER),
        ),
        indices=builder.add(mesh.faces.astype(np.uint32).reshape(-1), gltf.SCALAR, gltf.ELEMENT_ARRAY_BUFFER),
        material=0,
    )


def _material() -> gltf.Material:
    return gltf.Material(
        name="body",
        pbrMetallicRoughness=gltf.PbrMetallicRoughness(
            baseColorTexture=gltf.TextureInfo(index=0), metallicFactor=0.0, roughnessFactor=ROUGHNESS
        ),
    )


def _sampler() -> gltf.Sampler:
    return gltf.Sampler(
        magFilter=gltf.LINEAR,
        minFilter=gltf.LINEAR_MIPMAP_LINEAR,
        wrapS=gltf.CLAMP_TO_EDGE,
        wrapT=gltf.CLAMP_TO_EDGE,
    )


def _joint_nodes(rest: Float[np.ndarray, "24 3"], parents: tuple[int, ...]) -> list[gltf.Node]:
    """Return one node for each joint, without rotation: the rest pose."""
    nodes = []
    for joint, (name, parent) in enumerate(zip(JOINT_NAMES, parents, strict=True)):
        position = rest[joint] if parent < 0 else rest[joint] - rest[parent]
        children = [child for child, its_parent in enumerate(parents) if its_parent == joint]
        nodes.append(gltf.Node(name=name, translation=position.tolist(), children=children))
    return nodes


def _clip(builder: _Builder, motion: Motion, rest: Float[np.ndarray, "24 3"]) -> gltf.Animation:
    """Return an animation of all joint rotations and the root trajectory."""
    times = builder.add((np.arange(len(motion)) / motion.fps).astype(np.float32), gltf.SCALAR, bounds=True)
    clip = gltf.Animation(name=motion.name, samplers=[], channels=[])

    def channel(joint: int, path: str, numbers: NDArray, kind: str) -> None:
        clip.samplers.append(
            gltf.AnimationSampler(input=times, output=builder.add(numbers, kind), interpolation="LINEAR")
        )
        target = gltf.AnimationChannelTarget(node=joint, path=path)
        clip.channels.append(gltf.AnimationChannel(sampler=len(clip.samplers) - 1, target=target))

    channel(0, "translation", rest[0] + motion.translation.numpy(), gltf.VEC3)
    rotations = continuous_quaternions(motion).astype(np.float32)
    for joint in range(len(rest)):
        channel(joint, "rotation", rotations[:, joint], gltf.VEC4)
    return clip
