"""report.html: tables and image strips of a run, in one page that opens without a server."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sherf.benchmark.aggregate import ANGLE_RANGES, paper_rows
from sherf.benchmark.metrics import METRICS
from sherf.benchmark.protocols import KINDS
from sherf.benchmark.records import Record
from sherf.benchmark.runner import STRIPS_FOLDER, BenchmarkRun
from sherf.files.output import write_text

REPORT_TEMPLATE = "report.html"
METRIC_TITLES = {"psnr": "PSNR", "ssim": "SSIM", "lpips_vgg": "LPIPS-VGG", "lpips_alex": "LPIPS-Alex"}
STRIPS_PER_RANGE = 1
MAX_SUBJECTS_SHOWN = 30


def write_report(path: Path, name: str, model: str, content: dict[str, Any], run: BenchmarkRun) -> None:
    """Write the page; its images are linked relative to it.

    Args:
        path: the file to write, in the run's folder.
        name: the data set.
        model: the model's name.
        content: what results.json holds.
        run: the finished run.

    Raises:
        OutputError: the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("sherf.benchmark", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template(REPORT_TEMPLATE).render(
        name=name,
        model=model,
        content=content,
        paper=paper_rows(name),
        metrics=METRIC_TITLES,
        kinds=KINDS,
        angle_ranges=[f"{low}-{high}" for low, high in ANGLE_RANGES],
        subjects=_subject_sections(run.records),
        strips_folder=STRIPS_FOLDER,
        skipped=run.skipped,
        missing_frames=run.missing_frames,
    )
    write_text(path, page)


def _subject_sections(records: list[Record]) -> list[dict[str, Any]]:
    """Return each subject's means and, for each kind and range of angles, the strip with the median PSNR."""
    sections = []
    for subject in sorted({r.subject for r in records})[:MAX_SUBJECTS_SHOWN]:
        of_subject = [r for r in records if r.subject == subject]
        means = {m: sum(r.scores[f"standard.{m}"] for r in of_subject) / len(of_subject) for m in METRICS}
        strips: list[Record] = []
        for kind in KINDS:
            for low, high in ANGLE_RANGES:
                in_range = [r for r in of_subject if r.kind == kind and low <= r.angle <= high]
                ordered = sorted(in_range, key=lambda r: r.scores["standard.psnr"])
                strips += ordered[len(ordered) // 2 :][:STRIPS_PER_RANGE]
        sections.append({"name": subject, "num_images": len(of_subject), "means": means, "strips": strips})
    return sections
