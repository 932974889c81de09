"""Fix the fit: what the visitor says of landmarks, sides, lens, height and mask, and what comes of it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fits import fitted

from sherf.app.fix_fit import Fix
from sherf.app.masks import painting, repainted
from sherf.app.session import Session
from sherf.app.texts import AS_FOUND, corrections
from sherf.avatar.reconstruct import FIT
from sherf.body.files import load_body_model
from sherf.errors import BadInput

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"


def test_the_fit_goes_where_its_landmarks_are_moved() -> None:
    from sherf.app.callbacks import place

    own = Session()
    before = own.read(PHOTO)
    wrist, marks = own.fit["landmarks"]["left_wrist"]["pixel"], {mark["name"]: mark for mark in own.fix.marks(own.fit)}
    assert marks["left_wrist"] == {"name": "left_wrist", "found": wrist, "seen": True}
    wanted = [wrist[0] + 12, wrist[1] - 30]
    place(own, gr.EventData(None, {"name": "left_wrist", "place": wanted}))
    assert "right knee" in place(own, gr.EventData(None, {"name": "right_knee", "place": None}))
    with pytest.raises(gr.Error, match="out of the photo"):
        place(own, gr.EventData(None, {"name": "right_knee", "place": [-5, 0]}))
    marks = {mark["name"]: mark for mark in own.fix.marks(own.fit)}
    assert marks["left_wrist"]["place"] == wanted and marks["right_knee"]["place"] is None
    assert "place" not in marks["nose"]
    painted = own.mask_to_paint()
    layer = painted["layers"][0]
    rows = np.nonzero(layer[..., 3])[0]
    layer[rows.max() - 20 :, :, 3] = 0
    own.fix.height = taller = own.height + 0.15
    found = fitted(own.out / FIT, "left_wrist")
    after = own.refit(None, painted)
    assert after["photo_sha256"] == before["photo_sha256"] and own.fit["edits"]["landmarks"]["right_knee"] is None
    assert math.dist(fitted(own.out / FIT, "left_wrist"), wanted) < 0.3 * math.dist(found, wanted)
    assert own.fit["edits"]["mask"] is not None and own.corrected
    erased = own.mask_to_paint()["layers"][0]
    assert np.nonzero(erased[..., 3])[0].max() < rows.max() - 17, "what was erased is no part of the mask any more"
    assert own.height == pytest.approx(taller, abs=0.06), "the fit keeps most of the height"
    assert own.fit["landmarks"]["left_wrist"]["pixel"] == pytest.approx(wanted, abs=0.01)
    assert own.fix.landmarks == {} and own.mesh is None
    own.close()


def test_a_landmark_is_moved_hidden_and_put_back() -> None:
    fix = Fix()
    assert corrections(fix.landmarks) == AS_FOUND
    for message in ({"name": "nose", "place": [0, 300]}, {"name": "left_toe", "place": None}):
        fix.say(message, {"size": [200, 300]})
    assert fix.landmarks == {"nose": [0, 300], "left_toe": None}
    assert corrections(fix.landmarks) == "**Placed:** nose. **Cannot be seen:** left toe."
    for name in ("nose", "left_toe", "left_hip"):
        fix.say({"name": name}, {"size": [200, 300]})
    assert fix.landmarks == {}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (None, "no body has"),
        ("nose", "no body has"),
        ([], "no body has"),
        ({"place": [1, 2]}, "no body has"),
        ({"name": "tail", "place": [1, 2]}, "no body has"),
        ({"name": ["nose"], "place": [1, 2]}, "no body has"),
        ({"name": "../nose", "place": None}, "no body has"),
        *(
            ({"name": "left_wrist", "place": place}, "the left wrist was moved out of the photo")
            for place in (
                [1], [1, 2, 3], ["1", 2], [True, 2], {"x": 1, "y": 2}, 5, "12", [math.nan, 2], [1, math.inf],
                [-1, 2], [1, 301], [10**400, 2], [[1], 2], False,
            )
        ),
    ],
)  # fmt: skip
def test_what_no_visitor_can_have_done_is_a_sentence_and_changes_nothing(message: Any, says: str) -> None:
    fix = Fix(landmarks={"nose": [1.0, 2.0]})
    with pytest.raises(BadInput, match=says):
        fix.say(message, {"size": [200, 300]})
    assert fix.landmarks == {"nose": [1.0, 2.0]}


def test_swapped_sides_and_another_lens_are_written_for_the_fit(tmp_path: Path) -> None:
    found = {
        "nose": {"pixel": [50.0, 10.0], "visibility": 0.9},
        "left_hip": {"pixel": [60.0, 50.0], "visibility": 0.9},
        "right_hip": {"pixel": [40.0, 50.0], "visibility": 0.1},
    }
    camera = {"focal_px": 400.0, "pitch": 0.1, "translation": [0.1, 0.2, 3.0]}
    begun = {"camera": camera, "betas": [0.0] * 10}
    fit = {"fit": begun, "landmarks": found, "edits": {"landmarks": {}, "joints": {}, "mask": None}}
    body = load_body_model("openbody")
    swapped = json.loads(Fix(swapped=True).write(fit, body, None, tmp_path / "a.json").read_text())
    assert swapped["fit"] is None and swapped["edits"]["landmarks"] == {"left_hip": None, "right_hip": [60, 50]}
    longer = json.loads(Fix(focal=1.5).write(fit, body, None, tmp_path / "b.json").read_text())
    assert longer["fit"]["camera"] == {"focal_px": 600.0, "pitch": 0.1, "translation": [0.1, 0.2, 4.5]}
    assert longer["edits"]["landmarks"] == {}
    before = body.height(torch.zeros(10))
    taller = json.loads(Fix(height=1.1 * before).write(fit, body, None, tmp_path / "c.json").read_text())["fit"]
    assert body.height(torch.tensor(taller["betas"])) == pytest.approx(1.1 * before, abs=0.005)
    assert taller["camera"]["translation"] == pytest.approx([0.11, 0.22, 3.3], rel=1e-4), "as large in the picture"


def test_painting_adds_erasing_removes_and_nothing_is_nothing() -> None:
    mask = np.zeros((1000, 800), dtype=bool)
    mask[301:700, 203:600] = True
    shown = painting(np.zeros((1000, 800, 3), np.uint8), mask)
    layer = shown["layers"][0]
    assert layer.shape == (640, 640, 4) and repainted(mask, shown) is None and repainted(mask, None) is None
    layer[:100, :, 3] = 255  # beside the photo as well
    layer[300:, :, 3] = 0
    other = repainted(mask, shown)
    assert other[:155].all() and not other[475:].any() and not other[160:300].any()
    assert ((other[165:460] > 0) == mask[165:460]).all(), "at the photo's own resolution"
