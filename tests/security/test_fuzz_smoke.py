"""Every reader of untrusted bytes on a few hundred damaged files: refused with a message, or read; nothing else.

`python benchmarks/fuzz.py` does the same with a hundred thousand of each; `docs/security.md` has the figures.
"""

import json
from pathlib import Path

import pytest
from fuzz import batch_in_child, damaged
from fuzz_readers import READERS, Reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sherf.errors import SherfError
from sherf.motion.read import read_motion

INPUTS = 150
SLOW = {"video": 40, "checkpoint": 12, "checkpoint weights": 12, "checkpoint json": 12}
SLOWER_ARE = 50
"""Inputs of the data sets' readers, which read several files each."""
SETTINGS = settings(
    derandomize=True, database=None, deadline=None, max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_refused_with_a_message(name: str) -> None:
    reader = READERS[name]
    is_data = name.split()[0] in ("thuman", "zju", "humman", "renderpeople", "openpeople")
    inputs = SLOW.get(name, SLOWER_ARE if is_data else INPUTS)
    tally = batch_in_child(reader, damaged(reader, 1), 0, inputs)
    assert tally.inputs == inputs and not tally.found
    assert tally.refused > 0


def _reader(read: object) -> Reader:
    return Reader("a reader", lambda: [b"sound"], "", lambda _: read)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("raise KeyError('x')", "KeyError"),
        ("raise SherfError('no')", None),
        ("open(path.parent.parent / 'elsewhere', 'w')", "writes"),
        ("open(path.parent / 'left', 'w')", "leaves left behind"),
        ("import subprocess; subprocess.run(['true'])", "triggers subprocess.Popen"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "triggers socket"),
        ("while True: pass", "takes more than 5 s"),
        ("bytearray(400 * 2**20)", "takes 4"),
        ("import os; os.kill(os.getpid(), 11)", "ends the process (SIGSEGV)"),
        ("return float('nan')", "not finite"),
        ("return 1.0", None),
    ],
)
def test_the_harness_finds_each_kind_of_fault(body: str, fault: str | None) -> None:
    """Otherwise it could not find any in the readers."""
    names: dict = {"SherfError": SherfError}
    source = f"def bad(path):\n    if path.read_bytes() != b'sound':\n        {body}\n"
    exec(source, names)
    tally = batch_in_child(_reader(names["bad"]), lambda _: b"damaged", 0, 1)
    assert tally.inputs == 1
    assert (not tally.found) if fault is None else any(fault in found for found in tally.found)


def test_the_same_seed_gives_the_same_inputs() -> None:
    for reader in READERS.values():
        first, again, other = (damaged(reader, seed) for seed in (3, 3, 4))
        assert [first(n) for n in range(5)] == [again(n) for n in range(5)] != [other(n) for n in range(5)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.integers(2**60, 2**400),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=6), inside, max_size=4),
    max_leaves=12,
)
JSON_READERS = ("fit json", "cameras json", "training json", "motion json", "openpeople manifest")


@pytest.mark.parametrize("name", JSON_READERS)
def test_any_value_may_stand_at_any_known_key_of_a_json_file(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    read, path = reader.prepare(tmp_path), tmp_path / f"input{reader.suffix}"
    sound = json.loads(reader.seeds()[0])

    @SETTINGS
    @given(key=st.sampled_from(sorted(sound)), value=VALUES)
    def tried(key: str, value: object) -> None:
        path.write_text(json.dumps(sound | {key: value}))
        try:
            read(path)
        except SherfError as error:
            assert str(error)

    tried()


NUMBERS = st.floats(width=32) | st.integers(-(10**6), 10**6) | st.sampled_from(["nan", "x", "1e999", "-", "0x1", "1_0"])
NAMES = st.sampled_from(["Hips", "LeftUpLeg", "LeftLeg", "RightUpLeg", "RightLeg", "Head", "{", "}", "_" * 300, "a b"])


@st.composite
def joints(draw: st.DrawFn, depth: int = 0) -> str:
    """Draw one joint of a BVH and those below it, mostly valid."""
    offset = " ".join(str(draw(NUMBERS)) for _ in range(draw(st.sampled_from([3, 3, 3, 3, 2]))))
    channels = draw(st.sampled_from(["3 Zrotation Xrotation Yrotation", "1 Xposition", "0", "9 Xrotation", "-1"]))
    below = [draw(joints(depth + 1)) for _ in range(draw(st.integers(0, 2 if depth < 3 else 0)))]
    word = "ROOT" if depth == 0 else "JOINT"
    return f"{word} {draw(NAMES)}\n{{\nOFFSET {offset}\nCHANNELS {channels}\n{' '.join(below)}\n}}\n"


@SETTINGS
@given(
    skeleton=joints(), frames=st.integers(-1, 3) | st.just(10**9), numbers=st.lists(NUMBERS, max_size=40), time=NUMBERS
)
def test_a_bvh_of_any_numbers_is_read_or_refused(
    skeleton: str, frames: int, numbers: list, time: object, tmp_path: Path
) -> None:
    path = tmp_path / "x.bvh"
    text = f"HIERARCHY\n{skeleton}MOTION\nFrames: {frames}\nFrame Time: {time}\n{' '.join(map(str, numbers))}\n"
    path.write_text(text)
    try:
        motion = read_motion(path)
    except SherfError:
        return
    assert motion.joints.isfinite().all() and motion.translation.isfinite().all()
