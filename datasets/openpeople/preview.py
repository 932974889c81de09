"""A contact sheet of generated people."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from sherf.datasets.openpeople.store import person_folder, read_record, read_view
from sherf.files.output import atomic_output
from sherf.progress import progress

PREVIEW = "preview.png"
MAX_PEOPLE, COLUMNS, CELL_PX = 100, 10, 200
BACKGROUND = 235.0
"""Grey level between the people."""


def write_preview(root: Path, seeds: list[int]) -> None:
    """Write preview.png: each person's observation view and one other view, labelled with seed and split.

    Args:
        root: the data set's folder.
        seeds: the people; at most 100, evenly chosen, are shown.

    Raises:
        BadInput: an image or record is missing or damaged.
        OutputError: the file cannot be written.
    """
    chosen = [seeds[i] for i in np.unique(np.linspace(0, len(seeds) - 1, min(len(seeds), MAX_PEOPLE)).astype(int))]
    cells = [_cell(root, seed) for seed in progress(chosen, "preview")]
    blank = np.full_like(cells[0], BACKGROUND)
    cells += [blank] * (-len(cells) % COLUMNS)
    rows = [np.concatenate(cells[i : i + COLUMNS], axis=1) for i in range(0, len(cells), COLUMNS)]
    with atomic_output(root / PREVIEW) as partial:
        cv2.imwrite(str(partial), np.concatenate(rows)[..., ::-1])


def _cell(root: Path, seed: int) -> UInt8[np.ndarray, "h w 3"]:
    """Return one labelled cell of the contact sheet, RGB."""
    folder = person_folder(root, seed)
    record = read_record(folder)
    views = len(record["poses"][0]["cameras"])
    images = []
    for pose, view in ((0, 0), (len(record["poses"]) - 1, views // 2)):
        image, mask, _ = read_view(folder, pose, view)
        opaque = image + (1 - mask[..., None] / 255) * BACKGROUND
        images.append(cv2.resize(opaque, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA))
    cell = np.rint(np.concatenate(images, axis=1)).astype(np.uint8)
    text = f"{seed} {record['person']['split']}"
    return cv2.putText(cell, text, (6, CELL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (90, 90, 90), 1, cv2.LINE_AA)
