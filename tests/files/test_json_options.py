"""Options in JSON files: what is written is read back, and what cannot be is refused by the name of its field."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sherf.errors import BadInput
from sherf.files.json_options import options_record, validate_options
from sherf.models.config import PAPER, SMALL, SherfConfig
from sherf.training.options import TRAININGS, TrainingOptions

FILE = Path("options.json")


def read(kind: type, record: Any) -> Any:
    return validate_options(FILE, kind, record, "the file", "Correct it.")


@pytest.mark.parametrize("options", [PAPER, SMALL, *TRAININGS.values()])
def test_options_come_back_as_they_were(options: Any) -> None:
    assert read(type(options), options_record(options)) == options


def test_missing_fields_have_their_defaults_and_whole_numbers_may_stand_for_floats() -> None:
    assert read(SherfConfig, {}) == PAPER
    assert read(SherfConfig, {"near_body_m": 1}) == dataclasses.replace(PAPER, near_body_m=1.0)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, "the file is missing"),
        ([], "the file is missing"),
        ({"wings": 2}, "no option 'wings'"),
        ({"heads": True}, "'heads' of the file cannot be True"),
        ({"heads": 2.0}, "'heads'"),
        ({"heads": "2"}, "'heads' of the file cannot be 2"),
        ({"heads": 0}, "'heads'"),
        ({"heads": 10**30}, "'heads'"),
        ({"near_body_m": float("nan")}, "'near_body_m'"),
        ({"near_body_m": float("inf")}, "'near_body_m'"),
        ({"blend": 1}, "'blend'"),
        ({"levels": "global"}, "'levels'"),
        ({"levels": ["global", "feeling"]}, "'levels'"),
        ({"volume_channels": [4, 4]}, "'volume_channels'"),
        ({"name": ""}, "'name'"),
        ({"plane_resolution": 2}, "the file is impossible: plane_resolution 2 is below 4"),
    ],
)
def test_impossible_values_are_refused_by_the_name_of_their_field(record: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read(SherfConfig, record)
    assert str(caught.value).startswith("options.json: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"losses": {"beauty": 1}}, "no option 'beauty'"),
        ({"losses": {"ssim": -1}}, "'ssim'"),
        ({"model": {"heads": 0}}, "'heads'"),
        ({"model": {"anchor": "vertices", "plane_resolution": 2}}, "plane_resolution 2 is below 4"),
        ({"augment": {"mirror": 1.5}}, "'mirror'"),
        ({"losses": 3}, "'losses'"),
    ],
)
def test_groups_of_options_are_checked_too(changes: dict[str, Any], said: str) -> None:
    record = options_record(TRAININGS["sherf-small"])
    for name, value in changes.items():
        record[name] = record[name] | value if isinstance(value, dict) else value
    with pytest.raises(BadInput, match=said):
        read(TrainingOptions, record)
