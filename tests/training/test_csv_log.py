"""A training's log keeps what is whole of it."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from power_cuts import POWER_CUTS

from sherf.training.csv_log import CsvLog


@pytest.mark.parametrize("damage", POWER_CUTS.values(), ids=POWER_CUTS)
def test_a_damaged_log_keeps_its_whole_rows(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "log.csv"
    log = CsvLog(path, 0)
    for step in range(1, 41):
        log.add({"step": step, "loss": 100 + step, "colour": 200 + step})
    path.write_bytes(damage(path.read_bytes()))
    kept = CsvLog(path, 30)
    kept.add({"step": 31, "loss": 131, "colour": 231})
    with path.open(newline="") as file:
        rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows[-1] == {"step": 31, "loss": 131, "colour": 231}
    assert all(row["loss"] == 100 + row["step"] and row["colour"] == 200 + row["step"] for row in rows)
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)) and steps[-2:] != [31, 31]
