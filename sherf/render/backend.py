"""The operations that differ between the CPU and CUDA, as one object: chosen once by `devices.choose_backend`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sherf.render.sampling import OccupancyGrid
from sherf.scene import Rays, RaySamples, SurfacePoints


class Surface(Protocol):
    """A triangle mesh that answers closest-point queries."""

    def nearest(self, points: Float[Tensor, "point 3"]) -> SurfacePoints:
        """Return the nearest surface points, with signed distances (metres, negative inside a closed mesh)."""
        ...


@runtime_checkable
class Shell(Protocol):
    """A closed triangle mesh at which rays are cast."""

    def first(self, rays: Rays) -> tuple[Float[Tensor, " ray"], Float[Tensor, " ray"]]:
        """Return the distance at which rays first meet the mesh, metres, and the cosine of the angle of incidence.

        The distance is infinite for rays that miss the mesh, and the cosine negative where they meet it from inside.
        """
        ...

    def intervals(
        self, rays: Rays
    ) -> tuple[Int[Tensor, " interval"], Float[Tensor, " interval"], Float[Tensor, " interval"]]:
        """Return the parts of rays inside the mesh: ray, start and end in metres, sorted by ray, then by distance."""
        ...


MakeShell = Callable[[Float[Tensor, "vertex 3"], Int[Tensor, "face 3"]], Shell]
"""Vertices and outward-facing triangles -> Shell."""

MakeSurface = Callable[[Float[Tensor, "vertex 3"], Int[Tensor, "face 3"]], Surface]
"""Vertices and outward-facing triangles -> Surface."""

NearestVertex = Callable[[Float[Tensor, "point 3"]], Int[Tensor, " point"]]
"""Points -> the index of the vertex that is nearest to each. No gradients."""

MakeNearestVertex = Callable[[Float[Tensor, "vertex 3"], float], NearestVertex]
"""Vertices and a reach in metres -> the search; points beyond the reach of all vertices may get any vertex."""

Sample = Callable[[Rays, OccupancyGrid, float], RaySamples]
"""Rays (one axis), grid and step in metres -> the samples whose middles lie in occupied voxels."""

Composite = Callable[
    [Float[Tensor, " sample"], RaySamples, Float[Tensor, " ray"]],
    tuple[Float[Tensor, " sample"], Float[Tensor, " ray"]],
]
"""Density (1/m), its samples, and the transmittance before each ray's first sample (0..1) -> the weight of each sample
in its ray's colour, and the transmittance behind each ray's last sample. Differentiable."""


@dataclass(frozen=True)
class Backend:
    """The operations that have a fast implementation on one device; `torch_backend.py` is the definition of each."""

    name: str
    device: torch.device
    surface: MakeSurface
    nearest_vertex: MakeNearestVertex
    sample: Sample
    composite: Composite
    make_shell: MakeShell | None = None
    """Ray casting; None where it is not available: rays are marched through an occupancy grid instead."""
    is_exact: bool = False
    """Whether fields are marched in small steps, as they are defined, instead of traced at their surface."""
    points_at_once: int | None = None
    """Samples that a GPU evaluates together; None on the CPU, where each operation has a size that suits its caches."""

    @property
    def is_gpu(self) -> bool:
        """Whether the device works on its own while the CPU goes on, and has memory of its own."""
        return self.device.type == "cuda"

    def exact(self) -> "Backend":
        """Return the backend that renders fields as they are defined."""
        return replace(self, make_shell=None, is_exact=True)

    def chunk(self, usual: int) -> int:
        """Return how many points to evaluate together, given the number that suits the CPU."""
        return max(usual, self.points_at_once or 0)

    def synchronize(self) -> None:
        """Wait until the device has finished: call it before reading a clock."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)
