"""Frames rendered side by side: one thread for each, in order, with bounded memory."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from sherf.avatar.renderer import Renderer
from sherf.photo.single_thread import single_threaded
from sherf.scene import BodyPose, Camera, Frame

AHEAD = 1
"""Frames that may be finished before the one that is waited for, beyond those being rendered."""


def render_side_by_side(renderer: Renderer, views: Iterable[tuple[Camera, BodyPose]]) -> Generator[Frame, None, None]:
    """Render frames in order, as many at once as PyTorch has threads in the calling thread.

    A frame's operations are small: with a thread of its own each, two frames take little longer than one. When the
    iterator is closed, frames that have begun are finished and the others dropped.

    Args:
        renderer: may be used by several threads at once.
        views: camera and pose of each frame.

    Yields:
        The frames.
    """
    threads = torch.get_num_threads() if renderer.is_parallel else 1
    if threads == 1:
        yield from (renderer.frame(camera, pose) for camera, pose in views)
        return

    def alone(camera: Camera, pose: BodyPose) -> Frame:
        with single_threaded():
            return renderer.frame(camera, pose)

    pool = ThreadPoolExecutor(threads, "frame")
    begun: deque[Future[Frame]] = deque()
    try:
        for camera, pose in views:
            begun.append(pool.submit(alone, camera, pose))
            if len(begun) == threads + AHEAD:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
