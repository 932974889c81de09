"""What a batch made, to look at: index.html, contact sheets, results.csv."""

import csv
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image, ImageDraw, ImageOps

from sherf.avatar.reconstruct import OVERLAY
from sherf.batch.ledger import Entry, Ledger
from sherf.batch.plan import AVATAR, Item, Job, shown_frame
from sherf.camera.image import to_bytes
from sherf.errors import BadInput
from sherf.files.output import atomic_output, write_text
from sherf.photo.read import read_photo

INDEX, SHEET, RESULTS, THUMBS = "index.html", "sheet.jpg", "results.csv", "thumbs"
CELL, CAPTION, ACROSS, ROWS = 240, 18, 6, 20
VERDICTS = {"good": "#2f7d4f", "usable": "#a2770f", "poor": "#a93c32", "failed": "#a93c32"}
TEMPLATE = Path(__file__).with_name("index.html")


@dataclass(frozen=True)
class Line:
    """A photo on the page."""

    job: Job
    entries: dict[str, Entry]
    """By label."""
    failures: list[tuple[str, str]]
    """Labels and reasons of what else failed, where there is an avatar."""
    thumb: str
    """Path seen from the batch's folder; empty: none."""

    @property
    def verdict(self) -> str:
        """good, usable or poor; failed without an avatar; given, where the body was."""
        avatar = self.entries[AVATAR]
        if avatar.status == "failed":
            return "failed"
        if avatar.done is None:
            return "waiting"
        return avatar.done.about.get("verdict") or "given"

    @property
    def reasons(self) -> list[str]:
        """Why the fit is not good, or why there is none."""
        avatar = self.entries[AVATAR]
        return [avatar.reason] if avatar.done is None else list(avatar.done.about.get("reasons") or ())

    @property
    def whole(self) -> str:
        """The picture that the small one leads to, seen from the batch's folder; empty: none."""
        return f"{self.job.name}/{OVERLAY}" if (self.job.folder / OVERLAY).is_file() else ""

    @property
    def files(self) -> list[tuple[str, str]]:
        """What to open: labels and paths."""
        first = ((item.label, self.entries[item.label].done) for item in self.job.items if item.output != AVATAR)
        return [(label, f"{self.job.name}/{name}") for label, done in first if done for name in done.files[:1]]


def write_summary(jobs: list[Job], ledger: Ledger, out: Path) -> list[Path]:
    """Write page, sheets and table; returns page and sheets."""
    lines = [_line(job, ledger, out) for job in jobs]
    counts = counted_states(jobs, ledger)
    template = jinja2.Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    write_text(out / INDEX, template.render(lines=lines, counts=counts, colours=VERDICTS))
    _write_table(out / RESULTS, lines)
    return [out / INDEX, *_write_sheets(lines, out)]


def _line(job: Job, ledger: Ledger, out: Path) -> Line:
    entries = {item.label: ledger[item] for item in job.items}
    failures = [failure for failure in ledger.failures(job) if failure[0] != AVATAR]
    return Line(job, entries, failures, _thumb(job, ledger, out / THUMBS))


def counted_states(jobs: list[Job], ledger: Ledger) -> dict[str, int]:
    """How many items are done, failed and waiting."""
    states = [ledger[item].status for job in jobs for item in job.items]
    return {status: states.count(status) for status in ("done", "failed", "waiting")}


def _write_table(path: Path, lines: list[Line]) -> None:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["photo", "name", "item", "status", "verdict", "attempts", "seconds", "files", "reason"])
    for line in lines:
        for item in line.job.items:
            table.writerow(_row(line, item))
    write_text(path, text.getvalue())


def _row(line: Line, item: Item) -> list[Any]:
    entry = line.entries[item.label]
    files = " ".join(f"{line.job.name}/{name}" for name in entry.done.files) if entry.done else ""
    seconds = entry.done.seconds if entry.done else ""
    source = os.path.relpath(line.job.source, line.job.folder.parent)
    return [source, line.job.name, item.label, entry.status, line.verdict, entry.attempts, seconds, files, entry.reason]


def _thumb(job: Job, ledger: Ledger, folder: Path) -> str:
    """A small picture: the fit over the photo, and beside it a video's person a little from the side.

    Where nothing was made it is the photo alone.
    """
    videos = [item for item in job.items if item.output == "video" and ledger[item].done]
    frames = [shown_frame(job, item) for item in videos[:1]]
    made = [(path, _opened) for path in (job.folder / OVERLAY, *frames) if path.is_file()]
    shown = made or [(path, _photo) for path in [job.source] if path.is_file()]
    if not shown:
        return ""
    path = folder / f"{job.name}.jpg"
    if not path.exists() or path.stat().st_mtime < max(source.stat().st_mtime for source, _ in shown):
        try:
            parts = [_small(opened(source)) for source, opened in shown]
        except BadInput:
            return ""
        thumb = Image.new("RGB", (sum(part.width for part in parts), 2 * CELL), "white")
        left = 0
        for part in parts:
            thumb.paste(part, (left, 0))
            left += part.width
        with atomic_output(path) as partial:
            thumb.save(partial, quality=88)
    return f"{folder.name}/{path.name}"


def _opened(source: Path) -> Image.Image:
    """A result, on white."""
    with Image.open(source) as picture:
        whole = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def _photo(source: Path) -> Image.Image:
    return Image.fromarray(to_bytes(read_photo(source).image))


def _small(picture: Image.Image) -> Image.Image:
    width = max(1, round(picture.width * 2 * CELL / picture.height))
    return picture.resize((width, 2 * CELL), Image.Resampling.LANCZOS)


def _write_sheets(lines: list[Line], out: Path) -> list[Path]:
    """Contact sheets of at most ACROSS x ROWS photos."""
    sheets = []
    for start in range(0, len(lines), ACROSS * ROWS):
        some = lines[start : start + ACROSS * ROWS]
        across = min(ACROSS, len(some))
        size = (across * CELL, math.ceil(len(some) / across) * (CELL + CAPTION))
        sheet = Image.new("RGB", size, "white")
        for place, line in enumerate(some):
            _draw(sheet, line, (place % across * CELL, place // across * (CELL + CAPTION)), out)
        path = out / (SHEET if start == 0 else f"sheet-{start // (ACROSS * ROWS) + 1}.jpg")
        with atomic_output(path) as partial:
            sheet.save(partial, quality=88)
        sheets.append(path)
    return sheets


def _draw(sheet: Image.Image, line: Line, corner: tuple[int, int], out: Path) -> None:
    x, y = corner
    pen = ImageDraw.Draw(sheet)
    if line.thumb:
        with Image.open(out / line.thumb) as thumb:
            small = ImageOps.contain(thumb, (CELL - 4, CELL - 4))
        sheet.paste(small, (x + (CELL - small.width) // 2, y + (CELL - small.height) // 2))
    pen.rectangle((x + 2, y + CELL + 4, x + 10, y + CELL + 12), fill=VERDICTS.get(line.verdict, "#888888"))
    pen.text((x + 14, y + CELL + 2), line.job.name[:34], fill="black")
