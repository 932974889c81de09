"""Frames in a folder: a later run completes them, also after a power cut."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from power_cuts import POWER_CUTS
from stage import camera_in_front, standing

from sherf.camera.pinhole import turntable
from sherf.errors import BadInput
from sherf.export.sequence import CAMERAS, SETTINGS, FrameSequence, write_sequence
from sherf.files.options import OutputOptions
from sherf.render.options import RenderOptions
from sherf.scene import BodyPose, Camera, Frame

OPTIONS = RenderOptions(size=32, layers=("depth",), gif=True)
COUNT = 3


class PlainRenderer:
    """Renders frames whose grey is that of the camera's direction, and counts them."""

    is_parallel = False

    def __init__(self) -> None:
        self.count = 0

    def frame(self, camera: Camera, pose: BodyPose, vertices: torch.Tensor | None = None) -> Frame:
        self.count += 1
        grey = torch.full((32, 32), float(camera.R[0, 0].abs()) / 2)
        return Frame(grey.expand(3, 32, 32), torch.ones(32, 32), 2 + grey, torch.ones(32, 32))

    def outline(self, pose: BodyPose) -> torch.Tensor:
        return torch.zeros(3, 3)


def render(out: Path, overwrite: bool = False) -> int:
    """Render a sequence into the folder; return how many frames that took."""
    renderer = PlainRenderer()
    cameras = turntable(camera_in_front((32, 32)), torch.zeros(3), COUNT)
    sequence = FrameSequence(renderer, cameras, standing())
    write_sequence(sequence, OutputOptions(out, overwrite), OPTIONS, {"avatar": "grey"})
    return renderer.count


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
@pytest.mark.parametrize("name", ["frames/0001.png", "depth/0001.png"])
def test_a_damaged_frame_is_rendered_again_and_no_other(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    assert render(tmp_path) == COUNT
    whole = contents(tmp_path)
    (tmp_path / name).write_bytes(damage(whole[name]))
    assert render(tmp_path) == 1
    assert contents(tmp_path) == whole
    assert render(tmp_path) == 0


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
@pytest.mark.parametrize("name", ["video.mp4", "video.gif", CAMERAS])
def test_a_damaged_video_or_camera_file_is_written_again(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    render(tmp_path)
    whole = contents(tmp_path)
    (tmp_path / name).write_bytes(damage(whole[name]))
    assert render(tmp_path) == 0
    assert contents(tmp_path) == whole


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_frames_with_damaged_settings_are_refused_and_can_be_replaced(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Nothing says any more what they show."""
    render(tmp_path)
    whole = contents(tmp_path)
    (tmp_path / SETTINGS).write_bytes(damage(whole[SETTINGS]))
    with pytest.raises(BadInput, match=r"render\.json is missing or damaged.*\n.*--overwrite"):
        render(tmp_path)
    assert render(tmp_path, overwrite=True) == COUNT
    assert contents(tmp_path) == whole
