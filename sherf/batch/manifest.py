"""Read a folder of photos or a manifest (.csv, .jsonl, .yaml) as job requests; errors carry line numbers."""

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from sherf.batch.job import JobRequest, Settings
from sherf.batch.options import BatchOutput
from sherf.datasets.subject_folder import identify_data_set
from sherf.errors import BadInput
from sherf.export.options import MeshOptions
from sherf.files.names import check_name
from sherf.motion.options import MotionOptions
from sherf.motion.read import builtin_motions, split_clip
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status
from sherf.render.options import RenderOptions

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
MANIFEST_SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")
MAX_BYTES = 1 << 30
MAX_YAML_DEPTH = 8
"""Nesting levels: the parser's time grows with their square."""
OPENING_TOKENS = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
CLOSING_TOKENS = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
MAX_ERRORS_SHOWN = 20
COMMAND_LINE_ONLY = ("device", "chunk")
"""Options that no row can override."""


def read_requests(source: Path, common: JobRequest, out: Path | None = None) -> list[JobRequest]:
    """Read the photos of a folder, subfolders included, or the rows of a manifest.

    Args:
        source: a folder, or a .csv, .jsonl or .yaml file; paths in it are relative to its folder.
        common: applies where a row says nothing.
        out: the batch's output folder, which is left out if it lies within the folder of photos.

    Returns:
        At least one request, in the order of the rows or, for a folder, of the paths.

    Raises:
        BadInput: there are no photos or no rows, or rows are invalid; the message lists their lines.
    """
    if source.is_dir():
        found = list(_find_photos(source, out and out.resolve()))
        if not found:
            suffixes = ", ".join(PHOTO_SUFFIXES)
            raise BadInput(f"{source} contains no photos ({suffixes}) and no subjects of a data set.")
        return [replace(common, source=path, name=_name_in(source, path)) for path in found]
    if not source.is_file():
        suffixes = ", ".join(MANIFEST_SUFFIXES)
        raise BadInput(f"there is no file or folder {source}. Give a folder of photos or a manifest ({suffixes}).")
    requests, errors = [], []
    for line, row in _read_rows(source):
        try:
            requests.append(_parse_row(row, f"line {line}", source.parent, common))
        except ValidationError as error:
            errors += [f"line {line}: {text}" for text in _describe_errors(error)]
        except BadInput as error:
            errors.append(f"line {line}: {error}")
    if errors:
        more = f"\n... and {len(errors) - MAX_ERRORS_SHOWN} more" if len(errors) > MAX_ERRORS_SHOWN else ""
        raise BadInput(f"{source} is not valid:\n" + "\n".join(errors[:MAX_ERRORS_SHOWN]) + more)
    if not requests:
        raise BadInput(f"{source} has no rows: each needs at least a `photo`.")
    return requests


def _find_photos(folder: Path, out: Path | None) -> Iterator[Path]:
    """Yield photos and data sets' subject folders, sorted, without hidden and unreadable folders."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        print_status(f"warning: skipping {folder}: {error.strerror}.")
        return
    for path in paths:
        if path.name.startswith(".") or path.resolve() == out:
            continue
        if path.is_dir():
            yield from [path] if identify_data_set(path) else _find_photos(path, out)
        elif path.suffix.lower() in PHOTO_SUFFIXES:
            yield path


def _name_in(folder: Path, path: Path) -> str:
    return "-".join(path.relative_to(folder).with_suffix("").parts)


def _row_columns() -> dict[str, Any]:
    """Return the columns of a row with their types: those of the command line's options."""
    columns: dict[str, Any] = {
        "photo": (str, ...),
        "name": (str | None, None),
        "motions": (tuple[str, ...] | None, None),
        "cameras": (tuple[str, ...] | None, None),
        "outputs": (tuple[BatchOutput, ...] | None, None),
        "frames": (int | None, None),
        "keep_frames": (bool | None, None),
    }
    for options in (PhotoOptions, RenderOptions, MotionOptions, MeshOptions):
        for f in fields(options):
            assert not isinstance(f.type, str)
            if f.name not in COMMAND_LINE_ONLY:
                columns[f.name] = (f.type | None, None)
    return columns


Row: type[BaseModel] = create_model("Row", __config__=ConfigDict(extra="forbid"), **_row_columns())
REQUEST_COLUMNS = ("motions", "cameras", "outputs", "frames", "keep_frames", "name")
LIST_COLUMNS = tuple(
    name for name, (kind, _) in _row_columns().items() if tuple in {get_origin(k) for k in get_args(kind)}
)


