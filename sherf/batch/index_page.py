"""The summary of a batch: index.html, contact sheets, results.csv."""

import csv
import io
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image, ImageDraw, ImageOps

from sherf.avatar.result_files import OVERLAY
from sherf.batch.job import AVATAR, Item, Job, preview_frame
from sherf.batch.ledger import Entry, Ledger
from sherf.errors import BadInput
from sherf.files.images import to_uint8
from sherf.files.output import atomic_output, write_text
from sherf.photo.photo_reader import read_photo

INDEX, SHEET, RESULTS, THUMBNAILS = "index.html", "sheet.jpg", "results.csv", "thumbs"
CELL, CAPTION = 240, 18
"""Side of a contact sheet's cell and height of its caption, pixels."""
COLUMNS, ROWS = 6, 20
"""Of a contact sheet, at most."""
JPEG_QUALITY = 88
MAX_CAPTION_LENGTH = 34
VERDICT_COLOURS = {"good": "#2f7d4f", "usable": "#a2770f", "poor": "#a93c32", "failed": "#a93c32"}
INDEX_TEMPLATE = Path(__file__).with_name("index.html")


@dataclass(frozen=True)
class PhotoSummary:
    """What the page and the table show of one photo."""

    name: str
    source: Path
    job: Job
    """Its own, or the one that it is a duplicate of."""
    entries: dict[str, Entry]
    """By label."""
    failures: list[tuple[str, str]]
    """Labels and reasons of items that failed although there is an avatar."""
    thumbnail: str
    """Path relative to the output folder; empty: none."""

    @property
    def verdict(self) -> str:
        """The fit's verdict: good, usable or poor; `given` for a given body; `failed` or `waiting` without avatar."""
        avatar = self.entries[AVATAR]
        if avatar.status == "failed":
            return "failed"
        if avatar.done is None:
            return "waiting"
        return avatar.done.about.get("verdict") or "given"

    @property
    def reasons(self) -> list[str]:
        """Why the fit is not good, or why there is no avatar."""
        avatar = self.entries[AVATAR]
        return [avatar.reason] if avatar.done is None else list(avatar.done.about.get("reasons") or ())

    @property
    def overlay(self) -> str:
        """The full-size image that the thumbnail links to, relative to the output folder; empty: none."""
        return f"{self.job.name}/{OVERLAY}" if (self.job.folder / OVERLAY).is_file() else ""

    @property
    def files(self) -> list[tuple[str, str]]:
        """Label and first file of each finished output, relative to the output folder."""
        finished = ((item.label, self.entries[item.label].done) for item in self.job.items if item.output != AVATAR)
        return [(label, f"{self.job.name}/{name}") for label, done in finished if done for name in done.files[:1]]


def write_summary(jobs: list[Job], ledger: Ledger, out: Path) -> list[Path]:
    """Write index.html, contact sheets, results.csv and thumbnails.

    Args:
        jobs: of the batch.
        ledger: their states.
        out: the batch's output folder.

    Returns:
        The page and the contact sheets.

    Raises:
        OutputError: a file cannot be written.
    """
    photos = [photo for job in jobs for photo in _summarise(job, ledger, out)]
    counts = count_states(jobs, ledger)
    template = jinja2.Environment(autoescape=True).from_string(INDEX_TEMPLATE.read_text(encoding="utf-8"))
    write_text(out / INDEX, template.render(photos=photos, counts=counts, colours=VERDICT_COLOURS))
    _write_table(out / RESULTS, photos)
    return [out / INDEX, *_write_sheets(photos, out)]


def _summarise(job: Job, ledger: Ledger, out: Path) -> list[PhotoSummary]:
    """Return the summaries of a job's photo and of its duplicates, which show the same results."""
    entries = {item.label: ledger[item] for item in job.items}
    failures = [failure for failure in ledger.failures(job) if failure[0] != AVATAR]
    thumbnail = _update_thumbnail(job, ledger, out / THUMBNAILS)
    names = [(job.name, job.source), *((duplicate.name, duplicate.source) for duplicate in job.duplicates)]
    return [PhotoSummary(name, source, job, entries, failures, thumbnail) for name, source in names]


def count_states(jobs: list[Job], ledger: Ledger) -> dict[str, int]:
    """Return how many items are done, failed and waiting."""
    states = [ledger[item].status for job in jobs for item in job.items]
    return {status: states.count(status) for status in ("done", "failed", "waiting")}


