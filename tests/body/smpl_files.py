"""Write body models as SMPL publishes them: npz files, and Python 2 pickles with chumpy and scipy objects."""

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy.sparse
import torch

from sherf.body.body_model import BodyModel

ROOT = 2**32 - 1


def smpl_arrays(model: BodyModel) -> dict[str, Any]:
    """Return the model's arrays with SMPL's keys and types."""
    posedirs = torch.zeros(len(model.v_template), 3, 207) if model.posedirs is None else model.posedirs
    return {
        "v_template": model.v_template.double().numpy(),
        "shapedirs": model.shapedirs.double().numpy(),
        "posedirs": posedirs.double().numpy(),
        "J_regressor": model.J_regressor.double().numpy(),
        "weights": model.weights.double().numpy(),
        "kintree_table": np.array([[ROOT, *model.parents[1:]], range(24)], np.uint32),
        "f": model.faces.numpy().astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def write_npz(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


@contextmanager
def pretend_chumpy() -> Iterator[tuple[type, type]]:
    """Classes that pickle under chumpy's names, without chumpy."""
    names = ("chumpy", "chumpy.ch", "chumpy.reordering")
    modules = {name: ModuleType(name) for name in names}
    Ch = type("Ch", (), {"__module__": "chumpy.ch"})
    Select = type("Select", (), {"__module__": "chumpy.reordering"})
    modules["chumpy.ch"].Ch = Ch
    modules["chumpy.reordering"].Select = Select
    sys.modules.update(modules)
    try:
        yield Ch, Select
    finally:
        for name in names:
            del sys.modules[name]


def chumpy_pickle(arrays: dict[str, Any], protocol: int) -> bytes:
    """Like the published neutral file: chumpy leaves, one chumpy selection, a sparse joint regressor."""
    with pretend_chumpy() as (Ch, Select):

        def leaf(value: np.ndarray) -> Any:
            ch = Ch()
            ch.__dict__.update(x=value, _dirty_vars={"x"}, _itr=None, _depends_on_deps={})
            return ch

        # Select takes elements of another array by flat index: here all of them, stored in reverse.
        template = arrays["v_template"]
        select = Select()
        order = np.arange(template.size)[::-1].copy()
        select.__dict__.update(a=leaf(template.ravel()[::-1].copy()), idxs=order, preferred_shape=template.shape)
        stored = {
            **arrays,
            "v_template": select,
            "shapedirs": leaf(arrays["shapedirs"]),
            "posedirs": leaf(np.asfortranarray(arrays["posedirs"])),
            "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]),
            "J_regressor_prior": scipy.sparse.csr_matrix(arrays["J_regressor"]),
        }
        return pickle.dumps(stored, protocol)
