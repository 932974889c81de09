"""Depth maps of meshes."""

import torch

from sherf.render.raycast import spread_depth


def test_pixels_beside_a_nearer_surface_count_as_occluded() -> None:
    depth = torch.full((9, 9), torch.inf)
    depth[4, 4] = 1.0
    near = spread_depth(depth, rim=2, far=1e4) < 2
    assert near[2:7, 2:7].all() and near.sum() == 25
