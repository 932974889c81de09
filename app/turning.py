"""The avatar as it is turned in the browser: a mesh with two textures, and the radiance field's pictures of views."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from sherf.app.tints import GENERATED, SEEN
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import Renderer
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import intrinsics, look_at
from sherf.errors import BadInput
from sherf.export.gltf import encode_jpeg, encode_still_glb, write_glb
from sherf.export.still_mesh import StillMesh
from sherf.export.video_writer import compose
from sherf.files.images import to_uint8
from sherf.files.output import atomic_output
from sherf.scene import Camera

HEIGHT = 540
"""Of the pictures, pixels: that of the viewer on the page."""
MAX_ASPECT = 3.0
NUMBERS = ("theta", "phi", "radius", "fov", "aspect")


@dataclass(frozen=True)
class Turning:
    """Files of a mesh that the browser turns."""

    model: Path
    """GLB."""
    seen: Path
    """Its other texture: green where the photo saw the surface, else orange."""


def write_turning(mesh: StillMesh, folder: Path, name: str) -> Turning:
    """Return the files of a mesh for the browser, after writing them.

    Args:
        mesh: in the photo's pose.
        folder: of the avatar.
        name: of the files, without suffix.

    Raises:
        OutputError: the files cannot be written.
    """
    files = Turning(folder / f"{name}.glb", folder / f"{name}.jpg")
    with atomic_output(files.seen) as partial:
        partial.write_bytes(encode_jpeg(_tinted(mesh)))
    write_glb(files.model, encode_still_glb(mesh))
    return files


def _tinted(mesh: StillMesh) -> Float[np.ndarray, "h w 3"]:
    """Return the texture in the colours of visibility, shaded by its brightness: as `tints.visibility_image`."""
    brightness = 0.55 + 0.45 * mesh.texture.mean(axis=2, keepdims=True)
    share = mesh.visibility[..., None].clip(0, 1)
    return (np.array(GENERATED) * (1 - share) + np.array(SEEN) * share) * brightness


def start_camera(renderer: Renderer, avatar: EncodedAvatar) -> dict[str, Any]:
    """Return where the viewer starts: target, orbit (radians, metres) and vertical field of view (degrees)."""
    subject = avatar.bank.subject
    camera, centre = frame_person(renderer.outline(subject.pose), subject.camera, (HEIGHT, HEIGHT))
    away = camera.position - centre
    radius = float(away.norm())
    return {
        "target": centre.tolist(),
        "theta": math.atan2(float(away[0]), float(away[2])),
        "phi": math.acos(float(away[1]) / radius),
        "radius": radius,
        "fov": math.degrees(2 * math.atan(HEIGHT / 2 / float(camera.K[1, 1]))),
    }


def view_camera(message: Any) -> Camera:
    """Return the camera of a message of turn.js. Messages are untrusted and validated.

    Args:
        message: theta and phi (radians) and radius (metres) of the camera around target, vertical fov (degrees), and
            aspect (width by height).

    Raises:
        BadInput: a number is missing or out of range.
    """
    target = message.get("target") if isinstance(message, dict) else None
    given: list[Any] = [message.get(name) for name in NUMBERS] if isinstance(message, dict) else []
    given += target if isinstance(target, list) else []
    if len(given) != len(NUMBERS) + 3 or not all(isinstance(x, int | float) and abs(x) < 1e4 for x in given):
        raise BadInput("unknown view: nothing was rendered. Reload the page.")
    theta, phi, radius, fov, aspect, *centre_xyz = (float(x) for x in given)
    if not (radius > 0 and 0 < fov < 170 and 1 / MAX_ASPECT <= aspect <= MAX_ASPECT):
        raise BadInput("this view cannot be rendered: nothing was changed. Reload the page.")
    centre = torch.tensor(centre_xyz)
    away = torch.tensor([math.sin(phi) * math.sin(theta), math.cos(phi), math.sin(phi) * math.cos(theta)])
    size = (HEIGHT, round(HEIGHT * aspect))
    R, T = look_at(centre + radius * away, centre)
    return Camera(intrinsics(HEIGHT / 2 / math.tan(math.radians(fov) / 2), size), R, T, size)


def picture(renderer: Renderer, avatar: EncodedAvatar, camera: Camera) -> UInt8[np.ndarray, "h w 3"]:
    """Return the radiance field's picture of a view on white."""
    return to_uint8(compose(renderer.frame(camera, avatar.bank.subject.pose), torch.ones(3)))
