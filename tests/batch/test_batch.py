"""`sherf batch` end to end: in real processes where they are killed, at the worst moments."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import Done, run_in_process

SMALL = ("--frames", 1, "--size", 32, "--model", "template", "--device", "cpu")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sherf.cli", "batch", *map(str, arguments)]


def batch(*arguments: object) -> Done:
    return run_in_process("batch", *arguments)


def count(out: Path, status: str) -> int:
    """Count the items with a status in the ledger on disk."""
    ledger = out / "ledger.sqlite"
    if not ledger.exists():
        return 0
    with closing(sqlite3.connect(ledger, timeout=10)) as db:
        try:
            return db.execute("SELECT COUNT(*) FROM item WHERE status = ?", (status,)).fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def wait_for(condition, what: str) -> None:
    print(f"waiting for {what}")
    while not condition():
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Return the workers of a batch: its Python child processes without multiprocessing's resource tracker."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            line = Path(f"/proc/{child}/cmdline").read_text()
            if "spawn_main" in line:
                found.append(int(child))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_twenty_photos_and_two_motions_survive_three_kills(manifest: Path, tmp_path: Path) -> None:
    """Nothing is lost or made twice, and no worker outlives its batch."""
    out = tmp_path / "out"
    arguments = (manifest, "--out", out, "--motions", "walk", "wave", "--outputs", "npz", "--workers", 2, *SMALL)
    made: dict[Path, int] = {}
    for target in (8, 24, 44):
        running = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
        wait_for(lambda target=target: count(out, "done") >= target, f"{target} items")
        workers = children(running.pid)
        assert len(workers) == 2
        running.send_signal(signal.SIGKILL)
        running.wait()
        wait_for(lambda workers=workers: not any(map(alive, workers)), "the workers' end")
        assert all(path.stat().st_mtime_ns == time for path, time in made.items())
        # what the ledger or a record beside the outputs calls done must not be touched again
        for note in out.glob("*/.done/*.json"):
            for name in json.loads(note.read_text())["files"]:
                path = note.parents[1] / name
                made[path] = path.stat().st_mtime_ns
    done = batch(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["done"], report["failed"], report["waiting"]) == (60, 0, 0)
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    with closing(sqlite3.connect(out / "ledger.sqlite")) as db:
        times = db.execute("SELECT COUNT(*) FROM event WHERE what IN ('done', 'found') GROUP BY key").fetchall()
    assert times == [(1,)] * 60
    assert len(list(out.glob("*/walk.npz"))) == len(list(out.glob("*/wave.npz"))) == 20
    assert not list(out.rglob(".part-*"))
    page = (out / "index.html").read_text()
    assert page.count("<article>") == 20 and "60 results" in page
    with Image.open(out / "sheet.jpg") as sheet:
        assert sheet.width == 6 * 240
    assert len((out / "results.csv").read_text().splitlines()) == 61


@pytest.fixture
def two(manifest: Path, tmp_path: Path) -> Path:
    """A manifest of the first two photos."""
    path = manifest.with_name(f"{tmp_path.name}.jsonl")
    path.write_text("\n".join(manifest.read_text().splitlines()[:2]))
    return path


def test_a_killed_worker_costs_an_attempt_and_nothing_else(two: Path, tmp_path: Path) -> None:
    """As after the out-of-memory killer: the item is retried with less memory, and an interrupt ends the batch."""
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--frames", 200, *SMALL[2:], "--workers", 1)
    running = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(out.glob("*/turntable/frames/*.png")), "a first frame")
    os.kill(children(running.pid)[0], signal.SIGKILL)
    wait_for(lambda: len(children(running.pid)) == 1 and count(out, "waiting") == 1, "another worker")
    with closing(sqlite3.connect(out / "ledger.sqlite")) as db:
        assert db.execute("SELECT label, attempts, reason FROM item WHERE status = 'waiting'").fetchall() == [
            ("turntable", 1, "the worker was killed by SIGKILL (out of memory?)")
        ]
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == 130 and "same command again" in errors
    wait_for(lambda: not list(Path("/proc").glob(f"{running.pid}")), "its end")


def test_sigterm_ends_a_batch_in_order(two: Path, tmp_path: Path) -> None:
    """As a scheduler sends it: to all processes at once. No warnings, no worker is left, and what is done stays."""
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--frames", 200, *SMALL[2:], "--workers", 1)
    running = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(lambda: list(out.glob("*/turntable/frames/*.png")), "a first frame")
    workers = children(running.pid)
    os.killpg(running.pid, signal.SIGTERM)
    _, errors = running.communicate()
    assert running.returncode == 143
    assert errors.split("\n")[-2:] == ["terminated; run the same command again to continue", ""]
    assert not any(word in errors for word in ("leaked", "Warning", "Traceback", "Exception"))
    assert workers and not any(map(alive, workers))
    assert count(out, "done") == 1
    with closing(sqlite3.connect(out / "ledger.sqlite")) as db:
        assert not db.execute("SELECT * FROM item WHERE attempts > 0").fetchall(), "no attempt is counted"
    assert "1 done, 0 failed, 3 waiting" in batch(*arguments, "--dry-run").stdout


def test_an_item_that_always_kills_its_worker_is_given_up_and_the_rest_is_done(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--frames", 12, *SMALL[2:], "--workers", 1, "--attempts", 1)
    first = json.loads(two.read_text().splitlines()[0])["name"]
    running = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(out.glob(f"{first}/turntable/frames/*.png")), "a first frame")
    os.kill(children(running.pid)[0], signal.SIGKILL)
    shown, _ = running.communicate()
    assert running.returncode == 1
    assert f"failed: {first}, turntable: the worker was killed by SIGKILL" in shown
    assert "3 done, 1 failed, 0 waiting" in shown
    assert f"failed: {first}" in batch(*arguments).stdout  # run again: still failed, not retried
    again = batch(*arguments, "--retry-failed")
    assert again.returncode == 0 and "4 done, 0 failed, 0 waiting" in again.stdout


def test_unusable_photos_are_listed_and_the_rest_is_done(two: Path, tmp_path: Path) -> None:
    two.with_name("broken.jpg").write_bytes(b"\xff\xd8 no picture")
    Image.new("RGB", (120, 160), "teal").save(two.with_name("wall.png"))
    lines = [*two.read_text().splitlines()[:1], *(json.dumps({"photo": name}) for name in ("broken.jpg", "wall.png"))]
    two.write_text("\n".join(lines))
    done = batch(two, "--out", tmp_path / "out", "--frames", 9, *SMALL[2:], "--workers", 1)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "2 done, 4 failed, 0 waiting" in done.stdout
    assert "failed: broken, avatar: " in done.stdout and "failed: wall, avatar: no person" in done.stdout
    assert "failed" in (tmp_path / "out" / "index.html").read_text()
    with Image.open(tmp_path / "out" / "sheet.jpg") as sheet:  # the photo without a person is shown
        assert sheet.size == (720, 258) and np.allclose(sheet.getpixel((600, 120)), (0, 128, 128), atol=6)
    shown = list(tmp_path.glob("out/*/turntable/frames/*.png"))
    assert len(shown) == 1, "only the frame for the page is kept"


def test_a_motion_that_cannot_be_read_fails_alone(two: Path, tmp_path: Path) -> None:
    motion = tmp_path / "damaged.bvh"
    motion.write_text("HIERARCHY\nROOT")
    two.write_text(two.read_text().splitlines()[0])
    arguments = (two, "--out", tmp_path / "out", "--motions", "wave", motion, "--outputs", "video", "bvh")
    done = batch(*arguments, "--end", 0.1, *SMALL[2:], "--workers", 1)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "3 done, 2 failed, 0 waiting" in done.stdout
    assert done.stdout.count("damaged-still: ") == done.stdout.count("damaged.bvh: ") == 1
    assert len(list(tmp_path.glob("out/*/wave-still/video.mp4"))) == len(list(tmp_path.glob("out/*/wave.bvh"))) == 1
    assert "damaged-still" in (tmp_path / "out" / "index.html").read_text()


def test_a_photo_under_two_names_is_made_once_and_both_names_lead_to_it(two: Path, tmp_path: Path) -> None:
    """When the second name becomes another photo's, it gets results of its own."""
    out = tmp_path / "out"
    photo, other = map(json.loads, two.read_text().splitlines())
    names = {"name": "anna"}, {"name": "bea"}
    two.write_text("\n".join(json.dumps(photo | name) for name in names))
    arguments = (two, "--out", out, "--cameras", "still", *SMALL, "--workers", 1)
    done = batch(*arguments)
    assert done.returncode == 0 and "2 done, 0 failed" in done.stdout
    assert "bea: the same photo as anna, made once" in done.stdout
    assert (out / "bea").readlink() == Path("anna") and (out / "bea" / "still" / "video.mp4").is_file()
    page = (out / "index.html").read_text()
    assert page.count("<article>") == 2 and "<h2>bea</h2>" in page and "The same photo as anna" in page
    with (out / "results.csv").open() as file:
        rows = [(row["name"], row["item"], row["files"]) for row in csv.DictReader(file)]
    assert ("bea", "still", "anna/still/video.mp4") in rows and len(rows) == 4
    again = json.loads(batch(*arguments, "--json").stdout)
    assert again["duplicates"] == {"bea": "anna"} and again["done"] == 2
    kept = (out / "anna" / "report.json").read_bytes()
    two.write_text("\n".join(json.dumps(each) for each in (photo | names[0], other | names[1])))
    done = batch(*arguments)
    assert done.returncode == 0 and "4 done, 0 failed" in done.stdout and "made once" not in done.stdout
    assert not (out / "bea").is_symlink() and (out / "bea" / "still" / "video.mp4").is_file()
    assert (out / "anna" / "report.json").read_bytes() == kept


