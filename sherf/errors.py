"""Errors that a user can cause and mend: shown as text, never as a traceback."""


class SherfError(Exception):
    """What was wrong, what was found, and what to do. The command line exits with 1."""


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
