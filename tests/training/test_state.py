"""The state of a training: read back as written, and refused if anything of it is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from power_cuts import POWER_CUTS
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from sherf.errors import BadInput
from sherf.training.state import Progress, RunningAverage, read_state, write_state


def trained(seed: int) -> tuple[nn.Module, RunningAverage, torch.optim.Optimizer]:
    """A layer after one step."""
    torch.manual_seed(seed)
    model = nn.Linear(64, 64)
    average, optimizer = RunningAverage(model, 0.9), torch.optim.Adam(model.parameters())
    model(torch.rand(8, 64)).square().sum().backward()
    optimizer.step()
    average.update(model, 1)
    return model, average, optimizer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.safetensors"
    model, average, optimizer = trained(0)
    write_state(path, {"people": 2}, Progress(7, 3.5), model, average, optimizer)
    return path


def assert_is_restored(path: Path) -> None:
    (model, average, optimizer), (other, other_average, other_optimizer) = trained(0), trained(1)
    assert read_state(path, other, other_average, other_optimizer) == Progress(7, 3.5)
    torch.testing.assert_close(dict(other.state_dict()), dict(model.state_dict()), rtol=0, atol=0)
    torch.testing.assert_close(other_average.weights, average.weights, rtol=0, atol=0)
    assert other_optimizer.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()


def test_a_state_is_read_back_as_written(path: Path) -> None:
    assert_is_restored(path)


def test_a_state_of_an_earlier_version_which_has_no_digest_is_read(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
    del about["tensors_sha256"]
    save_file(load_file(path), path, {"about": json.dumps(about)})
    assert_is_restored(path)


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_a_state_after_a_power_cut_is_refused(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput, match=r"damaged.*\n.*--overwrite"):
        read_state(path, *trained(1))
