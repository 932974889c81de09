"""Annotation files of any origin are read, and nothing in them is executed."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sherf.datasets.annotation_values import check_numbers
from sherf.datasets.annotations import read_cached, read_image, read_json, read_mask, read_npy, read_npz
from sherf.datasets.published_layouts import undistort
from sherf.errors import BadInput


class Calls:
    """Pickles to a call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def _object_npy(path: Path, value: object, protocol: int = 4) -> Path:
    """Write an .npy that holds one pickled object, byte by byte as NumPy writes it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    holder = np.empty((), object)
    holder[()] = value
    path.write_bytes(header.getvalue() + pickle.dumps(holder, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_dicts_of_arrays_round_trip(tmp_path: Path, protocol: int) -> None:
    content = {
        "cams": {"K": [np.eye(3), 2 * np.eye(3)], "D": [np.zeros((5, 1))]},
        "ims": [{"ims": ["a/0.jpg", "b/0.jpg"]}], "number": np.float32(0.5), "flag": True,
    }  # fmt: skip
    read = read_npy(_object_npy(tmp_path / "a.npy", content, protocol))
    np.testing.assert_array_equal(read["cams"]["K"][1], 2 * np.eye(3))
    assert read["ims"] == content["ims"] and float(read["number"]) == 0.5 and read["flag"] is True


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0).reshape(3, 4), np.asfortranarray(np.arange(12).reshape(3, 4)), np.zeros((0, 3)), np.array(7)],
)
def test_plain_arrays_round_trip(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy"), array)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda mark: Calls(os.system, f"touch {mark}"),
        lambda mark: {"cams": [Calls(os.mkdir, str(mark))]},
        lambda mark: Calls(eval, f"open({str(mark)!r}, 'w')"),
        lambda mark: Calls(getattr, Path(mark), "touch"),
        lambda mark: Calls(np.load, str(mark)),
        lambda mark: Path(mark),
    ],
)
def test_pickled_code_is_refused_and_not_run(tmp_path: Path, hostile: object) -> None:
    mark = tmp_path / "mark"
    path = _object_npy(tmp_path / "annots.npy", hostile(mark))  # type: ignore[operator]
    with pytest.raises(BadInput, match=r"annots\.npy"):
        read_npy(path)
    assert not mark.exists()


def test_an_array_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)})
    (tmp_path / "huge.npy").write_bytes(header.getvalue() + b"\0" * 80)
    with pytest.raises(BadInput, match=r"huge\.npy"):
        read_npy(tmp_path / "huge.npy")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    bomb = zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with bomb as archive, archive.open("a.npy", "w", force_zip64=True) as member:
        for _ in range(130):
            member.write(b"\0" * 2**22)
    with pytest.raises(BadInput, match=r"bomb\.npz"):
        read_npz(tmp_path / "bomb.npz")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not numpy at all", b"\x93NUMPY\x09\x00abc"])
def test_other_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    for name, read in (("a.npy", read_npy), ("a.npz", read_npz), ("a.json", read_json), ("a.png", read_image)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=name):
            read(tmp_path / name)


def test_deep_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(BadInput, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere"):
        read_npy(tmp_path / "nowhere.npy")


def test_a_mask_is_its_first_channel(tmp_path: Path) -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[1, 2, 0], pixels[3, 3, 1] = 1, 200
    Image.fromarray(pixels).save(tmp_path / "m.png")
    mask = read_mask(tmp_path / "m.png")
    assert mask[1, 2] == 255 and mask.sum() == 255


def test_undistorting_removes_a_known_distortion() -> None:
    """A dot drawn where radial distortion puts it returns to where a pinhole camera sees it."""
    K, k1 = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]), 0.1
    ideal = np.array([0.3, 0.2])
    seen = ideal * (1 + k1 * (ideal @ ideal)) * 100 + 50
    y, x = np.mgrid[:100, :100]
    image = (255 * np.exp(-((x - seen[0]) ** 2 + (y - seen[1]) ** 2) / 8)).astype(np.uint8)
    corrected = undistort(image, K, np.array([k1, 0, 0, 0, 0])).astype(float)
    centre = [(axis * corrected).sum() / corrected.sum() for axis in (x, y)]
    np.testing.assert_allclose(centre, ideal * 100 + 50, atol=0.15)


@pytest.mark.parametrize("value", [np.array(["a", "b", "c"]), [1.0, np.nan, 2.0], [1.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_numbers_must_be_numbers_of_the_shape(value: object) -> None:
    with pytest.raises(BadInput, match="here"):
        check_numbers(Path("here"), "x", value, (3,))


def test_a_cached_file_is_read_once_and_a_failure_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(BadInput, match=r"a\.json"):
        read_cached(read_json, path)
    path.write_text("[1, 2]")
    assert read_cached(read_json, path) == [1, 2]
    path.write_text("[3]")
    assert read_cached(read_json, path) == [1, 2]