@pytest.mark.parametrize(("device", "factor"), [("cpu", 1), ("auto", 8)])
def test_a_dry_run_counts_gpus_only_where_they_are_used(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, factor: int
) -> None:
    def seconds_left() -> float:
        arguments = (two, "--out", tmp_path / "out", *SMALL[:-1], device, "--dry-run", "--json")
        return json.loads(batch(*arguments).stdout)["seconds_left"]

    monkeypatch.setattr("sherf.batch.run_batch.available_cores", lambda: [0])
    monkeypatch.setattr("sherf.batch.run_batch.count_gpus", lambda: 0)
    before = seconds_left()
    monkeypatch.setattr("sherf.batch.run_batch.count_gpus", lambda: 8)
    assert seconds_left() == pytest.approx(before / factor, abs=0.1)


def test_lost_outputs_are_announced_by_a_dry_run_and_made_again(two: Path, tmp_path: Path) -> None:
    """A dry run writes nothing; after a deleted video and a destroyed ledger only the video is made again."""
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--cameras", "still", *SMALL, "--workers", 1)
    before = batch(*arguments, "--dry-run")
    assert before.returncode == 0 and "4 waiting" in before.stdout and "rates typical" in before.stdout
    assert not out.exists()
    assert batch(*arguments).returncode == 0
    videos = sorted(out.glob("*/still/video.mp4"))
    kept = videos[1].stat().st_mtime_ns
    videos[0].unlink()
    left = batch(*arguments, "--dry-run").stdout
    assert "3 done, 0 failed, 1 waiting" in left and "measured in this batch" in left
    (out / "ledger.sqlite").write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    done = batch(*arguments)
    assert done.returncode == 0 and "is damaged" in done.stderr
    assert "3 of 4 items are already done" in done.stderr
    assert videos[0].exists() and videos[1].stat().st_mtime_ns == kept
    assert list(out.glob("ledger.sqlite.damaged-*"))


