"""OBJ and PLY files of a rigged mesh in one pose."""

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float

from sherf.export.gltf import png_bytes
from sherf.export.rigged import RiggedMesh
from sherf.output import atomic_output, write_text


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
    side = np.array(mesh.texture.shape[1::-1])
    column, row = (mesh.uv * side).astype(int).clip(0, side - 1).T
    colours = (mesh.texture[row, column] * 255).round().astype(np.uint8)
    shape = trimesh.Trimesh(vertices, mesh.faces, vertex_colors=colours, process=False)
    with atomic_output(path) as partial:
        partial.write_bytes(shape.export(file_type="ply"))
    return [path]
