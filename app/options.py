"""Options of the page. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AppOptions:
    """Where the page is served, and to whom."""

    host: str = "127.0.0.1"
    """Address to serve at; anything but this machine's own needs --auth."""
    port: int = 7860
    """Port to serve at."""
    auth: str = ""
    """NAME:PASSWORD that visitors have to give."""
    minutes: int = 60
    """A visitor's files are deleted after so many minutes without use."""
