"""SHA-256 of what results depend on."""

import hashlib
from pathlib import Path

from torch import Tensor


def file_sha256(path: Path) -> str:
    """Of a file's content, hexadecimal; the file is not held in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors_sha256(*tensors: Tensor, start: str = "") -> str:
    """Of the tensors' bytes after `start`, hexadecimal."""
    digest = hashlib.sha256(start.encode())
    for tensor in tensors:
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
