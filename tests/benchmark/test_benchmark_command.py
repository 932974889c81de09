"""`sherf benchmark` on generated people: scores, report, resuming, and what is skipped."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from running import Done, run_in_process, run_process

from sherf.avatar.renderer import FieldRenderer
from sherf.benchmark.metrics import METRICS
from sherf.benchmark.published_inputs import published_inputs
from sherf.benchmark.records import SCORES
from sherf.benchmark.run_benchmark import claim_folder
from sherf.benchmark.runner import observed_subject
from sherf.datasets.openpeople_data import OpenPeople
from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.render.backend import Backend
from sherf.scene import Frame


def benchmark(*arguments: str | Path, by: Callable[..., Done] = run_in_process) -> Done:
    return by("benchmark", "openpeople", *arguments)


@pytest.fixture(scope="module")
def run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    out = tmp_path_factory.mktemp("scores") / "run"
    done = benchmark("--data", people, "--out", out, by=run_process)
    assert done.returncode == 0, done.stderr
    return out, done


def test_the_table_is_printed(run: tuple) -> None:
    out, done = run
    assert "sherf-small" in done.stdout and str(out / "report.html") in done.stdout
    assert "Traceback" not in done.stderr


def test_results_hold_every_protocol_with_intervals_and_timing(run: tuple) -> None:
    results = json.loads((run[0] / "results.json").read_text())
    for protocol in ("standard", "published"):
        for kind, num_images in (("novel_view", 2), ("novel_pose", 3)):
            scores = results["protocols"][protocol][kind]
            assert scores["pictures"] == num_images
            assert set(METRICS) <= set(scores) and set(scores["ci95"]) == set(METRICS)
            assert 5 < scores["psnr"] < 60 and 0 < scores["ssim"] <= 1 and 0 < scores["lpips_vgg"] < 1.5
    timing = results["timing"]
    assert set(timing) >= {"cold_s", "warm_s", "per_frame_s", "peak_memory_mb"}
    assert timing["cold_s"] >= timing["warm_s"] > 0


def test_every_image_and_subject_has_its_row(run: tuple) -> None:
    out = run[0]
    with (out / "images.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 5 and {line["subject"] for line in lines} == {"000009"}
    assert all(float(line[name]) == float(line[name]) for line in lines for name in SCORES)
    with (out / "subjects.csv").open() as file:
        subjects = {line["kind"]: line for line in csv.DictReader(file)}
    mean = np.mean([float(line["standard.psnr"]) for line in lines if line["kind"] == "novel_pose"])
    assert float(subjects["novel_pose"]["standard.psnr"]) == pytest.approx(mean, abs=1e-3)


class _Links(HTMLParser):
    """The resources that a page loads or links to."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_report_shows_images_that_exist_and_loads_nothing_from_the_network(run: tuple) -> None:
    page = (run[0] / "report.html").read_text()
    links = _Links()
    links.feed(page)
    images = [source for source in links.sources if re.search(r"\.(jpg|png)$", source)]
    assert len(images) >= 3
    for source in images:
        width, height = Image.open(run[0] / source).size
        assert width >= 4 * height
    assert not [source for source in links.sources if source.startswith(("http", "//"))]
    assert "000009" in page


def test_a_model_sees_the_photo_with_its_soft_edge(people: Path) -> None:
    view = OpenPeople(people).view(OpenPeople(people).subjects[0], 0, 0)
    mask = view.subject.mask
    soft = (mask > 0) & (mask < 1)
    assert soft.any()
    received = observed_subject(published_inputs(view, view), "openbody")
    torch.testing.assert_close(received.mask, mask, rtol=0, atol=0)
    torch.testing.assert_close(received.image[:, soft], view.subject.image[:, soft], rtol=0, atol=0)
    assert (received.image[:, mask == 0] == 0).all()


def test_a_finished_run_scores_nothing_again(run: tuple, people: Path) -> None:
    before = (run[0] / "images.csv").read_text()
    done = benchmark("--data", people, "--out", run[0])
    assert done.returncode == 0 and "5 of 5 images are already scored" in done.stderr
    assert (run[0] / "images.csv").read_text() == before


def test_an_incomplete_row_is_scored_again(run: tuple, people: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(run[0], tmp_path / "cut"))
    whole = (out / "images.csv").read_text()
    (out / "images.csv").write_text(whole[:-40])
    done = benchmark("--data", people, "--out", out, by=run_process)
    assert done.returncode == 0 and "4 of 5 images are already scored" in done.stderr
    scored = [line.rsplit(",", 1)[0] for line in (out / "images.csv").read_text().splitlines()]
    assert scored == [line.rsplit(",", 1)[0] for line in whole.splitlines()]


