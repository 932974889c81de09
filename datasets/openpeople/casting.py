"""Rays through pixels onto a person's mesh: which face they meet, where on it, and what lies there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt32

from sherf.scene import Camera


@dataclass(frozen=True)
class Lens:
    """One camera in NumPy."""

    K: Float[np.ndarray, "3 3"]
    R: Float[np.ndarray, "3 3"]
    T: Float[np.ndarray, "3"]
    size: tuple[int, int]

    @property
    def position(self) -> Float[np.ndarray, "3"]:
        """Camera centre in world space, metres."""
        return -self.R.T @ self.T

    def directions(self, pixels: Float32[np.ndarray, "ray 2"]) -> Float32[np.ndarray, "ray 3"]:
        """World-space directions of the rays through pixel coordinates, of length 1 along the camera's z axis.

        The distance along such a ray, in units of its direction, is the z-depth.
        """
        # pixel -> world at z = 1: one matrix for all
        T_world_pixel = (self.R.T @ np.linalg.inv(self.K)).astype(np.float32)
        return pixels @ T_world_pixel[:, :2].T + T_world_pixel[:, 2]

    def project(self, points: Float[np.ndarray, "point 3"]) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates (x, y) and z-depth of world points; pixels of points behind the camera mean nothing."""
        seen = points @ self.R.T.astype(points.dtype) + self.T.astype(points.dtype)
        depth = seen[:, 2]
        K = self.K.astype(points.dtype)
        pixels = (seen[:, :2] / np.maximum(depth, 1e-3)[:, None]) @ K[:2, :2].T + K[:2, 2]
        return pixels, depth


def lens(camera: Camera) -> Lens:
    """The NumPy twin of a camera without a view axis."""
    if camera.K.ndim != 2:
        raise ValueError(f"a lens is one camera, this one has view axes {tuple(camera.K.shape[:-2])}: index it first")
    K, R, T = (x.detach().cpu().numpy().astype(np.float64) for x in (camera.K, camera.R, camera.T))
    return Lens(K, R, T, (int(camera.size[0]), int(camera.size[1])))


@dataclass(frozen=True)
class Hits:
    """What rays met: one entry per ray that met anything."""

    ray: Int[np.ndarray, " hit"]
    """Index of the ray."""
    depth: Float32[np.ndarray, " hit"]
    """In units of the ray's direction."""
    face: UInt32[np.ndarray, " hit"]
    barycentric: Float32[np.ndarray, "hit 2"]
    """Weights of the face's second and third corner."""


class Caster:
    """A mesh made ready for rays; Open3D's Embree scene."""

    def __init__(
        self, vertices: Float32[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], threads: int = 1
    ) -> None:
        import open3d as o3d  # takes a second to import, and only pictures need it

        self._tensor = o3d.core.Tensor
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
        self._threads = threads
        self._scene.add_triangles(
            o3d.core.Tensor(np.ascontiguousarray(vertices)), o3d.core.Tensor(faces.astype(np.uint32))
        )

    def cast(self, origin: Float[np.ndarray, "3"], directions: Float32[np.ndarray, "ray 3"]) -> Hits:
        """First hits of rays from one point."""
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3] = origin
        rays[:, 3:] = directions
        found = self._scene.cast_rays(self._tensor(rays), nthreads=self._threads)
        depth = found["t_hit"].numpy()
        ray = np.flatnonzero(np.isfinite(depth))
        return Hits(ray, depth[ray], found["primitive_ids"].numpy()[ray], found["primitive_uvs"].numpy()[ray])

    def is_blocked(self, rays: Float32[np.ndarray, "ray 6"], near: float, far: float) -> Bool[np.ndarray, " ray"]:
        """Whether anything lies on rays (origin, direction) between `near` and `far`, in units of the direction."""
        return self._scene.test_occlusions(self._tensor(rays), tnear=near, tfar=far, nthreads=self._threads).numpy()
