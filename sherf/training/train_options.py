"""Options of `sherf train`. Free of torch, so that `sherf --help` starts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class TrainOptions:
    """What is trained on, where it goes, and for how long."""

    data: Path
    """Folder of the data set."""
    out: Path
    """Folder of the training: state, checkpoint, logs. The same command again continues."""
    dataset: Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"] = "openpeople"
    """Which data set it is."""
    duration: Annotated[str, tyro.conf.arg(name="for")] = ""
    """Stop after so long, as in 90s, 30m or 2.5h; the whole schedule if not given."""
    begin_with: Path | None = None
    """Begin with a checkpoint's weights instead of random ones."""
    changed_data: bool = False
    """Go on although the data set is not the one that the training began with."""
    overwrite: bool = False
    """Begin anew where the folder holds a training."""
    save_minutes: float = 10.0
    """How often the state is saved."""
    validation_steps: int = 1000
    """How often a few people of the validation split are rendered; 0: never."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 computes convolutions and linear layers in half the precision: faster on new processors and on cards."""
    body_model: str | None = None
    """openbody for openpeople, else smpl (your own file in $SHERF_SMPL_FOLDER) or the path of an SMPL .npz or .pkl."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
