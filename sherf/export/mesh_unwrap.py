"""Decimation and UV unwrapping of a mesh, in a separate process.

Open3D and xatlas hold the interpreter's lock for seconds and cannot be cancelled, a process can; it loads nothing of
torch. `decimate_and_unwrap` starts it.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from tempfile import TemporaryFile

import numpy as np
from jaxtyping import Float, Int
from safetensors.numpy import load, save

from sherf.errors import SherfError
from sherf.render.quick_open3d import quick_open3d

POLL_S = 0.05
Vertices = Float[np.ndarray, "vertex 3"]
Faces = Int[np.ndarray, "face 3"]


def decimate_and_unwrap(
    vertices: Vertices, faces: Faces, triangles: int, watch: Callable[[], None] = lambda: None
) -> tuple[Float[np.ndarray, "uv_vertex 3"], Int[np.ndarray, "uv_face 3"], Float[np.ndarray, "uv_vertex 2"]]:
    """`decimate` a mesh, then `unwrap` it, in a separate process.

    Args:
        vertices: metres.
        faces: of the whole mesh.
        triangles: target number of faces.
        watch: called repeatedly while the process runs; raise an exception in it to cancel the work.

    Returns:
        Vertices (repeated along cuts), faces, and UV coordinates in [0, 1].

    Raises:
        SherfError: the process failed.
    """
    command = [sys.executable, "-m", "sherf.export.mesh_unwrap", str(triangles)]
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(save({"vertices": np.ascontiguousarray(vertices), "faces": np.ascontiguousarray(faces)}))
        stdin.seek(0)
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            while process.poll() is None:
                watch()
                time.sleep(POLL_S)
        finally:
            process.kill()
            process.wait()
        stdout.seek(0)
        stderr.seek(0)
        output, errors = stdout.read(), stderr.read().decode(errors="replace")
    if process.returncode != 0:
        raise SherfError(f"the mesh cannot be unwrapped: {errors[-300:]}")
    arrays = load(output)
    return arrays["vertices"], arrays["faces"], arrays["uv"]


def decimate(vertices: Vertices, faces: Faces, triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mesh with about this many triangles (quadric error metrics, Garland & Heckbert 1997).

    A mesh that has no more is returned unchanged.
    """
    if len(faces) <= triangles:
        return vertices, faces
    open3d = quick_open3d()
    mesh = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(vertices.astype(np.float64)),
        open3d.utility.Vector3iVector(faces.astype(np.int32)),
    )
    simple = mesh.simplify_quadric_decimation(triangles)
    simple.remove_degenerate_triangles()
    simple.remove_unreferenced_vertices()
    return np.asarray(simple.vertices, np.float32), np.asarray(simple.triangles, np.int64)


def unwrap(
    vertices: Vertices, faces: Faces
) -> tuple[Float[np.ndarray, "uv_vertex 3"], Int[np.ndarray, "face 3"], Float[np.ndarray, "uv_vertex 2"]]:
    """Return vertices (repeated along cuts), faces, and non-overlapping UV coordinates in [0, 1] (xatlas)."""
    import xatlas

    origin, cut, uv = xatlas.parametrize(vertices, faces.astype(np.uint32))
    return vertices[origin], cut.astype(np.int64), uv.astype(np.float32)


def _main() -> None:
    mesh = load(sys.stdin.buffer.read())
    vertices, faces, uv = unwrap(*decimate(mesh["vertices"], mesh["faces"], int(sys.argv[1])))
    sys.stdout.buffer.write(save({"vertices": vertices, "faces": faces, "uv": uv}))


if __name__ == "__main__":
    _main()
