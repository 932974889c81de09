"""Posing equals that of smplx, on the open body with random pose blend shapes in SMPL's file layout."""

import pickle
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from smpl_files import smpl_arrays

from sherf.body.files import load_body_model
from sherf.scene import BodyPose

smplx = pytest.importorskip("smplx", reason="smplx has a non-commercial licence: install the extra `smpl` to compare")


def test_vertices_and_joints_equal_smplx(tmp_path: Path) -> None:
    ours = load_body_model("openbody")
    ours = replace(ours, posedirs=0.005 * torch.randn(6890, 3, 207))
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(smpl_arrays(ours)))
    ours = load_body_model(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = smplx.SMPL(str(path), batch_size=4, create_body_pose=False)
    pose = BodyPose(
        betas=torch.randn(4, 10),
        joints=0.5 * torch.randn(4, 24, 3),
        R_world_body=torch.eye(3).expand(4, 3, 3),
        T_world_body=torch.randn(4, 3),
    )
    out = theirs(
        betas=pose.betas,
        global_orient=pose.joints[:, 0],
        body_pose=pose.joints[:, 1:].flatten(start_dim=1),
        transl=pose.T_world_body,
    )
    body = ours.pose(pose)
    torch.testing.assert_close(body.vertices, out.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(body.joints, out.joints[:, :24], atol=1e-5, rtol=0)
