"""Stand-ins for what pickles name: they keep what they are given and do nothing with it.

`inert_pickle.py` parses pickles into these; readers of one kind of file derive their own.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sherf.errors import BadInput

MAX_PRINTED_LENGTH = 120

Factory = Callable[..., Any]
"""Takes a call's arguments and returns a stand-in for its result."""
NameResolver = Callable[[str, str], Factory | None]
"""Maps a module and a name in it to the factory that stands in for it; None for unknown names."""


class Inert:
    """A stand-in for an object: keeps the arguments and the state that the pickle gives it, and does nothing."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: Any) -> None:
        """Keep the arguments of the call that would have made the object."""
        self.arguments = arguments
        self.state: Any = None


class Ignored(Inert):
    """A stand-in for a value that is not needed."""

    __slots__ = ()


class EncodedText(Inert):
    """Stands in for _codecs.encode(text, 'latin1'), as Python 3 writes bytes in protocols 0 to 2."""

    __slots__ = ()

    def resolve(self) -> bytes:
        """Return the bytes.

        Raises:
            BadInput: the encoding is another one, or the text cannot be encoded.
        """
        match self.arguments:
            case (str() as text, "latin1" | "latin-1"):
                with suppress(UnicodeEncodeError):
                    return text.encode("latin1")
        raise BadInput("bytes in an unknown encoding")


@dataclass(frozen=True, slots=True)
class Name:
    """A function or class named in the pickle, with the factory that stands in for it."""

    module: str
    name: str
    make: Factory


def make_dict(*arguments: Any) -> dict[str | bytes, Any]:
    """Return an empty dict: stands in for subclasses of dict that are created empty and filled item by item.

    Raises:
        BadInput: it is called with arguments. Copying those would let a few bytes fill the memory with copies.
    """
    if arguments:
        raise BadInput("a dict that is not created empty")
    return {}


def reconstruct(cls: Any = None, _: Any = None, content: Any = None) -> Any:
    """Stand in for copyreg._reconstructor(cls, base, content): how protocols 0 and 1 create an instance.

    Args:
        cls: the named class.
        content: the base class's value, used for subclasses of dict only.

    Returns:
        What the class's stand-in makes without arguments, or the given dict.

    Raises:
        BadInput: `cls` is not a class that the pickle named.
    """
    if not isinstance(cls, Name):
        raise BadInput("an object of something that is not a class")
    return content if cls.make is make_dict and isinstance(content, dict) else cls.make()


def printable(text: str) -> str:
    """Return text from a file in a form fit for messages: shortened, control characters replaced."""
    short = text if len(text) <= MAX_PRINTED_LENGTH else text[:MAX_PRINTED_LENGTH] + "..."
    return "".join(c if c.isprintable() else "?" for c in short)
