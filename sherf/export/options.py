"""Options of an export. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class VrmOptions:
    """Licence of a .vrm avatar: what others may do. The most careful answers if not given: a photo shows somebody."""

    author: tuple[str, ...] = ("made with sherf",)
    """Who made the avatar."""
    may_act: Literal["onlyAuthor", "onlySeparatelyLicensedPerson", "everyone"] = "onlyAuthor"
    """Who may appear as it (VRM's avatarPermission)."""
    commercial: Literal["personalNonProfit", "personalProfit", "corporation"] = "personalNonProfit"
    """For what gain (commercialUsage)."""
    credit: Literal["required", "unnecessary"] = "required"
    """Whether the author must be named (creditNotation)."""
    redistribution: bool = False
    """Whether others may pass it on (allowRedistribution)."""
    modification: Literal["prohibited", "allowModification", "allowModificationRedistribution"] = "prohibited"
    """Whether they may change it (modification)."""


ExportFormat = Literal["glb", "vrm", "obj", "ply", "bvh", "npz"]


@dataclass(frozen=True)
class MeshOptions:
    """How fine a mesh is."""

    triangles: int = 20_000
    """About so many at most."""
    texture: int = 1024
    """Its side, pixels."""


@dataclass(frozen=True)
class ExportOptions(MeshOptions):
    """What kind of file, and what is in it."""

    format: ExportFormat | None = None
    """glb: rigged, textured, animated; vrm: a VRM 1.0 avatar; obj and ply: a mesh in one pose; bvh and npz: the
    --motion on the avatar's skeleton. By the name of --out if not given."""
    motion: tuple[str, ...] = ()
    """The clips of a glb: built-in motions (`sherf motions`) or motion files, any number of them."""
    posed: Literal["rest", "photo"] = "rest"
    """Of obj and ply: arms out (T-pose), or as in the photo."""
    frame: int | None = None
    """Of obj and ply: this frame of the --motion instead; its first if not given."""
    points: int = 0
    """Of ply: so many coloured points, spread evenly over the surface, instead of a mesh; 0: the mesh."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
