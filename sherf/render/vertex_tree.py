"""Nearest vertices on the CPU through SciPy's k-d tree: exact, about 1 us per point and core."""

import math

import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor


class VertexTree:
    """Same answers as `torch_backend.BruteForceVertices`."""

    def __init__(self, vertices: Float[Tensor, "vertex 3"], reach: float = math.inf) -> None:
        """Build the tree.

        Args:
            vertices: metres.
            reach: points further than this from all vertices may get any vertex, metres.
        """
        self._tree = cKDTree(vertices.detach().double().numpy())
        self._reach = reach * (1 + 1e-4)

    def __call__(self, points: Float[Tensor, "point 3"]) -> Int[Tensor, " point"]:
        """Return the index of the vertex nearest to each point; any vertex if none is within reach. No gradients."""
        _, vertex = self._tree.query(
            points.detach().numpy(), distance_upper_bound=self._reach, workers=torch.get_num_threads()
        )
        return torch.from_numpy(vertex).clamp_(max=self._tree.n - 1)  # SciPy returns n where it does not find any
