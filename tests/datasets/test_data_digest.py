"""Digests of data sets: they change exactly when the data of the subjects do."""

import os
import shutil
from pathlib import Path

from write_layouts import smpl_like, write_zju

from sherf.body.body_model import BodyModel
from sherf.datasets.data_digest import content_digest, data_digest
from sherf.datasets.openpeople_data import OpenPeople
from sherf.datasets.zju_mocap import ZjuMocap


def test_without_recorded_digests_the_content_counts_and_nothing_else(tmp_path: Path, body: BodyModel) -> None:
    write_zju(tmp_path / "a", smpl_like(body), "CoreView_377", 1, 1)
    shutil.copytree(tmp_path / "a" / "CoreView_377", tmp_path / "b" / "CoreView_377")
    data, same = ZjuMocap(tmp_path / "a"), ZjuMocap(tmp_path / "b")
    before = content_digest(data, data.subjects)
    assert content_digest(same, data.subjects) == before
    image = min((tmp_path / "b" / "CoreView_377").rglob("*.jpg"))
    times, content = image.stat(), bytearray(image.read_bytes())
    content[-3] ^= 1
    image.write_bytes(content)
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert content_digest(same, data.subjects) != before
    assert data_digest(same) == data_digest(data), "training counts subjects, poses and views"


def test_a_person_of_openpeople_has_a_recorded_digest(people: Path) -> None:
    data = OpenPeople(people)
    both, one = content_digest(data, data.subjects), content_digest(data, data.subjects[:1])
    assert both != one
    data.digests[data.subjects[1]] = "0" * 64
    assert content_digest(data, data.subjects) != both and content_digest(data, data.subjects[:1]) == one
