"""Malicious snapshots are rejected with a specific error, without executing code or exhausting memory."""

import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hostile import Calls, assert_rejected, bombs, hostile_snapshots, module_of, of_storage, packed_storage
from published_file import snapshot, tiny_tensors

from sherf.models.published.snapshot import read_network

ROOT = Path(__file__).parents[3]


def test_hostile_snapshots_are_rejected_without_executing_code(tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "network.pkl"
    for case, content in hostile_snapshots(canary).items():
        path.write_bytes(content)
        assert_rejected(path, "cannot be imported")
        assert not canary.exists(), case


def test_pickle_load_would_execute_the_hostile_code(tmp_path: Path) -> None:
    """The test above is meaningful: pickle.load executes the same bytes."""
    canary = tmp_path / "canary"
    for case in ("os.system", "exec", "in a module", "in a tensor", "in an archive", "in a zip archive"):
        try:
            pickle.loads(hostile_snapshots(canary)[case])
        except Exception as error:
            assert canary.exists(), (case, error)
        assert canary.exists(), case
        canary.unlink()


@pytest.mark.parametrize(
    "name",
    [
        *("posix.system", "nt.system", "builtins.eval", "builtins.getattr", "subprocess.Popen", "numpy.load"),
        *("torch.load", "torch.hub.load", "torch._utils._import_dotted_name", "torch.utils.cpp_extension.load"),
        *("trainingx.f", "collections.abc.f", "functools.partial", "operator.attrgetter", "importlib.import_module"),
    ],
)
def test_the_error_names_the_forbidden_name(tmp_path: Path, name: str) -> None:
    module, _, function = name.rpartition(".")
    path = tmp_path / "network.pkl"
    path.write_bytes(f"(S'G'\nc{module}\n{function}\nd.".encode())
    assert_rejected(path, f"refers to {name},")


def test_pickled_state_cannot_modify_stand_ins(tmp_path: Path) -> None:
    """BUILD with __class__, __dict__ or __setstate__ does not affect how the next file is read."""
    path = tmp_path / "network.pkl"
    for state in ({"__class__": 1, "__dict__": {}}, {"make": 1}, (None, {"__class__": set, "state": 2}), "text"):
        path.write_bytes(pickle.dumps({"G": Calls(torch.nn.Identity, more=(state,))}))
        assert_rejected(path, "the network is not a module")
    path.write_bytes(b"\x80\x04ctorch.nn\nLinear\n}X\x05\x00\x00\x00stateK\x01sb.")
    assert_rejected(path, "sets attributes of a Name")
    path.write_bytes(snapshot(tiny_tensors()))
    assert len(read_network(path, "G")) == len(tiny_tensors())


def test_tensors_that_exceed_their_storage_are_rejected(tmp_path: Path) -> None:
    path, storage = tmp_path / "network.pkl", packed_storage()
    for offset, size, stride in (
        *((0, (3,), (1,)), (1, (2,), (1,)), (-1, (2,), (1,)), (0, (2,), (2,)), (0, (2,), (-1,))),
        *((0, (2**40,), (0,)), (0, (1000, 1000), (0, 0)), (0, (2**62, 2**62), (1, 1)), (2**70, (1,), (1,))),
        *((0, (2,), ()), (0, (0, 2**62), (1, 1)), (0, (-1,), (1,)), (0, (1.0,), (1,)), (0, ("a",), (1,)), (0, 2, 1)),
        (0, (1,) * 1000, (1,) * 1000),
    ):
        path.write_bytes(pickle.dumps({"G": module_of(of_storage(storage, offset, size, stride))}))
        assert_rejected(path, "the tensor x cannot be read")


def archive(changed: Callable[[bytes], bytes]) -> Calls:
    """Return a tensor whose storage's archive was changed."""
    _, (content,) = packed_storage().__reduce__()
    return of_storage(Calls(torch.storage._load_from_bytes, changed(content)))


def test_inconsistent_storage_archives_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    count, raw = struct.pack("<q", 2), struct.pack("<2f", 0, 0)
    for change in (
        lambda c: c[:-1],
        lambda c: c[:20],
        lambda c: b"",
        lambda c: c.replace(count + raw, struct.pack("<q", 2**40) + raw),
        lambda c: c.replace(b"cpuq\x03K\x02", b"cpuq\x03J\xff\xff\xff\x7f"),
        lambda c: c.replace(b"cpuq\x03K\x02", b"cpuq\x03K\x01"),
        lambda c: c.replace(b"FloatStorage", b"LongStorage"),
        lambda c: c.replace(b"FloatStorage", b"nn.Parameter"),
        lambda c: c.replace(b"storageq\x00", b"STORAGEq\x00"),
        lambda c: c.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89"),
        lambda c: c.replace(b"M\xe9\x03.", b"M\xea\x03."),
    ):
        path.write_bytes(pickle.dumps({"G": module_of(archive(change))}))
        assert_rejected(path, "the tensor x cannot be read")
    path.write_bytes(pickle.dumps({"G": module_of(archive(lambda c: c))}))
    assert torch.equal(read_network(path, "G")["x"], torch.zeros(2)), "unchanged, it is read"


def test_persistent_ids_in_a_plain_pickle_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(b"\x80\x04X\x01\x00\x00\x00aQ.")
    assert_rejected(path, "refers to objects outside")


LIMITED = """
import resource, sys
from pathlib import Path
from sherf.errors import BadInput
from sherf.models.published.import_checkpoint import import_checkpoint

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
for path in sorted(Path(sys.argv[1]).glob("*.pkl")):
    try:
        import_checkpoint(path, path.with_suffix(".safetensors"))
        print("imported", path.name)
    except BadInput as error:
        print("MemoryError" if "MemoryError" in str(error) else "refused", path.name)
"""


def test_bombs_are_rejected_in_little_memory_and_time(tmp_path: Path) -> None:
    """A process limited to 400 MB of additional memory rejects all of them, and none for lack of memory."""
    cases = bombs()
    for case, content in cases.items():
        (tmp_path / f"{case}.pkl").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"refused {name}" for name in sorted(f"{case}.pkl" for case in cases)]
    assert len(list(tmp_path.iterdir())) == len(cases)