def test_the_folder_of_a_different_run_is_refused(run: tuple, people: Path) -> None:
    done = benchmark("--data", people, "--split", "validation", "--out", run[0])
    assert done.returncode == 1 and "--overwrite" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def copy(run: tuple, people: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The data in a folder of the same name elsewhere, and the finished run."""
    data = Path(shutil.copytree(people, tmp_path / "elsewhere" / people.name))
    return data, Path(shutil.copytree(run[0], tmp_path / "run"))


def test_the_same_data_elsewhere_keep_their_scores(copy: tuple[Path, Path]) -> None:
    data, out = copy
    done = benchmark("--data", data.rename(data.with_name("renamed")), "--out", out)
    assert done.returncode == 0 and "5 of 5 images are already scored" in done.stderr


def test_scores_of_other_data_in_a_folder_of_the_same_name_are_refused(copy: tuple[Path, Path]) -> None:
    data, out = copy
    person = data / "000009" / "person.json"
    person.write_text(person.read_text() + "\n")
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["people"]["000009"]["sha256"] = file_sha256(person)
    (data / "manifest.json").write_text(json.dumps(manifest))
    before = (out / "images.csv").read_bytes()
    refused = benchmark("--data", data, "--out", out)
    assert refused.returncode == 1 and "data_sha256 differ" in refused.stderr
    assert (out / "images.csv").read_bytes() == before


def test_scores_of_unknown_data_are_discarded_and_the_run_says_why(
    copy: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a version that did not record the data's digest."""

    def find_no_scores(*arguments: Any) -> None:
        assert not (arguments[4] / "images.csv").exists()
        raise BadInput("stop here.")

    data, out = copy
    settings = json.loads((out / "settings.json").read_text())
    old = {key: value for key, value in settings.items() if key != "data_sha256"}
    (out / "settings.json").write_text(json.dumps(old))
    monkeypatch.setattr("sherf.benchmark.run_benchmark.evaluate", find_no_scores)
    done = benchmark("--data", data, "--out", out)
    assert "stop here" in done.stderr
    assert "does not record data_sha256: the scores there may be of other data" in done.stderr
    assert json.loads((out / "settings.json").read_text()) == settings


@pytest.mark.parametrize("content", [None, "", '{"benchmark": "open', "[]"])
def test_without_legible_settings_no_score_is_kept(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "images.csv").write_text("rows")
    if content is not None:
        (tmp_path / "settings.json").write_text(content)
    claim_folder(tmp_path, {"model": "template"}, overwrite=False)
    assert not (tmp_path / "images.csv").exists()
    assert json.loads((tmp_path / "settings.json").read_text()) == {"model": "template"}


@pytest.mark.parametrize("content", ["", "[1]", '{"timing": '])
def test_damaged_results_are_written_again(copy: tuple[Path, Path], content: str) -> None:
    data, out = copy
    (out / "results.json").write_text(content)
    assert benchmark("--data", data, "--out", out).returncode == 0
    assert json.loads((out / "results.json").read_text())["pictures"] == 5


def test_seconds_end_when_the_device_is_done(people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that only notes what it is asked for, and takes 3 s for each frame."""
    clock = SimpleNamespace(now=0.0, asked=0.0)
    frame = FieldRenderer.frame

    def ask_for_frame(*arguments: Any) -> Frame:
        clock.asked += 3.0
        return frame(*arguments)

    def wait(_: Backend) -> None:
        clock.now, clock.asked = clock.now + clock.asked, 0.0

    monkeypatch.setattr(FieldRenderer, "frame", ask_for_frame)
    monkeypatch.setattr(Backend, "synchronize", wait)
    monkeypatch.setattr("sherf.benchmark.runner.time", SimpleNamespace(perf_counter=lambda: clock.now))
    done = benchmark("--data", people, "--out", tmp_path, "--model", "template")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "images.csv").open() as file:
        assert {float(row["seconds"]) for row in csv.DictReader(file)} == {3.0}
    timing = json.loads((tmp_path / "results.json").read_text())["timing"]
    assert (timing["cold_s"], timing["warm_s"], timing["per_frame_s"]) == (3.0, 3.0, 3.0)


def test_a_damaged_image_is_skipped_and_counted(people: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(people, tmp_path / "data"))
    damaged = data / "000009/p01_v01.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    done = benchmark("--data", data, "--out", tmp_path / "out")
    assert done.returncode == 0 and "p01_v01.png" in done.stderr
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["pictures"] == 4 and len(results["left_out"]) == 1


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    done = benchmark("--data", tmp_path, "--out", tmp_path / "out", by=run_process)
    assert done.returncode == 1 and "sherf generate openpeople" in done.stderr and "Traceback" not in done.stderr
