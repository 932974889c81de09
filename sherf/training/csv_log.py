"""A training's log as a CSV file."""

import csv
from pathlib import Path
from typing import Any

from sherf.files.output import translate_write_errors, write_text


class CsvLog:
    """A CSV of numbers by step."""

    def __init__(self, path: Path, after: int):
        """Open a log, and drop damaged rows and those after the step that a training resumes from.

        Args:
            path: the CSV file; need not exist.
            after: last step to keep.

        Raises:
            OutputError: the file cannot be written.
        """
        self.path = path
        rows: list[dict[str, str]] = []
        self.names: list[str] = []
        if path.exists():
            with path.open(newline="", errors="replace") as file:
                names, *lines = [*csv.reader(line for line in file if line.endswith("\n"))] or [[]]
            if "step" in names:
                self.names = names
                rows = [dict(zip(names, cells, strict=True)) for cells in lines if _is_whole(cells, names)]
                rows = [row for row in rows if row["step"].isdigit() and int(row["step"]) <= after]
        self._rewrite(rows)

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; a new column is added to all earlier rows, empty.

        Raises:
            OutputError: the file cannot be written.
        """
        new = [name for name in row if name not in self.names]
        if new:
            rows = []
            if self.names:
                with self.path.open(newline="") as file:
                    rows = list(csv.DictReader(file))
            self.names += new
            self._rewrite(rows)
        with translate_write_errors(self.path), self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.names, restval="").writerow(row)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        if not self.names:
            self.path.unlink(missing_ok=True)
            return
        lines = [",".join(self.names)] + [",".join(row.get(name) or "" for name in self.names) for row in rows]
        write_text(self.path, "\n".join(lines) + "\n")


def _is_whole(cells: list[str], names: list[str]) -> bool:
    """Return whether a row is as it was written; a power cut can leave less of it, or zeros."""
    return len(cells) == len(names) and not any("\0" in cell for cell in cells)
