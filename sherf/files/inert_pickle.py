"""Walk a pickle without executing anything.

A pickle is a program for a small stack machine: it names functions and calls them. This is that machine with the
dangerous half left out. A name leads only to what the reader of the file provides for it, which keeps its arguments
and does nothing; any other name is refused. Nothing is imported, no attribute is set, no method of a value is called,
and nothing but text is ever a key, so that neither hashing nor comparing runs through what the file has built.
"""

import pickletools
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sherf.errors import BadInput

MOST_STEPS = 2_000_000
"""Instructions in one pickle; SMPL's files have a few thousand, a published checkpoint some hundred thousand."""
LONGEST_INTEGER_BITS = 128
LONGEST_SHOWN = 120

Maker = Callable[..., Any]
"""Takes a call's arguments and gives a stand-in for its result."""
StandIns = Callable[[str, str], Maker | None]
"""From a module and a name in it to what stands in for it; None if it is unknown."""


@runtime_checkable
class ByteStream(Protocol):
    """A file, a mapped one, or bytes in memory."""

    def read(self, size: int, /) -> bytes: ...
    def readline(self) -> bytes: ...
    def tell(self) -> int: ...
    def seek(self, position: int, whence: int = 0, /) -> Any: ...


class Inert:
    """Keeps what the pickle hands over and does nothing with it."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None


class Ignored(Inert):
    """A value that nobody needs."""

    __slots__ = ()


class EncodedText(Inert):
    """_codecs.encode(text, 'latin1'): how Python 3 writes bytes in old protocols."""

    __slots__ = ()

    def resolve(self) -> bytes:
        match self.arguments:
            case (str() as text, "latin1" | "latin-1"):
                with suppress(UnicodeEncodeError):
                    return text.encode("latin1")
        raise BadInput("bytes in an unknown encoding")


@dataclass(frozen=True, slots=True)
class Name:
    """A function or class as the pickle names it."""

    module: str
    name: str
    make: Maker


def make_dict(*arguments: Any) -> dict[str | bytes, Any]:
    """Stands in for a kind of dict that is made empty and filled item by item, as Python 3 writes it."""
    # A copy of what it is handed would let few bytes, by making many copies of one list, fill the memory.
    if arguments:
        raise BadInput("a dict that is not made empty")
    return {}


def reconstruct(cls: Any = None, _: Any = None, content: Any = None) -> Any:
    """Stands in for copyreg._reconstructor(cls, base, content): how protocols 0 and 1 make an instance."""
    if not isinstance(cls, Name):
        raise BadInput("an object made of something that is no class")
    return content if cls.make is make_dict and isinstance(content, dict) else cls.make()


def shown(text: str) -> str:
    """Text out of a file, fit for a message: short, and without control characters."""
    short = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."
    return "".join(c if c.isprintable() else "?" for c in short)


def refuse_reference(_: Any) -> Any:
    """What a pickle that lies in a file of its own may refer to outside of itself: nothing."""
    raise BadInput("it refers to objects outside the file")


def walk(
    stream: ByteStream,
    stand_ins: StandIns,
    referred: Callable[[Any], Any] = refuse_reference,
    most_steps: int = MOST_STEPS,
) -> Any:
    """What the pickle at the stream's position holds; the stream is left behind its last instruction.

    Args:
        stand_ins: what names lead to.
        referred: what a persistent id leads to.

    Raises:
        BadInput: it is no pickle, is damaged, or names what `stand_ins` does not know.
    """
    machine = _Machine(stand_ins, referred)
    try:
        for step, (instruction, argument, _) in enumerate(pickletools.genops(stream), start=1):
            if step > most_steps:
                raise BadInput(f"it has more than {most_steps} instructions: too many for what it should hold")
            machine.follow(instruction.name, argument)
        return machine.stack.pop()
    except BadInput:
        raise
    except Exception as error:  # whatever a damaged or hostile file provokes
        raise BadInput(f"it is damaged or no pickle ({type(error).__name__}: {shown(str(error))})") from error


# fmt: off
LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}
# fmt: on
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": Ignored}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """The stack machine. IndexErrors and the like mean a damaged pickle: `walk` says so."""

    def __init__(self, stand_ins: StandIns, referred: Callable[[Any], Any]) -> None:
        self.stand_ins, self.referred = stand_ins, referred
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def follow(self, instruction: str, argument: Any) -> None:
        """Carry out one instruction."""
        stack = self.stack
        if instruction in LITERALS:
            if isinstance(argument, int) and argument.bit_length() > LONGEST_INTEGER_BITS:
                raise BadInput("it holds an integer that is too long")
            stack.append(argument)
        elif instruction in CONSTANTS:
            stack.append(CONSTANTS[instruction])
        elif instruction in EMPTY:
            stack.append(EMPTY[instruction]())
        elif instruction in TUPLES:
            count = TUPLES[instruction]
            items = tuple(stack[-count:])
            del stack[-count:]
            stack.append(items)
        elif instruction not in ("PROTO", "FRAME", "STOP") and not self._remember(instruction, argument):
            self._build(instruction, argument)

    def _remember(self, instruction: str, argument: Any) -> bool:
        """Instructions about the memo and the stack itself."""
        stack, memo = self.stack, self.memo
        match instruction:
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                # Python's own unpickler makes room up to the largest number that it meets.
                if argument > MOST_STEPS:
                    raise BadInput("it numbers its objects in a way that only fills the memory")
                memo[argument] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "MARK":
                self.marks.append(len(stack))
            case "POP" if self.marks and self.marks[-1] == len(stack):
                self.marks.pop()
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._marked()
            case "DUP":
                stack.append(stack[-1])
            case _:
                return False
        return True

    def _build(self, instruction: str, argument: Any) -> None:
        """Instructions that make something of what lies on the stack."""
        stack = self.stack
        match instruction:
            case "TUPLE":
                stack.append(tuple(self._marked()))
            case "LIST":
                stack.append(self._marked())
            case "DICT":
                made: dict = {}
                _put(made, self._marked())
                stack.append(made)
            case "FROZENSET":
                self._marked()
                stack.append(Ignored())
            case "APPEND":
                item = stack.pop()
                _extend(stack[-1], [item])
            case "APPENDS" | "ADDITEMS":
                items = self._marked()
                _extend(stack[-1], items)
            case "SETITEM":
                pair = stack[-2:]
                del stack[-2:]
                _put(stack[-1], pair)
            case "SETITEMS":
                pairs = self._marked()
                _put(stack[-1], pairs)
            case "BUILD":
                state = stack.pop()
                _keep_state(stack[-1], state)
            case _:
                self._name(instruction, argument)

    def _name(self, instruction: str, argument: Any) -> None:
        """Instructions that name or call something."""
        stack = self.stack
        match instruction:
            case "GLOBAL":
                stack.append(self._named(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(self._named(module, name))
            case "REDUCE" | "NEWOBJ":
                arguments = stack.pop()
                stack.append(_call(stack.pop(), arguments))
            case "NEWOBJ_EX":
                _, arguments = stack.pop(), stack.pop()
                stack.append(_call(stack.pop(), arguments))
            case "OBJ":
                cls, *arguments = self._marked()
                stack.append(_call(cls, tuple(arguments)))
            case "INST":
                named = self._named(*argument.split(" ", 1))
                stack.append(_call(named, tuple(self._marked())))
            case "PERSID":
                stack.append(self.referred(argument))
            case "BINPERSID":
                stack.append(self.referred(stack.pop()))
            case _ if instruction.startswith("EXT"):
                raise BadInput("it uses registered extensions, which no data needs")
            case _:
                raise BadInput(f"it uses the instruction {instruction}, which no data in a file needs")

    def _marked(self) -> list[Any]:
        """Take what lies above the topmost mark off the stack."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _named(self, module: Any, name: Any) -> Name:
        if not isinstance(module, str) or not isinstance(name, str):
            raise BadInput("it names something by what is no text")
        make = self.stand_ins(module, name)
        if make is None:
            raise BadInput(
                f"it asks to run {shown(module)}.{shown(name)}, which no data needs: it was not read any further"
            )
        return Name(module, name, make)


def _call(named: Any, arguments: Any) -> Any:
    if not isinstance(named, Name) or not isinstance(arguments, tuple):
        raise BadInput("it calls something that is no function")
    return named.make(*arguments)


def _extend(target: Any, items: Iterable[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Inert):
        raise BadInput(f"it appends to a {type(target).__name__}")


def _put(target: Any, pairs: list[Any] | tuple[Any, ...]) -> None:
    """Set items. Only text is kept as a key; nothing that is read has others."""
    if isinstance(target, dict):
        keys, values = pairs[::2], pairs[1::2]
        target.update((k, v) for k, v in zip(keys, values, strict=True) if isinstance(k, str | bytes))
    elif not isinstance(target, Inert):
        raise BadInput(f"it sets items of a {type(target).__name__}")


def _keep_state(target: Any, state: Any) -> None:
    """Where Python would set attributes: a stand-in keeps them in one place, a dict has no use for them."""
    if isinstance(target, Inert):
        target.state = state
    elif not isinstance(target, dict):
        raise BadInput(f"it sets attributes of a {type(target).__name__}")
