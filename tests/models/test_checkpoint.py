"""Checkpoints are read back as written; damaged, foreign or too new ones are rejected with a specific error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from power_cuts import POWER_CUTS
from published_file import TINY
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sherf.errors import BadInput, OutputError
from sherf.models.checkpoint import load_checkpoint, read_about, save_checkpoint
from sherf.models.paper.network import PaperNetwork


@pytest.fixture(scope="module")
def model() -> PaperNetwork:
    torch.manual_seed(0)
    return PaperNetwork(TINY)


@pytest.fixture
def path(model: PaperNetwork, tmp_path: Path) -> Path:
    path = tmp_path / "x.safetensors"
    save_checkpoint(model, path, {"source": {"note": "made here"}})
    return path


@pytest.fixture
def pair(path: Path) -> Path:
    """The same checkpoint as earlier versions wrote it, described by a JSON file beside it."""
    about = read_about(path) | {"version": 1}
    save_file(load_file(path), path, {"format": "sherf-checkpoint"})
    path.with_suffix(".json").write_text(json.dumps(about, indent=2))
    return path


def change_about(path: Path, change: Callable[[dict], Any]) -> None:
    about = read_about(path)
    change(about)
    write_about(path, json.dumps(about))


def write_about(path: Path, text: str) -> None:
    """Write a description into the file, or beside it if that is where it is."""
    if path.with_suffix(".json").exists():
        path.with_suffix(".json").write_text(text)
    else:
        save_file(load_file(path), path, {"about": text})


def change_tensors(path: Path, change: Callable[[dict], Any]) -> None:
    """Change the tensors; what describes them stays as it is."""
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    change(tensors)
    save_file(tensors, path, header)


def test_a_network_survives_a_round_trip(model: PaperNetwork, path: Path) -> None:
    read = load_checkpoint(path)
    assert read.config == model.config and not read.training
    assert read.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor) and read.state_dict()[name].device.type == "cpu"
    assert all(parameter.requires_grad for parameter in read.parameters())
    about = read_about(path)
    assert about["format"] == "sherf-checkpoint" and about["version"] == 2 and about["tool"].startswith("sherf ")
    assert about["source"] == {"note": "made here"} and about["body_model"] == "smpl"
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_the_same_weights_give_the_same_bytes(model: PaperNetwork, path: Path) -> None:
    again = path.with_name("y.safetensors")
    save_checkpoint(model, again, {"source": {"note": "made here"}})
    assert again.read_bytes() == path.read_bytes()


def test_a_pair_of_an_earlier_version_loads(model: PaperNetwork, pair: Path) -> None:
    read = load_checkpoint(pair)
    assert read.config == model.config
    assert all(torch.equal(read.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_a_new_checkpoint_replaces_a_pair_at_once(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the program ends before or after the one file is renamed: what is found loads."""
    torch.manual_seed(1)
    new, old, rename = PaperNetwork(TINY), load_checkpoint(pair), Path.replace
    name = "decoder.colour.bias"

    def end(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", end)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(new, pair, {})
    assert torch.equal(load_checkpoint(pair).state_dict()[name], old.state_dict()[name])

    def rename_and_end(self: Path, target: Path) -> None:
        rename(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", rename_and_end)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(new, pair, {})
    assert torch.equal(load_checkpoint(pair).state_dict()[name], new.state_dict()[name])


@pytest.mark.parametrize("beside", ["{", '{"format": "sherf-checkpoint", "version": 1, "config": {"wings": 2}}'])
def test_a_json_beside_a_file_that_describes_itself_is_ignored(model: PaperNetwork, path: Path, beside: str) -> None:
    path.with_suffix(".json").write_text(beside)
    assert load_checkpoint(path).config == model.config


def test_options_missing_in_older_files_get_their_defaults(model: PaperNetwork, path: Path) -> None:
    change_about(path, lambda about: about["config"].pop("near_body_m"))
    assert load_checkpoint(path).config == model.config


BAD_ABOUT: dict[str, tuple[Callable[[dict], Any], str]] = {
    "another format": (lambda a: a.update(format="sherf-avatar"), "does not describe a checkpoint"),
    "a newer version": (lambda a: a.update(version=3), "Install a newer sherf"),
    "no version": (lambda a: a.pop("version"), "format version None"),
    "text for a version": (lambda a: a.update(version="1"), "format version '1'"),
    "no configuration": (lambda a: a.pop("config"), "configuration is missing"),
    "an unknown option": (lambda a: a["config"].update(wings=2), "no option 'wings'"),
    "text for a number": (
        lambda a: a["config"].update(encoder_width="64"),
        "'encoder_width' of the network's configuration",
    ),
    "a boolean for a number": (lambda a: a["config"].update(heads=True), "'heads' of the network's configuration"),
    "a huge width": (
        lambda a: a["config"].update(encoder_width=10**9),
        "'encoder_width' of the network's configuration",
    ),
    "too many layers": (
        lambda a: a["config"].update(decoder_depth=10**4),
        "'decoder_depth' of the network's configuration",
    ),
    "a wide network": (lambda a: a["config"].update(encoder_width=2**15), "has shape"),
    "no width": (lambda a: a["config"].update(encoder_width=0), "x."),
    "no resolution": (lambda a: a["config"].update(plane_resolution=0), "'plane_resolution' of"),
    "tri-planes without a resolution to begin with": (
        lambda a: a["config"].update(plane_resolution=2),
        "configuration is impossible: .*plane_resolution 2 is below 4",
    ),
    "an unknown level": (
        lambda a: a["config"].update(levels=["global", "feeling"]),
        "'levels' of the network's configuration",
    ),
    "levels as text": (lambda a: a["config"].update(levels="global"), "'levels' of the network's configuration"),
    "lists in a list": (lambda a: a["config"].update(levels=[["global"]]), "'levels' of the network's configuration"),
    "unknown statistics": (
        lambda a: a["config"].update(batch_norm="none"),
        "'batch_norm' of the network's configuration",
    ),
    "two scales": (
        lambda a: a["config"].update(volume_channels=[4, 4]),
        "'volume_channels' of the network's configuration",
    ),
    "no distance": (lambda a: a["config"].update(near_body_m=None), "'near_body_m' of the network's configuration"),
    "not a number": (
        lambda a: a["config"].update(near_body_m=float("nan")),
        "'near_body_m' of the network's configuration",
    ),
    "fewer levels": (lambda a: a["config"].update(levels=["pixel"]), "are unknown"),
    "more layers": (lambda a: a["config"].update(fusion_depth=2), "are missing"),
    "another's digest": (lambda a: a.update(tensors_sha256="0" * 64), "are not those that it describes"),
}


@pytest.mark.parametrize("layout", ["path", "pair"])
@pytest.mark.parametrize("case", BAD_ABOUT)
def test_invalid_descriptions_are_rejected(request: pytest.FixtureRequest, layout: str, case: str) -> None:
    path = request.getfixturevalue(layout)
    change, message = BAD_ABOUT[case]
    change_about(path, change)
    with pytest.raises(BadInput, match=message) as caught:
        load_checkpoint(path)
    assert str(path.with_suffix("")) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * 2**21])
