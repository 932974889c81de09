"""Every common image file is read upright, in sRGB and of bounded size; everything else gives a clear error."""

import io
import os
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from sherf.errors import BadInput
from sherf.photo.file_kind import describe_content
from sherf.photo.photo_reader import MAX_BYTES, WORK_SIDE, read_mask, read_photo

SIZE = (48, 64)  # height, width
RED, GREEN, BLUE, GREY = (230, 20, 20), (20, 200, 40), (20, 30, 220), (128, 128, 128)


def quarters() -> Image.Image:
    """Red, green / blue, grey: all its rotations and reflections differ."""
    h, w = SIZE
    pixels = np.zeros((h, w, 3), np.uint8)
    pixels[: h // 2, : w // 2], pixels[: h // 2, w // 2 :] = RED, GREEN
    pixels[h // 2 :, : w // 2], pixels[h // 2 :, w // 2 :] = BLUE, GREY
    return Image.fromarray(pixels)


def corners(image: torch.Tensor) -> list[list[int]]:
    """Colours near the four corners, 0 to 255: top left, top right, bottom left, bottom right."""
    _, h, w = image.shape
    return [(image[:, y, x] * 255).round().int().tolist() for y in (4, h - 5) for x in (4, w - 5)]


def assert_quarters(image: torch.Tensor, tolerance: int = 8) -> None:
    difference = np.abs(np.array(corners(image)) - np.array([RED, GREEN, BLUE, GREY]))
    assert difference.max() <= tolerance, corners(image)


def save(tmp_path: Path, image: Image.Image, name: str, **options: object) -> Path:
    image.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif"])
def test_every_format_keeps_colours_and_positions(tmp_path: Path, suffix: str) -> None:
    options = {"quality": 95} if suffix in ("jpg", "webp") else {}
    photo = read_photo(save(tmp_path, quarters(), f"a.{suffix}", **options))
    assert photo.image.shape == (3, *SIZE) and photo.image.dtype == torch.float32
    assert photo.alpha is None and photo.focal_px is None and len(photo.sha256) == 64
    assert_quarters(photo.image)


def test_mpo_gives_its_first_image(tmp_path: Path) -> None:
    other = Image.new("RGB", SIZE[::-1], RED)
    path = save(tmp_path, quarters(), "a.mpo", save_all=True, append_images=[other], quality=95)
    assert_quarters(read_photo(path).image)


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animations_give_their_first_frame(tmp_path: Path, suffix: str) -> None:
    other = Image.new("RGB", SIZE[::-1], RED)
    path = save(tmp_path, quarters(), f"a.{suffix}", save_all=True, append_images=[other, other], quality=95)
    assert_quarters(read_photo(path).image)


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, undo: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path, quarters().transpose(undo), "a.jpg", exif=exif, quality=95)
    image = read_photo(path).image
    assert image.shape == (3, *SIZE)
    assert_quarters(image)


def test_focal_length_preserves_the_diagonal_field_of_view_of_film(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    path = save(tmp_path, Image.new("RGB", (4000, 3000)), "a.jpg", exif=exif)
    photo = read_photo(path)
    film = np.hypot(36, 24)
    assert photo.image.shape == (3, 1536, 2048)
    assert photo.focal_px == pytest.approx(26 * 2560 / film, rel=1e-3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_the_alpha_channel_of_a_cut_out_is_its_mask(tmp_path: Path, mode: str) -> None:
    image = quarters().convert("RGBA")
    shape = np.zeros(SIZE, np.uint8)
    shape[10:40, 20:50] = 255
    image.putalpha(Image.fromarray(shape))
    if mode == "P":
        image = Image.fromarray(np.where(shape > 0, 1, 0).astype(np.uint8), "P")
        image.putpalette([255, 255, 0, *RED])
        path = save(tmp_path, image, "a.png", transparency=0)
    else:
        path = save(tmp_path, image.convert(mode), "a.png")
    photo = read_photo(path)
    assert photo.alpha is not None
    torch.testing.assert_close(photo.alpha, torch.from_numpy(shape / 255).float())
    assert bool((photo.image[:, photo.alpha == 0] == 1).all())


@pytest.mark.parametrize("opacity", [0, 90, 255])
def test_a_uniform_alpha_channel_is_not_a_mask(tmp_path: Path, opacity: int) -> None:
    image = quarters()
    image.putalpha(opacity)
    photo = read_photo(save(tmp_path, image, "a.png"))
    assert photo.alpha is None
    assert_quarters(photo.image)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_greys_are_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    ramp = np.broadcast_to(np.linspace(0, 65535, SIZE[1]), SIZE).astype(np.uint16)
    image = read_photo(save(tmp_path, Image.fromarray(ramp), f"a.{suffix}")).image
    torch.testing.assert_close(image[1], torch.from_numpy(ramp / 65535).float(), atol=1 / 255, rtol=0)


def test_cmyk_and_grey_become_rgb(tmp_path: Path) -> None:
    cmyk = read_photo(save(tmp_path, quarters().convert("CMYK"), "c.jpg", quality=98)).image
    assert_quarters(cmyk, tolerance=12)
    grey = read_photo(save(tmp_path, quarters().convert("L"), "g.png")).image
    assert torch.equal(grey[0], grey[2])


def test_a_colour_profile_is_applied_and_a_broken_one_ignored(tmp_path: Path) -> None:
    """The same pixels under a linear-light profile are brighter in sRGB: 0.5 becomes 0.735."""
    linear = _linear_rgb_profile()
    grey = Image.new("RGB", SIZE[::-1], (128, 128, 128))
    bright = read_photo(save(tmp_path, grey, "a.png", icc_profile=linear)).image.mean()
    plain = read_photo(save(tmp_path, grey, "b.png", icc_profile=linear[:200])).image.mean()
    assert float(plain) == pytest.approx(128 / 255)
    assert float(bright) == pytest.approx(0.737, abs=0.01)


def _linear_rgb_profile() -> bytes:
    """sRGB's own profile with its tone curves replaced by straight lines."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    for i in range(count):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            # A 'para' curve of type 0 is y = x^gamma.
            profile[offset : offset + 16] = struct.pack(">4sIHHi", b"para", 0, 0, 0, 1 << 16)
    return bytes(profile)


def test_large_photos_are_reduced_with_their_aspect_ratio(tmp_path: Path) -> None:
    path = save(tmp_path, quarters().resize((4000, 3000), Image.Resampling.NEAREST), "a.jpg")
    image = read_photo(path).image
    assert image.shape == (3, WORK_SIDE * 3 // 4, WORK_SIDE)
    assert_quarters(image)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif"])
@pytest.mark.parametrize("share", [0.15, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    path = save(tmp_path, noise, f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(BadInput, match=r"a\.\w+ (is damaged|is not an image)"):
        read_photo(path)


def test_a_decompression_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    """30,000 x 30,000 pixels of zeros compress to a few hundred kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    for width, height, words in [(30_000, 30_000, "pixels"), (9_000, 9_000, "megapixels"), (25_000, 100, "20000 px")]:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        path = tmp_path / "bomb.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
        tracemalloc.start()
        begin = time.process_time()
        with pytest.raises(BadInput, match=words):
            read_photo(path)
        assert time.process_time() - begin < 1
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()


@pytest.mark.parametrize(("size", "words"), [((31, 500), "at least 32 px"), ((8000, 40), "narrow")])
def test_too_small_or_narrow_is_refused(tmp_path: Path, size: tuple[int, int], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_photo(save(tmp_path, Image.new("RGB", size), "a.png"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7\n...", "PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC image .*JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "PostScript"),
        (b"Dear diary,", "text"),
        (bytes(range(256)) * 4, "unknown binary format"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
    ],
)
def test_other_kinds_of_file_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        read_photo(path)


def test_photoshop_files_are_not_passed_to_pillow(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 64, 64, 8, 3) + bytes(64 * 64 * 4))
    with pytest.raises(BadInput, match="Photoshop"):
        read_photo(path)


def test_files_that_are_not_regular_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, words in [
        ("pipe", "device, pipe"),
        ("link", "link to .*gone"),
        ("loop", "cannot be opened|link to"),
        (".", "folder"),
        ("missing.jpg", "no photo at"),
        ("x" * 300, "cannot be opened"),
        ("a\0b", "cannot be opened"),
        ("/dev/zero", "device, pipe"),
    ]:
        with pytest.raises(BadInput, match=words):
            read_photo(tmp_path / name)


def test_unreadable_and_oversized_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(BadInput, match="too large: 64 MB"):
        read_photo(path)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, for whom permissions do not apply.
    monkeypatch.setattr("sherf.photo.photo_reader.os.open", refuse)
    with pytest.raises(BadInput, match="no permission to read"):
        read_photo(path)


def test_masks_are_scaled_to_the_photo(tmp_path: Path) -> None:
    pixels = np.zeros((96, 128), np.uint8)
    pixels[:48] = 255
    mask = read_mask(save(tmp_path, Image.fromarray(pixels), "m.png"), SIZE)
    assert mask.shape == SIZE
    assert float(mask[:22].min()) > 0.99 and float(mask[26:].max()) < 0.01


@pytest.mark.parametrize(("size", "value", "words"), [((64, 64), 255, "does not fit"), ((64, 48), 0, "is empty")])
def test_masks_of_another_aspect_ratio_or_without_a_person_are_refused(
    tmp_path: Path, size: tuple[int, int], value: int, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        read_mask(save(tmp_path, Image.new("L", size, value), "m.png"), SIZE)


def test_file_kinds_are_recognised() -> None:
    buffer = io.BytesIO()
    quarters().save(buffer, "WEBP")
    assert describe_content(buffer.getvalue()) == "a WebP"
    assert describe_content(b"<!DOCTYPE html><html>") == "a web page"
    assert describe_content(b"PK\x03\x04....") == "a ZIP archive or Office document"
