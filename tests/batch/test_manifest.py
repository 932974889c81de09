"""Manifests: the same rows in three formats, errors with their lines, and what items depend on."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sherf.batch.fingerprint import fingerprint_motion
from sherf.batch.job import Duplicate, JobRequest, Settings
from sherf.batch.manifest import read_requests
from sherf.batch.plan import plan, with_motion_files
from sherf.errors import BadInput, NoPerson

COMMON = JobRequest(Path(), "", "", (), (), ("video",), None, False, Settings())

LAUGHS = "defaults: &a0 {name: ha}\nphotos:\n" + "".join(
    f"- &a{i} {{photo: a.jpg, motions: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9)
)
"""Nested aliases that expand to a billion items (a "billion laughs" attack)."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.jpg", "b.png", "sub/a.JPG", "sub/.hidden/c.jpg")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 30), (10 * number, 0, 0)).save(path, "PNG")
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    return tmp_path / "photos"


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_folder_gives_its_photos_with_unique_names(folder: Path) -> None:
    jobs = plan(read_requests(folder, COMMON), folder / "out")
    assert [job.name for job in jobs] == ["a", "b", "sub-a"]
    assert all([item.label for item in job.items] == ["avatar", "turntable"] for job in jobs)


def test_the_three_formats_are_equivalent(folder: Path) -> None:
    rows = [
        {"photo": "a.jpg", "motions": ["walk", "none"], "cameras": ["orbit"], "size": 128, "in_place": True},
        {"photo": "b.png", "name": "bea", "outputs": ["glb", "video"], "person": 2, "background": "transparent"},
    ]
    jsonl = written(folder, "m.jsonl", "\n\n".join(json.dumps(row) for row in rows))
    table = "photo,name,motions,cameras,outputs,size,in-place,person,background\n"
    table += "a.jpg,,walk none,orbit,,128,true,,\nb.png,bea,,,glb;video,,,2,transparent\n"
    csv = written(folder, "m.csv", table)
    yaml = written(
        folder,
        "m.yaml",
        "- photo: a.jpg\n  motions: [walk, none]\n  cameras: orbit\n  size: 128\n  in-place: yes\n"
        "- {photo: b.png, name: bea, outputs: [glb, video], person: 2, background: transparent}\n",
    )
    first, second, third = (
        [replace(request, location="") for request in read_requests(path, COMMON)] for path in (jsonl, csv, yaml)
    )
    assert first == second == third
    assert first[0].settings.render.size == 128 and first[0].settings.motion.in_place
    assert first[1].settings.photo.person == 2


def test_defaults_of_a_yaml_apply_where_a_row_says_nothing(folder: Path) -> None:
    path = written(
        folder, "m.yaml", "defaults: {size: 64, motions: walk}\nphotos:\n- a.jpg\n- {photo: b.png, size: 96}"
    )
    requests = read_requests(path, COMMON)
    assert [request.settings.render.size for request in requests] == [64, 96]
    assert [request.motions for request in requests] == [("walk",), ("walk",)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.csv", "photo,size\na.jpg,64\nb.png,big\n", "line 3: size: input should be a valid integer"),
        ("m.csv", "photo,sizzle\na.jpg,64\n", "line 2: unknown column 'sizzle'"),
        ("m.csv", "photo,size\na.jpg\n", "line 2: the header has 2 columns"),
        ("m.csv", "photo\n", "has no rows"),
        ("m.jsonl", '{"photo": "a.jpg"}\n{"photo": "none.jpg"}\n{"size": 3}', "line 2: there is no file"),
        ("m.jsonl", '{"photo": "a.jpg"}\n{"photo": "none.jpg"}\n{"size": 3}', "line 3: photo is missing"),
        ("m.jsonl", "{", "line 1: invalid JSON"),
        ("m.jsonl", "[1, 2]", "line 1: a row must map names to values"),
        ("m.jsonl", "[" * 100_000, "line 1: invalid JSON"),
        ("m.yaml", "- photo: a.jpg\n- photo: b.png\n  outputs: [film]\n", "line 2: outputs.0: input should be"),
        ("m.yaml", "photos: {a: b}", "the photos must be a list"),
        ("m.csv", "photo,name\na.jpg,a\na.jpg,../../a\n", r"line 3: name: '../../a' is not a valid name"),
        ("m.jsonl", '{"photo": "a.jpg", "name": ""}', "line 1: name: '' is not a valid name"),
        ("m.yaml", "- {photo: a.jpg, name: /etc/a}", "line 1: name: '/etc/a' is not a valid name"),
        ("m.yaml", "pictures:\n- a.jpg", "give a list of rows, or `defaults:` and `photos:`"),
        ("m.yaml", "- !!python/object/apply:os.system ['true']", "invalid YAML"),
        ("m.yaml", "- 3", "line 1: a row must map names to values"),
        ("m.yaml", "[" * 100_000, "line 1: nested too deeply"),
        ("m.yaml", LAUGHS, "line 3: motions.0: input should be a valid string"),
        ("m.txt", "a.jpg", "is not a manifest"),
    ],
)
def test_errors_are_reported_with_their_lines(folder: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message.replace("[", r"\[")):
        read_requests(written(folder, name, text), COMMON)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"motions": ["moonwalk"]}, "line 1: .*moonwalk"),
        ({"cameras": ["drone"]}, "line 1: there is no camera drone"),
        ({"size": 5}, "line 1: --size 5 is not possible"),
        ({"frames": 0}, "line 1: 0 frames are not possible"),
        ({"outputs": ["bvh"]}, "line 1: bvh exports a motion"),
        ({"mask": "none.png"}, "line 1: there is no file"),
    ],
)
def test_what_does_not_exist_is_refused_before_any_work(folder: Path, row: dict, message: str) -> None:
    path = written(folder, "m.jsonl", json.dumps({"photo": "a.jpg", **row}))
    with pytest.raises(BadInput, match=message):
        plan(read_requests(path, COMMON), folder / "out")


