"""Errors that a user can cause and mend: shown as text, never as a traceback."""

LONGEST_TEXT = 2000


class SherfError(Exception):
    """What was wrong, what was found, and what to do. The command line exits with 1.

    Texts quote what files hold: they are cut to a bearable length, and nothing in them can steer a terminal.
    """

    def __str__(self) -> str:
        text = super().__str__()
        if len(text) > LONGEST_TEXT:
            text = f"{text[: LONGEST_TEXT // 2]} ... {text[-LONGEST_TEXT // 2 :]}"
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


class BadInput(SherfError):
    """A file or an argument that cannot be used as it is."""


class NoPerson(SherfError):
    """The photo holds no person that could be reconstructed."""


class MissingAsset(SherfError):
    """A file or a system library that has to be brought or installed first."""


class OutputError(SherfError):
    """The result could not be written where it was asked for."""


class TrainingError(SherfError):
    """A training that cannot go on: its numbers are not finite any more."""
