"""The mapping from published names to ours is complete, one to one, and strict about contents."""

from pathlib import Path

import pytest
import torch
from stand_in import published_shapes, stand_in_tensors
from torch import Tensor

from sherf.errors import BadInput
from sherf.models.config import PAPER, SherfConfig
from sherf.models.paper.network import PaperNetwork
from sherf.models.published.names import from_published, published_name

LISTED = Path(__file__).parents[2] / "golden" / "published_tensors.txt"
UNUSED = (
    "superresolution.", "encoder_2d.backbone.fc.", "encoder_2d_feature.backbone.fc.",
    "encoder_2d_feature.backbone.layer2.", "encoder_2d_feature.backbone.layer3.",
    "encoder_2d_feature.backbone.layer4.", "renderer.encoder_3d.down3.", "renderer.encoder_3d.conv4.",
    "backbone.mapping.w_avg",
)  # fmt: skip
CONSTANTS = ("num_batches_tracked", "resample_filter", "noise_const", "noise_strength", "_freqs", "_phases")
TINY = SherfConfig(
    encoder_width=4, plane_resolution=8, synthesis_base=32, synthesis_most=8, volume_channels=(4, 4, 4),
    token_width=4, head_width=2, decoder_width=8,
)  # fmt: skip


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    return stand_in_tensors(TINY)


def test_all_published_tensors_except_the_unused_ones_are_imported() -> None:
    listed = {}
    for line in LISTED.read_text().splitlines():
        if not line.startswith("#"):
            name, shape, *_ = line.split("\t")
            listed[name] = tuple(int(n) for n in shape.strip("()").split(",") if n)
    used = {n: s for n, s in listed.items() if not n.startswith(UNUSED) and not n.endswith(CONSTANTS)}
    assert published_shapes(PAPER) == used


def test_each_tensor_receives_its_published_counterpart(tensors: dict[str, Tensor]) -> None:
    model = PaperNetwork(TINY)
    model.load_state_dict(from_published(tensors, TINY))
    for name, values in model.state_dict().items():
        assert torch.equal(values.flatten(), tensors[published_name(name)].flatten())


def test_unknown_tensors_are_ignored_and_half_precision_is_converted(tensors: dict[str, Tensor]) -> None:
    halved = {name: values.half() for name, values in tensors.items()} | {"superresolution.x": torch.tensor(torch.nan)}
    assert {values.dtype for values in from_published(halved, TINY).values()} == {torch.float32}


@pytest.mark.parametrize("name", ["conv1d_projection.weight", "renderer.encoder_3d.down1.1.running_var"])
def test_errors_name_the_invalid_tensor(name: str, tensors: dict[str, Tensor]) -> None:
    right = tensors.pop(name)
    with pytest.raises(BadInput, match=f"{name} is missing"):
        from_published(tensors, TINY)
    for wrong in (torch.zeros(3, 5), right[None]):
        found = " x ".join(map(str, wrong.shape))
        with pytest.raises(BadInput, match=f"{name} has shape {found}, expected {' x '.join(map(str, right.shape))}"):
            from_published(tensors | {name: wrong}, TINY)
    for bad in (torch.nan, torch.inf):
        wrong = right.clone()
        wrong.view(-1)[-1] = bad
        with pytest.raises(BadInput, match=f"{name} holds numbers that are not finite"):
            from_published(tensors | {name: wrong}, TINY)
