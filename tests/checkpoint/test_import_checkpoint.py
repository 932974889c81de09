"""Importing the published snapshot: what comes out, what is refused, and that nothing is executed."""

import hashlib
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from published_file import SOURCE, TINY, UNUSED, full_tensors, snapshot, tiny_tensors
from torch import Tensor

from sherf.checkpoint import load_checkpoint
from sherf.config import PAPER
from sherf.errors import BadInput, OutputError
from sherf.import_checkpoint import import_checkpoint
from sherf.model import Sherf
from sherf.published_file import read_network
from sherf.published_names import from_published

ROOT = Path(__file__).parents[2]
STAND_IN_PACKAGES = ("training", "torch_utils", "dnnlib", "spconv", "chumpy")


def sherf(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sherf.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def assert_holds(model: Sherf, published: dict[str, Tensor]) -> None:
    """Every weight is the published one, bit by bit."""
    wanted = from_published(published, model.config)
    state = model.state_dict()
    assert state.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.pkl"
    path.write_bytes(snapshot(tiny_tensors()))
    return path


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"protocol": 0},
        {"protocol": 2},
        {"protocol": 3},
        {"protocol": 5},
        {"storages": "zip"},
        {"device": "cuda:0"},
        {"device": "cuda:0", "storages": "zip"},
        {"whole": "zip", "device": "cuda:0"},
        {"whole": "legacy"},
    ],
    ids=str,
)
def test_every_way_of_writing_a_snapshot_gives_its_tensors(tmp_path: Path, written: dict[str, Any]) -> None:
    path, tensors = tmp_path / "network.pkl", tiny_tensors()
    content = snapshot(tensors, **written)
    path.write_bytes(content)
    if "whole" not in written:
        assert SOURCE.encode() in content and written.get("device", "cpu").encode() in content
    read = read_network(path, "G")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].device.type == "cpu" and torch.equal(read[name], tensor)
    assert not {name.split(".")[0] for name in sys.modules} & set(STAND_IN_PACKAGES)


def test_ema_takes_the_other_network_and_the_json_says_which(tmp_path: Path) -> None:
    path, average = tmp_path / "network.pkl", tiny_tensors(seed=1)
    path.write_bytes(snapshot(tiny_tensors(), average))
    for network, tensors in (("G", tiny_tensors()), ("G_ema", average)):
        out = tmp_path / f"{network}.safetensors"
        imported = import_checkpoint(path, out, network, config=TINY)
        assert imported.ignored == len(UNUSED) and imported.taken == len(tensors) - len(UNUSED)
        assert_holds(load_checkpoint(out), tensors)
        about = json.loads(out.with_suffix(".json").read_text())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert about["source"] == {"file": "network.pkl", "sha256": digest, "network": network}
        assert about["body_model"] == "smpl" and about["config"]["encoder_width"] == TINY.encoder_width
        assert str(tmp_path) not in json.dumps(about)


def test_views_of_a_shared_storage_are_cut_out(tmp_path: Path) -> None:
    """A transposed and an offset view come out as they look, with memory of their own."""
    tensors, name = tiny_tensors(), "decoder.feature_linear.weight"
    storage = torch.randn(200)
    tensors[name] = storage[8:72].view(8, 8).T
    tensors["decoder.feature_linear.bias"] = storage[100:116:2]
    path = tmp_path / "network.pkl"
    for whole in ("pickle", "zip"):
        path.write_bytes(snapshot(tensors, whole=whole))
        read = read_network(path, "G")
        assert torch.equal(read[name], tensors[name]) and read[name].is_contiguous()
        assert read[name].untyped_storage().nbytes() == 4 * 64


