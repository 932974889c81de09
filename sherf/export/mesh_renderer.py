"""A fast previewer: a rigged mesh, skinned and ray-cast, about 30 frames per second on two cores."""

from threading import local

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import camera_rays, project
from sherf.export.rigged import RiggedMesh
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import BodyPose, Camera, Frame

FOLD = 1024
"""Samples in a row of the array given to `cv2.remap`."""
NEAREST_M = 0.05
"""Vertices nearer to the camera than this may project anywhere: then the whole image is ray-cast."""


class _Last(local):
    """The rays of the camera that a thread used last."""

    camera: Camera | None = None
    on_cpu: Camera
    rays: Float[Tensor, "h w 6"]
    cosine: Float[Tensor, "h w"]


class MeshRenderer:
    """Renders a rigged mesh through the same interface as `Renderer`: one ray per pixel, unlit."""

    def __init__(self, mesh: RiggedMesh) -> None:
        """Prepare the texture for sampling.

        Args:
            mesh: of the avatar.
        """
        self.mesh = mesh
        layers = np.concatenate([mesh.texture, mesh.visibility[..., None]], axis=-1)
        self._layers = np.ascontiguousarray(layers.astype(np.float32))
        self._faces = torch.from_numpy(mesh.faces)
        size = np.array(self._layers.shape[1::-1], np.float32)
        self._uv = (mesh.uv[mesh.faces] * size - 0.5).astype(np.float32)
        self._last = _Last()

    @property
    def is_parallel(self) -> bool:
        """False: ray casting uses all cores by itself."""
        return False

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """Render the mesh in a pose: `Renderer.frame`, but `vertices` are ignored."""
        last = self._last
        if camera is not last.camera:
            on_cpu = camera.to(torch.device("cpu"))
            bundle = camera_rays(on_cpu)
            last.rays = torch.cat([bundle.origins, bundle.directions], dim=1).reshape(*camera.size, 6)
            last.cosine = (bundle.directions @ on_cpu.R[2]).reshape(camera.size)
            last.camera, last.on_cpu = camera, on_cpu
        placed = self.mesh.posed(pose)
        window = _around(placed, last.on_cpu)
        hits = mesh_scene(placed, self._faces).cast_rays(as_open3d(last.rays[window]))
        distance = hits["t_hit"].numpy()
        hit = np.isfinite(distance)
        v, w = hits["primitive_uvs"].numpy()[hit].T[..., None]
        corners = self._uv[hits["primitive_ids"].numpy()[hit]]
        texels = (1 - v - w) * corners[:, 0] + v * corners[:, 1] + w * corners[:, 2]
        layers = torch.zeros(5, *camera.size)
        if len(texels):
            layers[(slice(None), *window)][:, torch.from_numpy(hit)] = torch.from_numpy(self._sample(texels))
        depth = torch.zeros(camera.size)
        depth[window] = torch.where(torch.from_numpy(hit), torch.from_numpy(distance) * last.cosine[window], 0.0)
        return Frame(layers[:3], layers[4], depth, layers[3])

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """Return the mesh's vertices in a pose, world space, metres."""
        return self.mesh.posed(pose)

    def _sample(self, texels: Float[np.ndarray, "hit 2"]) -> Float[np.ndarray, "layer hit"]:
        """Return colour, visibility and an opacity of 1 at texel positions (x, y), bilinearly."""
        # Folded into rows: `cv2.remap` takes at most 32767 of them.
        folded = np.resize(texels, (-(-len(texels) // FOLD), FOLD, 2))
        sampled = cv2.remap(  # type: ignore[call-overload]  # the stubs lack None: no second map
            self._layers, folded, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.concatenate([sampled.reshape(-1, 4)[: len(texels)].T, np.ones((1, len(texels)), np.float32)])


def _around(vertices: Float[Tensor, "vertex 3"], camera: Camera) -> tuple[slice, slice]:
    """Return the rows and columns that can show the mesh: all of them if part of it is not in front of the camera."""
    pixels, depth = project(camera, vertices)
    if not bool((depth > NEAREST_M).all()):
        return slice(None), slice(None)
    low, high = pixels.amin(dim=0).floor().int().tolist(), pixels.amax(dim=0).ceil().int().tolist()
    (height, width), (left, top), (right, bottom) = camera.size, low, high
    rows = slice(min(max(top - 1, 0), height), min(max(bottom + 1, 0), height))
    return rows, slice(min(max(left - 1, 0), width), min(max(right + 1, 0), width))