def faults(folder: Path, **row: object) -> dict[str, str]:
    path = written(folder, "m.jsonl", json.dumps({"photo": "a.jpg", **row}))
    requests, known = with_motion_files(read_requests(path, COMMON), folder / "out")
    (job,) = plan(requests, folder / "out", faults=known)
    return {item.label: item.fault for item in job.items}


def test_a_motion_file_that_cannot_be_read_fails_its_own_items_only(folder: Path) -> None:
    """Read while planning only where its length is asked for; else the job finds the fault."""
    (folder / "damaged.bvh").write_text("HIERARCHY\nROOT")
    found = faults(folder, motions=["damaged.bvh", "walk"], outputs=["video", "npz"])
    assert "damaged.bvh" in found.pop("damaged-still")
    assert set(found.values()) == {""} and set(found) == {"avatar", "walk-still", "damaged.npz", "walk.npz"}
    assert not any(faults(folder, motions=["damaged.bvh"], frames=3).values())


def test_a_video_without_a_person_fails_its_own_items_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nobody(path: Path, *_: object) -> None:
        raise NoPerson(f"{path} shows no person.")

    (folder / "sea.mp4").write_bytes(b"a video")
    monkeypatch.setattr("sherf.batch.plan.obtain_motion_from_video", find_nobody)
    monkeypatch.setattr("sherf.batch.plan.is_video_motion", lambda motion: motion.endswith(".mp4"))
    found = faults(folder, motions=["sea.mp4", "walk"], outputs=["video", "bvh", "glb", "ply"], frames=3)
    failed = {label for label, fault in found.items() if fault == f"{folder / 'sea.mp4'} shows no person."}
    assert failed == {"sea-still", "sea.bvh", "glb"}
    assert all(not found[label] for label in {"avatar", "walk-still", "walk.bvh", "ply"})


def test_a_built_in_motion_takes_precedence_over_a_folder_of_that_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "walk").mkdir()
    monkeypatch.chdir(tmp_path)
    common = replace(COMMON, motions=("walk",))
    before = [job.items for job in plan(read_requests(folder, common), folder / "out")]
    (tmp_path / "walk" / "more").touch()
    fingerprint_motion.cache_clear()
    assert [job.items for job in plan(read_requests(folder, common), folder / "out")] == before
    (tmp_path / "other").mkdir()
    with pytest.raises(BadInput, match="other is a folder, but not a subject of a data set"):
        plan(read_requests(folder, replace(common, motions=("other",), frames=3)), folder / "out")


def keys(folder: Path, **row: object) -> dict[str, str]:
    path = written(folder, "m.jsonl", json.dumps({"photo": "a.jpg", "outputs": ["video", "glb"], **row}))
    (job,) = plan(read_requests(path, COMMON), folder / "out")
    return {item.label: item.key for item in job.items}


