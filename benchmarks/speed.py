"""Time and memory of the main commands: `make benchmark`.

Cold figures are for whole processes, warm ones exclude start-up. Run it on an otherwise idle machine. Targets are those
for a machine half as fast as the one of `benchmarks/README.md`.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PHOTO = Path(__file__).parent.parent / "examples" / "darknet_person.jpg"
SHERF = [sys.executable, "-m", "sherf.cli"]
WARM_FRAMES = 12


def run(*arguments: str | Path) -> tuple[float, float]:
    """Run one command in its own process; return seconds and peak memory in GB."""
    start = time.perf_counter()
    process = subprocess.Popen([*SHERF, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: sherf {' '.join(map(str, arguments))}")
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def warm_frame(avatar_path: Path) -> tuple[float, float]:
    """Return the median seconds of a 512² frame: the same pose from new views, and a new pose each time."""
    from sherf.avatar.avatar_file import load_avatar
    from sherf.avatar.renderer import FieldRenderer
    from sherf.body.files import load_body_model
    from sherf.camera.framing import frame_person
    from sherf.camera.pinhole import turntable
    from sherf.motion.playback import apply
    from sherf.motion.read import read_motion
    from sherf.render.devices import choose_backend

    body = load_body_model("openbody")
    avatar = load_avatar(avatar_path, body)
    subject = avatar.bank.subject
    base, centre = frame_person(body.pose(subject.pose).vertices, subject.camera, (512, 512))
    cameras = turntable(base, centre, WARM_FRAMES)
    poses = apply(read_motion("walk"), subject.pose)
    renderer = FieldRenderer(avatar, body, choose_backend("cpu"))
    renderer.frame(cameras[0], subject.pose)

    def median(shots: list) -> float:
        seconds = []
        for camera, pose in shots:
            start = time.perf_counter()
            renderer.frame(camera, pose)
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)

    still = median([(cameras[i], subject.pose) for i in range(WARM_FRAMES)])
    return still, median([(cameras[i], poses[i]) for i in range(WARM_FRAMES)])


def first_picture(avatar: Path, out: Path) -> float:
    """Return the seconds until `sherf render --preview` has written its first side."""
    start, preview = time.perf_counter(), out / "preview.png"
    command = [*SHERF, "render", str(avatar), "--preview", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not preview.exists() and process.poll() is None:
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    if process.wait():
        raise SystemExit("failed: sherf render --preview")
    return seconds


def main() -> None:
    rows: list[tuple[str, str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        seconds, _ = run("--help")
        rows.append(("`sherf --help`", f"{seconds:.2f} s", "", ".3 s"))
        seconds, memory = run("reconstruct", PHOTO, "--out", out / "a")
        rows.append(("photo → avatar, cold process", f"{seconds:.1f} s", f"{memory:.2f} GB", "10 s"))
        avatar = out / "a" / "avatar.safetensors"
        still, moving = warm_frame(avatar)
        rows.append(("frame of 512², warm, same pose", f"{still:.2f} s", "", ".6 s"))
        rows.append(("frame of 512², warm, new pose", f"{moving:.2f} s", "", ".8 s"))
        seconds = first_picture(avatar, out / "p")
        rows.append(("`sherf render AVATAR --preview`, first side, cold", f"{seconds:.1f} s", "", "3 s"))
        seconds, memory = run("render", avatar, "--size", "512", "--frames", "60", "--out", out / "b")
        rows.append(("`sherf render AVATAR --frames 60`, 512², cold", f"{seconds:.0f} s", f"{memory:.2f} GB", "25 s"))
        seconds, memory = run("export", PHOTO, "--motion", "walk", "--out", out / "a.glb")
        rows.append(("photo → GLB with a walk, cold", f"{seconds:.0f} s", f"{memory:.2f} GB", "25 s"))
        seconds, memory = run("render", avatar, "--size", "1024", "--frames", "1", "--out", out / "c")
        rows.append(("one frame of 1024², cold", f"{seconds:.1f} s", f"{memory:.2f} GB", "1.5 GB"))
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, no GPU used\n")
    print("| what | time | peak memory | target |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
