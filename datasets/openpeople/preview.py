"""A contact sheet of generated people."""

from pathlib import Path

import cv2
import numpy as np

from sherf.datasets.openpeople.store import folder_of, read_picture, read_record
from sherf.files.output import atomic_output
from sherf.progress import progress

PREVIEW = "preview.png"
MOST_PEOPLE, COLUMNS, CELL_PX = 100, 10, 200
PAPER = 235.0


def write_preview(root: Path, seeds: list[int]) -> None:
    """Write each person's photo and a view from elsewhere, side by side, with seed and split below.

    Raises:
        BadInput: a picture is missing or damaged.
    """
    chosen = [seeds[i] for i in np.unique(np.linspace(0, len(seeds) - 1, min(len(seeds), MOST_PEOPLE)).astype(int))]
    cells = [_cell(root, seed) for seed in progress(chosen, "preview")]
    blank = np.full_like(cells[0], PAPER)
    cells += [blank] * (-len(cells) % COLUMNS)
    rows = [np.concatenate(cells[i : i + COLUMNS], axis=1) for i in range(0, len(cells), COLUMNS)]
    with atomic_output(root / PREVIEW) as partial:
        cv2.imwrite(str(partial), np.concatenate(rows)[..., ::-1])


def _cell(root: Path, seed: int) -> np.ndarray:
    folder = folder_of(root, seed)
    record = read_record(folder)
    views = len(record["poses"][0]["cameras"])
    shown = ((0, 0), (len(record["poses"]) - 1, views // 2))
    pictures = []
    for pose, view in shown:
        image, mask, _ = read_picture(folder, pose, view)
        whole = image + (1 - mask[..., None] / 255) * PAPER
        pictures.append(cv2.resize(whole, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA))
    cell = np.rint(np.concatenate(pictures, axis=1)).astype(np.uint8)
    text = f"{seed} {record['person']['split']}"
    return cv2.putText(cell, text, (6, CELL_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (90, 90, 90), 1, cv2.LINE_AA)
