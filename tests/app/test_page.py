"""The web page: a visit from photo to files, mistakes in words, and a server that keeps to itself."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from PIL import Image
from serving import asked, served

from sherf.app.fixing import Fix, zoom_of
from sherf.app.serve import serve
from sherf.app.visit import Visit
from sherf.errors import BadInput, NoPerson
from sherf.export.rigged import rigged_mesh
from sherf.options import AppOptions, MotionOptions, RenderOptions

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")
PHOTO = Path(__file__).parents[2] / "examples" / "person_1.jpg"


@pytest.fixture(scope="module")
def visit() -> Visit:
    """A visit with the shipped example, its mesh a coarse one."""
    patch = pytest.MonkeyPatch()
    patch.setattr("sherf.app.visit.rigged_mesh", partial(rigged_mesh, triangles=3000, texture=128, spacing=0.012))
    visit = Visit()
    report = visit.read(PHOTO)
    assert report["verdict"] == "good"
    yield visit
    patch.undo()
    folder = visit.folder
    visit.close()
    assert not folder.exists()


def test_the_photo_is_encoded_once(visit: Visit) -> None:
    before = visit.avatar_file.stat().st_mtime_ns
    mesh = visit.build()
    visit.read(PHOTO)
    assert visit.avatar_file.stat().st_mtime_ns == before and visit.build() is mesh
    assert Image.open(visit.overlay).width > 500


def test_looking_around_shows_the_person_from_there(visit: Visit) -> None:
    front, back, above = visit.view(0.0, 0.0, 1.0), visit.view(180.0, 0.0, 1.0), visit.view(0.0, 50.0, 1.0)
    assert front.shape == (512, 512, 3) and front.dtype == np.uint8
    assert all((picture < 250).any() for picture in (front, back, above))
    assert np.abs(front.astype(float) - back).mean() > 1
    covered = [(picture < 250).any(axis=2).any(axis=1).sum() for picture in (front, above)]
    assert covered[1] < 0.9 * covered[0], "from above a standing person is shorter"
    near = visit.view(0.0, 0.0, 2.0)
    assert (near < 250).any(axis=2).sum() > 1.5 * (front < 250).any(axis=2).sum()


def test_seen_is_green_and_invented_orange(visit: Visit) -> None:
    front, back = (visit.view(azimuth, 0.0, 1.0, colours=False).astype(float) for azimuth in (0.0, 180.0))
    greener = [((picture[..., 1] - picture[..., 0]) * (picture.min(axis=2) < 240)).sum() for picture in (front, back)]
    assert greener[0] > 0 > greener[1]


def test_it_moves_and_becomes_files(visit: Visit) -> None:
    videos = visit.film("wave", MotionOptions(end=0.5), RenderOptions(size=64, gif=True), "turntable")
    assert [video.suffix for video in videos] == [".mp4", ".gif"] and all(video.stat().st_size > 0 for video in videos)
    assert json.loads((videos[0].parent / "provenance.json").read_text())["model"] == "sherf-small"
    model = pygltflib.GLTF2.load(str(visit.model("wave", MotionOptions())))
    assert [clip.name for clip in model.animations] == ["wave"]
    with pytest.raises(BadInput, match="plays"):
        visit.film("wave", MotionOptions(speed=0.05), RenderOptions(size=64), "still")


def test_the_fit_is_corrected_by_clicks(visit: Visit) -> None:
    own = Visit()
    before = own.read(PHOTO)
    wrist = own.fit["landmarks"]["left_wrist"]["pixel"]
    picture, zoom = own.points("left_wrist"), zoom_of(own.fit)
    x, y = (round(zoom * number) for number in wrist)
    assert tuple(picture[y, x]) == (70, 160, 255), "a blue point where it was found"
    own.fix.landmarks |= {"left_wrist": [wrist[0] + 12, wrist[1] - 30], "right_knee": None}
    placed = own.points("nose")[round(zoom * (wrist[1] - 30)), round(zoom * (wrist[0] + 12))]
    assert tuple(placed) == (40, 200, 90), "a green one where it was put"
    after = own.refit(None)
    assert after["photo_sha256"] == before["photo_sha256"] and own.fit["edits"]["landmarks"]["right_knee"] is None
    moved = own.fit["landmarks"]["left_wrist"]["pixel"]
    assert moved == pytest.approx([wrist[0] + 12, wrist[1] - 30], abs=0.01)
    assert own.fix.landmarks == {} and own.mesh is None
    own.close()


def test_swapped_sides_and_another_lens_are_written_for_the_fit(tmp_path: Path) -> None:
    found = {
        "nose": {"pixel": [50.0, 10.0], "visibility": 0.9},
        "left_hip": {"pixel": [60.0, 50.0], "visibility": 0.9},
        "right_hip": {"pixel": [40.0, 50.0], "visibility": 0.1},
    }
    camera = {"focal_px": 400.0, "pitch": 0.1, "translation": [0.1, 0.2, 3.0]}
    fit = {"fit": {"camera": camera}, "landmarks": found, "edits": {"landmarks": {}, "joints": {}, "mask": None}}
    swapped = json.loads(Fix(swapped=True).write(fit, None, tmp_path / "a.json").read_text())
    assert swapped["fit"] is None and swapped["edits"]["landmarks"] == {"left_hip": None, "right_hip": [60, 50]}
    longer = json.loads(Fix(focal=1.5).write(fit, None, tmp_path / "b.json").read_text())
    assert longer["fit"]["camera"] == {"focal_px": 600.0, "pitch": 0.1, "translation": [0.1, 0.2, 4.5]}
    assert longer["edits"]["landmarks"] == {}


def test_visits_do_not_mix(visit: Visit, tmp_path: Path) -> None:
    other = Visit()
    assert other.folder != visit.folder and other.avatar is None
    with pytest.raises(BadInput, match="no photo"):
        other.view(0.0, 0.0, 1.0)
    Image.new("RGB", (200, 300), "grey").save(tmp_path / "wall.png")
    with pytest.raises(NoPerson):
        other.read(tmp_path / "wall.png")
    other.close()


def test_mistakes_are_sentences_on_the_page() -> None:
    from sherf.app.page import look, page, reconstruct

    with pytest.raises(gr.Error, match="Drop a photo first"):
        reconstruct(None, 1.0, None)
    with pytest.raises(gr.Error, match="no person yet"):
        look(0.0, 0.0, 1.0, "colours", None)
    labels = {block.api_name for block in page().fns.values()}
    assert {"reconstruct", "build", "render", "animate", "export"} <= labels


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (AppOptions(host="0.0.0.0"), "--auth"),
        (AppOptions(host="0.0.0.0", auth="me"), "NAME:PASSWORD"),
        (AppOptions(port=0), "--port"),
    ],
)
def test_it_does_not_open_itself_to_others(options: AppOptions, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        serve(options)


def test_the_server_answers_and_stops(tmp_path: Path) -> None:
    with served(tmp_path) as address:
        assert json.loads(asked(f"{address}/health"))["status"] == "ok"
        assert "SHERF" in asked(f"{address}/")
        with pytest.raises(BadInput, match="cannot be served"):
            serve(AppOptions(port=int(address.rpartition(":")[2])))
