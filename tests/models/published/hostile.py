"""Build malicious and damaged snapshots."""

import io
import os
import pickle
import struct
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from published_file import TINY

from sherf.errors import BadInput
from sherf.models.published.import_checkpoint import import_checkpoint


class Calls:
    """Pickles as a call of `function`, which a naive reader executes; `more` extends the result of __reduce__."""

    def __init__(self, function: Any, *arguments: Any, more: tuple = ()) -> None:
        self.call = (function, arguments, *more)

    def __reduce__(self) -> tuple:
        return self.call


def hostile_snapshots(canary: Path) -> dict[str, bytes]:
    """Snapshots that create, or try to create, the file `canary` in pickle.load."""
    make, shell = f"open({str(canary)!r}, 'w').close()", f"touch {canary}"
    inside, empty = Calls(os.system, shell), OrderedDict()
    rebuild, parameter = torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter
    load = torch.storage._load_from_bytes
    legacy, packed = io.BytesIO(), io.BytesIO()
    torch.save(inside, legacy, _use_new_zipfile_serialization=False)
    torch.save(inside, packed)
    module = {"_parameters": {"x": Calls(exec, make)}, "_modules": {}}
    return {
        "os.system": pickle.dumps(inside),
        "eval": pickle.dumps({"G": Calls(eval, make)}),
        "exec": pickle.dumps({"D": Calls(exec, make)}),
        "as a key": pickle.dumps({Calls(exec, make): 1}),
        "protocol 0": pickle.dumps(inside, protocol=0),
        "a subprocess": pickle.dumps(Calls(subprocess.call, ["touch", str(canary)])),
        "getattr": pickle.dumps(Calls(getattr, Calls(exec, make), "x")),
        "getattr of a module": pickle.dumps({"G": Calls(getattr, Calls(__import__, "os"), "system")}),
        "in a module": pickle.dumps({"G": Calls(torch.nn.Identity, more=(module,))}),
        "in the state of a module": pickle.dumps({"G": Calls(torch.nn.Identity, more=(inside,))}),
        "in a tensor": pickle.dumps({"G": Calls(rebuild, inside, 0, (1,), (1,), False, empty)}),
        "in a parameter": pickle.dumps({"G": Calls(parameter, inside, False, empty)}),
        "as torch's loader": pickle.dumps({"G": module_of(Calls(rebuild, Calls(load, legacy.getvalue()), *"abcde"))}),
        "in an archive": pickle.dumps({"G": module_of(of_storage(Calls(load, legacy.getvalue())))}),
        "in a zip archive": pickle.dumps({"G": module_of(of_storage(Calls(load, packed.getvalue())))}),
        "a torch.save file": packed.getvalue(),
        "a torch.save file of the older layout": legacy.getvalue(),
        "old style instance": f"(S'{shell}'\niposix\nsystem\n.".encode(),
        "old style object": f"(cposix\nsystem\nS'{shell}'\no.".encode(),
        "a dotted name": b"\x80\x04\x8c\x05torch\x8c\x11_C.__class__.mro__\x93.",
        "another loader": pickle.dumps(Calls(torch.load, str(canary))),
        "setting a class's attribute": b"\x80\x04ctorch.nn\nLinear\n}X\x0c\x00\x00\x00__setstate__cposix\nsystem\nsb.",
    }


def module_of(tensor: Any) -> Any:
    """A module with one parameter."""
    return Calls(torch.nn.Identity, more=({"_parameters": {"x": tensor}, "_buffers": {}, "_modules": {}},))


def of_storage(storage: Any, offset: int = 0, size: Any = (2,), stride: Any = (1,)) -> Calls:
    return Calls(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict())


def packed_storage(count: int = 2) -> Any:
    """Return a storage as pickle writes it."""
    return torch.zeros(count)._typed_storage()


def zip_archive(members: dict[str, bytes], compression: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return written.getvalue()


def bombs() -> dict[str, bytes]:
    """Small files that would exhaust memory or never finish reading."""
    big = zip_archive({"a/data.pkl": pickle.dumps({}), "a/data/0": bytes(2**29)}, zipfile.ZIP_DEFLATED)
    doubled = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(100))
    nested = b"\x80\x04)q\x00" + doubled + b"."
    as_key = b"\x80\x04)q\x00" + doubled[:-2] + b"q\xf0}h\xf0K\x01s."
    tower = {"_parameters": {}, "_modules": {}}
    for _ in range(50):
        module = Calls(torch.nn.Identity, more=(tower,))
        tower = {"_parameters": {}, "_modules": {"a": module, "b": module}}
    content = packed_storage(2**16).__reduce__()[1]
    shared = Calls(torch.storage._load_from_bytes, *content)
    many = {f"p{i}": of_storage(shared, size=(2**16,)) for i in range(5000)}
    wide = b"".join(b"X\x05\x00\x00\x00" + b"%05d" % i + b"h\x00" for i in range(19_000))
    itself = (
        b"ctorch.nn\nIdentity\n)\x81q\x00}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_modules}(" + wide + b"uub"
    )
    pairs = b"](" + b"X\x01\x00\x00\x00a" * 300_000 + b"eq\x00\x85q\x01ccollections\nOrderedDict\nq\x02"
    shape: tuple = ()
    for _ in range(60):
        shape = (shape, shape)
    return {
        "a zip archive": big,
        "a zip archive for a storage": pickle.dumps(
            {"G": module_of(of_storage(Calls(torch.storage._load_from_bytes, big)))}
        ),
        "its directory lies": zip_archive({"a/data.pkl": pickle.dumps({}), "a/data/0": b"ab"}, 0).replace(
            struct.pack("<II", 2, 2), struct.pack("<II", 2**31, 2**31)
        ),
        "tuples of tuples": nested,
        "tuples of tuples as a key": as_key,
        "tuples of tuples as a shape": pickle.dumps({"G": module_of(of_storage(packed_storage(), size=shape))}),
        "modules that contain each other twice": pickle.dumps({"G": Calls(torch.nn.Identity, more=(tower,))}),
        "a module with itself 19000 times": b"\x80\x04}X\x01\x00\x00\x00G" + itself + b"s.",
        "copies of one list": b"\x80\x04" + pairs + b"h\x02h\x01R" * 300_000 + b".",
        "one storage for many": pickle.dumps({"G": Calls(torch.nn.Identity, more=({**tower, "_parameters": many},))}),
        "a memo number": b"\x80\x02}r" + struct.pack("<I", 2**31) + b".",
        "a long string": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
        "a long frame": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
        "a long array": b"\x80\x05\x96" + struct.pack("<Q", 2**34) + b"abc.",
        "a long integer": b"\x80\x04\x8b" + struct.pack("<I", 10**6) + b"\x01" * 10**6 + b".",
        "lists in lists": b"\x80\x04" + b"]" * 300_000 + b"a" * 299_999 + b".",
        "marks": b"\x80\x04" + b"(" * 300_000 + b".",
        "too many steps": b"\x80\x04" + b"N0" * 1_100_000 + b"}.",
    }


def assert_rejected(path: Path, message: str) -> None:
    """Check that the import fails with a message and leaves no files behind."""
    before, out = sorted(path.parent.iterdir()), path.parent / "out.safetensors"
    with pytest.raises(BadInput, match=message) as caught:
        import_checkpoint(path, out, config=TINY)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 1000
    assert sorted(path.parent.iterdir()) == before
