"""Tensors of avatar files, checked: present, of the expected shape and type, finite."""

import math
from pathlib import Path

import torch
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.errors import BadInput

REMEDY = "Run `sherf reconstruct` again."


def read_tensor(
    source: Path,
    tensors: dict[str, Tensor],
    name: str,
    shape: tuple[int | None, ...],
    dtype: torch.dtype = torch.float32,
    largest: float = math.inf,
) -> Tensor:
    """Return one tensor of a file; half precision is converted to single.

    Args:
        source: the file, for error messages.
        tensors: all tensors of the file.
        name: the tensor's key.
        shape: expected shape; None stands for any length.
        dtype: expected type in the file.
        largest: magnitudes have to lie below this.

    Raises:
        BadInput: the tensor is missing, has another shape or type, or holds NaN, infinity or too large numbers.
    """
    if name not in tensors:
        raise BadInput(f"{source}: the tensor '{name}' is missing. {REMEDY}")
    found = tensors[name]
    fits = found.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, found.shape, strict=True))
    if not fits or found.dtype != dtype or not bool((found.float().abs() < largest).all()):
        raise BadInput(
            f"{source}: the tensor '{name}' has shape {tuple(found.shape)} and type {found.dtype}, or holds NaN, "
            f"infinity or too large numbers; expected shape {shape} and type {dtype}. {REMEDY}"
        )
    return found.float() if dtype == torch.float16 else found


def check_vertices(source: Path, tensors: dict[str, Tensor], name: str, body: BodyModel) -> None:
    """Check that a tensor has as many vertices as the body model. A missing tensor passes.

    Args:
        source: the file, for error messages.
        tensors: all tensors of the file.
        name: the tensor's key.
        body: the body model.

    Raises:
        BadInput: the numbers differ: the file was made with another build of the body model.
    """
    if name in tensors and len(tensors[name]) != len(body.v_template):
        raise BadInput(
            f"{source}: '{name}' has {len(tensors[name])} vertices, the body model has {len(body.v_template)}.\n"
            f"The avatar was made with another build of that body model. {REMEDY}"
        )
