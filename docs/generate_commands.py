"""Write the command reference from the help texts of the commands themselves.

`python docs/generate_commands.py` prints what `make docs` puts into docs/commands.md.
"""

import io
import os
import re
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from unittest.mock import patch

from sherf.cli.main import COMMANDS, main

WIDE = "10000"
"""Columns of the terminal that the help is printed for: no text is wrapped."""
INDENT = 8
"""A line of the help that begins with more spaces continues the line before."""


SHOWN_DEFAULTS = {"": "", "''": "", "None": "", "False": "off", "True": "on"}


@dataclass
class Section:
    """A titled box of the help: positional arguments, options, or a group of options."""

    title: str
    introduction: list[str] = field(default_factory=list)
    entries: list[tuple[str, str]] = field(default_factory=list)
    """Each option's names with its values, and its description."""


def reference() -> str:
    """Return the reference of all commands as Markdown."""
    return "\n".join(command_reference(name) for name in COMMANDS)


def command_reference(name: str) -> str:
    """Return one command's section: usage, description, and a table of its arguments."""
    usage, description, sections = parse_help(help_text(name))
    lines = [f"## sherf {name}", "", "```text", usage, "```", "", description, ""]
    for section in sections:
        if section.introduction:
            title = section.title.removesuffix(" options").upper()
            lines += ["", f"**{title}:** {' '.join(section.introduction)}", ""]
        if section.introduction or section is sections[0]:
            lines += ["| argument | meaning | default |", "|---|---|---|"]
        lines += [_row(names, text) for names, text in section.entries]
    return "\n".join([*lines, ""])


def help_text(name: str) -> str:
    """Return what `sherf NAME --help` prints on a very wide terminal, without colours."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # the parser draws other boxes for other encodings
    with patch.dict(os.environ, {"COLUMNS": WIDE, "NO_COLOR": "1"}), redirect_stdout(out):
        try:
            main([name, "--help"])
        except SystemExit as ended:
            assert not ended.code, f"sherf {name} --help exits with {ended.code}"
    out.seek(0)
    return out.read()


def parse_help(text: str) -> tuple[str, str, list[Section]]:
    """Split a help text into usage, description and sections.

    Args:
        text: as `help_text` returns it.

    Returns:
        The usage line, the description as Markdown paragraphs, and the sections in their order; `--help` is left out.
    """
    head, *rest = re.split(r"^╭─ ", text, flags=re.MULTILINE)
    usage, _, description = head.removeprefix("usage: ").partition("\n\n")
    sections = []
    for box in rest:
        title, *lines = box.splitlines()
        section = Section(title.rstrip(" ─╮"))
        for line in (line.strip("│").rstrip() for line in lines if line.startswith("│")):
            _add(section, line)
        section.entries = [entry for entry in section.entries if not entry[0].startswith("-h,")]
        if section.entries:
            sections.append(section)
    return " ".join(usage.split()), description.strip(), sections


def _add(section: Section, line: str) -> None:
    """Add a line of a box: an argument, the rest of its description, or a word about the section."""
    content = line.strip()
    if not content.strip("─ "):
        return
    if line.startswith(" " * INDENT) and section.entries:
        names, text = section.entries[-1]
        section.entries[-1] = names, f"{text} {content}".strip()
    elif content.startswith("-") or section.title == "positional arguments":
        names, _, text = content.partition("  ")
        section.entries.append((names, text.strip()))
    else:
        section.introduction.append(content)


def _row(names: str, text: str) -> str:
    """Return an argument's row of the table, its default in a column of its own."""
    found = re.search(r" ?\((?:default: (?P<default>.*)|required)\)$", text)
    default = ""
    if found:
        text = text[: found.start()]
        value = found["default"]
        default = "required" if value is None else SHOWN_DEFAULTS.get(value, f"`{value}`")
    names = names.replace("{None}|", "").replace("{None,", "{")  # None is the value of an option that is left out
    shown = " ".join(f"`{part}`" for part in (names.split(", ") if ", --" in names else names.split(" ", 1)))
    return f"| {_cell(shown)} | {_cell(text)} | {default} |"


def _cell(text: str) -> str:
    """Escape what ends a cell of a Markdown table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference())
