"""Read body models: the open body that ships, and SMPL's .npz and .pkl files. Nothing in a file is executed."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sherf.body.body_model import BodyModel
from sherf.body.pickles import read_pickle, resolve_array
from sherf.body.skeleton import NUM_BETAS, NUM_JOINTS, NUM_POSE_FEATURES, PARENTS
from sherf.errors import BadInput, MissingAsset, SherfError
from sherf.files.plain_arrays import parse_npy, unpack_npz

OPEN_BODY = Path(__file__).with_name("openbody.npz")
SMPL_FILES = ("SMPL_NEUTRAL.npz", "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", "SMPL_NEUTRAL.pkl")
"""File names of SMPL's neutral body, as published, in the order in which they are tried."""
SMPL_FOLDER_VARIABLE = "SHERF_SMPL_FOLDER"
SMPL_MESH = (6890, 13776)
"""Number of vertices and faces."""
MAX_FILE_BYTES = 2**29
MAX_VERTICES = 1_000_000
REQUIRED_KEYS = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
ROOT = 2**32 - 1
"""The parent index by which SMPL's files mark the root."""


def load_body_model(name_or_path: str | Path, smpl_folder: Path | None = None) -> BodyModel:
    """Return a body model on the CPU, by name or from a file.

    Args:
        name_or_path: "openbody", "smpl", or a .npz or .pkl file in SMPL's layout. A file with as many vertices and
            faces as SMPL is named "smpl" whatever its file name, any other by its file name.
        smpl_folder: where to look for SMPL's file, by default the folder in the variable SHERF_SMPL_FOLDER.

    Raises:
        MissingAsset: SMPL's file, which may not be shipped, was not found.
        BadInput: the name is unknown, or the file is not a usable body model.
    """
    if name_or_path == "openbody":
        return _open_body(OPEN_BODY)
    if name_or_path == "smpl":
        return read_body_model(_find_smpl(smpl_folder), "smpl")
    path = Path(name_or_path)
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise BadInput(
            f'unknown body model "{name_or_path}": use openbody, smpl, or a .npz or .pkl file in SMPL\'s layout'
        )
    body = read_body_model(path, path.stem.lower())
    has_smpls_mesh = (len(body.v_template), len(body.faces)) == SMPL_MESH
    return replace(body, name="smpl") if has_smpls_mesh or path.name in SMPL_FILES else body


@lru_cache(maxsize=1)
def _open_body(path: Path) -> BodyModel:
    """Return the open body: one object, so that what is computed of it is computed once."""
    return read_body_model(path, "openbody")


def read_body_model(path: Path, name: str) -> BodyModel:
    """Read a body model file to the CPU and check every array in it.

    Args:
        path: a .npz file, or else a pickle.
        name: of the model.

    Returns:
        The model, with the first ten betas, and without pose blend shapes if they are missing or zero.

    Raises:
        BadInput: the file is missing, damaged, or not a body model in SMPL's layout.
    """
    try:
        arrays = _read_npz(path) if path.suffix.lower() == ".npz" else _read_pkl(path)
        return _make_body_model(arrays, name)
    except BadInput as error:
        raise BadInput(f"{path} is not a usable body model: {error}") from error


def _find_smpl(folder: Path | None) -> Path:
    """Return the path of the neutral SMPL file.

    Raises:
        MissingAsset: it was not found; the message says how to get it.
    """
    if folder is None and os.environ.get(SMPL_FOLDER_VARIABLE):
        folder = Path(os.environ[SMPL_FOLDER_VARIABLE])
    remedy = (
        "Its licence forbids shipping it: register at https://smpl.is.tue.mpg.de, download SMPL for Python,\n"
        f"put {SMPL_FILES[1]}\nor {SMPL_FILES[0]} into a folder, and set {SMPL_FOLDER_VARIABLE} to that folder."
    )
    if folder is None:
        raise MissingAsset(f"no folder for the SMPL body model: {SMPL_FOLDER_VARIABLE} is not set.\n{remedy}")
    for file in SMPL_FILES:
        if (folder / file).is_file():
            return folder / file
    present = ", ".join(sorted(path.name for path in folder.glob("*"))[:10]) or "nothing"
    raise MissingAsset(f"no SMPL body model in {folder} (that folder holds: {present}).\n{remedy}")


