"""Body model files -> BodyModel: our open body, and SMPL's own .npz and .pkl files. Nothing in a file is executed."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sherf.body.body_model import BodyModel
from sherf.body.pickles import read_pickle, resolve_array
from sherf.body.skeleton import NUM_BETAS, NUM_JOINTS, NUM_POSE_FEATURES, PARENTS
from sherf.errors import BadInput, MissingAsset, SherfError
from sherf.files.plain_arrays import open_npy, unpacked

OPEN_BODY = Path(__file__).with_name("openbody.npz")
SMPL_FILES = ("SMPL_NEUTRAL.npz", "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl", "SMPL_NEUTRAL.pkl")
"""Names under which SMPL's neutral body is published, in the order in which they are tried."""
SMPL_FOLDER_VARIABLE = "SHERF_SMPL_FOLDER"
SMPL_MESH = (6890, 13776)
"""Vertices and faces."""
MOST_FILE_BYTES = 2**29
MOST_VERTICES = 1_000_000
NEEDED = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
ROOT = 2**32 - 1
"""How SMPL's files write "no parent"."""


def load_body_model(name_or_path: str | Path, smpl_folder: Path | None = None) -> BodyModel:
    """Read a body model on the CPU.

    Args:
        name_or_path: "openbody", "smpl", or a .npz or .pkl file in SMPL's layout; one with as many vertices and faces
            as SMPL's counts as "smpl", whatever its name.
        smpl_folder: where "smpl" looks for its file; by default the folder that SHERF_SMPL_FOLDER names.

    Raises:
        MissingAsset: SMPL's file, which may not be shipped, is not there.
        BadInput: the file is no body model.
    """
    if name_or_path == "openbody":
        return read_body_model(OPEN_BODY, "openbody")
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


def read_body_model(path: Path, name: str) -> BodyModel:
    """Read one file and check every array in it.

    Raises:
        BadInput: it is missing, damaged, or no body model.
    """
    try:
        arrays = _read_npz(path) if path.suffix.lower() == ".npz" else _read_pkl(path)
        return _checked(arrays, name)
    except BadInput as error:
        raise BadInput(f"{path} is no usable body model: {error}") from error


def _find_smpl(folder: Path | None) -> Path:
    """The neutral SMPL file, or how to get it."""
    if folder is None and os.environ.get(SMPL_FOLDER_VARIABLE):
        folder = Path(os.environ[SMPL_FOLDER_VARIABLE])
    how = (
        "Its licence forbids shipping it: register at https://smpl.is.tue.mpg.de, download SMPL for Python,\n"
        f"and put {SMPL_FILES[1]}\nor {SMPL_FILES[0]} into a folder that {SMPL_FOLDER_VARIABLE} names."
    )
    if folder is None:
        raise MissingAsset(f"no folder for the SMPL body model: {SMPL_FOLDER_VARIABLE} is not set.\n{how}")
    for file in SMPL_FILES:
        if (folder / file).is_file():
            return folder / file
    present = ", ".join(sorted(path.name for path in folder.glob("*"))[:10]) or "nothing"
    raise MissingAsset(f"no SMPL body model in {folder} (that folder holds: {present}).\n{how}")


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MOST_FILE_BYTES:
            raise BadInput(f"it is not a file of at most {MOST_FILE_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(error.strerror or str(error)) from error


def _read_pkl(path: Path) -> dict[str, np.ndarray]:
    stored = read_pickle(_content(path))
    return {key: _named(key, stored) for key in (*NEEDED, "posedirs") if key in stored}


def _named(key: str, stored: Mapping[str, Any]) -> np.ndarray:
    try:
        return resolve_array(stored[key])
    except SherfError as error:
        raise BadInput(f"{key} is {error}") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    members = unpacked(_content(path), MOST_FILE_BYTES, (*NEEDED, "posedirs"))
    return {key: _plain(key, members[key]) for key in (*NEEDED, "posedirs") if key in members}


def _plain(key: str, member: bytes) -> np.ndarray:
    """One array of plain numbers."""
    try:
        array = open_npy(member).array()
    except BadInput as error:
        raise BadInput(f"{key}: {error}") from error
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{key} holds {array.dtype} values, not plain numbers; save it as a dense array")
    return array


def _checked(arrays: dict[str, np.ndarray], name: str) -> BodyModel:
    """Arrays in SMPL's layout -> BodyModel."""
    missing = [key for key in NEEDED if key not in arrays]
    if missing:
        raise BadInput(f"{', '.join(missing)} missing (found: {', '.join(arrays) or 'nothing'})")
    vertices = len(arrays["v_template"]) if arrays["v_template"].ndim else 0
    if not 4 <= vertices <= MOST_VERTICES:
        raise BadInput(f"{vertices} vertices")
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
        raise BadInput(f"weights have to be >= 0 and sum to 1, found sums {sums.min():.4f} to {sums.max():.4f}")
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
    """Single precision; None in the shape stands for ten or more, of which the caller takes ten."""
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


def _whole(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.round(values)).all()):
        raise BadInput(f"{key} holds numbers that are not whole")
    if values.size and not (values.min() >= -1 and values.max() <= ROOT):
        raise BadInput(f"{key} holds numbers out of range")
    return values.astype(np.int64)


def _parents(kintree_table: np.ndarray) -> tuple[int, ...]:
    if kintree_table.shape != (2, NUM_JOINTS):
        raise BadInput(f"kintree_table has shape {kintree_table.shape}, not (2, {NUM_JOINTS})")
    first_row = _whole("kintree_table", kintree_table)[0].tolist()
    parents = tuple(-1 if parent == ROOT else parent for parent in first_row)
    if parents != PARENTS:
        raise BadInput(f"kintree_table is not SMPL's tree of {NUM_JOINTS} joints: parents {parents}")
    return parents


def _faces(f: np.ndarray, vertices: int) -> torch.Tensor:
    if f.ndim != 2 or f.shape[1] != 3 or not len(f):
        raise BadInput(f"f has shape {f.shape}, not (faces, 3)")
    faces = _whole("f", f)
    if faces.min() < 0 or faces.max() >= vertices:
        raise BadInput(f"f refers to vertices {faces.min()} to {faces.max()} of {vertices}")
    return torch.from_numpy(faces)
