"""Body model files: what is read, what is refused, and that nothing is ever executed."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from smpl_files import chumpy_pickle, smpl_arrays, write_npz

from sherf.body.body_model import BodyModel
from sherf.body.files import REQUIRED_KEYS, SMPL_FILES, SMPL_FOLDER_VARIABLE, load_body_model
from sherf.errors import BadInput, MissingAsset

FIELDS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "faces")


def assert_same(read: BodyModel, wanted: BodyModel) -> None:
    for field in FIELDS:
        torch.testing.assert_close(getattr(read, field), getattr(wanted, field), rtol=0, atol=0)
    assert read.parents == wanted.parents


def test_an_npz_file_restores_the_model(toy_body: BodyModel, tmp_path: Path) -> None:
    read = load_body_model(write_npz(tmp_path / "Toy.npz", smpl_arrays(toy_body)))
    assert_same(read, toy_body)
    assert read.name == "toy" and read.faces.dtype == torch.int64 and read.v_template.dtype == torch.float32


@pytest.mark.parametrize("protocol", range(6))
def test_chumpy_pickles_of_every_protocol_restore_the_model(toy_body: BodyModel, tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "toy.pkl"
    path.write_bytes(chumpy_pickle(smpl_arrays(toy_body), protocol))
    assert_same(load_body_model(path), toy_body)


def test_python_2_pickles_hold_bytes_as_text(toy_body: BodyModel, tmp_path: Path) -> None:
    """Python 2 wrote array contents with the opcodes of its own strings, and modules under their old names."""
    content = pickle.dumps({"weights": toy_body.weights.double().numpy()}, protocol=4)
    raw = toy_body.weights.double().numpy().tobytes()
    as_bytes = b"B" + struct.pack("<i", len(raw)) + raw
    assert as_bytes in content
    path = tmp_path / "toy.pkl"
    old = pickle.dumps(smpl_arrays(toy_body), protocol=3)
    assert old.count(as_bytes) == 1
    old = old.replace(as_bytes, b"T" + as_bytes[1:]).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    path.write_bytes(old)
    assert_same(load_body_model(path), toy_body)


def test_surplus_betas_are_dropped_and_missing_pose_blend_shapes_are_none(toy_body: BodyModel, tmp_path: Path) -> None:
    arrays = smpl_arrays(toy_body)
    arrays["shapedirs"] = np.concatenate([arrays["shapedirs"], np.ones_like(arrays["shapedirs"])], axis=2)
    del arrays["posedirs"]
    read = load_body_model(write_npz(tmp_path / "toy.npz", arrays))
    torch.testing.assert_close(read.shapedirs, toy_body.shapedirs, rtol=0, atol=0)
    assert read.posedirs is None


def changed(key: str, change: Callable[[np.ndarray], Any]) -> Callable[[dict], dict]:
    return lambda arrays: {**arrays, key: change(arrays[key])}


def with_value(value: float, *at: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[at] = value
        return array

    return change


BAD_ARRAYS = {
    "a key is missing": (lambda arrays: {k: x for k, x in arrays.items() if k != "weights"}, "weights missing"),
    "two dimensions": (changed("v_template", lambda x: x[:, :2]), "v_template has shape"),
    "no vertices": (changed("v_template", lambda x: x[:0]), "0 vertices"),
    "a number for an array": (changed("v_template", lambda x: x[0, 0]), "0 vertices"),
    "not a number": (changed("v_template", with_value(np.nan, 5, 1)), "v_template holds numbers that are not finite"),
    "infinite": (changed("posedirs", with_value(np.inf, 5, 1, 3)), "posedirs holds numbers that are not finite"),
    "beyond single precision": (changed("shapedirs", with_value(1e300, 0, 0, 0)), "shapedirs holds numbers"),
    "nine betas": (changed("shapedirs", lambda x: x[..., :9]), "10 or more"),
    "weights sum to two": (changed("weights", lambda x: 2 * x), "sum to 1"),
    "negative weights": (changed("weights", lambda x: x + np.eye(24)[0] - np.eye(24)[1]), "weights must be"),
    "other joints": (changed("weights", lambda x: x[:, :23]), "weights has shape"),
    "another regressor": (changed("J_regressor", lambda x: x[:, :-1]), "J_regressor has shape"),
    "face out of range": (changed("f", with_value(10**6, 3, 1)), "f refers to vertices"),
    "half a face": (changed("f", lambda x: x + 0.5), "not whole"),
    "quads": (changed("f", lambda x: np.concatenate([x, x[:, :1]], axis=1)), "f has shape"),
    "another tree": (changed("kintree_table", with_value(3, 0, 23)), "not SMPL's tree"),
    "fewer joints in the tree": (changed("kintree_table", lambda x: x[:, :22]), "kintree_table has shape"),
    "text for numbers": (changed("weights", lambda x: x.astype(str)), "weights"),
    "objects for numbers": (changed("weights", lambda x: x.astype(object)), "weights"),
}


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_are_refused_by_name(toy_body: BodyModel, tmp_path: Path, case: str, suffix: str) -> None:
    spoil, message = BAD_ARRAYS[case]
    arrays = spoil(smpl_arrays(toy_body))
    path = tmp_path / f"toy{suffix}"
    path.write_bytes(pickle.dumps(arrays)) if suffix == ".pkl" else np.savez(path, **arrays)
    with pytest.raises(BadInput, match=message) as caught:
        load_body_model(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_files_of_other_kinds_are_refused(toy_body: BodyModel, tmp_path: Path, suffix: str) -> None:
    whole = io.BytesIO()
    np.savez(whole, **smpl_arrays(toy_body))
    whole = whole.getvalue() if suffix == ".npz" else pickle.dumps(smpl_arrays(toy_body))
    path = tmp_path / f"toy{suffix}"
    cuts = [whole[:n] for n in (0, 1, 10, 1000, len(whole) // 2, len(whole) - 1)]
    flipped = bytearray(whole)
    flipped[len(whole) // 2 : len(whole) // 2 + 200] = b"\xff" * 200
    noise = np.random.default_rng(0).bytes(5000)
    empty_archive = b"PK\x05\x06" + 18 * b"\0"
    other = [b"\x89PNG\r\n\x1a\n", b"not a model", noise, pickle.dumps([1, 2]), pickle.dumps({}), empty_archive]
    for content in cuts + other:
        path.write_bytes(content)
        with pytest.raises(BadInput):
            load_body_model(path)
    path.write_bytes(bytes(flipped))
    if suffix == ".npz":  # a zip archive has checksums; in a pickle, changed numbers are just other numbers
        with pytest.raises(BadInput):
            load_body_model(path)


def test_missing_files_and_unknown_names_are_refused(tmp_path: Path) -> None:
    for name in (tmp_path / "none.npz", tmp_path / "none.pkl", tmp_path, "unknown", "body.obj", ""):
        with pytest.raises(BadInput):
            load_body_model(name)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(BadInput):
        load_body_model(tmp_path / "folder.npz")


class Calls:
    """Pickles as a call of `function`, which an unsafe reader executes."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def hostile_pickles(canary: Path) -> dict[str, bytes]:
    """Return pickles that would create the file `canary` in pickle.load, directly or through allowed names."""
    make = f"open({str(canary)!r}, 'w').close()"
    shell = f"touch {canary}"
    numpy_dtype = np.dtype("f8")
    inside = Calls(os.system, shell)
    reconstruct = np.zeros(1).__reduce__()[0]
    return {
        "os.system": pickle.dumps(inside),
        "eval": pickle.dumps(Calls(eval, make)),
        "exec": pickle.dumps(Calls(exec, make)),
        "as a value": pickle.dumps({"v_template": Calls(exec, make)}),
        "as a key": pickle.dumps({Calls(exec, make): 1}),
        "inside an array's call": pickle.dumps({"v_template": Calls(reconstruct, np.ndarray, inside, b"b")}),
        "inside a dtype": pickle.dumps(Calls(np.dtype, Calls(os.system, shell))),
        "getattr": pickle.dumps(Calls(getattr, Calls(exec, make), "x")),
        "protocol 0": pickle.dumps(inside, protocol=0),
        "os.system by its old name": f"cposix\nsystem\n(S'{shell}'\ntR.".encode(),
        "old style instance": f"(S'{shell}'\niposix\nsystem\n.".encode(),
        "old style object": f"(cposix\nsystem\nS'{shell}'\no.".encode(),
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x11dtype.__class__.x\x93.",
        "numpy's own loader": pickle.dumps(Calls(np.load, str(canary))),
        "setting an attribute": b"\x80\x04cnumpy\ndtype\n}X\x0c\x00\x00\x00__setstate__cposix\nsystem\nsb.",
        "object array": pickle.dumps({"v_template": np.array([inside, numpy_dtype], dtype=object)}),
    }


