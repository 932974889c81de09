"""The network with stand-in weights and the body that stands in for SMPL, made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from stand_in import stand_in_model

from sherf.body.body_model import BodyModel
from sherf.body.files import read_body_model
from sherf.models.config import PAPER
from sherf.models.paper.network import Sherf

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A second thread gains a tenth of the time, and loses tenfold where the processor is shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def stand_in_body() -> BodyModel:
    return read_body_model(GOLDEN / "smpl_standin.npz", "stand-in")


@pytest.fixture(scope="session")
def network() -> Sherf:
    """In evaluation mode; tests that change it put it back."""
    return stand_in_model(PAPER)
