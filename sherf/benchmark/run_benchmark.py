"""`sherf benchmark`: plan, evaluate, summarise, report."""

import json
from pathlib import Path
from typing import Any

from sherf import __version__
from sherf.avatar.encoder import AvatarEncoder, body_for
from sherf.benchmark.aggregate import format_table, paper_rows, summarise, write_subjects_csv
from sherf.benchmark.benchmark_model import BenchmarkModel
from sherf.benchmark.options import BenchmarkOptions
from sherf.benchmark.protocols import PROTOCOLS
from sherf.benchmark.report import write_report
from sherf.benchmark.runner import RECORDS, BenchmarkRun, evaluate, plan_evaluation
from sherf.datasets.data_digest import content_digest
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.open_data import DataName, open_data, required_body_model
from sherf.errors import BadInput
from sherf.files.lock import lock_folder
from sherf.files.output import write_json
from sherf.progress import print_status
from sherf.render.backend import Backend

QUICK_SUBJECTS, QUICK_IMAGES_PER_KIND = 3, 3
SETTINGS, RESULTS, SUBJECTS, REPORT = "settings.json", "results.json", "subjects.csv", "report.html"
FOLDER = "data"
"""Setting that names the data set's folder: of all settings the only one that no score depends on."""
MAX_NAMES_SHOWN = 20


def run_benchmark(
    name: DataName, options: BenchmarkOptions, encoder: AvatarEncoder, backend: Backend
) -> tuple[dict[str, Any], str]:
    """Score a model on a data set; a run that was interrupted is resumed.

    Args:
        name: the data set.
        options: what to score, and where the results go.
        encoder: the model that `options.model` names.
        backend: where frames are rendered.

    Returns:
        What results.json holds, and the table to print.

    Raises:
        BadInput: the folder does not hold this data set or none of its test subjects, nothing could be scored, or the
            output folder holds a different run.
        MissingAsset: the model or the body model is not installed.
        OutputError: the output folder cannot be written, or another run uses it.
    """
    out = options.out or Path("out") / f"benchmark-{name}"
    with lock_folder(out):
        return _run_in(out, name, options, encoder, backend)


def _run_in(
    out: Path, name: DataName, options: BenchmarkOptions, model: AvatarEncoder, backend: Backend
) -> tuple[dict[str, Any], str]:
    body = body_for(model, options.body_model, required_body_model(name))
    protocol = PROTOCOLS[name]
    data = open_data(name, options.data, body, options.split)
    subjects = _choose_subjects(name, data.subjects, protocol.choose_subjects(data.subjects), options)
    settings = _make_settings(options, data, model.identity, subjects)
    claim_folder(out, settings, options.overwrite)
    run = BenchmarkRun([])
    pairs = plan_evaluation(data, protocol, subjects, run, QUICK_IMAGES_PER_KIND if options.quick else None)
    print_status(f"{name}: {len(pairs)} images of {len(subjects)} subjects, model {model.name}")
    evaluate(data, protocol, BenchmarkModel(model, body, backend), pairs, out, run, options.estimated)
    for what, reason in run.skipped.items():
        print_status(f"skipped {what}: {reason}")
    if not run.records:
        raise BadInput(f"nothing in {options.data} could be scored: {len(run.skipped)} skipped, reasons above.")
    content = settings | {"pictures": len(run.records), "subjects": len({r.subject for r in run.records})}
    content |= summarise(run) | {"paper": paper_rows(name)}
    content["timing"] = content["timing"] or _earlier_timing(out)
    write_subjects_csv(out / SUBJECTS, run)
    write_json(out / RESULTS, content)
    write_report(out / REPORT, name, model.name, content, run)
    return content, format_table(name, content, model.name)


def _choose_subjects(
    name: str, available: tuple[str, ...], test_subjects: list[str], options: BenchmarkOptions
) -> list[str]:
    """Return the subjects to score.

    Raises:
        BadInput: unknown names, or no test subject is available.
    """
    if options.subjects:
        unknown = [subject for subject in options.subjects if subject not in available]
        if unknown:
            names = ", ".join(available[:MAX_NAMES_SHOWN])
            more = ", ..." if len(available) > MAX_NAMES_SHOWN else ""
            raise BadInput(f"{options.data} has no subject {', '.join(unknown)}.\nChoose from: {names}{more}.")
        return list(options.subjects)
    if not test_subjects:
        raise BadInput(
            f"{options.data} has none of {name}'s test subjects; it has {', '.join(available[:8]) or 'no subjects'}"
            f"{' ...' if len(available) > 8 else ''}.\nName some with --subjects, or provide the whole data set."
        )
    return test_subjects[:QUICK_SUBJECTS] if options.quick else test_subjects


def _make_settings(options: BenchmarkOptions, data: MultiviewData, model: str, subjects: list[str]) -> dict[str, Any]:
    """Return what the scores depend on, and the name of the data set's folder."""
    return {
        "benchmark": data.name,
        "model": model,
        "body_model": options.body_model,
        FOLDER: str(options.data.resolve().name),
        "data_sha256": content_digest(data, subjects),
        "split": options.split,
        "quick": options.quick,
        "estimated": options.estimated,
        "chosen_subjects": subjects,
        "tool": __version__,
    }


def claim_folder(out: Path, settings: dict[str, Any], overwrite: bool) -> None:
    """Write settings.json, which says what the folder's scores depend on; scores of unknown settings are discarded.

    Args:
        out: the folder.
        settings: of this run.
        overwrite: discard scores of other settings, too.

    Raises:
        BadInput: the folder holds scores of other settings.
        OutputError: the file cannot be written.
    """
    path, records = out / SETTINGS, out / RECORDS
    before = _read_object(path)
    different = [key for key in settings if key in before and before[key] != settings[key] and key != FOLDER]
    if different and not overwrite:
        raise BadInput(
            f"{out} holds the scores of a different run: {', '.join(different)} differ.\n"
            "Choose another --out, or pass --overwrite to discard them."
        )
    unknown = [key for key in settings if key not in before]
    if unknown and records.exists() and not overwrite:
        print_status(
            f"{path} does not record {', '.join(unknown)}: the scores there may be of other data. Scoring again."
        )
    if different or unknown or overwrite:
        records.unlink(missing_ok=True)
    write_json(path, settings)


def _earlier_timing(out: Path) -> dict[str, float]:
    """Return the timing that an earlier run wrote, for a run that had nothing left to do."""
    timing = _read_object(out / RESULTS).get("timing")
    return timing if isinstance(timing, dict) else {}


def _read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if the file is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
