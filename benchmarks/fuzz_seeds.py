"""Small valid files of every kind that is read, generated in code as seeds for fuzzing. Nothing here reads a pickle."""

import base64
import io
import json
import pickle
import re
import struct
import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load, save

from sherf.body.skeleton import JOINT_NAMES, PARENTS
from sherf.models.checkpoint import save_checkpoint
from sherf.models.config import SherfConfig
from sherf.models.config_json import config_record
from sherf.models.paper.network import PaperNetwork
from sherf.photo.fit_file import FORMAT
from sherf.photo.landmarks import LANDMARKS

TINY = SherfConfig(
    name="tiny", body_model="openbody", levels=("global", "pixel"), encoder_width=2, plane_resolution=8,
    synthesis_base=16, synthesis_most=4, volume_channels=(2, 2, 2), token_width=2, head_width=2, decoder_width=4,
    decoder_depth=2, fusion_depth=1, heads=1, anchor="vertices",
)  # fmt: skip
BONES = (
    ("Hips", -1, (0, 90, 0)), ("LeftUpLeg", 0, (9, -5, 0)), ("LeftLeg", 1, (0, -40, 0)), ("LeftFoot", 2, (0, -40, 0)),
    ("RightUpLeg", 0, (-9, -5, 0)), ("RightLeg", 4, (0, -40, 0)), ("Spine", 0, (0, 20, 0)), ("Head", 6, (0, 30, 0)),
)  # fmt: skip
"""Name, parent, offset in centimetres."""


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def images() -> list[bytes]:
    """Return images in every format that is read, and in unusual colour modes."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 255, (40, 36, 3), dtype=np.uint8), "RGB")
    alpha = rgb.convert("RGBA")
    alpha.putalpha(Image.fromarray(np.tri(40, 36, dtype=np.uint8) * 255, "L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 28
    deep = Image.fromarray(rng.integers(0, 65535, (34, 33), dtype=np.uint16))
    return [
        _saved(rgb, "JPEG", exif=exif, quality=60), _saved(rgb.convert("CMYK"), "JPEG"),
        _saved(rgb, "JPEG", progressive=True),
        _saved(alpha, "PNG"), _saved(rgb.quantize(16), "PNG"), _saved(deep, "PNG"), _saved(rgb.convert("1"), "PNG"),
        _saved(alpha, "WEBP"), _saved(rgb, "WEBP", exif=exif), _saved(rgb, "BMP"), _saved(rgb.quantize(8), "GIF"),
        _saved(rgb, "TIFF", compression="tiff_lzw"), _saved(deep, "TIFF"), _saved(alpha, "TIFF"),
    ]  # fmt: skip


def masks() -> list[bytes]:
    """Return masks: white on black, and as an alpha channel."""
    mask = Image.fromarray(np.tri(40, 36, dtype=np.uint8) * 255, "L")
    cut = Image.new("RGBA", (36, 40), (9, 9, 9, 255))
    cut.putalpha(mask)
    return [_saved(mask, "PNG"), _saved(cut, "PNG"), _saved(mask, "JPEG"), _saved(mask.convert("1"), "TIFF")]


def videos() -> list[bytes]:
    """Return clips of six small frames in five containers."""
    import av

    found = []
    for suffix, codec in (
        (".mp4", "libx264"),
        (".webm", "libvpx"),
        (".avi", "mpeg4"),
        (".mkv", "libx264"),
        (".gif", "gif"),
    ):
        with tempfile.NamedTemporaryFile(suffix=suffix) as file:
            with av.open(file.name, "w", options={"fflags": "+bitexact"}) as container:
                stream = container.add_stream(codec, rate=10)
                stream.width, stream.height, stream.pix_fmt = 48, 32, "rgb8" if codec == "gif" else "yuv420p"
                for i in range(6):
                    frame = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 40 * i, np.uint8), format="rgb24")
                    frame.pts, frame.time_base = i, Fraction(1, 10)
                    container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
                container.mux(stream.encode(None))
            found.append(Path(file.name).read_bytes())
    return found


def _npz(arrays: dict[str, Any], packed: bool = False) -> bytes:
    written = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(written, **arrays)
    return written.getvalue()


def npy(content: Any) -> bytes:
    """Return the bytes that np.save writes; objects are pickled."""
    written = io.BytesIO()
    if isinstance(content, np.ndarray):
        np.save(written, content)
        return written.getvalue()
    held = np.empty((), object)
    held[()] = content
    np.lib.format.write_array_header_1_0(written, np.lib.format.header_data_from_array_1_0(held))
    return written.getvalue() + pickle.dumps(held, 4)


def _poses(frames: int = 2, width: int = 72) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.2, (frames, width)).astype(np.float32)


def motion_npz() -> list[bytes]:
    """Return motions in our own layout, AMASS's and SMPL-X's."""
    own = {
        "joints": _poses().reshape(-1, 24, 3), "translation": np.zeros((2, 3), np.float32), "fps": np.float64(30),
        "name": np.array("walk"), "licence": np.array("CC0"),
    }  # fmt: skip
    amass = {"poses": _poses(width=156), "trans": np.zeros((2, 3)), "mocap_framerate": np.float64(60)}
    smplx = {"global_orient": _poses(2, 3), "body_pose": _poses(2, 63), "transl": np.zeros((2, 3)), "fps": 30}
    return [_npz(own, True), _npz(own), _npz(amass), _npz(smplx)]


def motion_npy() -> list[bytes]:
    """Return arrays of poses only."""
    return [npy(_poses()), npy(np.asfortranarray(_poses(3, 66).astype(np.float64))), npy(_poses(2, 156).astype(">f4"))]


def motion_json() -> list[bytes]:
    """Return motions with the keys of AIST++ and of SMPL-X."""
    aist = {"smpl_poses": _poses().round(3).tolist(), "smpl_trans": [[0, 0, 0]] * 2, "smpl_scaling": [90.0]}
    smplx = {"global_orient": [[0, 0, 0]], "body_pose": [[0] * 63], "transl": [[0, 0, 0]], "fps": 30, "note": "x"}
    return [json.dumps(x, default=float).encode() for x in (aist, smplx)]


def motion_pickle() -> list[bytes]:
    """Return motions as AIST++ publishes them, in several pickle protocols."""
    aist = {"smpl_poses": _poses(), "smpl_trans": np.zeros((2, 3)), "smpl_scaling": np.array([90.0]), "fps": 60}
    plain = {"poses": _poses().astype(float), "trans": np.zeros((2, 3)), "mocap_framerate": np.float64(30)}
    return [pickle.dumps(x, protocol) for protocol in (0, 2, 4, 5) for x in (aist, plain)]


def motion_bvh() -> list[bytes]:
    """Return a skeleton of eight joints with two frames."""
    children = {i: [j for j, (_, parent, _) in enumerate(BONES) if parent == i] for i in range(-1, len(BONES))}

    def lines(joint: int) -> list[str]:
        name, parent, offset = BONES[joint]
        channels = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        body = [f"OFFSET {offset[0]} {offset[1]} {offset[2]}", f"CHANNELS {channels} Zrotation Xrotation Yrotation"]
        below = [line for child in children[joint] for line in lines(child)]
        return [
            f"{'ROOT' if parent < 0 else 'JOINT'} {name}", "{", *body,
            *(below or ["End Site", "{", "OFFSET 0 1 0", "}"]), "}",
        ]  # fmt: skip

    numbers = [" ".join(["0"] * (3 * len(BONES) + 3)), " ".join(map(str, range(3 * len(BONES) + 3)))]
    text = "\n".join(["HIERARCHY", *lines(0), "MOTION", "Frames: 2", "Frame Time: 0.0333", *numbers])
    return [text.encode(), text.replace("\n", "\r\n").encode()]


def motion_gltf() -> list[bytes]:
    """Return the same skeleton as a GLB, and as a .gltf with embedded buffers."""
    times = np.array([0, 0.1], np.float32)
    turns = np.array([[0, 0, 0, 1], [0, 0.6, 0, 0.8]], np.float32)
    places = np.array([[0, 1, 0], [0, 1, 1]], np.float32)
    binary = times.tobytes() + turns.tobytes() + places.tobytes()
    nodes: list[dict[str, Any]] = [{"name": name, "translation": list(offset)} for name, _, offset in BONES]
    for child, (_, parent, _) in enumerate(BONES):
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(child)
    nodes[3]["matrix"] = np.eye(4).ravel().tolist()
    nodes[2]["rotation"] = [0, 0, 0, 1]
    document = {
        "asset": {"version": "2.0"}, "nodes": nodes, "buffers": [{"byteLength": len(binary)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": begin, "byteLength": size} for begin, size in ((0, 8), (8, 32), (40, 24))
        ],
        "accessors": [
            {"bufferView": i, "componentType": 5126, "count": 2, "type": kind}
            for i, kind in enumerate(("SCALAR", "VEC4", "VEC3"))
        ],
        "animations": [{
            "name": "walk",
            "channels": [
                {"sampler": 0, "target": {"node": 0, "path": "rotation"}},
                {"sampler": 1, "target": {"node": 0, "path": "translation"}},
                {"sampler": 0, "target": {"node": 1, "path": "rotation"}},
            ],
            "samplers": [{"input": 0, "output": 1}, {"input": 0, "output": 2, "interpolation": "STEP"}],
        }],
    }  # fmt: skip
    chunk = json.dumps(document).encode()
    chunk += b" " * (-len(chunk) % 4)
    glb = struct.pack("<III", 0x46546C67, 2, 28 + len(chunk) + len(binary)) + struct.pack("<II", len(chunk), 0x4E4F534A)
    glb += chunk + struct.pack("<II", len(binary), 0x004E4942) + binary
    document["buffers"] = [{"uri": "data:application/octet-stream;base64," + base64.b64encode(binary).decode()}]
    return [glb, json.dumps(document).encode()]


def body_arrays(vertices: int = 6) -> dict[str, np.ndarray]:
    """Return a body model of very few vertices in SMPL's layout."""
    rng = np.random.default_rng(0)
    weights = np.zeros((vertices, 24))
    weights[:, 0] = 1
    regressor = rng.random((24, vertices))
    return {
        "v_template": rng.normal(0, 1, (vertices, 3)), "shapedirs": rng.normal(0, 1, (vertices, 3, 10)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True), "weights": weights,
        "kintree_table": np.array([[2**32 - 1, *PARENTS[1:]], range(24)], np.uint32),
        "f": np.array([[0, 1, 2], [1, 2, 3]], np.uint32),
    }  # fmt: skip


