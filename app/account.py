"""The name and password that users of the page must enter."""

import os
from pathlib import Path

from sherf.app.options import AppOptions
from sherf.errors import BadInput
from sherf.progress import print_status

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
VARIABLE = "SHERF_AUTH"
"""Environment variable: NAME:PASSWORD."""
MIN_PASSWORD_LENGTH = 8
MAX_FILE_BYTES = 4096
READABLE_BY_OTHERS = 0o077
"""Permissions of group and others."""


def read_account(options: AppOptions) -> tuple[str, str] | None:
    """Return the name and password that users must enter; None lets everyone in.

    The options --auth and --auth-file come before the environment variable, which is removed: no process that the page
    starts inherits it.

    Raises:
        BadInput: the account is malformed, given twice, in a file that others can read, or missing though the address
            is open to the network.
    """
    variable = os.environ.pop(VARIABLE, "")
    if options.auth and options.auth_file is not None:
        raise BadInput("--auth and --auth-file both give an account: omit one.")
    if options.auth:
        print_status(f"--auth is visible to other users of this machine: use --auth-file or {VARIABLE} instead.")
        return _parse(options.auth, "--auth")
    if options.auth_file is not None:
        return _parse(_read(options.auth_file), str(options.auth_file))
    if variable:
        return _parse(variable, VARIABLE)
    if options.host not in LOCAL_HOSTS:
        raise BadInput(
            f"--host {options.host} exposes photos and computing time to the network.\n"
            "To fix this: add --auth-file FILE, a file with NAME:PASSWORD, or omit --host."
        )
    return None


def _read(path: Path) -> str:
    """Return the only line of a file that other users cannot read.

    Raises:
        BadInput: the file cannot be read, has another number of lines, or others can read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            permissions, text = os.fstat(file.fileno()).st_mode, file.read(MAX_FILE_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise BadInput(f"--auth-file {path} cannot be read: {reason}.") from error
    if permissions & READABLE_BY_OTHERS:
        raise BadInput(f"other users can read or change {path}.\nTo fix this: chmod 600 {path}")
    lines = text.splitlines()
    if len(lines) != 1 or len(text) > MAX_FILE_BYTES:
        raise BadInput(f"{path} holds {len(lines)} lines; expected one: NAME:PASSWORD.")
    return lines[0]


def _parse(text: str, source: str) -> tuple[str, str]:
    """Return name and password. Error messages do not repeat them.

    Raises:
        BadInput: one is missing, or the password is too short.
    """
    name, colon, password = text.partition(":")
    if not (name and colon):
        raise BadInput(f"{source} is not NAME:PASSWORD.")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise BadInput(
            f"the password of {source} has {len(password)} characters: choose at least {MIN_PASSWORD_LENGTH}."
        )
    return name, password
