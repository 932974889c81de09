"""`sherf benchmark` on generated people: scores, report, resuming, and what is skipped."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import Done, run_in_process, run_process

from sherf.benchmark.metrics import METRICS
from sherf.benchmark.published_inputs import published_inputs
from sherf.benchmark.records import SCORES
from sherf.benchmark.runner import observed_subject
from sherf.datasets.openpeople_data import OpenPeople


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
