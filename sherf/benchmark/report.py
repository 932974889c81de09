"""report.html: tables and pictures of a run, to be opened by a double click."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sherf.benchmark.aggregate import ANGLES, KINDS, paper_rows
from sherf.benchmark.metrics import METRICS
from sherf.benchmark.records import Record
from sherf.benchmark.runner import Run
from sherf.files.output import write_text

TITLES = {"psnr": "PSNR", "ssim": "SSIM", "lpips_vgg": "LPIPS-VGG", "lpips_alex": "LPIPS-Alex"}
STRIPS_OF_ANGLE = 1
MOST_SUBJECTS_SHOWN = 30


def write_report(path: Path, name: str, model: str, content: dict[str, Any], run: Run) -> None:
    """Write the page; its pictures lie beside it."""
    environment = Environment(
        loader=PackageLoader("sherf.benchmark", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html").render(
        name=name,
        model=model,
        content=content,
        paper=paper_rows(name),
        metrics=TITLES,
        kinds=KINDS,
        angles=[f"{low}-{high}" for low, high in ANGLES],
        subjects=_subjects(run.records),
        left_out=run.left_out,
        missing=run.missing,
    )
    write_text(path, page)


def _subjects(records: list[Record]) -> list[dict[str, Any]]:
    """For each subject its means and, for each kind and angle, the strip nearest to the middle of the scores."""
    rows = []
    for subject in sorted({r.subject for r in records})[:MOST_SUBJECTS_SHOWN]:
        own = [r for r in records if r.subject == subject]
        means = {m: sum(r.scores[f"standard.{m}"] for r in own) / len(own) for m in METRICS}
        strips = []
        for kind in KINDS:
            for low, high in ANGLES:
                some = [r for r in own if r.kind == kind and low <= r.angle <= high]
                ordered = sorted(some, key=lambda r: r.scores["standard.psnr"])
                strips += ordered[len(ordered) // 2 :][:STRIPS_OF_ANGLE]
        rows.append({"name": subject, "pictures": len(own), "means": means, "strips": strips})
    return rows