def test_descriptions_that_are_not_json_are_rejected(pair: Path, content: bytes) -> None:
    pair.with_suffix(".json").write_bytes(content)
    with pytest.raises(BadInput, match=r"x\.json"):
        load_checkpoint(pair)


@pytest.mark.parametrize("text", ["", "{", "[]", "NaN", "[" * 100_000, " " * 2**21])
def test_headers_that_are_not_json_are_rejected(path: Path, text: str) -> None:
    write_about(path, text)
    with pytest.raises(BadInput, match=r"x\.safetensors"):
        load_checkpoint(path)


def test_a_bug_while_the_network_is_built_is_not_called_bad_input(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: object) -> None:
        raise AttributeError("a bug")

    monkeypatch.setattr("sherf.models.build.build_network", build)
    with pytest.raises(AttributeError, match="a bug"):
        load_checkpoint(path)


BAD_TENSORS: dict[str, tuple[Callable[[dict], Any], str]] = {
    "missing": (lambda t: t.pop("decoder.colour.bias"), "1 tensors .* are missing, among them 'decoder.colour.bias'"),
    "too many": (lambda t: t.update(extra=torch.ones(1)), "1 tensors .* are unknown, among them 'extra'"),
    "another shape": (lambda t: t.update({"decoder.colour.bias": torch.ones(4)}), r"'decoder.colour.bias' has shape"),
    "whole numbers": (lambda t: t.update({"decoder.colour.bias": torch.ones(3).int()}), "'decoder.colour.bias' holds"),
    "not a number": (lambda t: t["decoder.colour.bias"].fill_(torch.nan), "'decoder.colour.bias' holds numbers"),
    "changed": (lambda t: t["decoder.colour.bias"].fill_(1), "are not those that it describes"),
    "none": (lambda t: t.clear(), "are missing"),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_invalid_weights_are_rejected_by_name(path: Path, case: str) -> None:
    change, message = BAD_TENSORS[case]
    change_tensors(path, change)
    with pytest.raises(BadInput, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_damaged_weights_are_rejected(path: Path) -> None:
    whole = path.read_bytes()
    for content in (b"", whole[:7], whole[:100], whole[: len(whole) // 2], whole + b"x", b"\xff" * 100, b"\x80\x04N."):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="damaged"):
            load_checkpoint(path)


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
@pytest.mark.parametrize("layout", ["path", "pair"])
def test_a_checkpoint_after_a_power_cut_is_rejected(
    request: pytest.FixtureRequest, layout: str, damage: Callable[[bytes], bytes]
) -> None:
    path = request.getfixturevalue(layout)
    for file in sorted(path.parent.iterdir()):
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        with pytest.raises(BadInput, match="damaged"):
            load_checkpoint(path)
        file.write_bytes(whole)


def test_weights_that_nothing_describes_are_rejected(pair: Path) -> None:
    pair.with_suffix(".json").unlink()
    with pytest.raises(BadInput, match=r"nothing that describes them.*x\.json"):
        load_checkpoint(pair)


def test_names_that_are_not_checkpoints_are_reported(path: Path) -> None:
    with pytest.raises(BadInput, match="import-checkpoint"):
        load_checkpoint(path.with_name("none.safetensors"))
    with pytest.raises(BadInput, match="has to end with"):
        load_checkpoint(path.with_suffix(".pkl"))


def test_files_of_two_pairs_do_not_mix(pair: Path) -> None:
    change_tensors(pair, lambda tensors: tensors["decoder.colour.bias"].add_(1))
    with pytest.raises(BadInput, match="are not those that it describes"):
        load_checkpoint(pair)


def test_no_partial_files_remain_when_saving_fails(model: PaperNetwork, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(OutputError):
        save_checkpoint(model, tmp_path / "x.safetensors", {})
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]
    invalid = PaperNetwork(TINY)
    next(invalid.parameters()).data.fill_(torch.nan)
    with pytest.raises(BadInput, match="not finite"):
        save_checkpoint(invalid, tmp_path / "y.safetensors", {})
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_half_precision_halves_the_size_and_is_read_back_approximately(
    model: PaperNetwork, path: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.safetensors"
    save_checkpoint(model, half, {}, half=True)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    read = load_checkpoint(half).state_dict()
    for name, tensor in model.state_dict().items():
        assert read[name].dtype == tensor.dtype
        torch.testing.assert_close(read[name], tensor, rtol=1e-3, atol=1e-6)