@pytest.fixture(scope="module")
def finished(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[object, ...], Path]:
    """The arguments of a batch of one photo, and its output folder: all is done."""
    photos = manifest.with_name("one.jsonl")
    photos.write_text(manifest.read_text().splitlines()[0])
    out = tmp_path_factory.mktemp("finished") / "out"
    arguments = (photos, "--motions", "walk", "--outputs", "video", "npz", "--workers", 1, *SMALL)
    done = batch(*arguments, "--out", out)
    assert "3 done, 0 failed, 0 waiting" in done.stdout
    return arguments, out


CUTS = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) * 2 // 3],
    "zeros": lambda content: content[: len(content) // 3] + bytes(len(content) * 2 // 3),
}
"""What a power cut makes of files."""


@pytest.mark.parametrize("cut", ["empty", "truncated"])
@pytest.mark.parametrize(
    ("name", "waiting"), [("avatar.safetensors", 1), ("walk-still/video.mp4", 1), ("walk.npz", 1), (".done/*.json", 3)]
)
def test_results_and_records_that_were_cut_short_wait_again(
    finished: tuple[tuple[object, ...], Path], tmp_path: Path, cut: str, name: str, waiting: int
) -> None:
    arguments, out = finished[0], Path(shutil.copytree(finished[1], tmp_path / "out"))
    for path in out.glob(f"p0-00/{name}"):
        path.write_bytes(CUTS[cut](path.read_bytes()))
    done = batch(*arguments, "--out", out, "--dry-run")
    assert f"{3 - waiting} done, 0 failed, {waiting} waiting" in done.stdout