def body_npz() -> list[bytes]:
    """Return body models with and without pose blend shapes."""
    posed = body_arrays(4) | {"posedirs": np.full((4, 3, 207), 0.1, np.float16)}
    return [_npz(body_arrays()), _npz(posed, True)]


def body_pickle() -> list[bytes]:
    """Return body models with plain arrays, and with a sparse joint regressor."""
    import scipy.sparse

    sparse = body_arrays() | {"J_regressor": scipy.sparse.csc_matrix(body_arrays()["J_regressor"])}
    return [pickle.dumps(x, protocol) for protocol in (0, 2, 5) for x in (body_arrays(), sparse)]


def avatars() -> list[bytes]:
    """Return an avatar of the template model."""
    header = {"format": "sherf-avatar", "version": "1", "model": "template", "body_model": "openbody", "report": "{}"}
    return [_in_order(save(_observation() | {"stand_off": torch.zeros(6), "fill": torch.zeros(6, 3)}, header))]


def network_avatars() -> list[bytes]:
    """Return an avatar of a tiny network in the published architecture."""
    torch.manual_seed(0)
    network = PaperNetwork(TINY, with_encoder=False)
    planes = torch.zeros(TINY.num_planes, TINY.token_width, *TINY.plane_size)
    tensors = _observation() | {"planes": planes, "pixels": torch.zeros(2, 4, 4), "vertices": torch.zeros(6, 3)}
    tensors |= {f"network.{name}": x for name, x in network.state_dict().items()}
    header = {
        "format": "sherf-avatar", "version": "2", "model": "network", "body_model": "openbody", "report": "{}",
        "config": json.dumps(config_record(TINY)),
    }  # fmt: skip
    return [_in_order(save(tensors, header))]


