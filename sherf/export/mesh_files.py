"""OBJ and PLY files of a rigged mesh in one pose, and PLY point clouds."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from sherf.body.lbs import vertex_normals
from sherf.export.gltf import encode_png
from sherf.export.rigged import RiggedMesh
from sherf.files.output import atomic_output, write_text

RGB = ("red", "green", "blue")


def write_obj(path: Path, mesh: RiggedMesh, vertices: Float[np.ndarray, "vertex 3"], comment: str) -> list[Path]:
    """Write a textured mesh as Wavefront OBJ, with its material (.mtl) and texture (.png) beside it.

    Args:
        path: the .obj file.
        mesh: faces, texture and UV coordinates.
        vertices: in the pose to write, metres.
        comment: one line at the top of the file.

    Returns:
        The .obj, .mtl and .png file.

    Raises:
        OutputError: a file cannot be written.
    """
    material, texture = path.with_suffix(".mtl"), path.with_suffix(".png")
    with atomic_output(texture) as partial:
        partial.write_bytes(encode_png(mesh.texture))
    write_text(material, f"newmtl body\nKd 1 1 1\nKs 0 0 0\nmap_Kd {texture.name}\n")
    lines = [f"# {comment}", f"mtllib {material.name}", "usemtl body"]
    lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices]
    lines += [f"vt {u:.5f} {1 - v:.5f}" for u, v in mesh.uv]
    lines += ["f " + " ".join(f"{i}/{i}" for i in face) for face in mesh.faces + 1]
    write_text(path, "\n".join(lines) + "\n")
    return [path, material, texture]


def write_ply(path: Path, mesh: RiggedMesh, vertices: Float[np.ndarray, "vertex 3"]) -> list[Path]:
    """Write a mesh as PLY with the texture's colour at each vertex.

    Args:
        path: the .ply file.
        mesh: faces, texture and UV coordinates.
        vertices: in the pose to write, metres.

    Returns:
        A list with the path alone.

    Raises:
        OutputError: the file cannot be written.
    """
    import trimesh

    shape = trimesh.Trimesh(vertices, mesh.faces, vertex_colors=_colours(mesh, mesh.uv), process=False)
    content = shape.export(file_type="ply")
    assert isinstance(content, bytes)
    with atomic_output(path) as partial:
        partial.write_bytes(content)
    return [path]


def write_points(path: Path, mesh: RiggedMesh, vertices: Float[np.ndarray, "vertex 3"], count: int) -> list[Path]:
    """Write a point cloud as PLY, with normals and the texture's colours. The same mesh gives the same points.

    Args:
        path: the .ply file.
        mesh: faces, texture and UV coordinates.
        vertices: in the pose to write, metres.
        count: number of points, stratified by area over the surface.

    Returns:
        A list with the path alone.

    Raises:
        OutputError: the file cannot be written.
    """
    corners = vertices[mesh.faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    random = np.random.default_rng(0)
    # One point in each of `count` equal parts of the area.
    offset = (np.arange(count) + random.random(count)) / count * area.sum()
    face = np.searchsorted(area.cumsum(), offset, side="right").clip(max=len(area) - 1)
    # Uniform within a triangle: Turk 1990, "Generating random points in triangles".
    root, along = np.sqrt(random.random(count)), random.random(count)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    normals = vertex_normals(torch.from_numpy(vertices), torch.from_numpy(mesh.faces)).numpy()

    def on_faces(values: Float[np.ndarray, "vertex axis"]) -> Float[np.ndarray, "point axis"]:
        return np.einsum("pc,pca->pa", weights, values[mesh.faces[face]])

    fields = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")] + [(name, "u1") for name in RGB]
    points = np.zeros(count, fields)
    columns = np.hstack([on_faces(vertices), _unit(on_faces(normals)), _colours(mesh, on_faces(mesh.uv))])
    for (name, _), column in zip(fields, columns.T, strict=True):
        points[name] = column
    types = {"<f4": "float", "u1": "uchar"}
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {count}"]
    lines += [f"property {types[kind]} {name}" for name, kind in fields]
    with atomic_output(path) as partial:
        partial.write_bytes("\n".join([*lines, "end_header\n"]).encode() + points.tobytes())
    return [path]


def _colours(mesh: RiggedMesh, uv: Float[np.ndarray, "point 2"]) -> UInt8[np.ndarray, "point 3"]:
    """Return the texture's colour at UV coordinates, by the nearest texel."""
    side = np.array(mesh.texture.shape[1::-1])
    column, row = (uv * side).astype(int).clip(0, side - 1).T
    return (mesh.texture[row, column] * 255).round().astype(np.uint8)


def _unit(vectors: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-12)
