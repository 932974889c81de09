"""Minimal inputs found by fuzzing and review: each once broke its reader, and is refused now."""

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import fuzz_seeds as seeds
import numpy as np
import pytest
from fuzz import batch_in_child
from fuzz_readers import READERS

from sherf.errors import MAX_TEXT_LENGTH, BadInput, SherfError
from sherf.files.plain_arrays import unpack_npz
from sherf.motion.readers.joint_names import split_side
from sherf.photo.video_reader import is_video


def npy(header: str, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + content


def npz(member: bytes, kind: int = zipfile.ZIP_STORED, name: str = "poses.npy") -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", kind) as archive:
        archive.writestr(name, member)
    return written.getvalue()


def changed(sound: bytes, *keys: Any, value: Any) -> bytes:
    """Return a JSON document with one value replaced."""
    document = json.loads(sound)
    holder = document
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = value
    return json.dumps(document).encode()


def with_header(sound: bytes, **entries: Any) -> bytes:
    """Return a safetensors file with other metadata."""
    length = int.from_bytes(sound[:8], "little")
    header = json.loads(sound[8 : 8 + length])
    header["__metadata__"] |= entries
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + sound[8 + length :]


def lying_zip() -> bytes:
    """Return an archive whose member declares 1,000 bytes and unpacks to 300 MB."""
    data = npz(bytes(300 * 2**20), zipfile.ZIP_DEFLATED)
    return data.replace(struct.pack("<I", 300 * 2**20), struct.pack("<I", 1000))


def long_directory() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for i in range(3000):
            archive.writestr(f"{i}.npy", b"")
    return written.getvalue()


def nested_pickle() -> bytes:
    """Return nested tuples of one tuple twice, sixty deep: 2^60 values in 500 bytes."""
    doubled = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(60))
    return npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }", b"\x80\x04)q\x00" + doubled + b".")


def gltf(*keys: Any, value: Any) -> bytes:
    return changed(seeds.motion_gltf()[1], *keys, value=value)


def bvh(old: str, new: str) -> bytes:
    text = seeds.motion_bvh()[0].decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def still_bvh(frames: int) -> bytes:
    """Return hundreds of joints without channels: few numbers, but much memory for their rotations."""
    hips, chain = seeds.motion_bvh()[0].decode().partition("OFFSET 0 90 0")[::2]
    joints = "".join(f"JOINT x{i}\n{{\nOFFSET 0 0 0\n}}\n" for i in range(480))
    head = (
        (hips + "OFFSET 0 90 0" + chain).partition("MOTION")[0].replace("JOINT LeftUpLeg", joints + "JOINT LeftUpLeg")
    )
    return f"{head}MOTION\nFrames: {frames}\nFrame Time: 0.03\n{'0 ' * frames * 27}".encode()


def png_of_a_huge_chunk() -> bytes:
    sound = READERS["openpeople picture"].seeds()[0]
    return sound[:33] + b"\xbe" + sound[34:]


def text_beyond_unicode() -> bytes:
    written = io.BytesIO()
    np.savez(written, joints=np.zeros((2, 24, 3)), translation=np.zeros((2, 3)), fps=30.0)
    with zipfile.ZipFile(written, "a") as archive:
        archive.writestr("name.npy", npy("{'descr': '<U1', 'fortran_order': False, 'shape': ()}", b"\xff" * 4))
    return written.getvalue()


