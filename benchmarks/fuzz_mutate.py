"""Mutate files: random bytes, and numbers, names and sizes inside known formats.

All randomness comes from the given generator: the same seed gives the same input.
"""

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

MOST_BYTES = 2**18
"""Largest input: the readers are tested against what few bytes can do."""
NUMBERS = (
    "0", "-1", "1", "2", "255", "65536", "2147483647", "4294967295", "-9223372036854775809", "99999999999999999999",
    "1e308", "-1e308", "1e39", "1e-320", "1e400", "NaN", "Infinity", "-Infinity", "0.5", "1" + "0" * 400, "1" * 5000,
)  # fmt: skip
WORDS = ("", "a", "\u00b2", "\ud800", "\0", "../../x", "/etc/hostname", "_" * 3000, "x" * 300, "1", "nan", "file:x")
SIZES = (
    0,
    1,
    2,
    3,
    4,
    16,
    127,
    128,
    255,
    256,
    32767,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**48,
    2**63,
    2**64 - 1,
)
DEPTHS = (1, 3, 30, 65, 300, 900, 960, 985, 1100, 30_000)
MOST_TEXT = 2**16
Mutation = Callable[[bytes, Random], bytes]


def mutated(seeds: list[bytes], random: Random) -> bytes:
    """Return one of the seeds with one or a few mutations."""
    data = random.choice(seeds)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        inside = _of_format(data)
        mutation = inside if inside is not None and random.random() < 0.6 else random.choice(PLAIN)
        data = mutation(data, random) if random.random() > 0.03 else _spliced(data, random.choice(seeds), random)
        data = data[:MOST_BYTES]
    return data


def _of_format(data: bytes) -> Mutation | None:
    """Return the mutation that knows the file's format, if any."""
    if data[:2] == b"PK":
        return _zip
    if data[:4] == b"glTF":
        return _glb
    if data[:6] == b"\x93NUMPY":
        return _npy
    if data[8:9] == b"{" and data[1:8].strip(b"\0") != data[1:8]:
        return _safetensors
    if data.lstrip()[:1] in (b"{", b"["):
        return _json
    return _text if data[:64].isascii() and b"\0" not in data[:64] else None


def _place(data: bytes, random: Random, longest: int = 64) -> tuple[int, int]:
    """Return begin and end of a random piece."""
    begin = random.randrange(len(data) + 1)
    return begin, min(len(data), begin + random.choice((1, 1, 2, 4, 8, random.randint(1, longest))))


def _flip(data: bytes, random: Random) -> bytes:
    if not data:
        return b"\0"
    changed = bytearray(data)
    changed[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, random: Random) -> bytes:
    begin, end = _place(data, random)
    return data[:begin] + random.randbytes(end - begin) + data[end:]


def _size(data: bytes, random: Random) -> bytes:
    """Overwrite with an implausible size or count, in either byte order."""
    width = random.choice((1, 2, 4, 8))
    begin = random.randrange(len(data) + 1)
    value = random.choice(SIZES) % 2 ** (8 * width)
    return data[:begin] + value.to_bytes(width, random.choice(("little", "big"))) + data[begin + width :]


def _insert(data: bytes, random: Random) -> bytes:
    begin, end = _place(data, random)
    return data[:begin] + random.randbytes(end - begin) + data[begin:]


def _delete(data: bytes, random: Random) -> bytes:
    begin, end = _place(data, random, 1024)
    return data[:begin] + data[end:]


def _duplicate(data: bytes, random: Random) -> bytes:
    begin, end = _place(data, random, 1024)
    times = random.choice((1, 1, 2, 30, 1000))
    return data[:begin] + data[begin:end] * times + data[begin:]


