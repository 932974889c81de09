"""Frames and videos: files decode to what was written."""

import errno
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import sherf.export.video_writer as video
from sherf.errors import BadInput, OutputError
from sherf.export.video_writer import compose, frame_path, frame_paths, parse_colour, write_frame, write_video
from sherf.files.images import write_png
from sherf.scene import Frame

COUNT = 12


def make_image(index: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A frame of broad moving patches in strong colours, which chroma subsampling keeps."""
    colours = np.array([[220, 40, 40], [40, 200, 60], [50, 60, 220], [230, 220, 60], [245, 245, 245], [15, 15, 15]])
    y, x = np.mgrid[:height, :width]
    return colours[((x + 4 * index) // 32 + (y // 32)) % 6].astype(np.uint8)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "frames")


def folder_of(folder: Path, height: int = 96, width: int = 128, count: int = COUNT) -> Path:
    folder.mkdir()
    for index in range(count):
        Image.fromarray(make_image(index, height, width)).save(frame_path(folder, index))
    return folder


def some_frame(height: int = 5, width: int = 7) -> Frame:
    """A frame of random premultiplied colours with opacities from 0 to 1."""
    opacity = torch.linspace(0, 1, height * width).reshape(height, width)
    colour = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    return Frame(colour * opacity, opacity, torch.zeros(height, width), torch.zeros(height, width))


# --- video --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [24.0, 30.0, 29.97, 12.5])
def test_an_mp4_decodes_to_its_source_frames(frames: Path, fps: float) -> None:
    path = write_video(frames.parent / "out.mp4", frames, fps)
    with av.open(path) as container:
        stream = container.streams.video[0]
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(fps).limit_denominator(1001)
        assert float(stream.duration * stream.time_base) == pytest.approx(COUNT / fps, rel=1e-3)
    assert len(decoded) == COUNT
    for index, pixels in enumerate(decoded):
        assert pixels.shape == (96, 128, 3)
        assert np.abs(pixels.astype(float) - make_image(index)).mean() < 6


def test_an_mp4_is_tagged_bt709_and_streamable(frames: Path) -> None:
    """BT.709 in the stream; the index (moov) lies before the data (mdat)."""
    path = write_video(frames.parent / "out.mp4", frames, 30.0)
    with av.open(path) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_odd_sizes_are_padded_by_repeating_the_edge(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "frames", height=95, width=127)
    with av.open(write_video(tmp_path / "out.mp4", folder, 30.0)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    assert pixels.shape == (96, 128, 3)
    assert np.abs(pixels[:95, :127] - make_image(0, 95, 127)).mean() < 6
    assert np.abs(pixels[95] - pixels[94]).mean() < 12 and np.abs(pixels[:, 127] - pixels[:, 126]).mean() < 12


@pytest.mark.parametrize("fps", [10.0, 30.0, 50.0])
def test_a_gif_has_every_frame_loops_and_has_the_right_duration(frames: Path, fps: float) -> None:
    with Image.open(write_video(frames.parent / "out.gif", frames, fps)) as gif:
        assert gif.n_frames == COUNT and gif.info["loop"] == 0 and gif.size == (128, 96)
        duration = 0
        for index in range(COUNT):
            gif.seek(index)
            duration += gif.info["duration"]
            assert np.abs(np.asarray(gif.convert("RGB")).astype(float) - make_image(index)).mean() < 3
    assert duration / 1000 == pytest.approx(COUNT / fps, abs=0.006)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_transparent_pixels_show_the_matte(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "frames").mkdir()
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 64, 32))
    for index in range(2):
        clear.save(frame_path(tmp_path / "frames", index))
    path = write_video(tmp_path / f"out{suffix}", tmp_path / "frames", 10.0, matte=(0.0, 0.5, 0.0))
    with av.open(path) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    assert np.abs(pixels[40:60] - [0, 128, 0]).max() < 12 and np.abs(pixels[5:25] - [0, 0, 255]).max() < 12


def test_frames_are_ordered_by_number_beyond_four_digits(tmp_path: Path) -> None:
    assert [frame_path(tmp_path, index).name for index in (0, 99, 12345)] == ["0000.png", "0099.png", "12345.png"]
    for name in ("0", "1", "2", "3", "04", "10", "005", "9", "8", "7", "0006"):
        (tmp_path / f"{name}.png").touch()
    (tmp_path / ".part-0.png").touch()
    assert [int(path.stem) for path in frame_paths(tmp_path)] == list(range(11))


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_an_interruption_leaves_the_old_video_and_no_other_file(
    frames: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, failure: type[BaseException]
) -> None:
    path = frames.parent / f"out{suffix}"
    path.write_bytes(b"old")
    read_rgba = video._read_rgba

    def stopping(*arguments):
        for index, pixels in enumerate(read_rgba(*arguments)):
            if index == 7:
                raise failure
            yield pixels

    monkeypatch.setattr(video, "_read_rgba", stopping)
    with pytest.raises(failure):
        write_video(path, frames, 30.0)
    assert path.read_bytes() == b"old"
    assert sorted(frames.parent.iterdir()) == sorted([frames, path])


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_a_full_disk_is_an_output_error(tmp_path: Path, suffix: str) -> None:
    """The operating system limits files to 20 kB, so that the encoder's own write fails."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(COUNT):
        noise = np.random.default_rng(index).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        Image.fromarray(noise).save(frame_path(folder, index))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=f"out{suffix}"):
            write_video(tmp_path / f"out{suffix}", folder, 30.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [folder]


def test_a_full_disk_is_named(frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_video(frames.parent / "out.gif", frames, 10.0)
    with pytest.raises(OutputError, match="disk is full"):
        write_png(frames.parent / "one.png", torch.zeros(3, 2, 2))
    assert list(frames.parent.iterdir()) == [frames]


def test_frames_that_cannot_make_a_video_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no frames"):
        write_video(tmp_path / "out.mp4", tmp_path, 30.0)
    folder = folder_of(tmp_path / "frames")
    with pytest.raises(BadInput, match=r"\.avi"):
        write_video(tmp_path / "out.avi", folder, 30.0)
    for suffix, fps in ((".mp4", 0.0), (".mp4", float("nan")), (".gif", 60.0)):
        with pytest.raises(BadInput, match="frames a second"):
            write_video(tmp_path / f"out{suffix}", folder, fps)
    frame_path(folder, 5).unlink()
    with pytest.raises(BadInput, match=r"0005\.png"):
        write_video(tmp_path / "out.mp4", folder, 30.0)
    Image.fromarray(make_image(5, 32, 32)).save(frame_path(folder, 5))
    with pytest.raises(BadInput, match=r"0005\.png is 32x32, the first one 128x96"):
        write_video(tmp_path / "out.mp4", folder, 30.0)
    frame_path(folder, 5).write_bytes(frame_path(folder, 4).read_bytes()[:100])
    with pytest.raises(BadInput, match=r"0005\.png cannot be read"):
        write_video(tmp_path / "out.mp4", folder, 30.0)
    assert list(tmp_path.iterdir()) == [folder]


# --- frames -------------------------------------------------------------------------------------------------------


def test_rgba_composited_by_a_viewer_is_the_frame_over_that_colour(tmp_path: Path) -> None:
    """PNG colours are not premultiplied: over any background the file looks like `compose`."""
    frame = some_frame()
    write_frame(tmp_path / "a.png", frame, None)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGBA"
        rgba = torch.from_numpy(np.asarray(image) / 255).permute(2, 0, 1).float()
    for colour in (torch.ones(3), torch.zeros(3), torch.tensor([0.2, 0.5, 0.9])):
        composited = rgba[:3] * rgba[3] + (1 - rgba[3]) * colour[:, None, None]
        torch.testing.assert_close(composited, compose(frame, colour), atol=2 / 255, rtol=0)


def test_a_frame_over_a_colour_has_no_alpha(tmp_path: Path) -> None:
    write_frame(tmp_path / "a.png", some_frame(), parse_colour("white"))
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB" and image.getpixel((0, 0)) == (255, 255, 255)


def test_composing_adds_the_background_times_the_transparency() -> None:
    frame = some_frame()
    assert (compose(frame, None) == frame.rgb).all()
    torch.testing.assert_close(compose(frame, torch.ones(3)) - frame.rgb, (1 - frame.opacity).expand(3, -1, -1))


@pytest.mark.parametrize(
    ("text", "rgb"),
    [
        ("white", (255, 255, 255)),
        ("#ff8000", (255, 128, 0)),
        ("#F80", (255, 136, 0)),
        (" 12, 34,56 ", (12, 34, 56)),
        ("SteelBlue", (70, 130, 180)),
    ],
)
def test_colours_are_read(text: str, rgb: tuple[int, int, int]) -> None:
    torch.testing.assert_close(parse_colour(text), torch.tensor(rgb) / 255)


def test_transparent_is_read_as_none() -> None:
    assert parse_colour("transparent") is None


@pytest.mark.parametrize(
    "text", ["", "whit", "#12", "#12345g", "1,2", "1,2,256", "1,2,-3", "1,2,3,4", "0.5,0.5,0.5", "#ff000080", "²,1,1"]
)
def test_text_that_is_not_a_colour_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a colour"):
        parse_colour(text)
