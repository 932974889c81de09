"""The wheel alone, in an environment and a folder that know nothing of the repository, does the work."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SITE_PACKAGES = Path(sysconfig.get_paths()["purelib"])
MOST_BYTES, MOST_FILE_BYTES = 100 * 2**20, 32 * 2**20
DATA = (".npz", ".tflite", ".safetensors", ".html", ".webp", ".js", ".css", "SHA256SUMS")
"""Endings of files that programs read: where the repository has one in a package, the wheel has it too."""
PACKAGES = {"sherf": "sherf", "app": "sherf/app", "datasets": "sherf/datasets", "checkpoints": "sherf/checkpoints"}
PHOTO = "sherf/examples/person_1.jpg"
WATCH = f"""
import os, sys
def told(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], (str, bytes)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith({str(ROOT) + os.sep!r}) and not path.startswith({str(SITE_PACKAGES.parents[2])!r}):
            os.write(2, f"READ {{path}}\\n".encode())
sys.addaudithook(told)
"""
"""Tells of everything that Python itself opens in the repository, but for the packages of others."""


def _tracked() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("what belongs to the repository is only known in a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SHERF"))}
    return subprocess.run(command, cwd=cwd, env=plain, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the repository's own files, without what else lies in the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in _tracked():
        if not name.startswith(("tests/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out)
    done = _run(sys.executable, "-m", "pip", "wheel", *options, source, cwd=out)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_all_that_is_needed_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    assert wheel.stat().st_size < MOST_BYTES
    assert {name: size for name, size in sizes.items() if size > MOST_FILE_BYTES} == {}
    assert {name.split("/")[0].split("-")[0] for name in sizes} == {"sherf"}, "one package, and its metadata"
    for name in sizes:
        assert not any(part in name for part in ("tests/", "test_", "benchmarks/", "SMPL_", "smplx", ".pkl", ".pt")), (
            name
        )
    licences = {name.rpartition("/")[2] for name in sizes if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}
    wanted = {
        name.replace(top, PACKAGES[top], 1)
        for name in _tracked()
        if (top := name.split("/")[0]) in PACKAGES and name.endswith((*DATA, ".py"))
    }
    assert wanted - sizes.keys() == set()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; a plain path leads to what it depends on, past the checkout's own hooks."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    options = ("--quiet", "--no-deps", "--no-index", "--no-compile")
    done = _run(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(f"{SITE_PACKAGES}\n")
    (site_packages / "sitecustomize.py").write_text(WATCH)
    return folder


def _sherf(installed: Path, cwd: Path, *arguments: Sequence[str] | str | Path) -> str:
    """Run the command that the wheel installed; returns what it prints."""
    done = _run(installed / "bin" / "sherf", *map(str, arguments), cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    read = [line for line in done.stderr.splitlines() if line.startswith("READ ")]
    assert read == []
    return done.stdout


def test_a_photo_turns_into_pictures_far_from_the_repository(installed: Path, tmp_path: Path) -> None:
    spy = _run(installed / "bin" / "python", "-c", f"open({str(ROOT / 'README.md')!r})", cwd=tmp_path)
    assert spy.stderr.startswith("READ "), "what reads in the repository is told of"
    where = _run(installed / "bin" / "python", "-c", "import sherf; print(sherf.__file__)", cwd=tmp_path).stdout
    assert Path(where.strip()).is_relative_to(installed)
    (site_packages,) = installed.glob("lib/python*/site-packages")
    _sherf(installed, tmp_path, "reconstruct", site_packages / PHOTO, "--out", "me")
    _sherf(installed, tmp_path, "render", "me/avatar.safetensors", "--frames", "2", "--size", "64", "--out", "turn")
    assert json.loads((tmp_path / "me" / "report.json").read_text())["verdict"] == "good"
    assert {path.name for path in (tmp_path / "turn" / "frames").iterdir()} == {"0000.png", "0001.png"}


def test_the_doctor_finds_every_shipped_file_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    said = json.loads(_sherf(installed, tmp_path, "doctor", "--json"))
    assert said["ok"] and Path(said["package"]["folder"]).is_relative_to(installed)
    assets = {asset["name"]: asset for asset in said["assets"]}
    recorded = {
        f"{sums.parent.relative_to(ROOT / 'checkpoints').as_posix()}/{line.split()[1]}"
        for sums in (ROOT / "checkpoints").rglob("SHA256SUMS")
        for line in sums.read_text().splitlines()
    }
    assert assets.keys() == recorded and all(asset["ok"] for asset in assets.values())
