"""What a person is made of: parts, each a mesh with skinning weights and a material. NumPy throughout, metres."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on one part's surface that a picture shows."""

    rest: Float32[np.ndarray, "sample 3"]
    """Where the point lies on the person in the rest pose: the part's `chart`, interpolated."""
    uv: Float32[np.ndarray, "sample 2"]
    """The part's `uv`, interpolated; zero where the part has none."""
    footprint: float
    """Size of a pixel on the surface, metres: finer detail than that may be left out."""


@runtime_checkable
class Material(Protocol):
    """How a part looks."""

    gloss: float
    """Strength of the highlight, 0 matt to 1."""
    sharpness: float
    """Exponent of the highlight (Blinn-Phong)."""

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light, a pure function of the samples."""
        ...


@dataclass(frozen=True)
class Part:
    """One piece of a person in the rest pose: skin, eyes, hair, a garment, a pair of glasses."""

    name: str
    """What it is, such as "skin", "top", "bottom", "hair", "glasses": unique within a person."""
    vertices: Float[np.ndarray, "vertex 3"]
    """Rest pose of this person's shape, metres."""
    faces: Int[np.ndarray, "face 3"]
    """Counter-clockwise seen from outside."""
    weights: Float[np.ndarray, "vertex 24"]
    """Skinning weights, rows sum to 1."""
    material: Material
    chart: Float[np.ndarray, "vertex 3"]
    """Rest-space place that the material is evaluated at (the body-hugging surface a garment was cut from, say)."""
    uv: Float[np.ndarray, "vertex 2"] | None = None
    weld: Int[np.ndarray, " vertex"] | None = None
    """Vertices of equal number share their normal: for meshes that are cut along texture seams."""
    is_cloth: bool = False
    """Cloth gets creases where joints bend, and may not be pierced by the body."""
    covers: Bool[np.ndarray, " skin"] | None = None
    """Which of the 13,380 base-mesh skin vertices lie under it: the body is hidden there, and held against it."""


@dataclass(frozen=True)
class PosedPerson:
    """All parts in one pose, as one mesh in world space: y up, the floor at y = 0, metres."""

    parts: tuple[Part, ...]
    vertices: Float32[np.ndarray, "vertex 3"]
    normals: Float32[np.ndarray, "vertex 3"]
    """Unit length, pointing outwards."""
    faces: Int[np.ndarray, "face 3"]
    part_of_face: Int[np.ndarray, " face"]
    """Index into `parts`."""
    chart: Float32[np.ndarray, "vertex 3"]
    """The parts' charts, in the order of `vertices`."""
    uv: Float32[np.ndarray, "vertex 2"]
    """The parts' uv, zero where a part has none."""
    joints: Float[np.ndarray, "24 3"]
    """Joint centres in world space, metres."""
