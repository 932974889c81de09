"""Options of an export. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class VrmOptions:
    """Licence fields of a .vrm avatar: what others may do with it. Restrictive by default: it shows a real person."""

    author: tuple[str, ...] = ("made with sherf",)
    """Who made the avatar."""
    may_act: Literal["onlyAuthor", "onlySeparatelyLicensedPerson", "everyone"] = "onlyAuthor"
    """Who may perform as the avatar (VRM: avatarPermission)."""
    commercial: Literal["personalNonProfit", "personalProfit", "corporation"] = "personalNonProfit"
    """Commercial use (VRM: commercialUsage)."""
    credit: Literal["required", "unnecessary"] = "required"
    """Whether the author must be credited (VRM: creditNotation)."""
    redistribution: bool = False
    """Whether others may redistribute it (VRM: allowRedistribution)."""
    modification: Literal["prohibited", "allowModification", "allowModificationRedistribution"] = "prohibited"
    """Whether others may modify it (VRM: modification)."""


ExportFormat = Literal["glb", "vrm", "obj", "ply", "bvh", "npz"]


@dataclass(frozen=True)
class MeshOptions:
    """Size of a mesh."""

    triangles: int = 20_000
    """Maximum number of triangles, roughly."""
    texture: int = 1024
    """Side of the square texture, pixels."""


@dataclass(frozen=True)
class ExportOptions(MeshOptions):
    """Format and content of an exported file."""

    format: ExportFormat | None = None
    """glb: rigged, textured, animated; vrm: a VRM 1.0 avatar; obj and ply: a mesh in one pose; bvh and npz: the
    --motion on the avatar's skeleton. Default: the suffix of --out."""
    motion: tuple[str, ...] = ()
    """Clips of a .glb: any number of built-in motions (`sherf motions`) and motion files."""
    posed: Literal["rest", "photo"] = "rest"
    """For .obj and .ply: rest is a T-pose, photo is the pose in the photo."""
    frame: int | None = None
    """For .obj and .ply with --motion: which of its frames, from 0. Default: the first."""
    points: int = 0
    """For .ply: write this many coloured points, evenly spread over the surface, instead of a mesh."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