@pytest.mark.parametrize("cut", CUTS)
def test_a_damaged_ledger_is_restored_from_the_records(
    finished: tuple[tuple[object, ...], Path], tmp_path: Path, cut: str
) -> None:
    arguments, out = finished[0], Path(shutil.copytree(finished[1], tmp_path / "out"))
    ledger = out / "ledger.sqlite"
    ledger.write_bytes(CUTS[cut](ledger.read_bytes()))
    done = batch(*arguments, "--out", out)
    assert done.returncode == 0 and "3 done, 0 failed, 0 waiting" in done.stdout
    assert count(out, "done") == 3
    assert cut == "empty" or "is damaged; moved to" in done.stderr


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", ["index.html", "results.csv", "sheet.jpg", "thumbs/p0-00.jpg"])
def test_a_damaged_summary_is_written_again(
    finished: tuple[tuple[object, ...], Path], tmp_path: Path, cut: str, name: str
) -> None:
    arguments, out = finished[0], Path(shutil.copytree(finished[1], tmp_path / "out"))
    whole = (out / name).read_bytes()
    (out / name).write_bytes(CUTS[cut](whole))
    assert batch(*arguments, "--out", out).returncode == 0
    assert (out / name).read_bytes() == whole


def test_a_damaged_picture_of_a_result_leaves_the_summary_without_it(
    finished: tuple[tuple[object, ...], Path], tmp_path: Path
) -> None:
    arguments, out = finished[0], Path(shutil.copytree(finished[1], tmp_path / "out"))
    (picture,) = out.glob("p0-00/walk-still/frames/*.png")
    picture.write_bytes(picture.read_bytes()[:50])
    (out / "thumbs" / "p0-00.jpg").unlink()
    assert batch(*arguments, "--out", out).returncode == 0
    assert "<img" not in (out / "index.html").read_text()


