"""Frames rendered side by side: the same frames in the same order, few at a time, and stopped when nobody asks."""

import threading

import pytest
import torch
from stage import camera_in_front, standing

from sherf.avatar.side_by_side import AHEAD, render_side_by_side
from sherf.camera.pinhole import turntable
from sherf.scene import BodyPose, Camera, Frame

THREADS, PATIENCE_S = 3, 120.0
POSE = standing()


class SlowRenderer:
    """Its frames show the camera's direction; they wait until as many as there are threads are being rendered."""

    is_parallel = True

    def __init__(self, together: int = THREADS, fails_at: Camera | None = None) -> None:
        self.begun: list[float] = []
        self.threads: set[int] = set()
        self._together, self._fails_at = threading.Barrier(together), fails_at

    def frame(self, camera: Camera, pose: BodyPose, vertices: torch.Tensor | None = None) -> Frame:
        self.begun.append(float(camera.R[0, 0]))
        self.threads.add(torch.get_num_threads())
        self._together.wait(PATIENCE_S)
        if camera is self._fails_at:
            raise RuntimeError("no more")
        flat = torch.full((2, 2), float(camera.R[0, 0]))
        return Frame(flat.expand(3, 2, 2), flat, flat, flat)

    def outline(self, pose: BodyPose) -> torch.Tensor:
        return torch.zeros(3, 3)


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Camera, BodyPose]]:
    """Twelve cameras, on a machine with three cores."""
    real = torch.get_num_threads
    is_main = threading.current_thread().name
    monkeypatch.setattr(
        torch, "get_num_threads", lambda: THREADS if threading.current_thread().name == is_main else real()
    )
    cameras = turntable(camera_in_front((2, 2)), torch.zeros(3), 12, degrees=170.0)
    return [(cameras[i], POSE) for i in range(12)]


def test_frames_come_in_order_and_are_rendered_together(views: list[tuple[Camera, BodyPose]]) -> None:
    """If they were rendered one after another, the renderer's barrier would break."""
    renderer = SlowRenderer()
    shown = [float(frame.depth[0, 0]) for frame in render_side_by_side(renderer, views)]
    assert shown == [float(camera.R[0, 0]) for camera, _ in views]
    assert renderer.threads == {1}, "each frame has one thread for its operations"


def test_few_frames_are_in_memory_and_none_begins_after_the_last_was_asked_for(
    views: list[tuple[Camera, BodyPose]],
) -> None:
    renderer = SlowRenderer(together=1)
    frames = render_side_by_side(renderer, views)
    for asked in range(1, 5):
        next(frames)
        assert len(renderer.begun) <= asked + THREADS + AHEAD - 1
    frames.close()
    begun = len(renderer.begun)
    assert begun < len(views)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("frame")]


def test_a_failure_reaches_the_caller_after_the_frames_before_it(views: list[tuple[Camera, BodyPose]]) -> None:
    renderer = SlowRenderer(together=1, fails_at=views[3][0])
    done = []
    with pytest.raises(RuntimeError, match="no more"):
        for frame in render_side_by_side(renderer, views):
            done.append(frame)
    assert len(done) == 3


def test_a_renderer_that_uses_all_cores_by_itself_renders_in_the_callers_thread(
    views: list[tuple[Camera, BodyPose]],
) -> None:
    renderer = SlowRenderer(together=1)
    renderer.is_parallel = False
    assert len(list(render_side_by_side(renderer, views))) == len(views)
    assert renderer.threads == {THREADS}
