"""OBJ and PLY files of a rigged mesh in one pose, PLY also as points."""

from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float, UInt8

from sherf.body.lbs import vertex_normals
from sherf.export.gltf import png_bytes
from sherf.export.rigged import RiggedMesh
from sherf.files.output import atomic_output, write_text

RGB = ("red", "green", "blue")


def write_obj(path: Path, mesh: RiggedMesh, vertices: Float[np.ndarray, "vertex 3"], comment: str) -> list[Path]:
    """Write NAME.obj with NAME.mtl and NAME.png beside it; returns all three.

    Args:
        vertices: in the wanted pose, metres.
        comment: a line at the top.
    """
    material, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
    with atomic_output(picture) as partial:
        partial.write_bytes(png_bytes(mesh.texture))
    write_text(material, f"newmtl body\nKd 1 1 1\nKs 0 0 0\nmap_Kd {picture.name}\n")
    lines = [f"# {comment}", f"mtllib {material.name}", "usemtl body"]
    lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices]
    lines += [f"vt {u:.5f} {1 - v:.5f}" for u, v in mesh.uv]
    lines += ["f " + " ".join(f"{i}/{i}" for i in face) for face in mesh.faces + 1]
    write_text(path, "\n".join(lines) + "\n")
    return [path, material, picture]


def write_ply(path: Path, mesh: RiggedMesh, vertices: Float[np.ndarray, "vertex 3"]) -> list[Path]:
    """Write a PLY whose vertices carry the texture's colours; returns it.

    Args:
        vertices: in the wanted pose, metres.
    """
    shape = trimesh.Trimesh(vertices, mesh.faces, vertex_colors=_colours(mesh, mesh.uv), process=False)
    with atomic_output(path) as partial:
        partial.write_bytes(shape.export(file_type="ply"))
    return [path]


def write_points(path: Path, mesh: RiggedMesh, vertices: Float[np.ndarray, "vertex 3"], count: int) -> list[Path]:
    """Write a PLY of points with normals and the texture's colours; returns it. The same mesh gives the same points.

    Args:
        vertices: in the wanted pose, metres.
        count: how many points; each part of the surface has as many as its area's share.
    """
    corners = vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    random = np.random.default_rng(0)
    # one point in each of `count` equal parts of the area
    place = (np.arange(count) + random.random(count)) / count * area.sum()
    face = np.searchsorted(area.cumsum(), place, side="right").clip(max=len(area) - 1)
    # Turk 1990, "Generating random points in triangles": even within a triangle
    root, along = np.sqrt(random.random(count)), random.random(count)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    normals = vertex_normals(torch.from_numpy(vertices), torch.from_numpy(mesh.faces)).numpy()

    def on_faces(values: Float[np.ndarray, "vertex axis"]) -> Float[np.ndarray, "point axis"]:
        return np.einsum("pc,pca->pa", weights, values[mesh.faces[face]])

    points = np.zeros(count, [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")] + [(c, "u1") for c in RGB])
    columns = np.hstack([on_faces(vertices), _unit(on_faces(normals)), _colours(mesh, on_faces(mesh.uv))])
    for name, column in zip(points.dtype.names, columns.T, strict=True):
        points[name] = column
    kinds = {"f": "float", "u": "uchar"}
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property {kinds[points.dtype[name].kind]} {name}" for name in points.dtype.names]
    with atomic_output(path) as partial:
        partial.write_bytes("\n".join([*lines, "end_header\n"]).encode() + points.tobytes())
    return [path]


def _colours(mesh: RiggedMesh, uv: Float[np.ndarray, "point 2"]) -> UInt8[np.ndarray, "point 3"]:
    """Of the texture at these places."""
    side = np.array(mesh.texture.shape[1::-1])
    column, row = (uv * side).astype(int).clip(0, side - 1).T
    return (mesh.texture[row, column] * 255).round().astype(np.uint8)


def _unit(vectors: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
