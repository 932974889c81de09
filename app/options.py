"""Options of `sherf app`. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class AppOptions:
    """Where the page is served, and who may use it."""

    host: str = "127.0.0.1"
    """Address to listen on; any other than this machine's own requires --auth."""
    port: int = 7860
    """Port to listen on."""
    auth: str = ""
    """NAME:PASSWORD that users must enter. Other users of this machine can see it here: better use --auth-file, or the
    environment variable SHERF_AUTH."""
    auth_file: Path | None = None
    """File with one line NAME:PASSWORD, which only you may be able to read."""
    minutes: int = 60
    """Delete a session's files after this many minutes without use."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where avatars are encoded, rendered and exported."""
