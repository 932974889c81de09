"""One set of pins, locked and with their licences known, and names that shadow nobody's."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _pins() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return {pin for group in (project["dependencies"], *extras) for pin in group}


def test_environment_yml_has_the_pins_of_pyproject() -> None:
    lines = (ROOT / "environment.yml").read_text().splitlines()
    listed = {line.strip(" -") for line in lines if "==" in line and not line.startswith("#")}
    chosen_only = {pin for pin in _pins() if pin.startswith("rembg")}  # brings a runtime of its own
    assert listed == _pins() - chosen_only


def test_every_dependency_is_pinned_exactly() -> None:
    assert all(pin.count("==") == 1 and "*" not in pin for pin in _pins())


def test_every_pin_is_locked_with_hashes_and_its_licence_is_listed() -> None:
    """`make lock licences` mends what this finds."""
    locked = "".join(path.read_text() for path in sorted((ROOT / "supply").glob("*.lock")))
    assert set(re.findall(r"^\S.*[^\\]$", locked, re.MULTILINE)) == set(), "each package is followed by its hashes"
    names = re.findall(r"^(\S+)==(\S+) ", locked, re.MULTILINE)
    assert len(names) == len(dict(names)), "no package twice"
    assert not re.search(r"https?:|--index|@", locked), "no lock says where its files come from"
    rows = re.findall(
        r"^\| (\S+) \| (\S+) \| (.+?) \| (?:run|dev|optional) \|$",
        (ROOT / "docs" / "licences.md").read_text(),
        re.MULTILINE,
    )
    listed = {(name, version) for name, version, licence in rows if licence.strip()}
    assert listed == set(names)
    pins = {tuple(re.sub(r"\[.*\]", "", pin).lower().split("==")) for pin in _pins()}
    assert pins - listed == set()


def test_top_level_folders_install_inside_the_package() -> None:
    """`datasets` is another project's name: only `sherf.datasets` may be importable from outside the checkout."""
    code = (
        "import importlib.util as u, sherf.app, sherf.datasets, sherf.checkpoints;"
        "print(*[n for n in ('app', 'datasets', 'checkpoints') if u.find_spec(n)])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_every_package_folder_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    tops = {"sherf": "sherf", "app": "sherf.app", "datasets": "sherf.datasets", "checkpoints": "sherf.checkpoints"}
    for top, name in tops.items():
        for init in (ROOT / top).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / top).parts
            assert ".".join((name, *parts)) in listed
