"""Layers of frames as images, and videos with transparency."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from sherf.camera.pinhole import camera_rays, intrinsics
from sherf.export.layers import compute_normals, write_layer
from sherf.export.video_writer import write_frame, write_video
from sherf.scene import Camera, Frame

SIZE = (80, 100)


def _ball() -> tuple[Frame, Camera, torch.Tensor]:
    """A ball of radius 0.5 m, 3 m in front of the camera, and its normals: x right, y up, z towards the camera."""
    camera = Camera(intrinsics(120.0, SIZE), torch.eye(3), torch.zeros(3), SIZE)
    directions = camera_rays(camera).directions
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
    found = compute_normals(frame, camera)
    interior = true[2] > 0.5  # away from the rim, where neighbours miss the ball
    cosine = (found * true).sum(dim=0)[interior]
    assert float(cosine.min()) > 0.995


def test_normals_are_accurate_up_to_the_outline() -> None:
    """The background does not leak in; at the rim, where depth changes within a pixel, they are less accurate."""
    frame, camera, true = _ball()
    cosine = (compute_normals(frame, camera) * true).sum(dim=0)[frame.opacity > 0.5]
    assert float(cosine.min()) > 0.97


def test_a_surface_one_pixel_wide_faces_the_camera() -> None:
    frame, camera, _ = _ball()
    thin = torch.zeros(SIZE)
    thin[40, 50] = 1
    found = compute_normals(replace(frame, opacity=thin), camera)
    assert found[:, 40, 50].tolist() == [0, 0, 1]


def test_layers_decode_to_the_frames_values(tmp_path: Path) -> None:
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


def test_a_webm_keeps_transparency(tmp_path: Path) -> None:
    frame, _, _ = _ball()
    for i in range(4):
        write_frame(tmp_path / f"{i:04d}.png", frame, None)
    write_video(tmp_path / "video.webm", tmp_path, 10.0)
    with av.open(str(tmp_path / "video.webm")) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoded = [p for packet in container.demux(stream) if packet.size for p in decoder.decode(packet)]
        assert float(stream.average_rate) == pytest.approx(10)
    rgba = decoded[0].to_ndarray(format="rgba")
    assert rgba[2, 2, 3] < 20 and rgba[SIZE[0] // 2, SIZE[1] // 2, 3] > 235
    assert np.allclose(rgba[SIZE[0] // 2, SIZE[1] // 2, :3], 128, atol=12)