def _write_table(path: Path, photos: list[PhotoSummary]) -> None:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["photo", "name", "item", "status", "verdict", "attempts", "seconds", "files", "reason"])
    for photo in photos:
        for item in photo.job.items:
            table.writerow(_table_row(photo, item))
    write_text(path, text.getvalue())


def _table_row(photo: PhotoSummary, item: Item) -> list[Any]:
    job, entry = photo.job, photo.entries[item.label]
    files = " ".join(f"{job.name}/{name}" for name in entry.done.files) if entry.done else ""
    seconds = entry.done.seconds if entry.done else ""
    source = os.path.relpath(photo.source, job.folder.parent)
    return [source, photo.name, item.label, entry.status, photo.verdict, entry.attempts, seconds, files, entry.reason]


def _update_thumbnail(job: Job, ledger: Ledger, folder: Path) -> str:
    """Write a thumbnail if it is missing or old: the fit's overlay and a frame of the first video, or only the photo.

    Returns:
        Its path relative to the output folder; empty if there is nothing to show.
    """
    videos = [item for item in job.items if item.output == "video" and ledger[item].done]
    frames = [preview_frame(job, item) for item in videos[:1]]
    results = [path for path in (job.folder / OVERLAY, *frames) if path.is_file()]
    read: Callable[[Path], Image.Image] = _read_on_white if results else _read_photo
    sources = results or [path for path in [job.source] if path.is_file()]
    if not sources:
        return ""
    path = folder / f"{job.name}.jpg"
    if not _is_whole_image(path) or path.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        try:
            parts = [_resize(read(source)) for source in sources]
        except (BadInput, OSError, SyntaxError):  # Pillow raises the others for damaged images
            return ""
        with atomic_output(path, durable=False) as partial:
            _side_by_side(parts).save(partial, quality=JPEG_QUALITY)
    return f"{folder.name}/{path.name}"


def _is_whole_image(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError):
        return False
    return True


def _side_by_side(images: list[Image.Image]) -> Image.Image:
    canvas = Image.new("RGB", (sum(image.width for image in images), 2 * CELL), "white")
    left = 0
    for image in images:
        canvas.paste(image, (left, 0))
        left += image.width
    return canvas


def _read_on_white(source: Path) -> Image.Image:
    with Image.open(source) as file:
        image = file.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _read_photo(source: Path) -> Image.Image:
    return Image.fromarray(to_uint8(read_photo(source).image))


def _resize(image: Image.Image) -> Image.Image:
    width = max(1, round(image.width * 2 * CELL / image.height))
    return image.resize((width, 2 * CELL), Image.Resampling.LANCZOS)


def _write_sheets(photos: list[PhotoSummary], out: Path) -> list[Path]:
    """Write contact sheets of at most COLUMNS x ROWS photos."""
    sheets = []
    for start in range(0, len(photos), COLUMNS * ROWS):
        on_sheet = photos[start : start + COLUMNS * ROWS]
        columns = min(COLUMNS, len(on_sheet))
        size = (columns * CELL, math.ceil(len(on_sheet) / columns) * (CELL + CAPTION))
        sheet = Image.new("RGB", size, "white")
        for index, photo in enumerate(on_sheet):
            _draw_cell(sheet, photo, (index % columns * CELL, index // columns * (CELL + CAPTION)), out)
        path = out / (SHEET if start == 0 else f"sheet-{start // (COLUMNS * ROWS) + 1}.jpg")
        with atomic_output(path) as partial:
            sheet.save(partial, quality=JPEG_QUALITY)
        sheets.append(path)
    return sheets


def _draw_cell(sheet: Image.Image, photo: PhotoSummary, corner: tuple[int, int], out: Path) -> None:
    x, y = corner
    draw = ImageDraw.Draw(sheet)
    if photo.thumbnail:
        with Image.open(out / photo.thumbnail) as thumbnail:
            small = ImageOps.contain(thumbnail, (CELL - 4, CELL - 4))
        sheet.paste(small, (x + (CELL - small.width) // 2, y + (CELL - small.height) // 2))
    colour = VERDICT_COLOURS.get(photo.verdict, "#888888")
    draw.rectangle((x + 2, y + CELL + 4, x + 10, y + CELL + 12), fill=colour)
    draw.text((x + 14, y + CELL + 2), photo.name[:MAX_CAPTION_LENGTH], fill="black")