def _parse_row(row: dict[str, Any], location: str, folder: Path, common: JobRequest) -> JobRequest:
    """Return the request of a row: paths are relative to the manifest's folder, lists may be separated by spaces or ;.

    Raises:
        BadInput: the photo does not exist, or the name is a path.
    """
    lists = {key: row[key].replace(";", " ").split() for key in LIST_COLUMNS if isinstance(row.get(key), str)}
    values = Row(**{**row, **lists}).model_dump(exclude_none=True)
    source = folder / values["photo"]
    if not os.path.exists(source):  # also False for a name that is too long, where Path.exists raises
        raise BadInput(f"there is no file {source}")
    if "name" in values:
        check_name(values["name"], "name")
    for name in ("mask", "edit"):
        if name in values:
            values[name] = folder / values[name]
    for name in ("model", "body_model"):
        if name in values:
            values[name] = _resolve(folder, values[name])
    if "motions" in values:
        builtin = builtin_motions()
        values["motions"] = tuple(x if x in builtin else _resolve(folder, x) for x in values["motions"])
    if "cameras" in values:
        values["cameras"] = tuple(_resolve(folder, x) for x in values["cameras"])
    request = {key: values[key] for key in REQUEST_COLUMNS if key in values}
    parts = {
        part: replace(options, **{f.name: values[f.name] for f in fields(options) if f.name in values})
        for part, options in vars(common.settings).items()
    }
    defaults = {"name": source.stem}
    return replace(common, source=source, location=location, settings=Settings(**parts), **{**defaults, **request})


def _resolve(folder: Path, name: str) -> str:
    """Return the path of a file, or of a clip in a file, if it exists, else the name itself: something built in."""
    path = folder / name
    return str(path) if os.path.exists(path) or split_clip(path)[1] else name


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers and rows; columns and values are not checked yet.

    Raises:
        BadInput: the file is not a manifest, is too large, or cannot be read or parsed.
    """
    suffix = path.suffix.lower()
    if suffix not in MANIFEST_SUFFIXES:
        raise BadInput(f"{path.name} is not a manifest: its name must end in {', '.join(MANIFEST_SUFFIXES)}.")
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"{path} has {path.stat().st_size:,} bytes, more than the {MAX_BYTES:,} allowed: split it.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 text ({error}).") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}.") from None
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    for line, row in readers.get(suffix, _read_yaml)(text, path):
        yield line, {key.replace("-", "_"): value for key, value in row.items()}


def _read_csv(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a CSV without their empty cells.

    Raises:
        BadInput: the text is not CSV, or a row does not have the header's columns.
    """
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BadInput(
                    f"{path}, line {reader.line_num}: the header has {len(reader.fieldnames or ())} columns, this row "
                    "has more or fewer. Quote cells that contain commas."
                )
            yield reader.line_num, {key.strip(): cell.strip() for key, cell in row.items() if cell.strip()}
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: invalid CSV ({error}).") from None


def _read_jsonl(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a file with one JSON object per line.

    Raises:
        BadInput: a line is not a JSON object.
    """
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}, line {line}: invalid JSON ({error}).") from None
        yield line, _checked_mapping(row, path, line)


def _read_yaml(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a YAML list, or of a mapping with `defaults` and `photos`.

    Raises:
        BadInput: the text is not YAML, is nested too deeply, or has another structure.
    """
    content, node = _parse_yaml(text, path)
    defaults: dict[str, Any] = {}
    if isinstance(content, dict) and isinstance(node, yaml.MappingNode):
        if set(content) - {"defaults", "photos"}:
            found = short_repr(list(content))
            raise BadInput(f"{path}: give a list of rows, or `defaults:` and `photos:`; found {found}.")
        defaults = _checked_mapping(content.get("defaults") or {}, path, 1)
        content = content.get("photos")
        lists = [(key, value) for key, value in node.value if key.value == "photos"]
        if len(lists) > 1:
            raise BadInput(f"{path}, line {lists[1][0].start_mark.line + 1}: `photos:` occurs twice.")
        node = lists[0][1] if lists else node
    if content is None:
        return
    if not isinstance(content, list) or not isinstance(node, yaml.SequenceNode):
        raise BadInput(f"{path}: the photos must be a list (`- photo: me.jpg`).")
    for row, row_node in zip(content, node.value, strict=True):
        line = row_node.start_mark.line + 1
        row = {"photo": row} if isinstance(row, str) else row
        yield line, {**defaults, **_checked_mapping(row, path, line)}


def _parse_yaml(text: str, path: Path) -> tuple[Any, yaml.Node | None]:
    """Return the content and its root node, which knows the lines; None twice for an empty document.

    Raises:
        BadInput: the text is not YAML or is nested too deeply.
    """
    try:
        depth = 0
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            depth += isinstance(token, OPENING_TOKENS) - isinstance(token, CLOSING_TOKENS)
            if depth > MAX_YAML_DEPTH:
                raise BadInput(f"{path}, line {token.start_mark.line + 1}: nested too deeply.")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        return None if node is None else loader.construct_document(node), node
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput(f"{path}: invalid YAML ({' '.join(str(error).split())}).") from None


def _checked_mapping(row: Any, path: Path, line: int) -> dict[str, Any]:
    """Return the row if it is a mapping with text keys.

    Raises:
        BadInput: it is not.
    """
    if not isinstance(row, dict) or not all(isinstance(key, str) for key in row):
        raise BadInput(
            f"{path}, line {line}: a row must map names to values, such as photo: me.jpg; found {short_repr(row)}."
        )
    return row


def _describe_errors(error: ValidationError) -> Iterator[str]:
    for details in error.errors():
        name = ".".join(str(part) for part in details["loc"])
        if details["type"] == "extra_forbidden":
            yield f"unknown column {name!r}; choose from {', '.join(_row_columns())}"
        elif details["type"] == "missing":
            yield f"{name} is missing"
        else:
            message = details["msg"]
            yield f"{name}: {message[0].lower()}{message[1:]}, found {short_repr(details['input'])}"