def test_hostile_pickles_are_refused_and_nothing_runs(tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "toy.pkl"
    for case, content in hostile_pickles(canary).items():
        path.write_bytes(content)
        with pytest.raises(BadInput):
            load_body_model(path)
        assert not canary.exists(), case


def test_the_hostile_pickles_do_run_in_an_unsafe_reader(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    canary = tmp_path / "canary"
    for case in ("os.system", "exec", "inside an array's call", "old style instance"):
        try:
            pickle.loads(hostile_pickles(canary)[case])
        except Exception as error:
            assert canary.exists(), (case, error)
        assert canary.exists(), case
        canary.unlink()


@pytest.mark.parametrize("name", ["posix.system", "builtins.eval", "numpy.load", "numpy.core.multiarray.fromfile"])
def test_the_message_names_what_was_refused(tmp_path: Path, name: str) -> None:
    module, _, function = name.rpartition(".")
    path = tmp_path / "toy.pkl"
    path.write_bytes(f"c{module}\n{function}\n.".encode())
    with pytest.raises(BadInput, match=f"refers to {name}"):
        load_body_model(path)


def test_pickled_objects_inside_an_npz_are_not_loaded(toy_body: BodyModel, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "toy.npz"
    hostile = np.array([Calls(os.system, f"touch {canary}")], dtype=object)
    np.savez(path, **{**smpl_arrays(toy_body), "v_template": hostile})
    with pytest.raises(BadInput, match="v_template"):
        load_body_model(path)
    assert not canary.exists()


def array_pickle(shape: tuple, content: bytes, code: str = "f8") -> bytes:
    """Return a pickled array that declares `shape`, whatever its content."""
    reconstruct, arguments, state = np.zeros(1).__reduce__()
    declared = (state[0], shape, np.dtype(code), False, content)

    class WrongSize:
        def __reduce__(self) -> tuple:
            return reconstruct, arguments, declared

    return pickle.dumps(dict.fromkeys(REQUIRED_KEYS, WrongSize()))


@pytest.mark.parametrize("shape", [(2**40, 3), (2**62, 2**62), (-1, 3), (5, 3), ("a",), (2.0, 3)])
def test_arrays_with_a_wrong_size_allocate_nothing(tmp_path: Path, shape: tuple) -> None:
    path = tmp_path / "toy.pkl"
    path.write_bytes(array_pickle(shape, 24 * b"\0"))
    with pytest.raises(BadInput, match="v_template is an array of shape"):
        load_body_model(path)


def test_a_memo_number_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.pkl"
    path.write_bytes(b"\x80\x02}r" + struct.pack("<I", 2**31) + b".")
    with pytest.raises(BadInput, match="fills the memory"):
        load_body_model(path)


def test_a_string_longer_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.pkl"
    path.write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.")
    with pytest.raises(BadInput, match="damaged"):
        load_body_model(path)


def test_an_inconsistent_sparse_matrix_is_refused(toy_body: BodyModel, tmp_path: Path) -> None:
    for field, value in {
        "_shape": (2**20, 2**20),
        "indices": np.array([10**6], np.int32),
        "indptr": np.array([0, 5, 2]),
        "data": np.zeros(3),
    }.items():
        matrix = scipy.sparse.csc_matrix(smpl_arrays(toy_body)["J_regressor"])
        matrix.__dict__[field] = value
        path = tmp_path / "toy.pkl"
        path.write_bytes(pickle.dumps({**smpl_arrays(toy_body), "J_regressor": matrix}))
        with pytest.raises(BadInput, match="J_regressor is a sparse matrix"):
            load_body_model(path)


def test_an_npz_header_with_a_wrong_shape_is_refused(toy_body: BodyModel, tmp_path: Path) -> None:
    path = write_npz(tmp_path / "toy.npz", {**smpl_arrays(toy_body)})
    wrong = tmp_path / "wrong.npz"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(wrong, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "v_template.npy":
                content = content.replace(b"(1008, 3)", b"(9**9, 3)").replace(b"9**9", b"9999")
            target.writestr(name, content)
    with pytest.raises(BadInput, match="v_template"):
        load_body_model(wrong)


def test_smpl_is_found_by_argument_and_by_environment(
    toy_body: BodyModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "smpl"
    folder.mkdir()
    (folder / SMPL_FILES[2]).write_bytes(chumpy_pickle(smpl_arrays(toy_body), 2))
    monkeypatch.delenv(SMPL_FOLDER_VARIABLE, raising=False)
    assert_same(load_body_model("smpl", smpl_folder=folder), toy_body)
    monkeypatch.setenv(SMPL_FOLDER_VARIABLE, str(folder))
    assert load_body_model("smpl").name == "smpl"
    assert load_body_model(folder / SMPL_FILES[2]).name == "smpl"


def test_missing_smpl_says_where_to_get_it_and_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SMPL_FOLDER_VARIABLE, raising=False)
    (tmp_path / "SMPL_MALE.pkl").touch()
    for folder, found in ((None, "is not set"), (tmp_path, "SMPL_MALE.pkl"), (tmp_path / "none", "nothing")):
        with pytest.raises(MissingAsset, match=found) as caught:
            load_body_model("smpl", smpl_folder=folder)
        message = str(caught.value)
        assert all(x in message for x in ("https://smpl.is.tue.mpg.de", SMPL_FILES[1], SMPL_FOLDER_VARIABLE))
