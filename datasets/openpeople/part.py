"""The parts of a person: meshes with skinning weights and materials. NumPy arrays, metres."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int


@dataclass(frozen=True)
class SurfaceSamples:
    """Points on one part's surface at which a material is evaluated."""

    rest: Float32[np.ndarray, "sample 3"]
    """Rest-space position, metres: the part's `reference`, interpolated."""
    uv: Float32[np.ndarray, "sample 2"]
    """Texture coordinates: the part's `uv`, interpolated; zero where the part has none."""
    footprint: float
    """Size of a pixel on the surface, metres; finer detail may be filtered out."""


@runtime_checkable
class Material(Protocol):
    """The appearance of a part."""

    @property
    def gloss(self) -> float:
        """Strength of the highlight, 0 matt to 1."""
        ...

    @property
    def sharpness(self) -> float:
        """Exponent of the highlight (Blinn-Phong)."""
        ...

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light, a pure function of the samples."""
        ...


@dataclass(frozen=True)
class Part:
    """One piece of a person in the rest pose: skin, eyes, hair, a garment, a pair of glasses."""

    name: str
    """Such as "skin", "top", "bottom", "hair" or "glasses"; unique within a person."""
    vertices: Float[np.ndarray, "vertex 3"]
    """Rest pose of this person's body shape, metres."""
    faces: Int[np.ndarray, "face 3"]
    """Counter-clockwise seen from outside."""
    weights: Float[np.ndarray, "vertex 24"]
    """Skinning weights, rows sum to 1."""
    material: Material
    reference: Float[np.ndarray, "vertex 3"]
    """Rest-space position at which the material is evaluated: for garments, the body surface they were cut from."""
    uv: Float[np.ndarray, "vertex 2"] | None = None
    weld: Int[np.ndarray, " vertex"] | None = None
    """Vertices of equal number share their normal: for meshes split along texture seams."""
    is_cloth: bool = False
    """Cloth creases where joints bend, and is pushed out of the body."""
    covers: Bool[np.ndarray, " skin"] | None = None
    """Which of the 13,380 base-mesh skin vertices lie under it: not rendered, and the cloth is kept off them."""


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
    reference: Float32[np.ndarray, "vertex 3"]
    """The parts' `reference`, in the order of `vertices`."""
    uv: Float32[np.ndarray, "vertex 2"]
    """The parts' uv, zero where a part has none."""
    joints: Float[np.ndarray, "24 3"]
    """Joint centres in world space, metres."""
