"""Errors that users can cause and fix: shown as text, never as a traceback."""

MAX_TEXT_LENGTH = 2000


class SherfError(Exception):
    """Base class: the text says what is wrong, what was found, and what to do. Commands exit with 1.

    Texts quote the contents of files, so `str` shortens them and replaces control characters, which could steer a
    terminal.
    """

    def __str__(self) -> str:
        text = super().__str__()
        if len(text) > MAX_TEXT_LENGTH:
            text = f"{text[: MAX_TEXT_LENGTH // 2]} ... {text[-MAX_TEXT_LENGTH // 2 :]}"
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


class BadInput(SherfError):
    """A file or an argument is unusable as it is."""


class NoPerson(SherfError):
    """The photo or video shows no person that could be reconstructed."""


class MissingAsset(SherfError):
    """A file or a system library has to be supplied or installed first."""


class OutputError(SherfError):
    """The results cannot be written to the chosen place."""


class TrainingError(SherfError):
    """Training cannot continue: its numbers are no longer finite."""