def _in_order(content: bytes) -> bytes:
    """Sort the header: safetensors writes its entries in an order that changes from run to run."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def _observation() -> dict[str, torch.Tensor]:
    return {
        "image": torch.zeros(3, 6, 5, dtype=torch.uint8), "mask": torch.ones(6, 5, dtype=torch.uint8),
        "K": torch.eye(3), "R": torch.eye(3), "T": torch.tensor([0.0, 0, 3]), "betas": torch.zeros(10),
        "joints": torch.zeros(24, 3), "R_world_body": torch.eye(3), "T_world_body": torch.zeros(3),
    }  # fmt: skip


@cache
def checkpoint_file() -> bytes:
    """Return a checkpoint of a tiny network in the published architecture."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        save_checkpoint(PaperNetwork(TINY), path, {})
        return _in_order(path.read_bytes())


@cache
def checkpoint_pair() -> tuple[bytes, bytes]:
    """Return a checkpoint as earlier versions wrote it: the bytes of the weights, and of the JSON beside them."""
    content = checkpoint_file()
    length = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["about"])
    weights = save(load(content), {"format": "sherf-checkpoint"})
    return _in_order(weights), json.dumps(about | {"version": 1}).encode()


def snapshots() -> list[bytes]:
    """Return snapshots as the published training writes them: plain pickles and both layouts of torch.save."""
    torch.manual_seed(0)
    networks = {name: torch.nn.Sequential(torch.nn.Linear(2, 3)) for name in ("G", "D", "G_ema")}
    packed, legacy = io.BytesIO(), io.BytesIO()
    torch.save(networks, packed)
    torch.save(networks, legacy, _use_new_zipfile_serialization=False)
    written = [pickle.dumps(networks, 2), pickle.dumps(networks, 4), packed.getvalue(), legacy.getvalue()]
    return [_without_addresses(content) for content in written]


