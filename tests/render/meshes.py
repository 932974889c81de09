"""Small closed meshes whose signed distances are known in closed form."""

import torch
import trimesh
from torch import Tensor

Mesh = tuple[Tensor, Tensor]
RING, TUBE = 0.3, 0.1


def torus(around: int = 32, across: int = 16) -> Mesh:
    """Return a torus about the z axis; its saddles test the sign at edges and vertices."""
    return as_tensors(trimesh.creation.torus(RING, TUBE, major_sections=around, minor_sections=across))


def box() -> Mesh:
    """Return a box of 12 large triangles with half extents of 0.1, 0.2 and 0.3 m."""
    return as_tensors(trimesh.creation.box(extents=(0.2, 0.4, 0.6)))


def spike(cuts: int = 20) -> Mesh:
    """Return a slanted needle on a small triangle; one side and the base are fans of many slivers."""
    tip, back = torch.tensor([[0.2, 0.1, 0.6]]), torch.tensor([[0.0, -0.1, 0.0]])
    along = torch.linspace(0, 1, cuts + 1)[:, None]
    rim = torch.tensor([0.1, 0.05, 0.0]) * (1 - along) + torch.tensor([-0.1, 0.05, 0.0]) * along
    first, following = torch.arange(cuts) + 2, torch.arange(cuts) + 3
    side = torch.stack([torch.zeros(cuts, dtype=torch.long), following, first], dim=1).flip(1)
    base = torch.stack([torch.ones(cuts, dtype=torch.long), first, following], dim=1).flip(1)
    ends = torch.tensor([[0, 1, 2], [0, cuts + 2, 1]])
    return torch.cat([tip, back, rim]), torch.cat([side, base, ends])


def as_tensors(mesh: trimesh.Trimesh) -> Mesh:
    return torch.tensor(mesh.vertices, dtype=torch.float32), torch.tensor(mesh.faces, dtype=torch.long)


def torus_distance(points: Tensor) -> Tensor:
    """Return the signed distance to the smooth torus."""
    ring = points[..., :2].norm(dim=-1) - RING
    return torch.hypot(ring, points[..., 2]) - TUBE


def box_distance(points: Tensor) -> Tensor:
    beyond = points.abs() - torch.tensor([0.1, 0.2, 0.3])
    return beyond.clamp(min=0).norm(dim=-1) + beyond.amax(dim=-1).clamp(max=0)


def scattered(count: int, half: float, seed: int = 0) -> Tensor:
    """Return uniform points in a cube with this half extent about the origin."""
    return (2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) - 1) * half
