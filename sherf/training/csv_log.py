"""What a training leaves to read: a plain CSV, TensorBoard events, pictures."""

import csv
from pathlib import Path
from typing import Any

from sherf.files.output import translated_errors, write_text


class Log:
    """A CSV of numbers by step. Continuing cuts off what came after the step that is continued from."""

    def __init__(self, path: Path, after: int):
        self.path = path
        rows: list[dict[str, str]] = []
        self.names: list[str] = []
        if path.exists():
            with path.open(newline="") as file:
                reader = csv.DictReader(file)
                self.names = list(reader.fieldnames or [])
                rows = [row for row in reader if (row.get("step") or "").isdigit() and int(row["step"]) <= after]
        self._rewrite(rows)

    def add(self, row: dict[str, Any]) -> None:
        """Add a line; a column that is new becomes one of all lines."""
        new = [name for name in row if name not in self.names]
        if new:
            rows = []
            if self.names:
                with self.path.open(newline="") as file:
                    rows = list(csv.DictReader(file))
            self.names += new
            self._rewrite(rows)
        with translated_errors(self.path), self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.names, restval="").writerow(row)

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        if not self.names:
            self.path.unlink(missing_ok=True)
            return
        lines = [",".join(self.names)] + [",".join(row.get(name) or "" for name in self.names) for row in rows]
        write_text(self.path, "\n".join(lines) + "\n")
