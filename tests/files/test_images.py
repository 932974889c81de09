"""Image tensors as bytes and PNG files."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sherf.files.images import to_uint8, write_png


def test_bytes_are_rounded_and_clipped() -> None:
    image = torch.tensor([-1.0, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 2.0]).reshape(1, 1, 6)
    assert to_uint8(image)[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_an_rgb_file_restores_the_image(tmp_path: Path) -> None:
    rgb = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(1))
    write_png(tmp_path / "a.png", rgb)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB" and image.size == (7, 5)
        np.testing.assert_allclose(np.asarray(image) / 255, rgb.permute(1, 2, 0), atol=0.5 / 255 + 1e-6)
