"""Still views of an avatar in the photo's pose: from its mesh, or coarsely from its radiance field before that."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from sherf.app.tints import visibility_image
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import FieldRenderer, Renderer
from sherf.body.body_model import BodyModel
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import rotate_around
from sherf.export.mesh_renderer import MeshRenderer
from sherf.export.video_writer import compose
from sherf.files.images import to_uint8
from sherf.render.devices import Backend
from sherf.scene import Camera

VIEW_SIZE = 512
"""Width and height of all views, pixels."""
COARSE_SIZE = 160
"""Width and height that the radiance field is rendered at, pixels."""
TURNTABLE_FRAME_MS = 350
MAX_ELEVATION = 60.0
"""Degrees."""


@dataclass(frozen=True)
class View:
    """Where the camera stands, and what it shows."""

    azimuth: float = 30.0
    """Degrees, positive to the image's right; 0 is the photo's camera."""
    elevation: float = 0.0
    """Degrees, positive from above; limited to MAX_ELEVATION."""
    zoom: float = 1.0
    """Focal length multiplier; 1 shows the whole person."""
    shows_visibility: bool = False
    """Show what the photo saw in green and what is generated in orange, instead of colours."""


TURNTABLE = tuple(View(View.azimuth + 60.0 * i) for i in range(6))
"""Views from all around."""


class AvatarViewer:
    """Renders views of one avatar, and remembers the last one."""

    def __init__(self, avatar: EncodedAvatar, body: BodyModel, backend: Backend) -> None:
        """Prepare for rendering; renderers are made when first needed.

        Args:
            avatar: to render.
            body: the avatar's body model.
            backend: device to render on.
        """
        self.last_view = View()
        self.last_image: UInt8[np.ndarray, "h w 3"] | None = None
        self.mesh_renderer: MeshRenderer | None = None
        """Used as soon as it is set."""
        self._field_renderer: Renderer | None = None
        self._avatar, self._body, self._backend = avatar, body, backend

    def render(self, view: View) -> UInt8[np.ndarray, "h w 3"]:
        """Render the avatar on white, VIEW_SIZE x VIEW_SIZE; enlarged from COARSE_SIZE while there is no mesh."""
        subject, size = self._avatar.bank.subject, VIEW_SIZE
        renderer: Renderer | None = self.mesh_renderer
        if renderer is None:
            renderer, size = self.field_renderer, COARSE_SIZE
        base = frame_person(renderer.outline(subject.pose).cpu(), subject.camera, (size, size))
        camera = rotate_around(*base, view.azimuth, max(-MAX_ELEVATION, min(MAX_ELEVATION, view.elevation)))
        K = camera.K.clone()
        K[:2, :2] *= view.zoom
        frame = renderer.frame(Camera(K, camera.R, camera.T, camera.size), subject.pose)
        self.last_view = view
        image = visibility_image(frame) if view.shows_visibility else to_uint8(compose(frame, torch.ones(3)))
        self.last_image = cv2.resize(image, (VIEW_SIZE, VIEW_SIZE), interpolation=cv2.INTER_CUBIC)
        return self.last_image

    @property
    def field_renderer(self) -> Renderer:
        """Renders the radiance field; made when first needed."""
        renderer = self._field_renderer or FieldRenderer(self._avatar, self._body, self._backend)
        self._field_renderer = renderer
        return renderer

    def release(self) -> None:
        """Free the renderers; they are made again when needed."""
        self.mesh_renderer = self._field_renderer = None


def write_turntable(views: list[UInt8[np.ndarray, "h w 3"]], path: Path) -> Path:
    """Write views as a looping animation.

    Args:
        views: one or more, of one size.
        path: WebP file to write.

    Returns:
        `path`.
    """
    first, *others = [Image.fromarray(view) for view in views]
    first.save(path, save_all=True, append_images=others, duration=TURNTABLE_FRAME_MS, loop=0, quality=80)
    return path
