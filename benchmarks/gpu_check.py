"""Whether a GPU does what the CPU does, and how fast: `make gpu-check`.

Runs the `gpu` tests, then prints the largest difference from the CPU's frame, the time and the memory of a 512 x 512
frame of each model, and a line to paste into an issue.
"""

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from stage import camera_in_front, photograph, standing

from sherf import __version__
from sherf.avatar.encoder import ModelEncoder
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.errors import SherfError
from sherf.models.build import build_network
from sherf.models.config import PAPER
from sherf.models.load import load_model
from sherf.models.protocol import Model
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend
from sherf.scene import BodyPose, Camera, Frame, Subject

SIZE = 512
FRAMES = 10


def paper_network() -> Model:
    """Return the published network with random weights, dense near the body: the cost of a frame is the same."""
    torch.manual_seed(0)
    network = build_network(PAPER)
    with torch.no_grad():
        network.get_submodule("decoder.density").bias.fill_(60.0)
    return network


MODELS: dict[str, Callable[[], Model]] = {
    "template": lambda: load_model("template")[0],
    "sherf-small": lambda: load_model("sherf-small")[0],
    "sherf-paper": paper_network,
}


def timed(backend: Backend, work: Callable[[], Frame]) -> tuple[float, Frame]:
    """Return the seconds of one call, until the device has finished, and its frame."""
    backend.synchronize()
    start = time.perf_counter()
    frame = work()
    backend.synchronize()
    return time.perf_counter() - start, frame


def measure(model: Callable[[], Model], subject: Subject, body: BodyModel, backend: Backend, frames: int) -> dict:
    """Return seconds of encoding and of frames in the same pose and in new ones, memory in GB, and one frame."""
    encoder = ModelEncoder(model(), backend, "check")
    start = time.perf_counter()
    avatar = encoder.encode(subject, body, {})
    encoding = time.perf_counter() - start
    renderer = FieldRenderer(avatar, body, backend)
    camera: Camera = subject.camera
    poses = [standing(math.radians(angle)) for angle in range(frames)]
    first, frame = timed(backend, lambda: renderer.frame(camera, subject.pose))
    same = [timed(backend, lambda: renderer.frame(camera, subject.pose))[0] for _ in range(frames)]

    def in_pose(pose: BodyPose) -> float:
        return timed(backend, lambda: renderer.frame(camera, pose))[0]

    moving = [in_pose(pose) for pose in poses]
    memory = torch.cuda.max_memory_allocated() / 2**30 if backend.device.type == "cuda" else 0.0
    return {
        "encode": encoding,
        "first": first,
        "same": statistics.median(same),
        "moving": statistics.median(moving),
        "memory": memory,
        "frame": frame,
    }


def run_tests() -> str:
    """Run the tests that use a GPU, and return their closing line."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--timeout", "3600"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        line = ""
        for line in tests.stdout:
            print(line, end="", flush=True)
    return line.strip("= \n")


def main() -> None:
    try:
        backend = choose_backend("cuda")
    except SherfError as error:
        raise SystemExit(f"error: {error}") from None
    tests = run_tests()
    body = load_body_model("openbody")
    subject = photograph(body, standing(math.radians(20)), camera_in_front((SIZE, SIZE)))
    name = torch.cuda.get_device_name()
    versions = f"torch {torch.__version__}, sherf {__version__}"
    print(f"{name}, {versions}\n")
    print("| model | encode | first frame | same pose | new pose | memory | largest difference from the CPU |")
    print("|---|---|---|---|---|---|---|")
    summary = []
    for model, make in MODELS.items():
        torch.cuda.reset_peak_memory_stats()
        there = measure(make, subject, body, backend, FRAMES)
        here = measure(make, subject, body, choose_backend("cpu"), 1)
        off = float((there["frame"].rgb - here["frame"].rgb).abs().max())
        seconds = [f"{there[key]:.3f} s" for key in ("encode", "first", "same", "moving")]
        print(f"| {model} | {' | '.join(seconds)} | {there['memory']:.2f} GB | {off:.1e} |", flush=True)
        summary.append(f"{model} {1000 * there['same']:.0f}/{1000 * there['moving']:.0f} ms {off:.0e}")
    print(f"\npaste this: gpu-check {name}; {versions}; {tests}; {'; '.join(summary)}")


if __name__ == "__main__":
    main()
