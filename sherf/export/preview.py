"""The fast previewer: a rigged mesh skinned and ray-cast, some 30 pictures a second on two cores."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.camera import rays
from sherf.export.rigged import RiggedMesh
from sherf.render.open3d_surface import as_open3d, mesh_scene
from sherf.scene import BodyPose, Camera, Frame


class MeshRenderer:
    """Renders a rigged mesh as `sherf.renderer.Renderer`s render avatars: one ray a pixel, no light of its own."""

    def __init__(self, mesh: RiggedMesh) -> None:
        self.mesh = mesh
        layers = np.concatenate([mesh.texture, mesh.shown[..., None]], axis=-1)
        self._layers = np.ascontiguousarray(layers.astype(np.float32))
        self._faces = torch.from_numpy(mesh.faces)
        self._camera: Camera | None = None

    def frame(self, camera: Camera, pose: BodyPose, vertices: Float[Tensor, "vertex 3"] | None = None) -> Frame:
        """See `Renderer`; the mesh follows the pose, not `vertices`."""
        if camera is not self._camera:
            bundle = rays(camera.to(torch.device("cpu")))
            packed = torch.cat([bundle.origins, bundle.directions], dim=1).reshape(*camera.size, 6)
            self._rays, self._cosine = packed, (bundle.directions @ camera.R[2].cpu()).reshape(camera.size)
            self._camera = camera
        answer = mesh_scene(self.mesh.posed(pose), self._faces).cast_rays(as_open3d(self._rays))
        distance = torch.from_numpy(answer["t_hit"].numpy())
        hit = distance.isfinite()
        v, w = np.moveaxis(answer["primitive_uvs"].numpy(), -1, 0)
        face = np.where(hit.numpy(), answer["primitive_ids"].numpy().astype(np.int64), 0)
        corners = self.mesh.uv[self.mesh.faces[face]]
        places = (1 - v - w)[..., None] * corners[..., 0, :] + v[..., None] * corners[..., 1, :]
        places = places + w[..., None] * corners[..., 2, :]
        size = np.array(self._layers.shape[1::-1], np.float32)
        pixels = (places * size - 0.5).astype(np.float32)
        looked_up = cv2.remap(self._layers, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        layers = torch.from_numpy(looked_up).movedim(-1, 0) * hit
        return Frame(layers[:3], hit.float(), torch.where(hit, distance * self._cosine, 0.0), layers[3])

    def outline(self, pose: BodyPose) -> Float[Tensor, "vertex 3"]:
        """See `Renderer`."""
        return self.mesh.posed(pose)
