"""The data sets by name, as the command line knows them."""

from pathlib import Path
from typing import Literal, assert_never

from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData
from sherf.errors import BadInput

DataName = Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"]
Split = Literal["train", "validation", "test"]


def body_model_of(name: str | None) -> str:
    """The body model that a data set's poses are for."""
    return "openbody" if name == "openpeople" else "smpl"


def open_data(name: DataName, root: Path, body: BodyModel, split: Split | None = None) -> MultiviewData:
    """The adapter of a data set.

    Args:
        root: its folder.
        body: what its poses are for; RenderPeople's and HuMMan's vertices come from it.
        split: of OpenPeople; the others are split by their protocols' lists of subjects.

    Raises:
        BadInput: no such folder, nothing of the data set in it, or a body model that its poses are not for.
    """
    wanted = body_model_of(name)
    if (body.name == "openbody") != (wanted == "openbody"):
        raise BadInput(
            f"{name} holds poses of {wanted}, not of {body.name}.\n"
            + ("Leave out --body-model." if wanted == "openbody" else SMPL_REMEDY)
        )
    match name:
        case "openpeople":
            from sherf.datasets.openpeople_data import OpenPeople

            return OpenPeople(root, split)
        case "thuman":
            from sherf.datasets.thuman import Thuman

            return Thuman(root)
        case "renderpeople":
            from sherf.datasets.renderpeople import RenderPeople

            return RenderPeople(root, body)
        case "humman":
            from sherf.datasets.humman import Humman

            return Humman(root, body)
        case "zju-mocap":
            from sherf.datasets.zju_mocap import ZjuMocap

            return ZjuMocap(root)
        case _:
            assert_never(name)


SMPL_REMEDY = (
    "Bring your own SMPL_NEUTRAL.npz or .pkl: put its folder into SHERF_SMPL_FOLDER and pass --body-model smpl, "
    "or pass the file itself."
)
