"""What `sherf benchmark` does: plan, run, summarise, report."""

import json
from pathlib import Path
from typing import Any

from sherf import __version__
from sherf.benchmark.aggregate import paper_rows, results, table, write_subjects
from sherf.benchmark.benchmark_model import BenchmarkModel
from sherf.benchmark.options import BenchmarkOptions
from sherf.benchmark.protocols import PROTOCOLS
from sherf.benchmark.report import write_report
from sherf.benchmark.runner import Run, plan, run_items
from sherf.datasets.open_data import body_model_of, open_data
from sherf.errors import BadInput
from sherf.files.lock import alone_in
from sherf.files.output import write_json
from sherf.models.load import body_for, load_avatar_model
from sherf.progress import print_status
from sherf.render.devices import choose_backend

QUICK_SUBJECTS, QUICK_PICTURES = 3, 3
SETTINGS = "settings.json"


def run_benchmark(name: str, options: BenchmarkOptions) -> tuple[dict[str, Any], str]:
    """Score a model on a data set; returns what results.json holds, and a table for people.

    Raises:
        BadInput: no such data set there, no test subject in it, nothing could be scored, or the output folder holds
            another run.
        OutputError: the folder cannot be written, or another run works in it.
    """
    out = options.out or Path("out") / f"benchmark-{name}"
    with alone_in(out):
        return _scored(name, options, out)


def _scored(name: str, options: BenchmarkOptions, out: Path) -> tuple[dict[str, Any], str]:
    backend = choose_backend(options.device)
    model = load_avatar_model(options.model, backend, options.personalise)
    body = body_for(model, options.body_model, body_model_of(name))
    protocol = PROTOCOLS[name]
    data = open_data(name, options.data, body, options.split)  # type: ignore[arg-type]
    subjects = _subjects(name, data.subjects, protocol.choose_subjects(data.subjects), options)
    settings = _claim(out, name, options, model.identity, subjects)
    run = Run([])
    items = plan(data, protocol, subjects, run, QUICK_PICTURES if options.quick else None)
    print_status(f"{name}: {len(items)} pictures of {len(subjects)} subjects, model {model.name}")
    run_items(data, protocol, BenchmarkModel(model, body, backend), items, out, run, options.estimated)
    for what, why in run.left_out.items():
        print_status(f"left out: {what}: {why}")
    if not run.records:
        raise BadInput(f"nothing of {options.data} could be scored; {len(run.left_out)} failed, the reasons are above.")
    content = settings | {"pictures": len(run.records), "subjects": len({r.subject for r in run.records})}
    content |= results(run) | {"paper": paper_rows(name)}
    content["timing"] = content["timing"] or _timing_before(out)
    write_subjects(out / "subjects.csv", run)
    write_json(out / "results.json", content)
    write_report(out / "report.html", name, model.name, content, run)
    return content, table(name, content, model.name)


def _subjects(name: str, listed: tuple[str, ...], chosen: list[str], options: BenchmarkOptions) -> list[str]:
    if options.subjects:
        unknown = [subject for subject in options.subjects if subject not in listed]
        if unknown:
            raise BadInput(f"{options.data} has no subject {', '.join(unknown)}.\nThere are: {', '.join(listed[:20])}.")
        return list(options.subjects)
    if not chosen:
        raise BadInput(
            f"{options.data} has none of {name}'s test subjects; it has {', '.join(listed[:8]) or 'no subjects'}"
            f"{' ...' if len(listed) > 8 else ''}.\nName some with --subjects, or bring the whole data set."
        )
    return chosen[:QUICK_SUBJECTS] if options.quick else chosen


def _claim(out: Path, name: str, options: BenchmarkOptions, model: str, subjects: list[str]) -> dict[str, Any]:
    """Note what this folder's scores belong to, and refuse to mix them with others."""
    settings = {
        "benchmark": name,
        "model": model,
        "body_model": options.body_model,
        "data": str(options.data.resolve().name),
        "split": options.split,
        "quick": options.quick,
        "estimated": options.estimated,
        "chosen_subjects": subjects,
        "tool": __version__,
    }
    path = out / SETTINGS
    if path.exists():
        try:
            before = json.loads(path.read_text())
        except ValueError:
            before = {}
        different = [key for key in settings if before.get(key) != settings[key]]
        if different and not options.overwrite:
            raise BadInput(
                f"{out} holds another benchmark's scores: {', '.join(different)} differ.\n"
                "Choose another --out, or pass --overwrite to begin anew."
            )
        if different or options.overwrite:
            (out / "images.csv").unlink(missing_ok=True)
    write_json(path, settings)
    return settings


def _timing_before(out: Path) -> dict[str, float]:
    """Where nothing was left to do: what the run that did it measured."""
    try:
        return json.loads((out / "results.json").read_text())["timing"]
    except (OSError, ValueError, KeyError):
        return {}
