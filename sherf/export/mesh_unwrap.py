"""Thins a mesh out and cuts it open, in a process of its own.

Open3D and xatlas hold the interpreter for seconds, in which no other thread could answer, and cannot be stopped: a
process can, and nothing of torch is loaded there. `thinned_and_unwrapped` runs it.
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


def thinned_and_unwrapped(
    vertices: Vertices, faces: Faces, triangles: int, watch: Callable[[], None] = lambda: None
) -> tuple[Float[np.ndarray, "uv_vertex 3"], Int[np.ndarray, "uv_face 3"], Float[np.ndarray, "uv_vertex 2"]]:
    """`decimated`, then `unwrapped`, while this process goes on.

    Args:
        watch: is called now and then; what it raises ends the work.

    Raises:
        SherfError: the other process broke down.
    """
    command = [sys.executable, "-m", "sherf.export.mesh_unwrap", str(triangles)]
    given = save({"vertices": np.ascontiguousarray(vertices), "faces": np.ascontiguousarray(faces)})
    with TemporaryFile() as taken, TemporaryFile() as made, TemporaryFile() as said:
        taken.write(given)
        taken.seek(0)
        running = subprocess.Popen(command, stdin=taken, stdout=made, stderr=said)
        try:
            while running.poll() is None:
                watch()
                time.sleep(POLL_S)
        finally:
            running.kill()
            running.wait()
        made.seek(0)
        said.seek(0)
        mesh, complaint = made.read(), said.read().decode(errors="replace")
    if running.returncode != 0:
        raise SherfError(f"the mesh cannot be flattened: {complaint[-300:]}")
    arrays = load(mesh)
    return arrays["vertices"], arrays["faces"], arrays["uv"]


def decimated(vertices: Vertices, faces: Faces, triangles: int) -> tuple[np.ndarray, np.ndarray]:
    """About so many triangles (quadric error metrics, Garland & Heckbert 1997); fewer stay as they are."""
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


def unwrapped(
    vertices: Vertices, faces: Faces
) -> tuple[Float[np.ndarray, "uv_vertex 3"], Int[np.ndarray, "face 3"], Float[np.ndarray, "uv_vertex 2"]]:
    """Cut open and flattened, without overlaps (xatlas). Vertices on cuts come more than once."""
    import xatlas

    origin, cut, uv = xatlas.parametrize(vertices, faces.astype(np.uint32))
    return vertices[origin], cut.astype(np.int64), uv.astype(np.float32)


def _main() -> None:
    given = load(sys.stdin.buffer.read())
    vertices, faces, uv = unwrapped(*decimated(given["vertices"], given["faces"], int(sys.argv[1])))
    sys.stdout.buffer.write(save({"vertices": vertices, "faces": faces, "uv": uv}))


if __name__ == "__main__":
    _main()