def _read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        BadInput: it is not a file, is too large, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MAX_FILE_BYTES:
            raise BadInput(f"it is not a file of at most {MAX_FILE_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(error.strerror or str(error)) from error


def _read_pkl(path: Path) -> dict[str, np.ndarray]:
    stored = read_pickle(_read_bytes(path))
    return {key: _resolve(key, stored) for key in (*REQUIRED_KEYS, "posedirs") if key in stored}


def _resolve(key: str, stored: Mapping[str, Any]) -> np.ndarray:
    """Return one array of a pickle.

    Raises:
        BadInput: it is not an array of numbers; the message names it.
    """
    try:
        return resolve_array(stored[key])
    except SherfError as error:
        raise BadInput(f"{key} is {error}") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    members = unpack_npz(_read_bytes(path), MAX_FILE_BYTES, (*REQUIRED_KEYS, "posedirs"))
    return {key: _parse_array(key, members[key]) for key in (*REQUIRED_KEYS, "posedirs") if key in members}


def _parse_array(key: str, member: bytes) -> np.ndarray:
    """Return one array of an .npz file.

    Raises:
        BadInput: it is damaged, or not an array of numbers; the message names it.
    """
    try:
        array = parse_npy(member).array()
    except BadInput as error:
        raise BadInput(f"{key}: {error}") from error
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{key} holds {array.dtype} values, not plain numbers; save it as a dense array")
    return array


def _make_body_model(arrays: dict[str, np.ndarray], name: str) -> BodyModel:
    """Return a body model made of arrays in SMPL's layout, after checking them.

    Raises:
        BadInput: an array is missing, or has another shape or other values than a body model's.
    """
    missing = [key for key in REQUIRED_KEYS if key not in arrays]
    if missing:
        raise BadInput(f"{', '.join(missing)} missing (found: {', '.join(arrays) or 'nothing'})")
    vertices = len(arrays["v_template"]) if arrays["v_template"].ndim else 0
    if not 4 <= vertices <= MAX_VERTICES:
        raise BadInput(f"v_template has {vertices} vertices, not 4 to {MAX_VERTICES}")
    floats = {
        key: _floats(key, arrays[key], shape)
        for key, shape in {
            "v_template": (vertices, 3),
            "shapedirs": (vertices, 3, None),
            "J_regressor": (NUM_JOINTS, vertices),
            "weights": (vertices, NUM_JOINTS),
            "posedirs": (vertices, 3, NUM_POSE_FEATURES),
        }.items()
        if key in arrays
    }
    sums = floats["weights"].sum(dim=1)
    if floats["weights"].min() < -1e-6 or (sums - 1).abs().max() > 1e-3:
        raise BadInput(f"weights must be >= 0 and sum to 1, found sums {sums.min():.4f} to {sums.max():.4f}")
    posedirs = floats.get("posedirs")
    return BodyModel(
        name=name,
        v_template=floats["v_template"],
        shapedirs=floats["shapedirs"][..., :NUM_BETAS].contiguous(),
        posedirs=posedirs if posedirs is not None and posedirs.any() else None,
        J_regressor=floats["J_regressor"],
        weights=floats["weights"],
        parents=_parents(arrays["kintree_table"]),
        faces=_faces(arrays["f"], vertices),
    )


def _floats(key: str, values: np.ndarray, shape: tuple[int | None, ...]) -> torch.Tensor:
    """Return an array in single precision. None in the shape stands for ten or more, of which the caller takes ten.

    Raises:
        BadInput: the shape is another one, or a number is not finite.
    """
    fits = values.ndim == len(shape) and all(
        have >= NUM_BETAS if want is None else have == want for have, want in zip(values.shape, shape, strict=True)
    )
    if not fits:
        wanted = " x ".join(f"{NUM_BETAS} or more" if n is None else str(n) for n in shape)
        raise BadInput(f"{key} has shape {' x '.join(map(str, values.shape))}, not {wanted}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(single).all():
        raise BadInput(f"{key} holds numbers that are not finite")
    return torch.tensor(single)


def _integers(key: str, values: np.ndarray) -> np.ndarray:
    """Return an array of vertex or joint indices as integers.

    Raises:
        BadInput: a number is not whole, or out of range.
    """
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.round(values)).all()):
        raise BadInput(f"{key} holds numbers that are not whole")
    if values.size and not (values.min() >= -1 and values.max() <= ROOT):
        raise BadInput(f"{key} holds numbers out of range")
    return values.astype(np.int64)


def _parents(kintree_table: np.ndarray) -> tuple[int, ...]:
    """Return the index of each joint's parent, -1 for the root.

    Raises:
        BadInput: the tree is not SMPL's.
    """
    if kintree_table.shape != (2, NUM_JOINTS):
        raise BadInput(f"kintree_table has shape {kintree_table.shape}, not (2, {NUM_JOINTS})")
    first_row = _integers("kintree_table", kintree_table)[0].tolist()
    parents = tuple(-1 if parent == ROOT else parent for parent in first_row)
    if parents != PARENTS:
        raise BadInput(f"kintree_table is not SMPL's tree of {NUM_JOINTS} joints: parents {parents}")
    return parents


def _faces(f: np.ndarray, vertices: int) -> torch.Tensor:
    """Return the triangles' vertex indices.

    Raises:
        BadInput: they are not triangles, or refer to vertices that do not exist.
    """
    if f.ndim != 2 or f.shape[1] != 3 or not len(f):
        raise BadInput(f"f has shape {f.shape}, not (faces, 3)")
    faces = _integers("f", f)
    if faces.min() < 0 or faces.max() >= vertices:
        raise BadInput(f"f refers to vertices {faces.min()} to {faces.max()} of {vertices}")
    return torch.from_numpy(faces)
