"""A folder of photos or a manifest in, what is wanted of each photo out: checked, with line numbers."""

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from reprlib import repr as shown
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from sherf.batch.options import BatchOutput
from sherf.datasets.subject_folder import data_set_of
from sherf.errors import BadInput
from sherf.export.options import MeshOptions
from sherf.motion.motion import builtin_motions, file_and_clip
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status
from sherf.render.options import RenderOptions

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
KINDS = (".csv", ".jsonl", ".yaml", ".yml")
MOST_BYTES = 1 << 30
MOST_NESTED = 8
"""Levels of a YAML; deep ones take time that grows with their square."""
OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
MOST_SHOWN = 20
"""Mistakes that one message names."""
NOT_IN_ROWS = ("device", "chunk")


@dataclass(frozen=True)
class Settings:
    """The command line's options, as they hold for one photo."""

    photo: PhotoOptions = PhotoOptions()
    render: RenderOptions = RenderOptions()
    moving: MotionOptions = MotionOptions()
    mesh: MeshOptions = MeshOptions()


@dataclass(frozen=True)
class Wish:
    """What is wanted of one photo."""

    source: Path
    """A photo, or a data set's subject folder."""
    name: str
    """Of its folder; empty: the photo's own."""
    where: str
    """Where it was asked for, such as `line 3`; empty for a folder's photos."""
    motions: tuple[str, ...]
    cameras: tuple[str, ...]
    outputs: tuple[BatchOutput, ...]
    frames: int | None
    keep_frames: bool
    settings: Settings


def read_wishes(source: Path, common: Wish, out: Path | None = None) -> list[Wish]:
    """The photos of a folder, or the rows of a manifest (.csv, .jsonl, .yaml).

    Args:
        common: what holds where a row does not say otherwise.
        out: the batch's own folder: nothing in it is a photo, should it lie in the folder of photos.

    Raises:
        BadInput: there is nothing, or rows are wrong: all of them are named, with their lines.
    """
    if source.is_dir():
        found = list(_photos(source, out and out.resolve()))
        if not found:
            raise BadInput(f"{source} holds no photos ({', '.join(PHOTOS)}) and no subjects of a data set.")
        return [replace(common, source=path, name=_name_in(source, path)) for path in found]
    if not source.is_file():
        raise BadInput(f"there is no {source}. Give a folder of photos or a manifest ({', '.join(KINDS)}).")
    wishes, mistakes = [], []
    for line, row in _rows(source):
        try:
            wishes.append(_wish(row, f"line {line}", source.parent, common))
        except ValidationError as error:
            mistakes += [f"line {line}: {text}" for text in _explained(error)]
        except BadInput as error:
            mistakes.append(f"line {line}: {error}")
    if mistakes:
        more = f"\n... and {len(mistakes) - MOST_SHOWN} more" if len(mistakes) > MOST_SHOWN else ""
        raise BadInput(f"{source} cannot be used:\n" + "\n".join(mistakes[:MOST_SHOWN]) + more)
    if not wishes:
        raise BadInput(f"{source} has no rows: each needs at least a `photo`.")
    return wishes


def _photos(folder: Path, out: Path | None) -> Iterator[Path]:
    """Photos and subjects of data sets, in order; hidden folders are left out, and those that may not be read."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        print_status(f"warning: {folder} is left out: {error.strerror}.")
        return
    for path in paths:
        if path.name.startswith(".") or path.resolve() == out:
            continue
        if path.is_dir():
            yield from [path] if data_set_of(path) else _photos(path, out)
        elif path.suffix.lower() in PHOTOS:
            yield path


def _name_in(folder: Path, path: Path) -> str:
    return "-".join(path.relative_to(folder).with_suffix("").parts)


def _columns() -> dict[str, Any]:
    """What a row may hold, with the types of the options of the command line."""
    columns: dict[str, Any] = {
        "photo": (str, ...),
        "name": (str | None, None),
        "motions": (tuple[str, ...] | None, None),
        "cameras": (tuple[str, ...] | None, None),
        "outputs": (tuple[BatchOutput, ...] | None, None),
        "frames": (int | None, None),
        "keep_frames": (bool | None, None),
    }
    for part in fields(Settings):
        columns |= {f.name: (f.type | None, None) for f in fields(part.type) if f.name not in NOT_IN_ROWS}
    return columns


Row: type[BaseModel] = create_model("Row", __config__=ConfigDict(extra="forbid"), **_columns())
OWN = ("motions", "cameras", "outputs", "frames", "keep_frames", "name")
LISTS = tuple(name for name, (kind, _) in _columns().items() if tuple in {get_origin(k) for k in get_args(kind)})


def _wish(row: dict[str, Any], where: str, folder: Path, common: Wish) -> Wish:
    """One row: paths as seen from the manifest's folder, lists also as text between spaces or semicolons."""
    lists = {key: row[key].replace(";", " ").split() for key in LISTS if isinstance(row.get(key), str)}
    given = Row(**{**row, **lists}).model_dump(exclude_none=True)
    source = folder / given["photo"]
    if not os.path.exists(source):  # a name too long for a file is none either
        raise BadInput(f"there is no file {source}")
    for name in ("mask", "edit"):
        if name in given:
            given[name] = folder / given[name]
    for name in ("model", "body_model"):
        if name in given:
            given[name] = _beside(folder, given[name])
    if "motions" in given:
        builtin = builtin_motions()
        given["motions"] = tuple(x if x in builtin else _beside(folder, x) for x in given["motions"])
    if "cameras" in given:
        given["cameras"] = tuple(_beside(folder, x) for x in given["cameras"])
    own = {key: given[key] for key in OWN if key in given}
    parts = {
        part: replace(options, **{f.name: given[f.name] for f in fields(options) if f.name in given})
        for part, options in vars(common.settings).items()
    }
    return replace(common, source=source, where=where, settings=Settings(**parts), **{"name": source.stem, **own})


