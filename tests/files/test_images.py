"""Image tensors as bytes and PNG files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from power_cuts import POWER_CUTS

from sherf.files.images import is_whole_png, to_uint8, write_png


def test_bytes_are_rounded_and_clipped() -> None:
    image = torch.tensor([-1.0, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 2.0]).reshape(1, 1, 6)
    assert to_uint8(image)[0, :, 0].tolist() == [0, 0, 0, 1, 255, 255]


def test_an_rgb_file_restores_the_image(tmp_path: Path) -> None:
    rgb = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(1))
    write_png(tmp_path / "a.png", rgb)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB" and image.size == (7, 5)
        np.testing.assert_allclose(np.asarray(image) / 255, rgb.permute(1, 2, 0), atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA", "P"])
def test_every_png_that_was_written_whole_counts_as_whole(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (40, 30), 1 if len(mode) < 3 or mode == "I;16" else "red")
    image.save(tmp_path / "a.png", dpi=(72, 72))
    assert is_whole_png(tmp_path / "a.png")


def test_no_part_of_a_png_counts_as_whole(tmp_path: Path) -> None:
    """However it was cut, extended, zeroed or changed."""
    path = tmp_path / "a.png"
    assert not is_whole_png(path) and not is_whole_png(tmp_path)
    write_png(path, torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(1)))
    whole = path.read_bytes()
    damaged = [damage(whole) for damage in POWER_CUTS.values()] + [whole + b"x", whole + whole[8:]]
    damaged += [whole[:length] for length in range(len(whole))]
    damaged += [whole[:i] + bytes([byte ^ 1]) + whole[i + 1 :] for i, byte in enumerate(whole)]
    for content in damaged:
        path.write_bytes(content)
        assert not is_whole_png(path)
