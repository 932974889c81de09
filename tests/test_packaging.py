"""One set of pins, and names that shadow nobody's."""

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