def test_a_clock_that_jumps_back_loses_and_repeats_nothing(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the second run is ten years slow; one video has to be made again."""
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--cameras", "still", *SMALL, "--workers", 1)
    assert batch(*arguments).returncode == 0
    videos = sorted(out.glob("*/still/video.mp4"))
    kept = videos[1].stat().st_mtime_ns
    videos[0].unlink()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 10 * 365 * 86400)
    done = batch(*arguments)
    assert done.returncode == 0 and "4 done, 0 failed, 0 waiting" in done.stdout
    assert videos[0].exists() and videos[1].stat().st_mtime_ns == kept


def test_a_folder_that_becomes_another_photos_is_made_again(two: Path, tmp_path: Path) -> None:
    """Two photos have one name; when the first leaves the manifest, the second moves into its folder."""
    out = tmp_path / "out"
    rows = [{**json.loads(line), "name": "same"} for line in two.read_text().splitlines()]
    two.write_text("\n".join(map(json.dumps, rows)))
    arguments = (two, "--out", out, "--motions", "walk", "--outputs", "npz", *SMALL, "--workers", 1)
    assert batch(*arguments).returncode == 0
    second = json.loads((out / "same-2" / "report.json").read_text())["photo_sha256"]
    assert json.loads((out / "same" / "report.json").read_text())["photo_sha256"] != second
    two.write_text(json.dumps(rows[1]))
    assert batch(*arguments).returncode == 0
    assert json.loads((out / "same" / "report.json").read_text())["photo_sha256"] == second


def test_a_second_batch_in_one_folder_is_refused(two: Path, tmp_path: Path) -> None:
    """The second one exits and names the process that uses the folder."""
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--frames", 400, *SMALL[2:], "--workers", 1)
    running = subprocess.Popen(command(*arguments), stderr=subprocess.DEVNULL)
    wait_for(lambda: (out / "ledger.sqlite").exists(), "the ledger")
    second = batch(*arguments)
    assert second.returncode == 1
    assert f"another `sherf` is using {out} (process {running.pid} on" in second.stderr
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130


def test_shards_share_the_work_and_a_run_without_shard_summarises(two: Path, manifest: Path, tmp_path: Path) -> None:
    two.write_text("\n".join(manifest.read_text().splitlines()[:4]))
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--cameras", "still", *SMALL, "--workers", 1)
    both = [subprocess.Popen(command(*arguments, "--shard", f"{i}/2")) for i in (1, 2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list(out.glob("*/still/video.mp4"))) == 4
    times = [path.stat().st_mtime_ns for path in sorted(out.glob("*/still/video.mp4"))]
    done = batch(*arguments)
    assert done.returncode == 0 and "8 done, 0 failed, 0 waiting" in done.stdout
    assert times == [path.stat().st_mtime_ns for path in sorted(out.glob("*/still/video.mp4"))]


def test_a_full_disk_stops_the_batch_and_loses_nothing(two: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the avatar is larger."""
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--cameras", "still", *SMALL, "--workers", 1)
    line = f"ulimit -f 100; exec {' '.join(command(*arguments))}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "same command again" in done.stderr and "Traceback" not in done.stderr
    assert batch(*arguments).returncode == 0


def test_a_folder_that_cannot_be_written_is_reported(two: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = batch(two, "--out", tmp_path / "file" / "out", *SMALL)
    assert done.returncode == 1 and "cannot write" in done.stderr


def test_losing_write_permission_midway_loses_nothing(two: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = (two, "--out", out, "--cameras", "still", "turntable", *SMALL, "--workers", 1)
    unprivileged = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    running = subprocess.Popen(
        [*unprivileged, *command(*arguments)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: count(out, "done") >= 2, "two items")
    folders = [out, *(path for path in out.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    output, errors = running.communicate()
    for folder in folders:
        folder.chmod(0o755)
    assert running.returncode == 1, output + errors
    assert "ermission denied" in errors + output and "Traceback" not in errors
    done = {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")}
    again = batch(*arguments)
    assert again.returncode == 0 and "6 done, 0 failed, 0 waiting" in again.stdout
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())