def _truncate(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _swap(data: bytes, random: Random) -> bytes:
    """Swap two neighbouring pieces."""
    a, b = sorted((_place(data, random)[0], _place(data, random)[0]))
    end = min(len(data), b + (b - a))
    return data[:a] + data[b:end] + data[a:b] + data[end:]


def _spliced(data: bytes, other: bytes, random: Random) -> bytes:
    """Join the beginning of one file and the end of another."""
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


PLAIN: tuple[Mutation, ...] = (
    _flip, _flip, _overwrite, _size, _size, _insert, _delete, _duplicate, _truncate, _swap,
)  # fmt: skip


def _text(data: bytes, random: Random) -> bytes:
    """Change a word of a text."""
    if len(data) > MOST_TEXT:
        return random.choice(PLAIN)(data, random)
    text = data.decode("utf-8", "surrogateescape")
    words = list(re.finditer(r"[^\s,\[\]{}:]+", text))
    if not words:
        return _insert(data, random)
    word = random.choice(words)
    new = random.choice(
        (
            random.choice(NUMBERS),
            random.choice(NUMBERS),
            random.choice(WORDS),
            random.choice(words)[0],
            "{ " * random.choice(DEPTHS),
            f"{word[0]} " * random.choice((2, 3, 1000)),
            "",
        )
    )
    return (text[: word.start()] + new + text[word.end() :]).encode("utf-8", "surrogatepass")


def _json(data: bytes, random: Random) -> bytes:
    """Change one value of a JSON document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _text(data, random)
    try:
        return _change_value(document, random)
    except RecursionError:
        return _flip(data, random)


def _change_value(document: Any, random: Random) -> bytes:
    """Return the document as JSON with one value changed, possibly to a number that Python cannot write."""
    places = list(_places(document))
    if not places:
        return random.choice(NUMBERS).encode()
    holder, key = random.choice(places)
    marks: dict[str, str] = {}

    def raw(text: str) -> str:
        return marks.setdefault(f"@{len(marks)}@", text) and f"@{len(marks) - 1}@"

    old = holder[key]
    match random.randrange(9):
        case 0 | 1 | 2:
            holder[key] = raw(random.choice(NUMBERS))
        case 3:
            holder[key] = random.choice(WORDS)
        case 4:
            holder[key] = random.choice((None, True, [], {}, [[]], [old], {"a": old}, [old] * 3))
        case 5:
            del holder[key]
        case 6:
            depth = random.choice(DEPTHS)
            holder[key] = raw("[" * depth + "]" * depth)
        case 7 if isinstance(holder, dict):
            holder[random.choice((*WORDS, str(key)[:5]))] = old
        case 7:
            holder[key:key] = [old] * random.choice((1, 1, 2, 50))
        case _:
            other, name = random.choice(places)
            if not isinstance(other[name] if _has(other, name) else None, dict | list):
                holder[key] = other[name] if _has(other, name) else None
    text = json.dumps(document)
    for mark, value in marks.items():
        text = text.replace(f'"{mark}"', value)
    return text.encode("utf-8", "surrogatepass")


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _places(value: Any) -> Any:
    """Yield every (container, key) of a document."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            waiting.append(holder[key])


def _npy(data: bytes, random: Random) -> bytes:
    """Change the header, with a matching length, or the data after it."""
    end = data.find(b"\n") + 1
    if end <= 10 or random.random() < 0.3:
        return random.choice(PLAIN)(data, random)
    header = _text(data[10:end], random)[:65000]
    return data[:8] + struct.pack("<H", len(header)) + header + data[end:]


def _safetensors(data: bytes, random: Random) -> bytes:
    """Change the JSON header, with a matching length, or the data after it."""
    length = int.from_bytes(data[:8], "little")
    if length > len(data) or random.random() < 0.3:
        return random.choice(PLAIN)(data, random)
    header = _json(data[8 : 8 + length], random)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _glb(data: bytes, random: Random) -> bytes:
    """Change the JSON chunk, with a matching length, or the rest."""
    if len(data) < 20 or random.random() < 0.2:
        return random.choice(PLAIN)(data, random)
    length = int.from_bytes(data[12:16], "little")
    document = _json(data[20 : 20 + length], random)
    return data[:12] + struct.pack("<I", len(document)) + data[16:20] + document + data[20 + length :]


def _zip(data: bytes, random: Random) -> bytes:
    """Change one member and pack again, or change the archive itself."""
    if random.random() < 0.4:
        return random.choice(PLAIN)(data, random)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist() if info.file_size < MOST_BYTES}
    except Exception:  # already damaged: any further mutation will do
        return _flip(data, random)
    if not members:
        return _flip(data, random)
    name = random.choice(sorted(members))
    match random.randrange(6):
        case 0:
            del members[name]
        case 1:
            members[random.choice(sorted(members))] = members[name]
        case _:
            inside = _of_format(members[name]) or _flip
            members[name] = inside(members[name], random)
    written = io.BytesIO()
    kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(written, "w", kind) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return written.getvalue()
