"""The common interface of all multi-view data sets: subjects, poses and views, in this project's conventions.

An adapter reads the files of one data set and converts its conventions once: axes, root rotation, pelvis shift,
millimetres, lens distortion, pixel centres. It returns images as stored on disk: nothing is resized, no rays are made.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from sherf.scene import OnDevice, Subject


@dataclass(frozen=True)
class View(OnDevice):
    """One image of one subject in one pose."""

    subject: Subject
    """Image, mask, camera and body: the observation, or the target that a rendering is compared with."""
    vertices: Float[Tensor, "vertex 3"]
    """Body vertices in world space as the data set provides them, metres; where both exist they override the pose."""
    uncertain: Bool[Tensor, "h w"] | None = None
    """Pixels at the mask's boundary that the data set excludes; None: it excludes none."""
    depth: Float[Tensor, "h w"] | None = None
    """Depth of the clothed surface along the camera's z axis, metres, 0 in the background; None: not available."""


@runtime_checkable
class MultiviewData(Protocol):
    """What every adapter offers: random access, safe from several workers at once, no file kept open."""

    name: str
    """As on the command line: openpeople, thuman, renderpeople, humman, zju-mocap."""
    body_model: str
    """The body model that the poses' betas belong to."""
    root: Path
    """Its folder, which holds a folder of each subject's name."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of all subjects, in the data set's own order."""
        ...

    def poses(self, subject: str) -> tuple[int, ...]:
        """Return the numbers of the subject's poses (frames), ascending, possibly with gaps.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        ...

    def views(self, subject: str) -> tuple[int, ...]:
        """Return the numbers of the cameras, ascending.

        Raises:
            BadInput: a file is missing or damaged; names the path.
        """
        ...

    def view(self, subject: str, pose: int, view: int) -> View:
        """Return one image with its mask, camera and body.

        Args:
            subject: one of `subjects`.
            pose: one of `poses(subject)`.
            view: one of `views(subject)`.

        Raises:
            BadInput: a file is missing, truncated, or of the wrong shape or kind; names the path.
        """
        ...
