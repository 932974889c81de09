"""Open a data set by the name that the command line uses."""

from pathlib import Path
from typing import Literal, assert_never

from sherf.body.body_model import BodyModel
from sherf.datasets.humman import Humman
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.openpeople_data import OpenPeople, Split
from sherf.datasets.renderpeople import RenderPeople
from sherf.datasets.thuman import Thuman
from sherf.datasets.zju_mocap import ZjuMocap
from sherf.errors import BadInput

DataName = Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"]
SMPL_REMEDY = (
    "Obtain SMPL_NEUTRAL.npz or .pkl: set SHERF_SMPL_FOLDER to its folder and pass --body-model smpl, "
    "or pass the file itself."
)


def required_body_model(name: str | None) -> str:
    """Return the name of the body model that a data set's poses belong to."""
    return "openbody" if name == "openpeople" else "smpl"


def open_data(name: DataName, root: Path, body: BodyModel, split: Split | None = None) -> MultiviewData:
    """Return the adapter of a data set.

    Args:
        name: of the data set.
        root: its folder; of the published data sets also one subject's.
        body: the body model of its poses; RenderPeople's and HuMMan's vertices are computed with it.
        split: of OpenPeople; None opens all of it. The protocols split the other data sets by lists of subjects.

    Raises:
        BadInput: the folder is missing or contains nothing of the data set, or its poses belong to another body model.
    """
    required = required_body_model(name)
    if (body.name == "openbody") != (required == "openbody"):
        raise BadInput(
            f"{name} has poses of the body model {required}, not of {body.name}.\n"
            + ("Leave out --body-model." if required == "openbody" else SMPL_REMEDY)
        )
    match name:
        case "openpeople":
            return OpenPeople(root, split)
        case "thuman":
            return Thuman(root)
        case "renderpeople":
            return RenderPeople(root, body)
        case "humman":
            return Humman(root, body)
        case "zju-mocap":
            return ZjuMocap(root)
        case _:
            assert_never(name)
