"""Parse a pickle without executing anything.

A pickle is a program for a small stack machine: it names functions and calls them. This is that machine without the
dangerous half. A name resolves only to a stand-in that the reader of the file provides for it, which keeps its
arguments and does nothing; any other name is refused. Nothing is imported, no attribute is set, no method of a value
is called, and only text is ever a key, so that no value from the file is ever hashed or compared.
The instructions are those of Python's `pickletools`.
"""

import pickletools
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, runtime_checkable

from sherf.errors import BadInput
from sherf.files.pickle_stand_ins import Ignored, Inert, Name, NameResolver, printable

MAX_STEPS = 2_000_000
"""Instructions in one pickle; SMPL's files have a few thousand, a published checkpoint some hundred thousand."""
MAX_INTEGER_BITS = 128


@runtime_checkable
class ByteStream(Protocol):
    """A binary file, a memory-mapped one, or bytes in memory."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes."""
        ...

    def readline(self) -> bytes:
        """Read up to and including the next line break."""
        ...

    def tell(self) -> int:
        """Return the position."""
        ...

    def seek(self, position: int, whence: Literal[0, 1, 2] = 0, /) -> Any:
        """Change the position."""
        ...


def refuse_reference(_: Any) -> Any:
    """Refuse every persistent id: a pickle in a file of its own cannot refer to anything outside it.

    Raises:
        BadInput: always.
    """
    raise BadInput("it refers to objects outside the file")


