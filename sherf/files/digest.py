"""SHA-256 digests of files and tensors."""

import hashlib
from pathlib import Path

from torch import Tensor


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's content, read in blocks.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors_sha256(*tensors: Tensor, start: str = "") -> str:
    """Return the hexadecimal SHA-256 of the text `start` followed by the tensors' bytes; shapes do not count."""
    digest = hashlib.sha256(start.encode())
    for tensor in tensors:
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
