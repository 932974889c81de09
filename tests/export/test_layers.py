"""Layers of frames as pictures, and videos that keep transparency."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from sherf.camera.pinhole import intrinsics, rays
from sherf.export.layers import normals, write_layer
from sherf.export.video_writer import write_frame, write_video
from sherf.scene import Camera, Frame

SIZE = (80, 100)


def _ball() -> tuple[Frame, Camera, torch.Tensor]:
    """A ball of 0.5 m, 3 m before the camera, and the true normals, x right, y up, z to the camera."""
    camera = Camera(intrinsics(120.0, SIZE), torch.eye(3), torch.zeros(3), SIZE)
    directions = rays(camera).directions
    centre = torch.tensor([0.0, 0.0, 3.0])
    along = directions @ centre
    inside = along**2 - (centre @ centre - 0.25)
    hit = inside > 0
    distance = along - inside.clamp_min(0).sqrt()
    points = directions * distance[:, None]
    true = torch.nn.functional.normalize(points - centre, dim=1) * torch.tensor([1.0, -1.0, -1.0])
    shape = hit.reshape(SIZE).float()
    depth = (points[:, 2] * hit).reshape(SIZE)
    frame = Frame(torch.full((3, *SIZE), 0.5) * shape, shape, depth, 0.25 * shape)
    return frame, camera, true.T.reshape(3, *SIZE)


def test_normals_of_a_ball_point_outwards() -> None:
    frame, camera, true = _ball()
    found = normals(frame, camera)
    middle = true[2] > 0.5  # away from the rim, where neighbours miss the ball
    cosine = (found * true).sum(dim=0)[middle]
    assert float(cosine.min()) > 0.995


def test_normals_are_right_up_to_the_outline() -> None:
    """Nothing of the background comes in; at the rim, where depth falls off within a pixel, they are less exact."""
    frame, camera, true = _ball()
    cosine = (normals(frame, camera) * true).sum(dim=0)[frame.opacity > 0.5]
    assert float(cosine.min()) > 0.97


def test_a_surface_as_thin_as_a_pixel_faces_the_camera() -> None:
    frame, camera, _ = _ball()
    thin = torch.zeros(SIZE)
    thin[40, 50] = 1
    found = normals(replace(frame, opacity=thin), camera)
    assert found[:, 40, 50].tolist() == [0, 0, 1]


def test_layers_are_read_as_they_were_meant(tmp_path: Path) -> None:
    frame, camera, _ = _ball()
    for layer in ("depth", "opacity", "normal", "visibility"):
        write_layer(tmp_path / f"{layer}.png", layer, frame, camera)
    depth = np.asarray(Image.open(tmp_path / "depth.png")).astype(float) / 1000
    assert np.allclose(depth, frame.depth.numpy(), atol=6e-4)
    assert np.asarray(Image.open(tmp_path / "opacity.png")).max() == 255
    assert np.asarray(Image.open(tmp_path / "visibility.png")).max() == 64
    colours = np.asarray(Image.open(tmp_path / "normal.png")).astype(float)
    assert (colours[frame.opacity.numpy() == 0] == 0).all()
    row, column = SIZE[0] // 2, SIZE[1] // 2
    assert np.allclose(colours[row, column], [127.5, 127.5, 255], atol=5)


def test_a_webm_keeps_what_is_transparent(tmp_path: Path) -> None:
    frame, _, _ = _ball()
    for i in range(4):
        write_frame(tmp_path / f"{i:04d}.png", frame, None)
    write_video(tmp_path / "video.webm", tmp_path, 10.0)
    with av.open(str(tmp_path / "video.webm")) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        pictures = [p for packet in container.demux(stream) if packet.size for p in decoder.decode(packet)]
        assert float(stream.average_rate) == pytest.approx(10)
    rgba = pictures[0].to_ndarray(format="rgba")
    assert rgba[2, 2, 3] < 20 and rgba[SIZE[0] // 2, SIZE[1] // 2, 3] > 235
    assert np.allclose(rgba[SIZE[0] // 2, SIZE[1] // 2, :3], 128, atol=12)
