"""How the compact golden files here were made from the full ones: python tests/golden/shrink.py FOLDER

FOLDER holds the full files and the body (shared/golden of the project). Inputs are left to thuman_inputs_*.npz. Stages
that later ones start from are kept whole, every 16th of the 1,024 points is kept with all its stages, and of what
remains some 4,000 numbers a stage, evenly spread. The results are whole.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models" / "paper"))

from golden_file import Golden  # noqa: E402

POINTS, POINT_STEP = 1024, 16
MOST_NUMBERS = 4096
WHOLE = (
    "in/t_vertices", "in/t_world_bounds", "mid/code", "mid/ws0", "mid/obs_smpl_vertex_mask",
    "mid/obs_vertex_3d_feature",
    "mid/obs_vertex_canonical", "mid/sp_out_sh", "mid/sp_bounds", "mid/pts_mask_packed", "mid/inmask_vertex_id",
    "out/image", "out/image_depth", "out/weights_image",
)  # fmt: skip
SAMPLED = (
    "mid/planes", "mid/obs_input_feature", "mid/obs_uv", "mid/obs_vertex_rgb", "mid/sp_coord",
    *(f"mid/sp.conv{scale}_{what}" for scale in range(4) for what in ("ind", "feat")),
)  # fmt: skip
OF_POINTS = (
    "subset_flat_index", "smpl_query_pts", "smpl_query_viewdir", "vert_ids_tgt", "coarse_canonical_pts",
    "coarse_canonical_viewdir", "vert_ids_can", "world_src_pts", "src_uv", "point_2d_feature", "point_3d_feature_192",
    "point_3d_feature", "planes_feature", "fused_reprojected", "fused_transformer", "rgb", "sigma",
)  # fmt: skip


def shrink(golden: Golden, inputs: Path) -> dict[str, np.ndarray]:
    """The compact file's arrays."""
    with np.load(inputs) as stored:
        for name in stored.files:
            assert np.array_equal(stored[name], golden.array(f"in/{name}")), f"{inputs.name} has another {name}"
    arrays = {"inputs_from": np.array(inputs.name)} | {name: golden.array(name) for name in WHOLE}
    for name in SAMPLED:
        values = golden.array(name)
        places = np.unique(np.linspace(0, values.size - 1, min(values.size, MOST_NUMBERS)).round().astype(np.int32))
        arrays |= {name: values.ravel()[places], f"at/{name}": places, f"shape/{name}": np.array(values.shape)}
    for name in (f"mid/{stage}" for stage in OF_POINTS):
        values = golden.array(name)
        axis = values.shape.index(POINTS)
        arrays[name] = values.take(range(0, POINTS, POINT_STEP), axis)
    return arrays


def main() -> None:
    """Write all four, and the body."""
    folder = Path(sys.argv[1])
    for pose in ("same_pose", "novel_pose"):
        for statistics in ("frame", "running"):
            name = f"{pose}_{statistics}.npz"
            np.savez_compressed(HERE / name, **shrink(Golden(folder / name), HERE / f"thuman_inputs_{pose}.npz"))
    (HERE / "smpl_standin.npz").write_bytes((folder / "smpl_standin.npz").read_bytes())


if __name__ == "__main__":
    main()
