"""Options of `sherf app`. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AppOptions:
    """Where the page is served, and who may use it."""

    host: str = "127.0.0.1"
    """Address to listen on; any other than this machine's own requires --auth."""
    port: int = 7860
    """Port to listen on."""
    auth: str = ""
    """NAME:PASSWORD that users must enter."""
    minutes: int = 60
    """Delete a session's files after this many minutes without use."""
