"""Means, confidence intervals and tables of a run: results.json and subjects.csv."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sherf.benchmark.metrics import METRICS
from sherf.benchmark.paper import ESTIMATED_BODY, PAPER
from sherf.benchmark.protocols import KINDS
from sherf.benchmark.records import Record
from sherf.benchmark.runner import BenchmarkRun
from sherf.files.output import write_text

REPORTED_SCOPES = ("standard", "published", "standard_person_box")
"""`sherf.benchmark.records.SCOPES` in the order of the reports."""
ANGLE_RANGES = ((0, 60), (60, 120), (120, 180))
"""Azimuths from the observation, degrees."""
NUM_RESAMPLES, SEED = 2000, 0
LABEL_WIDTH = 46
"""Characters of a printed table's first column."""


def summarise(run: BenchmarkRun) -> dict[str, Any]:
    """Return everything measured, by protocol and kind, as results.json holds it.

    Means are over subjects, and over images within a subject, as published. Images for which a missing frame was
    replaced at random count in the published protocol only.
    """
    protocols: dict[str, Any] = {}
    for scope in REPORTED_SCOPES:
        counted = [r for r in run.records if scope == "published" or not r.replaced]
        protocols[scope] = {kind: _summarise_kind([r for r in counted if r.kind == kind], scope) for kind in KINDS}
    return {
        "protocols": protocols,
        "timing": run.timing,
        "left_out": run.skipped,
        "missing_frames": run.missing_frames,
    }


def paper_rows(name: str) -> list[dict[str, Any]]:
    """Return the published figures for a data set, one row per method; none for OpenPeople."""
    rows = [vars(row) for row in PAPER.get(name, ())]
    if name in ESTIMATED_BODY:
        rows.append({"method": "SHERF, estimated body", "psnr": ESTIMATED_BODY[name], "ssim": None, "lpips": None})
    return rows


def _summarise_kind(records: list[Record], scope: str) -> dict[str, Any]:
    if not records:
        return {"pictures": 0}
    summary: dict[str, Any] = {"pictures": len(records), "subjects": len({r.subject for r in records})}
    summary |= _means(records, scope)
    summary["ci95"] = {metric: _confidence_interval(records, f"{scope}.{metric}") for metric in METRICS}
    summary["by_observed_view"] = {
        str(view): _means([r for r in records if r.observed_view == view], scope)
        for view in sorted({r.observed_view for r in records})
    }
    summary["by_angle"] = {}
    for low, high in ANGLE_RANGES:
        in_range = [r for r in records if low <= r.angle < high or r.angle == high == ANGLE_RANGES[-1][1]]
        means = _means(in_range, scope) if in_range else {}
        summary["by_angle"][f"{low}-{high}"] = {"pictures": len(in_range)} | means
    return summary


def _means(records: list[Record], scope: str) -> dict[str, float]:
    return {metric: round(float(_subject_means(records, f"{scope}.{metric}").mean()), 4) for metric in METRICS}


def _subject_means(records: list[Record], score_name: str) -> Float[np.ndarray, " subject"]:
    """Return the mean score of each subject, in order of name."""
    subjects = sorted({r.subject for r in records})
    return np.array([np.mean([r.scores[score_name] for r in records if r.subject == s]) for s in subjects])


def _confidence_interval(records: list[Record], score_name: str) -> list[float] | None:
    """Return the 95 % bootstrap interval of the mean over subjects (Efron 1979); None for a single subject."""
    means = _subject_means(records, score_name)
    if len(means) < 2:
        return None
    drawn = np.random.default_rng(SEED).integers(0, len(means), (NUM_RESAMPLES, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), [2.5, 97.5])
    return [round(float(low), 4), round(float(high), 4)]


def write_subjects_csv(path: Path, run: BenchmarkRun) -> None:
    """Write subjects.csv: the mean scores of each subject and kind.

    Args:
        path: the file to write.
        run: the finished run.

    Raises:
        OutputError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"{scope}.{metric}" for scope in REPORTED_SCOPES for metric in METRICS]
    writer.writerow(["kind", "subject", "pictures", *names])
    for kind in KINDS:
        of_kind = [r for r in run.records if r.kind == kind]
        for subject in sorted({r.subject for r in of_kind}):
            of_subject = [r for r in of_kind if r.subject == subject]
            means = [f"{np.mean([r.scores[name] for r in of_subject]):.5g}" for name in names]
            writer.writerow([kind, subject, len(of_subject), *means])
    write_text(path, text.getvalue())


def format_table(name: str, content: dict[str, Any], model: str) -> str:
    """Return the summary that the command prints: this run, then the published figures.

    Args:
        name: the data set.
        content: what results.json holds.
        model: the model's name.
    """
    lines = [f"{'':{LABEL_WIDTH}}{'PSNR':>8}{'SSIM':>8}{'LPIPS-VGG':>11}{'LPIPS-Alex':>12}{'images':>10}"]
    for scope, kinds in content["protocols"].items():
        for kind, row in kinds.items():
            if row["pictures"]:
                label = f"{model}, {kind.replace('_', ' ')}, {scope.replace('_', ' ')}"
                cells = f"{row['psnr']:8.2f}{row['ssim']:8.3f}{row['lpips_vgg']:11.3f}{row['lpips_alex']:12.3f}"
                lines.append(f"{label:{LABEL_WIDTH}}{cells}{row['pictures']:10d}")
    rows = paper_rows(name)
    for row in rows:
        label = f"{row['method']} (novel view, published)"
        if row["ssim"] is None:
            lines.append(f"{label:{LABEL_WIDTH}}{row['psnr']:>14}")
        else:
            lines.append(f"{label:{LABEL_WIDTH}}{row['psnr']:8.2f}{row['ssim']:8.3f}{row['lpips']:11.3f}")
    return "\n".join(lines if rows else [*lines, f"No published figures for {name}."])
