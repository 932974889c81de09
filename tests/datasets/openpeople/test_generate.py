"""`sherf generate openpeople` writes complete people, resumes and verifies; the adapter reads them back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from power_cuts import POWER_CUTS
from round_trips import unproject
from running import Done, run_in_process

from sherf.benchmark.protocols import PROTOCOLS
from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.openpeople.generate import generate_openpeople
from sherf.datasets.openpeople.options import GenerateOptions
from sherf.datasets.openpeople.person import make_person
from sherf.datasets.openpeople.preview import PREVIEW
from sherf.datasets.openpeople.store import MANIFEST, RECORD
from sherf.datasets.openpeople.viewpoints import draw_viewpoints
from sherf.datasets.openpeople_data import OpenPeople
from sherf.errors import BadInput
from sherf.files.lock import LOCK
from sherf.files.output import PARTIAL_PREFIX

OPTIONS = ("--views", "3", "--poses", "2", "--size", "64")
ALL = GenerateOptions(Path(), 2, 8, 3, 2, 64, photos=True)
"""As the people of the fixture were generated."""


def generate(*arguments: str | Path) -> Done:
    return run_in_process("generate", "openpeople", *arguments)


@pytest.fixture
def copy(people: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(people, tmp_path / "copy"))


def state(folder: Path) -> dict[str, int]:
    return {
        str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.name != LOCK
    }


def test_the_folder_holds_the_documented_files(people: Path) -> None:
    manifest = json.loads((people / MANIFEST).read_text())
    assert {name: person["split"] for name, person in manifest["people"].items()} == {
        "000008": "validation", "000009": "test",
    }  # fmt: skip
    files = {p.name for p in (people / "000008").iterdir()}
    assert files == {
        RECORD, *(f"p{p:02d}_v{v:02d}{s}.png" for p in (0, 1) for v in range(3) for s in ("", "_depth")),
        "p00_photo.jpg", "p01_photo.jpg",
    }  # fmt: skip
    assert Image.open(people / "000008/p00_photo.jpg").size == (64, 64)
    assert Image.open(people / PREVIEW).size[0] > 400
    record = json.loads((people / "000008" / RECORD).read_text())
    assert record["person"]["seed"] == 8 and len(record["poses"][1]["cameras"]) == 3


def test_the_adapters_body_lies_inside_the_mask(people: Path, body: BodyModel) -> None:
    """Camera, pose and image agree: the naked body projects into the mask, and its surface is near the depth."""
    data = OpenPeople(people)
    assert isinstance(data, MultiviewData)
    assert data.subjects == ("000008", "000009")
    for subject in data.subjects:
        assert data.poses(subject) == (0, 1) and data.views(subject) == (0, 1, 2)
        for pose in (0, 1):
            for number in range(3):
                view = data.view(subject, pose, number)
                mask, camera = view.subject.mask, view.subject.camera
                assert 0.05 < mask.mean() < 0.7
                assert (view.subject.image <= mask + 1 / 255).all()
                torch.testing.assert_close(body.pose(view.subject.pose).vertices, view.vertices)
                pixels, depth = project(camera, view.vertices)
                column, row = pixels.floor().long().clamp(0, 63).unbind(1)
                wide = torch.nn.functional.max_pool2d(mask[None], 3, 1, 1)[0]
                assert (wide[row, column] > 0).float().mean() > 0.99
                assert view.depth is not None
                seen = mask > 0.99
                away = view.depth[seen]
                assert away.min() > depth.min() - 0.4 and away.max() < depth.max() + 0.4
                # Where clothes are tight the nearest vertex is near: half of the surface within 4 cm.
                rows, columns = torch.nonzero(seen, as_tuple=True)
                points = unproject(camera, torch.stack([columns, rows], 1) + 0.5, away)
                assert torch.cdist(points, view.vertices).amin(1).median() < 0.04


def test_splits_are_chosen(people: Path) -> None:
    assert OpenPeople(people, "test").subjects == ("000009",)
    with pytest.raises(BadInput, match="train"):
        OpenPeople(people, "train")


def test_the_protocol_observes_the_photo_and_evaluates_all_other_views(people: Path) -> None:
    import random

    pairs, missing = PROTOCOLS["openpeople"].pairs(OpenPeople(people), "000009", random.Random(0))
    assert not missing
    assert [pair.kind for pair in pairs] == ["novel_view"] * 2 + ["novel_pose"] * 3
    assert all(pair.observation == ("000009", 0, 0) for pair in pairs)


def test_a_second_run_changes_nothing_and_reports_it(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(copy)
    seeds = generate_openpeople(replace(ALL, out=copy))
    assert seeds == [8, 9] and "2 of 2 people already exist" in capsys.readouterr().err
    after = state(copy)
    assert {k: v for k, v in after.items() if k != MANIFEST} == {k: v for k, v in before.items() if k != MANIFEST}


def test_a_damaged_image_is_found_and_its_person_regenerated_identically(copy: Path) -> None:
    target = copy / "000008/p01_v02.png"
    whole = target.read_bytes()
    target.write_bytes(whole[:-20])
    untouched = (copy / "000009" / RECORD).stat().st_mtime_ns
    done = generate("--people", "2", "--seed-start", "8", *OPTIONS, "--photos", "--out", copy)
    assert done.returncode == 0 and "has changed since it was written" in done.stderr
    assert target.read_bytes() == whole
    assert (copy / "000009" / RECORD).stat().st_mtime_ns == untouched


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_a_person_with_a_damaged_file_is_generated_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    again: list[int] = []
    monkeypatch.setattr(
        "sherf.datasets.openpeople.generate._generate_in_parallel", lambda out, seeds, *_: again.extend(seeds)
    )
    for name in ("p00_v00.png", "p01_v01_depth.png", "p00_photo.jpg", RECORD):
        path = copy / "000009" / name
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
        with pytest.raises(BadInput, match="Rerun the same command"):
            generate_openpeople(replace(ALL, out=copy))
        path.write_bytes(whole)
    assert again == [9] * 4


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_a_damaged_manifest_is_written_again_from_the_people_in_the_folder(
    copy: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    whole = (copy / MANIFEST).read_bytes()
    (copy / MANIFEST).write_bytes(damage(whole))
    with pytest.raises(BadInput, match="other options"):
        generate_openpeople(replace(ALL, out=copy, views=4))
    assert generate_openpeople(replace(ALL, out=copy, people=1)) == [8, 9]
    assert "listing the people in the folder again" in capsys.readouterr().err
    assert (copy / MANIFEST).read_bytes() == whole


def test_other_options_are_refused(copy: Path) -> None:
    done = generate("--people", "2", "--seed-start", "8", "--views", "4", "--poses", "2", "--size", "64", "--out", copy)
    assert done.returncode == 1 and "views" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"people": 0}, "--people must be at least 1"), ({"size": 8}, "--size must be at least 16"),
        ({"seed_start": -1}, "--seed-start must be at least 0"), ({"views": 1000}, "--views must be at most 99"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        generate_openpeople(GenerateOptions(tmp_path / "out", **options))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_complete_people_and_the_next_run_resumes(tmp_path: Path, number: int, code: int) -> None:
    out = tmp_path / "people"
    command = [
        sys.executable,
        "-m",
        "sherf.cli",
        "generate",
        "openpeople",
        "--people",
        "6",
        *OPTIONS,
        "--out",
        str(out),
    ]
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(out.glob("0*")) and running.poll() is None:
        time.sleep(0.05)
    os.killpg(running.pid, number)
    _, errors = running.communicate()
    assert running.returncode == code and "run the same command again" in errors
    assert "Traceback" not in errors and "leaked" not in errors
    finished = sorted(p.name for p in out.iterdir() if p.name != LOCK)
    assert 1 <= len(finished) < 6 and not any(name.startswith(PARTIAL_PREFIX) for name in finished)
    assert all((out / name / RECORD).exists() for name in finished)
    kept = {name: (out / name / RECORD).stat().st_mtime_ns for name in finished}
    done = generate("--people", "3", *OPTIONS, "--out", out)
    assert done.returncode == 0
    assert {name: (out / name / RECORD).stat().st_mtime_ns for name in finished} == kept


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (MANIFEST, b"{", MANIFEST),
        (MANIFEST, b"[]", MANIFEST),
        ("000009/person.json", b'{"poses": []}', "person.json"),
        ("000009/p00_v00.png", b"", r"p00_v00\.png"),
        ("000009/p00_v00_depth.png", None, "p00_v00_depth"),
    ],
)
def test_error_messages_name_the_bad_file(copy: Path, file: str, content: bytes | None, message: str) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        OpenPeople(copy).view("000009", 0, 0)


def test_values_that_are_not_numbers_are_refused(copy: Path) -> None:
    path = copy / "000009" / RECORD
    record = json.loads(path.read_text())
    record["poses"][0]["joints"][3] = [0.0, "x", 0.0]
    path.write_text(json.dumps(record))
    with pytest.raises(BadInput, match="joints"):
        OpenPeople(copy).view("000009", 0, 0)


def test_cameras_see_the_whole_person_from_all_around() -> None:
    person = make_person(5)
    vertices = person.pose(np.zeros((24, 3))).vertices
    cameras = draw_viewpoints(np.random.default_rng(0), vertices, 8, 128)
    directions = []
    for camera in cameras:
        pixels, depth = project(camera, torch.from_numpy(vertices))
        assert (depth > 0).all() and pixels.min() > 0 and pixels.max() < 128
        assert float((pixels - 64).abs().max()) > 0.3 * 128
        directions.append(float(torch.atan2(camera.position[0], camera.position[2])))
    assert abs(directions[0]) < np.radians(36)
    assert np.ptp(directions) > 4.5
