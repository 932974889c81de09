"""Corrections of a fit: landmarks, sides, focal length, height and mask, and the fit that results."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fits import fitted_pixel

from sherf.app.fit_corrections import FitCorrections
from sherf.app.masks import edited_mask, make_painting
from sherf.app.session import Session
from sherf.app.texts import NO_CORRECTIONS, describe_corrections
from sherf.avatar.result_files import FIT
from sherf.body.files import load_body_model
from sherf.errors import BadInput

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
from sherf.app.photo_callbacks import move_landmark  # noqa: E402

PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"


def test_the_fit_follows_moved_landmarks() -> None:
    session = Session()
    before = session.read(PHOTO)
    fit, shown = session.avatar.fitted.fit, {"fit": session.avatar.fitted.name}
    wrist = fit["landmarks"]["left_wrist"]["pixel"]
    landmarks = {landmark["name"]: landmark for landmark in session.avatar.corrections.editable_landmarks(fit)}
    assert landmarks["left_wrist"] == {"name": "left_wrist", "detected": wrist, "visible": True}
    wanted = [wrist[0] + 12, wrist[1] - 30]
    move_landmark(session, gr.EventData(None, shown | {"name": "left_wrist", "position": wanted}))
    assert "right knee" in move_landmark(session, gr.EventData(None, shown | {"name": "right_knee", "position": None}))
    with pytest.raises(gr.Error, match="out of the photo"):
        move_landmark(session, gr.EventData(None, shown | {"name": "right_knee", "position": [-5, 0]}))
    landmarks = {landmark["name"]: landmark for landmark in session.avatar.corrections.editable_landmarks(fit)}
    assert landmarks["left_wrist"]["position"] == wanted and landmarks["right_knee"]["position"] is None
    assert "position" not in landmarks["nose"]
    painting = session.avatar.fitted.make_painting()
    layer = painting["layers"][0]
    rows = np.nonzero(layer[..., 3])[0]
    layer[rows.max() - 20 :, :, 3] = 0
    session.avatar.corrections.height = taller = session.avatar.fitted.height + 0.15
    found = fitted_pixel(session.avatar.fitted.folder / FIT, "left_wrist")
    after = session.refit(None, painting)
    fit = session.avatar.fitted.fit
    assert after["photo_sha256"] == before["photo_sha256"] and fit["edits"]["landmarks"]["right_knee"] is None
    assert math.dist(fitted_pixel(session.avatar.fitted.folder / FIT, "left_wrist"), wanted) < 0.3 * math.dist(
        found, wanted
    )
    assert fit["edits"]["mask"] is not None and session.avatar.is_corrected
    erased = session.avatar.fitted.make_painting()["layers"][0]
    assert np.nonzero(erased[..., 3])[0].max() < rows.max() - 17, "what was erased must leave the mask"
    assert session.avatar.fitted.height == pytest.approx(taller, abs=0.06), "the fit keeps most of the height"
    assert fit["landmarks"]["left_wrist"]["pixel"] == pytest.approx(wanted, abs=0.01)
    assert session.avatar.corrections.landmarks == {} and session.avatar.mesh is None
    session.close()


def test_a_landmark_is_moved_hidden_and_reset() -> None:
    corrections = FitCorrections()
    assert describe_corrections(corrections.landmarks) == NO_CORRECTIONS
    for message in ({"name": "nose", "position": [0, 300]}, {"name": "left_toe", "position": None}):
        corrections.move_landmark(message, {"size": [200, 300]})
    assert corrections.landmarks == {"nose": [0, 300], "left_toe": None}
    assert describe_corrections(corrections.landmarks) == "**Moved:** nose. **Not visible:** left toe."
    for name in ("nose", "left_toe", "left_hip"):
        corrections.move_landmark({"name": name}, {"size": [200, 300]})
    assert corrections.landmarks == {}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (None, "unknown landmark"),
        ("nose", "unknown landmark"),
        ([], "unknown landmark"),
        ({"position": [1, 2]}, "unknown landmark"),
        ({"name": "tail", "position": [1, 2]}, "unknown landmark"),
        ({"name": ["nose"], "position": [1, 2]}, "unknown landmark"),
        ({"name": "../nose", "position": None}, "unknown landmark"),
        *(
            ({"name": "left_wrist", "position": position}, "the left wrist was moved out of the photo")
            for position in (
                [1], [1, 2, 3], ["1", 2], [True, 2], {"x": 1, "y": 2}, 5, "12", [math.nan, 2], [1, math.inf],
                [-1, 2], [1, 301], [10**400, 2], [[1], 2], False,
            )
        ),
    ],
)  # fmt: skip
def test_malformed_messages_are_rejected_and_change_nothing(message: Any, error: str) -> None:
    corrections = FitCorrections(landmarks={"nose": [1.0, 2.0]})
    with pytest.raises(BadInput, match=error):
        corrections.move_landmark(message, {"size": [200, 300]})
    assert corrections.landmarks == {"nose": [1.0, 2.0]}


def test_swapped_sides_focal_length_and_height_are_written_for_the_fit(tmp_path: Path) -> None:
    detected = {
        "nose": {"pixel": [50.0, 10.0], "visibility": 0.9},
        "left_hip": {"pixel": [60.0, 50.0], "visibility": 0.9},
        "right_hip": {"pixel": [40.0, 50.0], "visibility": 0.1},
    }
    camera = {"focal_px": 400.0, "pitch": 0.1, "translation": [0.1, 0.2, 3.0]}
    start = {"camera": camera, "betas": [0.0] * 10}
    fit = {"fit": start, "landmarks": detected, "edits": {"landmarks": {}, "joints": {}, "mask": None}}
    body = load_body_model("openbody")
    swapped = json.loads(FitCorrections(swapped=True).write(fit, body, None, tmp_path / "a.json").read_text())
    assert swapped["fit"] is None and swapped["edits"]["landmarks"] == {"left_hip": None, "right_hip": [60, 50]}
    longer = json.loads(FitCorrections(focal=1.5).write(fit, body, None, tmp_path / "b.json").read_text())
    assert longer["fit"]["camera"] == {"focal_px": 600.0, "pitch": 0.1, "translation": [0.1, 0.2, 4.5]}
    assert longer["edits"]["landmarks"] == {}
    before = body.height(torch.zeros(10))
    taller = json.loads(FitCorrections(height=1.1 * before).write(fit, body, None, tmp_path / "c.json").read_text())[
        "fit"
    ]
    assert body.height(torch.tensor(taller["betas"])) == pytest.approx(1.1 * before, abs=0.005)
    assert taller["camera"]["translation"] == pytest.approx([0.11, 0.22, 3.3], rel=1e-4), "as large in the image"


def test_painting_adds_to_the_mask_and_erasing_removes_from_it() -> None:
    mask = np.zeros((1000, 800), dtype=bool)
    mask[301:700, 203:600] = True
    shown = make_painting(np.zeros((1000, 800, 3), np.uint8), mask)
    layer = shown["layers"][0]
    assert layer.shape == (640, 640, 4) and edited_mask(mask, shown) is None and edited_mask(mask, None) is None
    layer[:100, :, 3] = 255  # beside the photo as well
    layer[300:, :, 3] = 0
    other = edited_mask(mask, shown)
    assert other[:155].all() and not other[475:].any() and not other[160:300].any()
    assert ((other[165:460] > 0) == mask[165:460]).all(), "at the photo's own resolution"
