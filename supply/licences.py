"""Write docs/licences.md: the licence of every package in the locks, as its own metadata tells it.

build/tools/bin/python supply/licences.py

pip answers for the locks without installing anything. A licence that asks for more than its text and names to be kept
has to be explained in `judgements.py`; the program stops at one that is not.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from judgements import BUNDLED, CLEAR, JUDGED, UNSAID

FOLDER = Path(__file__).parent
OUT = FOLDER.parent / "docs" / "licences.md"
LOCKS = ("run", "dev", "optional")
HEAD = """# Licences of the dependencies

Written by `make licences` from `supply/*.lock`, from the packages' own metadata. The project's own licence is in
`LICENSE`, those of the files that ship with it in `NOTICE`. None of the packages below ships with sherf: pip fetches
them. `run` is needed by the commands and the web page, `dev` by training and tests, `optional` by the remaining extras.

## Licences that are not permissive, and why they are acceptable

| package | licence | why it is acceptable |
|---|---|---|
"""


def main() -> None:
    """Ask pip, judge, write."""
    packages = sorted((about for name in LOCKS for about in metadata(name)), key=lambda about: about["name"].lower())
    groups = {name: (FOLDER / f"{name}.lock").read_text() for name in LOCKS}
    rows, unknown = [], []
    judged: dict[str, tuple[list[str], set[str]]] = {}
    for about in packages:
        name = plain(about["name"])
        licence = UNSAID.get(name) or licence_of(about)
        group = next(group for group, text in groups.items() if re.search(rf"^{re.escape(name)}==", text, re.MULTILINE))
        rows.append(f"| {name} | {about['version']} | {licence} | {group} |")
        reason = next((why for pattern, why in JUDGED.items() if re.fullmatch(pattern, name)), None)
        if reason:
            names, licences = judged.setdefault(reason, ([], set()))
            names.append(name)
            licences.add(licence)
        elif not licence or not all(re.search(CLEAR, part, re.IGNORECASE) for part in re.split(" AND ", licence)):
            unknown.append(f"{name}: {licence or 'none said'}")
    if unknown:
        sys.exit("explain these in supply/judgements.py:\n" + "\n".join(unknown))
    explained = [f"| {', '.join(names)} | {'; '.join(sorted(said))} | {why} |" for why, (names, said) in judged.items()]
    explained += [f"| {name}, inside | {licence} | {why} |" for name, (licence, why) in BUNDLED.items()]
    OUT.parent.mkdir(exist_ok=True)
    table = "\n## All\n\n| package | version | licence | lock |\n|---|---|---|---|\n"
    OUT.write_text(HEAD + "\n".join(explained) + "\n" + table + "\n".join(rows) + "\n")
    print(f"{OUT.name}: {len(rows)} packages, {len(explained)} explanations")


def metadata(lock: str) -> list[dict[str, Any]]:
    """What the packages of a lock say of themselves; nothing is installed."""
    with TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        options = ["--dry-run", "--ignore-installed", "--no-deps", "--require-hashes", "--quiet", "--report", report]
        command = [sys.executable, "-m", "pip", "install", *options, "--requirement", FOLDER / f"{lock}.lock"]
        subprocess.run(command, check=True)
        return [found["metadata"] for found in json.loads(report.read_text())["install"]]


def licence_of(about: dict[str, Any]) -> str:
    """In one line: the SPDX expression, else a short text, else the classifiers."""
    classified = [text.split(" :: ")[-1] for text in about.get("classifier", ()) if text.startswith("License ::")]
    said = about.get("license_expression") or about.get("license") or ""
    short = said if said != "UNKNOWN" and len(said) < 60 and "\n" not in said else ""
    return short or ", ".join(name for name in classified if name != "DFSG approved")


def plain(name: str) -> str:
    """A package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