def test_the_published_size_is_imported_by_the_command(tmp_path: Path) -> None:
    """All 563 tensors, 56 million numbers, as a real process."""
    path, out, tensors = tmp_path / "network.pkl", tmp_path / "new" / "x.safetensors", full_tensors()
    path.write_bytes(snapshot(tensors, {}, device="cuda:0"))
    done = sherf("import-checkpoint", path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["316 tensors taken, 247 ignored", str(out), str(out.with_suffix(".json"))]
    model = load_checkpoint(out)
    assert model.config == PAPER
    assert_holds(model, tensors)


class Calls:
    """Pickles as a call of `function`, which a careless reader makes, and what `more` of __reduce__ says."""

    def __init__(self, function: Any, *arguments: Any, more: tuple = ()) -> None:
        self.call = (function, arguments, *more)

    def __reduce__(self) -> tuple:
        return self.call


def hostile_snapshots(canary: Path) -> dict[str, bytes]:
    """Each would create the file `canary` in pickle.load, or means to."""
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
    """A storage as pickle writes it."""
    return torch.zeros(count)._typed_storage()


def assert_refused(path: Path, said: str) -> None:
    """No weights come of it, and nothing is left in the folder."""
    before, out = sorted(path.parent.iterdir()), path.parent / "out.safetensors"
    with pytest.raises(BadInput, match=said) as caught:
        import_checkpoint(path, out, config=TINY)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 1000
    assert sorted(path.parent.iterdir()) == before


def test_hostile_snapshots_are_refused_and_nothing_runs(tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "network.pkl"
    for case, content in hostile_snapshots(canary).items():
        path.write_bytes(content)
        assert_refused(path, "cannot be imported")
        assert not canary.exists(), case


def test_the_canary_sings_for_a_careless_reader(tmp_path: Path) -> None:
    """The test above can fail: the same bytes do run in pickle.load."""
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
def test_a_refused_name_is_told(tmp_path: Path, name: str) -> None:
    module, _, function = name.rpartition(".")
    path = tmp_path / "network.pkl"
    path.write_bytes(f"(S'G'\nc{module}\n{function}\nd.".encode())
    assert_refused(path, f"asks to run {name},")


def test_state_that_means_to_change_a_stand_in_changes_nothing(tmp_path: Path) -> None:
    """BUILD with __class__, __dict__ or __setstate__ leaves the next file's reading as it was."""
    path = tmp_path / "network.pkl"
    for state in ({"__class__": 1, "__dict__": {}}, {"make": 1}, (None, {"__class__": set, "state": 2}), "text"):
        path.write_bytes(pickle.dumps({"G": Calls(torch.nn.Identity, more=(state,))}))
        assert_refused(path, "the network is no module")
    path.write_bytes(b"\x80\x04ctorch.nn\nLinear\n}X\x05\x00\x00\x00stateK\x01sb.")
    assert_refused(path, "sets attributes of a Name")
    path.write_bytes(snapshot(tiny_tensors()))
    assert len(read_network(path, "G")) == len(tiny_tensors())


def test_files_that_are_no_snapshot_are_refused(tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    cuts = [whole[:n] for n in (1, 10, 1000, len(whole) // 2, len(whole) - 1)]
    save = io.BytesIO()
    torch.save({"G": 1}, save)
    state_dict = pickle.dumps(tiny_tensors())
    other = [b"\x89PNG\r\n\x1a\n", b"no snapshot", pickle.dumps([1, 2]), save.getvalue(), save.getvalue()[:100]]
    for content in [*cuts, *other, b"PK\x05\x06" + 18 * b"\0", b"PK\x03\x04", state_dict]:
        file.write_bytes(content)
        assert_refused(file, "cannot be imported")
    file.write_bytes(b"")
    assert_refused(file, "empty")
    with pytest.raises(BadInput, match="No such file"):
        import_checkpoint(tmp_path / "none.pkl", tmp_path / "out.safetensors")
    with pytest.raises(BadInput, match="not a file"):
        import_checkpoint(tmp_path, tmp_path / "out.safetensors")


def test_a_snapshot_without_the_network_names_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps({"D": None, "G_ema": None}))
    assert_refused(path, "holds no network 'G' .found: D, G_ema")
    path.write_bytes(pickle.dumps({"G": None}))
    assert_refused(path, "the network is no module")


BAD_TENSORS: dict[str, tuple[Callable[[dict], Any], str]] = {
    "missing": (lambda t: t.pop("decoder.rgb_linear.bias"), "decoder.rgb_linear.bias is missing"),
    "another shape": (lambda t: t.update({"decoder.rgb_linear.bias": torch.ones(4)}), "decoder.rgb_linear.bias has sh"),
    "not a number": (lambda t: t["decoder.alpha_linear.bias"].fill_(torch.nan), "decoder.alpha_linear.bias holds num"),
    "infinite": (lambda t: t["decoder.alpha_linear.bias"].fill_(torch.inf), "decoder.alpha_linear.bias holds num"),
    "another network": (lambda t: [t.clear(), t.update({"a.weight": torch.ones(2)})], "is missing"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_networks_that_are_not_the_published_one_are_refused_by_name(tmp_path: Path, case: str) -> None:
    spoil, said = BAD_TENSORS[case]
    tensors, path = tiny_tensors(), tmp_path / "network.pkl"
    spoil(tensors)
    path.write_bytes(snapshot(tensors))
    assert_refused(path, said)


def test_tensors_that_reach_beyond_their_numbers_are_refused(tmp_path: Path) -> None:
    path, storage = tmp_path / "network.pkl", packed_storage()
    for offset, size, stride in (
        *((0, (3,), (1,)), (1, (2,), (1,)), (-1, (2,), (1,)), (0, (2,), (2,)), (0, (2,), (-1,))),
        *((0, (2**40,), (0,)), (0, (1000, 1000), (0, 0)), (0, (2**62, 2**62), (1, 1)), (2**70, (1,), (1,))),
        *((0, (2,), ()), (0, (0, 2**62), (1, 1)), (0, (-1,), (1,)), (0, (1.0,), (1,)), (0, ("a",), (1,)), (0, 2, 1)),
        (0, (1,) * 1000, (1,) * 1000),
    ):
        path.write_bytes(pickle.dumps({"G": module_of(of_storage(storage, offset, size, stride))}))
        assert_refused(path, "the tensor x cannot be read")


def archive(changed: Callable[[bytes], bytes]) -> Calls:
    """A tensor whose storage's archive was changed."""
    _, (content,) = packed_storage().__reduce__()
    return of_storage(Calls(torch.storage._load_from_bytes, changed(content)))


def test_archives_of_numbers_that_lie_are_refused(tmp_path: Path) -> None:
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
        assert_refused(path, "the tensor x cannot be read")
    path.write_bytes(pickle.dumps({"G": module_of(archive(lambda c: c))}))
    assert torch.equal(read_network(path, "G")["x"], torch.zeros(2)), "unchanged, it is read"


def test_a_reference_out_of_a_plain_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(b"\x80\x04X\x01\x00\x00\x00aQ.")
    assert_refused(path, "refers to objects outside")


def zip_archive(members: dict[str, bytes], compression: int) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", compression) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return written.getvalue()


def bombs() -> dict[str, bytes]:
    """Small files that mean to fill the memory, or to keep the reader busy for ever."""
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
        "endless steps": b"\x80\x04" + b"N0" * 1_100_000 + b"}.",
    }


LIMITED = """
import resource, sys
from pathlib import Path
from sherf.errors import BadInput
from sherf.import_checkpoint import import_checkpoint

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20,) * 2)
for path in sorted(Path(sys.argv[1]).glob("*.pkl")):
    try:
        import_checkpoint(path, path.with_suffix(".safetensors"))
        print("imported", path.name)
    except BadInput as error:
        print("MemoryError" if "MemoryError" in str(error) else "refused", path.name)
"""


def test_bombs_are_refused_in_little_memory_and_time(tmp_path: Path) -> None:
    """A process that may not take 400 MB more refuses them all, and none for want of memory."""
    cases = bombs()
    for case, content in cases.items():
        (tmp_path / f"{case}.pkl").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"refused {name}" for name in sorted(f"{case}.pkl" for case in cases)]
    assert len(list(tmp_path.iterdir())) == len(cases)


def test_results_are_not_replaced_unasked(tmp_path: Path, file: Path) -> None:
    out = tmp_path / "x.safetensors"
    for there in (out, out.with_suffix(".json")):
        there.write_text("mine")
        with pytest.raises(BadInput, match="--overwrite"):
            import_checkpoint(file, out, config=TINY)
        assert there.read_text() == "mine"
        there.unlink()
    out.write_text("old")
    import_checkpoint(file, out, overwrite=True, config=TINY)
    load_checkpoint(out)
    import_checkpoint(file, out, overwrite=True, config=TINY)
    before = out.read_bytes()
    file.write_bytes(b"spoilt")
    with pytest.raises(BadInput):
        import_checkpoint(file, out, overwrite=True, config=TINY)
    assert out.read_bytes() == before, "what was there stays when the import fails"
    load_checkpoint(out)


def test_places_that_cannot_be_written_are_told(tmp_path: Path, file: Path) -> None:
    with pytest.raises(BadInput, match="has to end with"):
        import_checkpoint(file, tmp_path / "x.pt", config=TINY)
    with pytest.raises(OutputError):
        import_checkpoint(file, file / "x.safetensors", config=TINY)
    renamed = file.rename(tmp_path / "x.safetensors")
    with pytest.raises(BadInput, match="is the file to import"):
        import_checkpoint(renamed, renamed, overwrite=True, config=TINY)
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        with pytest.raises(OutputError, match="permission denied"):
            import_checkpoint(renamed, locked / "y.safetensors", config=TINY)
        assert not list(locked.iterdir())


def test_a_missing_folder_is_made_only_for_a_result(tmp_path: Path, file: Path) -> None:
    import_checkpoint(file, tmp_path / "a" / "b" / "x.safetensors", config=TINY)
    file.write_bytes(b"spoilt")
    with pytest.raises(BadInput):
        import_checkpoint(file, tmp_path / "c" / "x.safetensors", config=TINY)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "network.pkl"]


@pytest.mark.parametrize("case", ["in an archive", "a network of another size"])
def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path: Path, case: str) -> None:
    canary, path, out = tmp_path / "canary", tmp_path / "network.pkl", tmp_path / "x.safetensors"
    content = {**hostile_snapshots(canary), "a network of another size": snapshot(tiny_tensors())}[case]
    path.write_bytes(content)
    done = sherf("import-checkpoint", path, "--out", out)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(f"error: {path} cannot be imported") and "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["network.pkl"]