def test_an_items_key_changes_exactly_when_a_dependency_does(folder: Path) -> None:
    before = keys(folder)
    assert keys(folder) == before
    assert not set(keys(folder, name="other").values()) & set(before.values())  # another folder, other items

    def changed(**row: object) -> set[str]:
        after = keys(folder, **row)
        return {label for label in after if after[label] != before.get(label)}

    assert changed(size=64) == {"turntable"}
    assert changed(texture=512) == {"glb"}
    assert changed(person=2) == changed(model="template") == {"avatar", "turntable", "glb"}
    assert changed(motions=["walk"]) == {"walk-still", "glb"}
    Image.new("RGB", (20, 30), "white").save(folder / "a.jpg", "PNG")
    assert changed() == {"avatar", "turntable", "glb"}


def test_the_same_photo_twice_is_one_job_and_names_do_not_collide(folder: Path) -> None:
    rows = [{"photo": "a.jpg"}, {"photo": "a.jpg", "name": "again"}, {"photo": "b.png", "name": "A"}]
    rows += [{"photo": "sub/a.JPG", "name": "etc: a"}]
    path = written(folder, "m.jsonl", "\n".join(map(json.dumps, rows)))
    jobs = plan(read_requests(path, COMMON), folder / "out")
    assert [job.name for job in jobs] == ["a", "A-2", "etc_a"]
    assert [job.duplicates for job in jobs] == [(Duplicate("again", folder / "a.jpg"),), (), ()]
    assert all(job.folder.parent == folder / "out" for job in jobs)


def test_rows_with_different_outputs_of_one_photo_share_its_avatar(folder: Path) -> None:
    """No two jobs share an item; different items of one name stay in separate jobs."""
    rows = [{"photo": "a.jpg", "outputs": ["npz"], "motions": [motion]} for motion in ("walk", "wave", "walk")]
    rows += [{"photo": "a.jpg", "outputs": ["glb"], "motions": [motion]} for motion in ("walk", "wave")]
    rows += [{"photo": "a.jpg", "name": "other", "outputs": ["npz"], "motions": ["bow"]}]
    path = written(folder, "m.jsonl", "\n".join(map(json.dumps, rows)))
    jobs = plan(read_requests(path, COMMON), folder / "out")
    assert not any(job.duplicates for job in jobs), "a row that repeats an earlier one has no other name"
    labels = [[item.label for item in job.items] for job in jobs]
    assert labels == [["avatar", "walk.npz", "wave.npz", "glb"], ["avatar", "glb"], ["avatar", "bow.npz"]]
    keys = [item.key for job in jobs for item in job.items]
    assert len(set(keys)) == len(keys)


def test_a_batch_does_not_take_its_own_frames_for_photos(folder: Path) -> None:
    before = read_requests(folder, COMMON, folder / "all")
    made = folder / "all" / "a" / "frames"
    made.mkdir(parents=True)
    Image.new("RGB", (20, 30)).save(made / "0000.png")
    assert read_requests(folder, COMMON, folder / "all") == before
    assert len(read_requests(folder, COMMON)) == len(before) + 1


def test_unreadable_photos_are_planned_and_fail_alone(folder: Path) -> None:
    """A dangling link and a pipe are planned like photos: they fail when their job runs."""
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    jobs = plan(read_requests(folder, COMMON), folder / "out")
    assert [job.name for job in jobs] == ["a", "b", "gone", "pipe", "sub-a"]


@pytest.mark.parametrize(("option", "value"), [("texture", 100_000), ("texture", -1), ("triangles", 1)])
def test_meshes_of_impossible_sizes_are_refused_with_their_line(folder: Path, option: str, value: int) -> None:
    path = written(folder, "m.jsonl", json.dumps({"photo": "a.jpg", "outputs": ["glb"], option: value}))
    with pytest.raises(BadInput, match=f"line 1: --{option} {value}"):
        plan(read_requests(path, COMMON), folder / "out")


def test_shards_divide_the_photos_and_read_only_their_part(folder: Path) -> None:
    requests = read_requests(folder, COMMON)
    parts = [plan(requests, folder / "out", f"{i}/3") for i in (1, 2, 3)]
    assert sorted(job.name for part in parts for job in part) == ["a", "b", "sub-a"]
    others = [request for request in requests if request.name not in {job.name for job in parts[1]}]
    for request in others:
        request.source.unlink()
    assert plan(requests, folder / "out", "2/3") == parts[1]
    for shard in ("0/3", "4/3", "1", "a/b", "1/0"):
        with pytest.raises(BadInput, match="--shard"):
            plan(requests, folder / "out", shard)
