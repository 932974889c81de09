"""The fast previewer: a rigged mesh skinned and ray-cast, some 30 pictures a second on two cores."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera.pinhole import project, rays
from sherf.export.rigged import RiggedMesh
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import BodyPose, Camera, Frame

FOLD = 1024
"""Texels in a row of the list that is looked up."""
NEAREST_M = 0.05


class MeshRenderer:
    """Renders a rigged mesh through the same interface as `Renderer`: one ray per pixel, no lighting of its own."""

    def __init__(self, mesh: RiggedMesh) -> None:
        self.mesh = mesh
        layers = np.concatenate([mesh.texture, mesh.shown[..., None]], axis=-1)
        self._layers = np.ascontiguousarray(layers.astype(np.float32))
        self._faces = torch.from_numpy(mesh.faces)
        size = np.array(self._layers.shape[1::-1], np.float32)
        self._uv = (mesh.uv[mesh.faces] * size - 0.5).astype(np.float32)
        self._given: Camera | None = None

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """See `Renderer`; the mesh follows the pose, not `vertices`."""
        if camera is not self._given:
            bundle = rays(camera.to(torch.device("cpu")))
            packed = torch.cat([bundle.origins, bundle.directions], dim=1).reshape(*camera.size, 6)
            self._rays, self._cosine = packed, (bundle.directions @ camera.R[2].cpu()).reshape(camera.size)
            self._camera = camera.to(torch.device("cpu"))
            self._given = camera
        placed = self.mesh.posed(pose)
        window = _around(placed, self._camera)
        answer = mesh_scene(placed, self._faces).cast_rays(as_open3d(self._rays[window]))
        distance = answer["t_hit"].numpy()
        hit = np.isfinite(distance)
        v, w = answer["primitive_uvs"].numpy()[hit].T[..., None]
        corners = self._uv[answer["primitive_ids"].numpy()[hit]]
        pixels = (1 - v - w) * corners[:, 0] + v * corners[:, 1] + w * corners[:, 2]
        layers = torch.zeros(5, *camera.size)
        if len(pixels):
            # folded: the look-up takes pictures of at most 32767 rows
            folded = np.resize(pixels, (-(-len(pixels) // FOLD), FOLD, 2))
            found = cv2.remap(self._layers, folded, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            known = np.concatenate([found.reshape(-1, 4)[: len(pixels)].T, np.ones((1, len(pixels)), np.float32)])
            layers[(slice(None), *window)][:, torch.from_numpy(hit)] = torch.from_numpy(known)
        depth = torch.zeros(camera.size)
        depth[window] = torch.where(torch.from_numpy(hit), torch.from_numpy(distance) * self._cosine[window], 0.0)
        return Frame(layers[:3], layers[4], depth, layers[3])

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """See `Renderer`."""
        return self.mesh.posed(pose)


def _around(vertices: Float[Tensor, "vertex 3"], camera: Camera) -> tuple[slice, slice]:
    """Rows and columns that can show the mesh; all of them where some of it is not before the camera."""
    pixels, depth = project(camera, vertices)
    if not bool((depth > NEAREST_M).all()):
        return slice(None), slice(None)
    low, high = pixels.amin(dim=0).floor().int().tolist(), pixels.amax(dim=0).ceil().int().tolist()
    (height, width), (left, top), (right, bottom) = camera.size, low, high
    rows = slice(min(max(top - 1, 0), height), min(max(bottom + 1, 0), height))
    return rows, slice(min(max(left - 1, 0), width), min(max(right + 1, 0), width))
