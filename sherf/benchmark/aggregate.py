"""Means, confidence intervals and tables of a run: results.json and subjects.csv."""

import csv
import io
from typing import Any

import numpy as np

from sherf.benchmark.metrics import METRICS
from sherf.benchmark.paper import ESTIMATED_BODY, PAPER
from sherf.benchmark.records import Record
from sherf.benchmark.runner import Run
from sherf.files.output import write_text

KINDS = ("novel_view", "novel_pose")
PROTOCOLS = {"standard": "standard", "published": "published", "standard_person_box": "standard_person_box"}
ANGLES = ((0, 60), (60, 120), (120, 180))
RESAMPLES, SEED = 2000, 0
LABEL = 46  # characters of a table's first column


def results(run: Run) -> dict[str, Any]:
    """Everything measured, by protocol and kind.

    Means are over subjects, then over pictures within a subject, as published. Pictures whose frame was replaced at
    random count in the published protocol only.
    """
    protocols: dict[str, Any] = {}
    for scope in PROTOCOLS:
        counted = [r for r in run.records if scope == "published" or not r.replaced]
        protocols[scope] = {kind: _of_kind([r for r in counted if r.kind == kind], scope) for kind in KINDS}
    return {
        "protocols": protocols,
        "timing": run.timing,
        "left_out": run.left_out,
        "missing_frames": run.missing,
    }


def paper_rows(name: str) -> list[dict[str, Any]]:
    """What the papers report for this data set; none for OpenPeople."""
    rows = [vars(row) for row in PAPER.get(name, ())]
    if name in ESTIMATED_BODY:
        rows.append({"method": "SHERF, estimated body", "psnr": ESTIMATED_BODY[name], "ssim": None, "lpips": None})
    return rows


def _of_kind(records: list[Record], scope: str) -> dict[str, Any]:
    if not records:
        return {"pictures": 0}
    summary: dict[str, Any] = {"pictures": len(records), "subjects": len({r.subject for r in records})}
    summary |= _means(records, scope)
    summary["ci95"] = {metric: _interval(records, f"{scope}.{metric}") for metric in METRICS}
    summary["by_observed_view"] = {
        str(view): _means([r for r in records if r.observed_view == view], scope)
        for view in sorted({r.observed_view for r in records})
    }
    summary["by_angle"] = {}
    for low, high in ANGLES:
        some = [r for r in records if low <= r.angle < high or r.angle == high == ANGLES[-1][1]]
        summary["by_angle"][f"{low}-{high}"] = {"pictures": len(some)} | (_means(some, scope) if some else {})
    return summary


def _means(records: list[Record], scope: str) -> dict[str, float]:
    return {metric: round(float(_per_subject(records, f"{scope}.{metric}").mean()), 4) for metric in METRICS}


def _per_subject(records: list[Record], name: str) -> np.ndarray:
    """Mean of each subject, in order of name."""
    subjects = sorted({r.subject for r in records})
    return np.array([np.mean([r.scores[name] for r in records if r.subject == s]) for s in subjects])


def _interval(records: list[Record], name: str) -> list[float] | None:
    """95 % interval of the mean by resampling subjects (Efron 1979); None for a single subject."""
    means = _per_subject(records, name)
    if len(means) < 2:
        return None
    drawn = np.random.default_rng(SEED).integers(0, len(means), (RESAMPLES, len(means)))
    low, high = np.percentile(means[drawn].mean(axis=1), [2.5, 97.5])
    return [round(float(low), 4), round(float(high), 4)]


def write_subjects(path: Any, run: Run) -> None:
    """subjects.csv: the mean of each subject and kind."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"{scope}.{metric}" for scope in PROTOCOLS for metric in METRICS]
    writer.writerow(["kind", "subject", "pictures", *names])
    for kind in KINDS:
        of_kind = [r for r in run.records if r.kind == kind]
        for subject in sorted({r.subject for r in of_kind}):
            own = [r for r in of_kind if r.subject == subject]
            means = [f"{np.mean([r.scores[name] for r in own]):.5g}" for name in names]
            writer.writerow([kind, subject, len(own), *means])
    write_text(path, text.getvalue())


def table(name: str, content: dict[str, Any], model: str) -> str:
    """The summary that the command prints: ours, then the papers'."""
    lines = [f"{'':{LABEL}}{'PSNR':>8}{'SSIM':>8}{'LPIPS-VGG':>11}{'LPIPS-Alex':>12}{'pictures':>10}"]
    for scope, kinds in content["protocols"].items():
        for kind, row in kinds.items():
            if row["pictures"]:
                label = f"{model}, {kind.replace('_', ' ')}, {scope.replace('_', ' ')}"
                cells = f"{row['psnr']:8.2f}{row['ssim']:8.3f}{row['lpips_vgg']:11.3f}{row['lpips_alex']:12.3f}"
                lines.append(f"{label:{LABEL}}{cells}{row['pictures']:10d}")
    rows = paper_rows(name)
    for row in rows:
        label = f"{row['method']} (novel view, published)"
        if row["ssim"] is None:
            lines.append(f"{label:{LABEL}}{row['psnr']:>14}")
        else:
            lines.append(f"{label:{LABEL}}{row['psnr']:8.2f}{row['ssim']:8.3f}{row['lpips']:11.3f}")
    return "\n".join(lines if rows else [*lines, f"no paper reports {name}"])
