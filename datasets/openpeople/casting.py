"""Ray casting against a triangle mesh, and the camera in NumPy that generates the rays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt32

from sherf.scene import Camera


@dataclass(frozen=True)
class NumpyCamera:
    """One pinhole camera as double-precision NumPy arrays, in the conventions of `scene.Camera`."""

    K: Float[np.ndarray, "3 3"]
    R: Float[np.ndarray, "3 3"]
    T: Float[np.ndarray, "3"]
    size: tuple[int, int]
    """Image (height, width) in pixels."""

    @property
    def position(self) -> Float[np.ndarray, "3"]:
        """Camera centre in world space, metres."""
        return -self.R.T @ self.T

    def directions(self, pixels: Float32[np.ndarray, "ray 2"]) -> Float32[np.ndarray, "ray 3"]:
        """Return world-space ray directions through pixel coordinates, with camera-space z of 1.

        Distance along such a ray, in units of its direction, is therefore z-depth in metres.
        """
        # pixel -> world at z = 1
        T_world_pixel = (self.R.T @ np.linalg.inv(self.K)).astype(np.float32)
        return pixels @ T_world_pixel[:, :2].T + T_world_pixel[:, 2]

    def project(
        self, points: Float[np.ndarray, "point 3"]
    ) -> tuple[Float[np.ndarray, "point 2"], Float[np.ndarray, " point"]]:
        """Return pixel coordinates (x, y) and z-depth in metres of world points.

        Pixel coordinates of points behind the camera are meaningless.
        """
        seen = points @ self.R.T.astype(points.dtype) + self.T.astype(points.dtype)
        depth = seen[:, 2]
        K = self.K.astype(points.dtype)
        pixels = (seen[:, :2] / np.maximum(depth, 1e-3)[:, None]) @ K[:2, :2].T + K[:2, 2]
        return pixels, depth


def to_numpy_camera(camera: Camera) -> NumpyCamera:
    """Return a camera without a view axis as NumPy arrays.

    Raises:
        ValueError: the camera has view axes.
    """
    if camera.K.ndim != 2:
        raise ValueError(f"expected one camera, got view axes {tuple(camera.K.shape[:-2])}: index it first")
    K, R, T = (x.detach().cpu().numpy().astype(np.float64) for x in (camera.K, camera.R, camera.T))
    return NumpyCamera(K, R, T, (int(camera.size[0]), int(camera.size[1])))


@dataclass(frozen=True)
class Hits:
    """First intersections: one entry per ray that hit the mesh."""

    ray: Int[np.ndarray, " hit"]
    """Index of the ray."""
    depth: Float32[np.ndarray, " hit"]
    """Distance in units of the ray's direction."""
    face: UInt32[np.ndarray, " hit"]
    """Index of the face."""
    barycentric: Float32[np.ndarray, "hit 2"]
    """Weights of the face's second and third vertex."""


class RayCaster:
    """A ray casting scene of one mesh (Open3D's `RaycastingScene`, which uses Embree)."""

    def __init__(
        self, vertices: Float32[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], threads: int = 1
    ) -> None:
        """Build the scene.

        Args:
            vertices: world-space positions, metres.
            faces: vertex indices.
            threads: CPU threads for building and casting.
        """
        import open3d as o3d  # takes a second to import, and only rendering needs it

        # Open3D's stubs forbid leaving out dtype and device.
        self._to_tensor = lambda array: o3d.core.Tensor(array)  # type: ignore[call-overload]
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
        self._threads = threads
        self._scene.add_triangles(
            self._to_tensor(np.ascontiguousarray(vertices)), self._to_tensor(faces.astype(np.uint32))
        )

    def cast(self, origin: Float[np.ndarray, "3"], directions: Float32[np.ndarray, "ray 3"]) -> Hits:
        """Return the first hits of rays from one world-space point, metres."""
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3] = origin
        rays[:, 3:] = directions
        found = self._scene.cast_rays(self._to_tensor(rays), nthreads=self._threads)
        depth = found["t_hit"].numpy()
        ray = np.flatnonzero(np.isfinite(depth))
        return Hits(ray, depth[ray], found["primitive_ids"].numpy()[ray], found["primitive_uvs"].numpy()[ray])

    def is_blocked(self, rays: Float32[np.ndarray, "ray 6"], near: float, far: float) -> Bool[np.ndarray, " ray"]:
        """Return whether the mesh blocks each ray.

        Args:
            rays: world-space origin and direction of each ray.
            near: start of the tested interval, in units of the direction.
            far: end of the tested interval, in units of the direction.
        """
        return self._scene.test_occlusions(self._to_tensor(rays), tnear=near, tfar=far, nthreads=self._threads).numpy()