def _without_addresses(content: bytes) -> bytes:
    """Number the storages: the older layout names them by their memory addresses."""
    names: dict[bytes, bytes] = {}
    return re.sub(rb"\d{12,16}", lambda m: names.setdefault(m[0], b"%0*d" % (len(m[0]), len(names))), content)


def fit_files() -> list[bytes]:
    """Return a fit.json with edits of every kind."""
    content = {
        "format": FORMAT, "photo": "me.jpg", "photo_sha256": "0", "size": [40, 60], "person": 1,
        "body_model": "openbody",
        "fit": {
            "betas": [0.1] * 10, "joints": {name: [0, 0.1, 0] for name in JOINT_NAMES},
            "camera": {"focal_px": 80.0, "pitch": 0.1, "translation": [0, 0, 3]},
        },
        "landmarks": {LANDMARKS[0].name: {"pixel": [3, 4], "visibility": 0.9}},
        "edits": {
            "landmarks": {LANDMARKS[0].name: [12, 18.5], LANDMARKS[1].name: None}, "joints": {"head": [0, 0.4, 0]},
            "mask": "mine.png",
        },
    }  # fmt: skip
    return [json.dumps(content).encode(), json.dumps({"format": FORMAT, "edits": content["edits"]}).encode()]


def camera_files() -> list[bytes]:
    """Return two cameras, one with its field of view, the other with focal lengths."""
    matrix = [[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 3], [0, 0, 0, 1]]
    frames = [{"transform_matrix": matrix, "file_path": "a.png"}, {"transform_matrix": matrix, "fl_x": 50, "cy": 3.5}]
    return [
        json.dumps(
            {"w": 40, "h": 30, "camera_angle_x": 0.9, "camera_model": "OPENCV", "k1": 0, "frames": frames}
        ).encode()
    ]


def training_files() -> list[bytes]:
    """Return training configurations with an entry of every section."""
    content = {
        "base": "sherf-small", "model": {"blend": False, "lookups": ["seen"]}, "losses": {"lpips": 0}, "steps": 9,
        "augment": {"mirror": 0.25}, "learning_rate": 0.001,
    }  # fmt: skip
    return [json.dumps(content).encode(), b'{"base": "sherf-paper"}']


def manifest_csv() -> list[bytes]:
    """Return rows for `sherf batch`."""
    return [b"photo,name,motions,frames\nme.jpg,me,walk,3\nyou.jpg,,,\n"]


def manifest_jsonl() -> list[bytes]:
    """Return rows as JSON Lines."""
    return [b'{"photo": "me.jpg", "motions": ["walk"], "frames": 3}\n{"photo": "you.jpg"}\n']


def manifest_yaml() -> list[bytes]:
    """Return rows as YAML, with defaults and an alias."""
    return [
        b"defaults:\n  motions: &m [walk]\nphotos:\n  - me.jpg\n  - photo: you.jpg\n    motions: *m\n    frames: 3\n"
    ]