def _beside(folder: Path, name: str) -> str:
    """The path of a file, or of a clip in a file, where there is one, else the name of something built in."""
    there = folder / name
    return str(there) if os.path.exists(there) or file_and_clip(there)[1] else name


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and rows, unchecked but for being rows at all."""
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise BadInput(f"{path.name} is no manifest: its name must end in {', '.join(KINDS)}.")
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"{path} has {path.stat().st_size:,} bytes, more than the {MOST_BYTES:,} allowed: split it.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is no UTF-8 text ({error}).") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}.") from None
    readers = {".csv": _rows_of_csv, ".jsonl": _rows_of_jsonl}
    for line, row in readers.get(kind, _rows_of_yaml)(text, path):
        yield line, {key.replace("-", "_"): value for key, value in row.items()}


def _rows_of_csv(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Empty cells say nothing."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BadInput(
                    f"{path}, line {reader.line_num}: the head line has {len(reader.fieldnames or ())} columns, this "
                    "line another number. Quote cells that hold commas."
                )
            yield reader.line_num, {key.strip(): cell.strip() for key, cell in row.items() if cell.strip()}
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: no CSV ({error}).") from None


def _rows_of_jsonl(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}, line {line}: no JSON ({error}).") from None
        yield line, _mapping(row, path, line)


def _rows_of_yaml(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """A list of rows, or a mapping of `defaults` and `photos`."""
    try:
        depth = 0
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
            if depth > MOST_NESTED:
                raise BadInput(f"{path}, line {token.start_mark.line + 1}: nested too deeply.")
        loader = yaml.SafeLoader(text)
        top = loader.get_single_node()
        content = None if top is None else loader.construct_document(top)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadInput(f"{path}: no YAML ({' '.join(str(error).split())}).") from None
    defaults: dict[str, Any] = {}
    if isinstance(content, dict) and isinstance(top, yaml.MappingNode):
        if set(content) - {"defaults", "photos"}:
            raise BadInput(f"{path}: give a list of rows, or `defaults:` and `photos:`; found {shown(list(content))}.")
        defaults = _mapping(content.get("defaults") or {}, path, 1)
        content = content.get("photos")
        lists = [(key, value) for key, value in top.value if key.value == "photos"]
        if len(lists) > 1:
            raise BadInput(f"{path}, line {lists[1][0].start_mark.line + 1}: `photos:` is there twice.")
        top = lists[0][1] if lists else top
    if content is None:
        return
    if not isinstance(content, list) or not isinstance(top, yaml.SequenceNode):
        raise BadInput(f"{path}: the photos must be a list (`- photo: me.jpg`).")
    for row, node in zip(content, top.value, strict=True):
        line = node.start_mark.line + 1
        row = {"photo": row} if isinstance(row, str) else row
        yield line, {**defaults, **_mapping(row, path, line)}


def _mapping(row: Any, path: Path, line: int) -> dict[str, Any]:
    if not isinstance(row, dict) or not all(isinstance(key, str) for key in row):
        raise BadInput(
            f"{path}, line {line}: a row must map names to values, such as photo: me.jpg; found {shown(row)}."
        )
    return row


def _explained(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors():
        name = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            yield f"there is no column {name!r}; known are {', '.join(_columns())}"
        elif mistake["type"] == "missing":
            yield f"{name} is missing"
        else:
            yield f"{name}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}, found {shown(mistake['input'])}"
