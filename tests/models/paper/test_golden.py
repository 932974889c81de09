"""The network reproduces the published one on compact golden files, and the comparison detects errors."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from golden_file import Golden
from stages import all_checks, fitting_statistics, use_statistics

from sherf.body.body_model import BodyModel
from sherf.models.paper.network import PaperNetwork

GOLDEN = Path(__file__).parents[2] / "golden"
PROGRAM = GOLDEN.with_suffix(".py")
FILES = ("same_pose_frame", "same_pose_running", "novel_pose_frame", "novel_pose_running")
STAGES = {
    "code", "ws0", "planes", "obs_input_feature", "obs_uv", "obs_smpl_vertex_mask", "obs_vertex_rgb",
    "obs_vertex_3d_feature", "obs_vertex_canonical", "sp_coord", "sp_out_sh", "sp_bounds",
    "sp.conv0_feat", "sp.conv1_feat", "sp.conv2_feat", "sp.conv3_feat",
    "sp.conv0_ind", "sp.conv1_ind", "sp.conv2_ind", "sp.conv3_ind",
    "smpl_query_pts", "smpl_query_viewdir", "vert_ids_tgt", "coarse_canonical_pts", "coarse_canonical_viewdir",
    "vert_ids_can", "world_src_pts", "src_uv", "point_2d_feature", "point_3d_feature_192", "point_3d_feature",
    "planes_feature", "fused_reprojected", "fused_transformer", "rgb", "sigma",
}  # fmt: skip
"""The stages that have to be compared at least."""
RESULTS = {
    f"out/{name}, {measure}" for name in ("image", "image_depth", "weights_image") for measure in ("largest", "mean")
}


@pytest.mark.parametrize("name", FILES)
def test_every_stage_and_the_image_equal_the_published_ones(
    name: str, network: PaperNetwork, stand_in_body: BodyModel
) -> None:
    use_statistics(network, "frame" if name.endswith("_frame") else "running")
    checks = list(all_checks(Golden(GOLDEN / f"{name}.npz"), network, stand_in_body))
    assert not [check for check in checks if not check.agrees]
    assert {check.stage for check in checks} >= STAGES | RESULTS


@pytest.mark.parametrize("name", FILES)
def test_the_first_stage_reveals_which_statistics_were_used(name: str, network: PaperNetwork) -> None:
    assert fitting_statistics(Golden(GOLDEN / f"{name}.npz"), network) == name.rsplit("_")[-1]


@pytest.mark.parametrize(
    ("weight", "stage"),
    [
        ("encoder.pixels.stages.0.1.norm2.bias", "obs_input_feature"),
        ("encoder.volume.stages.2.convs.1.weight", "sp.conv2_feat"),
        ("fusion.layers.0.to_qkv.weight", "fused_transformer"),
        ("decoder.density.weight", "sigma"),
    ],
)
def test_one_wrong_weight_is_detected_first_in_its_stage(
    weight: str, stage: str, network: PaperNetwork, stand_in_body: BodyModel
) -> None:
    use_statistics(network, "running")
    parameter = network.get_parameter(weight)
    original = parameter.detach().clone()
    with torch.no_grad():
        parameter.mul_(1.01)
    try:
        checks = all_checks(Golden(GOLDEN / "same_pose_running.npz"), network, stand_in_body)
        assert next(check.stage for check in checks if not check.agrees) == stage
    finally:
        with torch.no_grad():
            parameter.copy_(original)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_program_accepts_correct_weights() -> None:
    done = _run(str(GOLDEN / "novel_pose_frame.npz"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all within tolerance" in done.stdout


def test_the_program_refuses_other_weights() -> None:
    """Another salt changes all weights."""
    done = _run(str(GOLDEN / "same_pose_running.npz"), "--salt", "other")
    assert done.returncode == 1
    assert "TOO LARGE" in done.stdout and not done.stderr


def test_the_program_names_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    for name in ("broken.npz", "none.npz"):
        done = _run(str(tmp_path / name))
        assert done.returncode == 1
        assert name in done.stderr and "Traceback" not in done.stderr
