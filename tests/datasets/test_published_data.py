"""RenderPeople, HuMMan and ZJU-MoCap: the adapters read back what was written in the published layouts."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from write_layouts import Truth, pickled_npz, smpl_like, write_humman, write_renderpeople, write_zju

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import project
from sherf.datasets.humman import Humman
from sherf.datasets.multiview import MultiviewData, View
from sherf.datasets.open_data import open_data
from sherf.datasets.openpeople_data import OpenPeople
from sherf.datasets.renderpeople import RenderPeople
from sherf.datasets.zju_mocap import ZjuMocap
from sherf.errors import BadInput


def _check_against_truth(view: View, truth: Truth, body: BodyModel) -> None:
    """Check that image, camera and body agree with the person that was rendered."""
    subject = view.subject
    torch.testing.assert_close(view.vertices, truth.vertices, rtol=0, atol=2e-5)
    posed = body.pose(subject.pose).vertices
    torch.testing.assert_close(posed, truth.vertices, rtol=0, atol=2e-5)
    torch.testing.assert_close(subject.camera.R, truth.camera.R, rtol=0, atol=1e-6)
    torch.testing.assert_close(subject.camera.T, truth.camera.T, rtol=0, atol=1e-5)
    torch.testing.assert_close(subject.camera.K, truth.camera.K, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(subject.mask.numpy(), truth.mask.numpy())
    pixels, depth = project(subject.camera, view.vertices)
    assert (depth > 0).all()
    height, width = subject.mask.shape
    seen = np.zeros((height, width), bool)
    column, row = pixels.floor().long().unbind(1)
    seen[row.clamp(0, height - 1), column.clamp(0, width - 1)] = True
    # A vertex on the outline, or a finger, may fall into a pixel whose centre is background.
    near = cv2.dilate(truth.mask.numpy(), np.ones((3, 3), np.uint8)) > 0
    assert near[seen].mean() > 0.97
    assert (cv2.dilate(seen.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)[truth.mask.numpy() > 0].mean() > 0.97
    assert subject.image.shape == (3, height, width) and subject.image.min() >= 0 and subject.image.max() <= 1


def test_renderpeople(tmp_path: Path, body: BodyModel) -> None:
    smpl = smpl_like(body)
    truths = write_renderpeople(tmp_path, smpl, (0, 2), 3)
    data: MultiviewData = open_data("renderpeople", tmp_path, smpl)
    assert data.subjects == ("seq_000000",)
    assert data.poses("seq_000000") == (0, 2) and data.views("seq_000000") == (0, 1, 2)
    for (pose, view), truth in truths.items():
        _check_against_truth(data.view("seq_000000", pose, view), truth, smpl)


def test_humman(tmp_path: Path, body: BodyModel) -> None:
    smpl = smpl_like(body)
    truths = write_humman(tmp_path, smpl, (0, 6), 2)
    data = open_data("humman", tmp_path, smpl)
    (subject,) = data.subjects
    assert data.poses(subject) == (0, 6) and data.views(subject) == (0, 1)
    for (pose, view), truth in truths.items():
        seen = data.view(subject, pose, view)
        assert not seen.subject.pose.joints[0].any()
        _check_against_truth(seen, truth, smpl)


@pytest.mark.parametrize("subject", ["CoreView_377", "CoreView_313"])
def test_zju_mocap(tmp_path: Path, body: BodyModel, subject: str) -> None:
    """Millimetres become metres, distortion stays, long names map to stored ones, mask boundaries are uncertain."""
    smpl = smpl_like(body)
    truths = write_zju(tmp_path, smpl, subject, 2, 2)
    data = open_data("zju-mocap", tmp_path, smpl)
    assert data.subjects == (subject,) and data.poses(subject) == (0, 1) and data.views(subject) == (0, 1)
    for (pose, view), truth in truths.items():
        seen = data.view(subject, pose, view)
        _check_against_truth(seen, truth, smpl)
        mask, boundary = truth.mask.numpy() > 0, seen.uncertain
        assert boundary is not None
        around = np.lib.stride_tricks.sliding_window_view(np.pad(mask, 2, mode="edge"), (5, 5)).reshape(*mask.shape, 25)
        np.testing.assert_array_equal(boundary.numpy()[2:-2, 2:-2], (around.any(-1) & ~around.all(-1))[2:-2, 2:-2])


def test_human_list_sets_the_order(tmp_path: Path, body: BodyModel) -> None:
    write_zju(tmp_path, smpl_like(body), "CoreView_377", 1, 1)
    shutil.copytree(tmp_path / "CoreView_377", tmp_path / "CoreView_386")
    (tmp_path / "human_list.txt").write_text("CoreView_386\nCoreView_377\n")
    assert ZjuMocap(tmp_path).subjects == ("CoreView_386", "CoreView_377")


@pytest.mark.parametrize("line", ["../CoreView_377", "/etc", "a/CoreView_377", "..", "a\\b", "/", "a\0b"])
def test_a_list_that_names_another_place_is_refused_with_its_line(tmp_path: Path, body: BodyModel, line: str) -> None:
    write_zju(tmp_path, smpl_like(body), "CoreView_377", 1, 1)
    (tmp_path / "human_list.txt").write_text(f"CoreView_377/\n\n{line}\n")
    with pytest.raises(BadInput, match=r"human_list\.txt, line 3: .* is not a valid name"):
        ZjuMocap(tmp_path)
    (tmp_path / "human_list.txt").write_text("CoreView_377/\r\n\r\n")
    assert ZjuMocap(tmp_path).subjects == ("CoreView_377",)


@pytest.mark.parametrize("name", ["../000008", "/000008", ".", "a\\b"])
def test_a_manifest_that_names_another_place_is_refused(tmp_path: Path, name: str) -> None:
    people = {"people": {name: {"split": "train", "sha256": "0"}}, "plan": {"layout": 1}}
    (tmp_path / "manifest.json").write_text(json.dumps(people))
    with pytest.raises(BadInput, match=r"manifest\.json, people: .* is not a valid name"):
        OpenPeople(tmp_path)


def test_the_wrong_body_is_refused(tmp_path: Path, body: BodyModel) -> None:
    with pytest.raises(BadInput, match="smpl"):
        open_data("humman", tmp_path, body)


@pytest.mark.parametrize("name", ["thuman", "renderpeople", "humman", "zju-mocap", "openpeople"])
def test_an_empty_folder_holds_no_data_set(tmp_path: Path, body: BodyModel, name: str) -> None:
    with pytest.raises(BadInput, match=tmp_path.name):
        open_data(name, tmp_path, body if name == "openpeople" else smpl_like(body))  # type: ignore[arg-type]


class _CreatesFolder:
    """Pickles to a call that creates a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_parameters_that_run_code_are_refused(tmp_path: Path, body: BodyModel) -> None:
    smpl = smpl_like(body)
    write_renderpeople(tmp_path, smpl, (0,), 1)
    path = tmp_path / "seq_000000/outputs_re_fitting/refit_smpl_2nd.npz"
    pickled_npz(path, "smpl", _CreatesFolder(tmp_path / "mark"))
    with pytest.raises(BadInput, match="refit_smpl_2nd"):
        RenderPeople(tmp_path, smpl).view("seq_000000", 0, 0)
    assert not (tmp_path / "mark").exists()


def test_frames_without_parameters_are_named(tmp_path: Path, body: BodyModel) -> None:
    smpl = smpl_like(body)
    write_humman(tmp_path, smpl, (0,), 1)
    (tmp_path / "p000455_a000986/kinect_color/kinect_000/000000.png").unlink()
    with pytest.raises(BadInput, match=r"kinect_000/000000\.png"):
        Humman(tmp_path, smpl).view("p000455_a000986", 0, 0)
