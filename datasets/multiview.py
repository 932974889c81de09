"""One door to every multi-view data set: subjects, poses and views by name, in the house's conventions.

An adapter reads one data set's files and converts what they mean once: axes, root rotation, pelvis shift, millimetres,
lens distortion, pixel centres. It hands over pictures as they lie on disk: nothing is resized, no ray is made.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from sherf.scene import OnDevice, Subject


@dataclass(frozen=True)
class View(OnDevice):
    """One picture of one subject in one pose."""

    subject: Subject
    """Picture, mask, camera, body: an observation as it is, or what a rendering is compared with."""
    vertices: Float[Tensor, "vertex 3"]
    """The body's vertices in world space as the data set gives them, metres: trusted over the pose."""
    unsure: Bool[Tensor, "h w"] | None = None
    """Pixels at the mask's rim that the data set says belong to nobody for sure; None: there are none."""
    depth: Float[Tensor, "h w"] | None = None
    """Distance of the clothed surface along the camera's z axis, metres, 0 where nothing is; None: not known."""


@runtime_checkable
class MultiviewData(Protocol):
    """What every adapter offers. Random access, safe from many workers at once; nothing is kept open."""

    name: str
    """As on the command line: openpeople, thuman, renderpeople, humman, zju-mocap."""
    body_model: str
    """Whose betas the poses carry."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of all subjects, in the data set's own order."""
        ...

    def poses(self, subject: str) -> tuple[int, ...]:
        """Numbers of the poses (frames) that the subject has, ascending. They may have gaps."""
        ...

    def views(self, subject: str) -> tuple[int, ...]:
        """Numbers of the cameras, ascending."""
        ...

    def view(self, subject: str, pose: int, view: int) -> View:
        """Read one picture.

        Raises:
            BadInput: a file of it is missing, truncated, of the wrong shape or kind; names the path.
        """
        ...