def parse_pickle(
    stream: ByteStream,
    resolve_name: NameResolver,
    resolve_reference: Callable[[Any], Any] = refuse_reference,
    max_steps: int = MAX_STEPS,
) -> Any:
    """Return the value of the pickle at the stream's position, with stand-ins for its objects.

    The stream is left behind the pickle's last instruction.

    Args:
        stream: where the pickle begins.
        resolve_name: maps the names in the pickle to stand-ins.
        resolve_reference: maps a persistent id to its value; may raise BadInput.
        max_steps: how many instructions the pickle may have.

    Raises:
        BadInput: it is not a pickle, is damaged, is too long, or contains a name that `resolve_name` does not know.
    """
    machine = _Machine(resolve_name, resolve_reference)
    try:
        # genops needs no more of a file than `read`, `readline` and `tell`
        for step, (instruction, argument, _) in enumerate(pickletools.genops(stream), start=1):  # type: ignore[arg-type]
            if step > max_steps:
                raise BadInput(f"it has more than {max_steps} instructions: too many for its kind of file")
            machine.execute(instruction.name, argument)
        return machine.stack.pop()
    except BadInput:
        raise
    except Exception as error:  # a damaged or hostile file can provoke anything
        raise BadInput(f"it is damaged or not a pickle ({type(error).__name__}: {printable(str(error))})") from error


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
    """The stack machine. Damaged pickles cause IndexErrors and the like, which `parse_pickle` translates."""

    def __init__(self, resolve_name: NameResolver, resolve_reference: Callable[[Any], Any]) -> None:
        self.resolve_name, self.resolve_reference = resolve_name, resolve_reference
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def execute(self, instruction: str, argument: Any) -> None:
        """Execute one instruction of the stack machine; stand-ins take the place of all that it names.

        Raises:
            BadInput: the instruction or its argument is refused.
        """
        stack = self.stack
        if instruction in LITERALS:
            if isinstance(argument, int) and argument.bit_length() > MAX_INTEGER_BITS:
                raise BadInput("it contains an integer that is too long")
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
        """Return whether it was an instruction about the memo or the stack itself, which is executed then.

        Raises:
            BadInput: the memo number is too large.
        """
        stack, memo = self.stack, self.memo
        match instruction:
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                # Python's own unpickler allocates its memo up to the largest number that it meets.
                if argument > MAX_STEPS:
                    raise BadInput("it has a memo number so large that it only fills the memory")
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
                self._pop_to_mark()
            case "DUP":
                stack.append(stack[-1])
            case _:
                return False
        return True

    def _build(self, instruction: str, argument: Any) -> None:
        """Execute an instruction that builds a container, or else one that names or calls something."""
        stack = self.stack
        match instruction:
            case "TUPLE":
                stack.append(tuple(self._pop_to_mark()))
            case "LIST":
                stack.append(self._pop_to_mark())
            case "DICT":
                made: dict = {}
                _put(made, self._pop_to_mark())
                stack.append(made)
            case "FROZENSET":
                self._pop_to_mark()
                stack.append(Ignored())
            case "APPEND":
                item = stack.pop()
                _extend(stack[-1], [item])
            case "APPENDS" | "ADDITEMS":
                items = self._pop_to_mark()
                _extend(stack[-1], items)
            case "SETITEM":
                pair = stack[-2:]
                del stack[-2:]
                _put(stack[-1], pair)
            case "SETITEMS":
                pairs = self._pop_to_mark()
                _put(stack[-1], pairs)
            case "BUILD":
                state = stack.pop()
                _keep_state(stack[-1], state)
            case _:
                self._name(instruction, argument)

    def _name(self, instruction: str, argument: Any) -> None:
        """Execute an instruction that names or calls something.

        Raises:
            BadInput: the instruction, or what it names or calls, is refused.
        """
        stack = self.stack
        match instruction:
            case "GLOBAL":
                stack.append(self._resolve(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(self._resolve(module, name))
            case "REDUCE" | "NEWOBJ":
                arguments = stack.pop()
                stack.append(_call(stack.pop(), arguments))
            case "NEWOBJ_EX":
                _, arguments = stack.pop(), stack.pop()
                stack.append(_call(stack.pop(), arguments))
            case "OBJ":
                cls, *arguments = self._pop_to_mark()
                stack.append(_call(cls, tuple(arguments)))
            case "INST":
                named = self._resolve(*argument.split(" ", 1))
                stack.append(_call(named, tuple(self._pop_to_mark())))
            case "PERSID":
                stack.append(self.resolve_reference(argument))
            case "BINPERSID":
                stack.append(self.resolve_reference(stack.pop()))
            case _ if instruction.startswith("EXT"):
                raise BadInput("it uses registered extensions, which data files never need")
            case _:
                raise BadInput(f"it uses the instruction {instruction}, which data files never need")

    def _pop_to_mark(self) -> list[Any]:
        """Pop all values above the topmost mark."""
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _resolve(self, module: Any, name: Any) -> Name:
        """Return a named function or class with its stand-in.

        Raises:
            BadInput: the name is unknown, or not text.
        """
        if not isinstance(module, str) or not isinstance(name, str):
            raise BadInput("it names something by a value that is not text")
        make = self.resolve_name(module, name)
        if make is None:
            raise BadInput(
                f"it refers to {printable(module)}.{printable(name)}, which data files never need: reading stopped"
            )
        return Name(module, name, make)


def _call(named: Any, arguments: Any) -> Any:
    """Return what the stand-in of a named function or class makes of the arguments.

    Raises:
        BadInput: it is not a named function, or the arguments are not a tuple.
    """
    if not isinstance(named, Name) or not isinstance(arguments, tuple):
        raise BadInput("it calls something that is not a function")
    return named.make(*arguments)


def _extend(target: Any, items: Iterable[Any]) -> None:
    """Append items to a list; stand-ins ignore them.

    Raises:
        BadInput: the target is neither.
    """
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Inert):
        raise BadInput(f"it appends to a {type(target).__name__}")


def _put(target: Any, pairs: list[Any] | tuple[Any, ...]) -> None:
    """Set items of a dict; stand-ins ignore them. Only text is kept as a key: the files that are read have no others.

    Raises:
        BadInput: the target is neither.
    """
    if isinstance(target, dict):
        keys, values = pairs[::2], pairs[1::2]
        target.update((k, v) for k, v in zip(keys, values, strict=True) if isinstance(k, str | bytes))
    elif not isinstance(target, Inert):
        raise BadInput(f"it sets items of a {type(target).__name__}")


def _keep_state(target: Any, state: Any) -> None:
    """Keep what Python would set as attributes in a stand-in's `state`; a dict does not need it.

    Raises:
        BadInput: the target is neither.
    """
    if isinstance(target, Inert):
        target.state = state
    elif not isinstance(target, dict):
        raise BadInput(f"it sets attributes of a {type(target).__name__}")
