"""Write the locks: all that each group of pyproject.toml's extras needs, pinned, with the SHA-256 of every file.

build/tools/bin/python supply/lock.py
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
PROJECT = FOLDER.parent / "pyproject.toml"
GROUPS: dict[str, set[str]] = {"run": {"app"}, "dev": {"dev", "smpl", "train", "generate", "ray"}}
"""Extras by lock; `optional` holds all others."""
CEILINGS = "backports-strenum<1.3\n"
"""Versions that name a newest Python, which uv does not heed."""
OPTIONS = (
    "--python-version 3.11 --python-platform x86_64-manylinux_2_35 --generate-hashes "
    "--no-header --no-annotate --no-emit-index-url --quiet"
)


def main() -> None:
    """Resolve everything together, then cut it: each lock leaves out what the ones before hold."""
    extras = set(tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"])
    optional = extras - set().union(*GROUPS.values())
    with TemporaryDirectory() as scratch:
        ceilings, everything = Path(scratch) / "ceilings.txt", Path(scratch) / "everything.txt"
        ceilings.write_text(CEILINGS)
        resolve(extras, ceilings, everything)
        wanted: set[str] = set()
        written: set[str] = set()
        for name, group in {**GROUPS, "optional": optional}.items():
            wanted |= group
            found = Path(scratch) / name
            resolve(wanted, everything, found)
            entries = [entry for entry in entries_of(found) if entry not in written]
            written |= set(entries)
            (FOLDER / f"{name}.lock").write_text("".join(entries))
            print(f"{name}.lock: {len(entries)} packages")


def resolve(extras: set[str], constraints: Path, out: Path) -> None:
    """Pin all that the project needs with some extras."""
    uv = Path(sys.executable).with_name("uv")
    chosen = [f"--extra={extra}" for extra in sorted(extras)]
    command = [uv, "pip", "compile", PROJECT, *chosen, "-c", constraints, "-o", out, *OPTIONS.split()]
    subprocess.run(command, check=True)


def entries_of(lock: Path) -> list[str]:
    """A lock's packages, each with the lines of its hashes."""
    return re.findall(r"^\S.*\n(?:    .*\n)*", lock.read_text(), re.MULTILINE)


if __name__ == "__main__":
    main()
