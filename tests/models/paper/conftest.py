"""The network with stand-in weights and the stand-in for SMPL, created once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from stand_in import stand_in_model

from sherf.body.body_model import BodyModel
from sherf.body.files import read_body_model
from sherf.models.config import PAPER
from sherf.models.paper.network import PaperNetwork

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A second thread hardly helps, and slows down tenfold on a shared processor."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def stand_in_body() -> BodyModel:
    return read_body_model(GOLDEN / "smpl_standin.npz", "stand-in")


@pytest.fixture(scope="session")
def network() -> PaperNetwork:
    """In evaluation mode; tests that change it have to restore it."""
    return stand_in_model(PAPER)
