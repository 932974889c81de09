"""The command reference, as `make docs` writes it."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from sherf.cli.main import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """docs/generate_commands.py, which is not in a package."""
    spec = importlib.util.spec_from_file_location("generate_commands", DOCS / "generate_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference(generator: ModuleType) -> str:
    return generator.reference()


def test_every_command_has_its_section_in_order(reference: str) -> None:
    assert re.findall(r"^## sherf (\S+)$", reference, re.MULTILINE) == list(COMMANDS)


def test_it_is_put_into_the_page() -> None:
    assert (DOCS / "commands.md").read_text().count("<!-- commands -->") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_help_has_a_row(generator: ModuleType, command: str) -> None:
    """The help names an option at the beginning of a line of its box."""
    wanted = set(re.findall(r"^│ (--[\w.-]+)", generator.help_text(command), re.MULTILINE))
    rows = set(re.findall(r"^\| `(--[\w.-]+)`", generator.command_reference(command), re.MULTILINE))
    assert rows == wanted


def test_a_row_holds_names_meaning_and_default(reference: str) -> None:
    section = reference[reference.index("## sherf render") : reference.index("## sherf animate")]
    assert re.search(r"^\| `PHOTO\\\|AVATAR` \| .+ \| required \|$", section, re.MULTILINE)
    assert re.search(r"^\| `--size` `INT` \| .+ \| `512` \|$", section, re.MULTILINE)
    assert re.search(r"^\| `--gif` `--no-gif` \| .+ \| off \|$", section, re.MULTILINE)
    assert re.search(r"^\| `--mask` `PATH` \| .+ \|  \|$", section, re.MULTILINE)