HUGE = 10**400
SOUND_FIT, SOUND_TRAINING = seeds.fit_files()[0], seeds.training_files()[0]
SPACES, PACKED = " " * 8000, seeds.motion_npz()[0]
FOUND: dict[str, tuple[str, bytes]] = {
    "npy header of an open bracket": ("motion npy", npy("{'descr': (")),
    "npy header of mixed keys": ("motion npy", npy("{'descr': '<f4', 1: 2}")),
    "npy header of blanks, which took half a minute": (
        "zju parameters", npy("{'descr': '|O', 'fortran_order': '|O', 'shape': 'descr', }" + SPACES),
    ),
    "npy of numbers beyond single precision": ("motion npy", seeds.npy(np.full((2, 72), 1e300))),
    "npy of huge angles": ("motion npy", seeds.npy(np.full((2, 72), 1e170))),
    "npz with a damaged stream": ("motion npz", PACKED[:60] + b"\xff" * 40 + PACKED[100:]),
    "npz that unpacks to more than it says": ("body npz", lying_zip().replace(b"poses.npy", b"f.npy    ")),
    "npz of text that is not text": ("motion npz", text_beyond_unicode()),
    "snapshot of letters for bytes": ("snapshot", seeds.snapshots()[0].replace(b"\xc2\x80", b"\xca\x8a")),
    "manifest with two lists": ("batch yaml", b"photos: [a.jpg]\nphotos: [a.jpg, b.jpg]\n"),
    "npz packed by bzip2": ("data npz", npz(bytes(100 * 2**20), zipfile.ZIP_BZIP2)),
    "npz of a long directory": ("data npz", long_directory()),
    "pickle that holds itself twice, sixty times": ("thuman annotations", nested_pickle()),
    "json of an endless number": ("motion json", json.dumps({"poses": [[HUGE] * 72]}).encode()),
    "json of bare numbers": ("motion json", b'{"global_orient": 1, "body_pose": 2, "fps": 30}'),
    "json of empty scaling": ("motion json", changed(seeds.motion_json()[0], "smpl_scaling", value=[])),
    "bvh of huge numbers": ("motion bvh", bvh("0 1 2 3", "1e308 1e308 1e308 1e308")),
    "bvh of a joint that never ends": ("motion bvh", bvh("OFFSET 9 -5 0", "OFFSET 9 -5 0 " * 60_000)),
    "bvh of a long name": ("motion bvh", bvh("JOINT Spine", "JOINT " + "_" * 100_000)),
    "bvh of many still joints": ("motion bvh", still_bvh(7000)),
    "gltf of rows before the buffer": ("motion gltf", gltf("bufferViews", 1, "byteStride", value=-(2**20))),
    "gltf of overlapping rows": ("motion gltf", gltf("bufferViews", 1, "byteStride", value=1)),
    "gltf of an infinite node": ("motion gltf", gltf("animations", 0, "channels", 0, "target", "node", value=1e999)),
    "gltf of a huge rotation": ("motion gltf", gltf("nodes", 2, "rotation", value=[0, 0, 1e308, 1])),
    "gltf of an infinite matrix, which LAPACK never returns from": (
        "motion gltf", gltf("nodes", 3, "matrix", value=[1, float("-inf"), *[0] * 14]),
    ),
    "gltf of numbers that are not finite": ("motion gltf", gltf("nodes", 2, "translation", value=[float("nan"), 0, 0])),
    "avatar of a version that only looks like a number": ("avatar", with_header(seeds.avatars()[0], version="\u00b2")),
    "avatar of a network of 17 GB": (
        "avatar of a network",
        with_header(
            seeds.network_avatars()[0],
            config=json.dumps(json.loads(b'{"anchor": "vertices", "decoder_width": 65536, "body_model": "openbody"}')),
        ),
    ),
    "fit of an endless size": ("fit json", changed(SOUND_FIT, "size", value=[HUGE, 1])),
    "fit of an endless pitch": ("fit json", changed(SOUND_FIT, "fit", "camera", "pitch", value=HUGE)),
    "fit of a mask's long name": ("fit json", changed(SOUND_FIT, "edits", "mask", value="x" * 3000)),
    "training of a list for a base": ("training json", changed(SOUND_TRAINING, "base", value=["sherf-small"])),
    "training of endless steps": ("training json", changed(SOUND_TRAINING, "steps", value=HUGE)),
    "cameras of ragged rows": ("humman cameras", b'{"kinect_color_000": {"K": [[1], [1, 2]], "R": 1, "T": 2}}'),
    "cameras that are a number": ("humman cameras", b"7"),
    "person of an endless number": (
        "openpeople person",
        changed(READERS["openpeople person"].seeds()[0], "poses", 0, "translation", value=[HUGE, 0, 0]),
    ),
    "person of poses that are not poses": (
        "openpeople person", changed(READERS["openpeople person"].seeds()[0], "poses", value=[1]),
    ),
    "manifest of brackets": ("openpeople manifest", b'{"people": ' + b"[" * 10**5),
    "picture of a chunk of 3 GB": ("openpeople picture", png_of_a_huge_chunk()),
    "annotations that name a file elsewhere": (
        "zju annotations",
        READERS["zju annotations"].seeds()[0].replace(b"Camera_B1/000000.jpg", b"../../../x/00000.jpg"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_known_bad_inputs_are_refused_quickly_with_a_message(name: str) -> None:
    """Within the harness's five seconds, although the type checks of tests slow everything down."""
    reader, data = FOUND[name]
    assert data not in READERS[reader].seeds()
    tally = batch_in_child(READERS[reader], lambda _: data, 0, 1)
    assert not tally.found and tally.refused == 1
    assert tally.growth_mb < 200


def test_a_mirrored_node_is_read_as_the_nearest_rotation() -> None:
    mirrored = gltf("nodes", 3, "matrix", value=[-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    tally = batch_in_child(READERS["motion gltf"], lambda _: mirrored, 0, 1)
    assert tally.accepted == 1 and not tally.found


@pytest.mark.parametrize(
    "playlist",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{other}\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile {other}\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9999 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ""])
def test_a_video_cannot_name_other_files_or_addresses(playlist: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "other.mp4").write_bytes(seeds.videos()[0])
    data = playlist.replace(b"{other}", b"other.mp4")
    (tmp_path / f"list{suffix}").write_bytes(data)
    assert is_video(tmp_path / f"list{suffix}") == bool(suffix)
    with pytest.raises(BadInput, match="cannot be read as a video"):
        READERS["video"].prepare(tmp_path)(tmp_path / f"list{suffix}")


def test_a_name_of_any_length_is_matched_at_once() -> None:
    assert split_side("_" * 10**6 + "left_arm") == ("", "leftarm")


def test_messages_are_shortened_and_cannot_steer_a_terminal() -> None:
    text = str(SherfError("a\x1b[2Jb\nc" + "x" * 10**6))
    assert text.startswith("a?[2Jb\nc") and len(text) < MAX_TEXT_LENGTH + 10


def test_unwanted_members_are_not_unpacked() -> None:
    assert unpack_npz(npz(bytes(10)), 100, ("other",)) == {}
