"""What is installed, what is missing, and how to get it."""

import ctypes
import importlib
import importlib.metadata
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sherf import __version__

FORMAT, FORMAT_VERSION = "sherf-doctor", 1
"""Of the JSON: without a new version, keys may be added, but not renamed or removed."""
SYSTEM_LIBRARIES = {
    "libgl1": "libGL.so.1",
    "libegl1": "libEGL.so.1",
    "libx11-6": "libX11.so.6",
    "libusb-1.0-0": "libusb-1.0.so.0",
    "libglib2.0-0": "libgthread-2.0.so.0",
    "libxcb1": "libxcb.so.1",
}
"""Debian packages that Open3D and OpenCV need, each with a library that it installs."""
PACKAGE = Path(__file__).parent.parent
AGAIN = "reinstall sherf"
INSTALL_LINE = "apt-get install -y --no-install-recommends"
MODULES = {
    "torch": "torch",
    "pytorch3d": "easypytorch3d",
    "nerfacc": "nerfacc",
    "open3d": "open3d",
    "cv2": "opencv-python",
    "trimesh": "trimesh",
    "av": "av",
    "ai_edge_litert.interpreter": "ai-edge-litert",
    "safetensors": "safetensors",
}
OPTIONAL_MODULES = {
    "smplx": ("smplx", "pip install 'sherf[smpl]' (non-commercial licence; only useful with your own SMPL files)"),
    "lightning_fabric": ("lightning-fabric", "pip install 'sherf[train]'"),
    "gradio": ("gradio", "pip install 'sherf[app]'"),
    "rembg": ("rembg", "pip install 'sherf[rembg]' (only for --masker rembg)"),
    "ray": ("ray", "pip install 'sherf[ray]' (only for batches on many machines)"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    name: str
    ok: bool
    required: bool
    found: str
    """What was found: a package's version, or a description."""
    remedy: str = ""
    """How to fix it if it is missing."""
    kind: Literal["python", "library", "package", "device", "asset", "data", "body model"] = "package"
    details: dict[str, Any] = field(default_factory=dict)
    """Of an asset: its recorded sha256 and its size in bytes."""


def missing_libraries() -> list[str]:
    """Return the Debian packages whose libraries cannot be loaded."""
    if not sys.platform.startswith("linux"):
        return []
    missing = []
    for package, library in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def library_remedy(missing: list[str]) -> str:
    """Return the shell command that installs missing system libraries, given as Debian packages."""
    prefix = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "sudo "
    return f"{prefix}{INSTALL_LINE} {' '.join(missing)}"


def examine() -> list[Finding]:
    """Check everything that the commands need. Does not raise: each failure is a finding."""
    missing = missing_libraries()
    findings = [
        Finding(
            "python", sys.version_info[:2] == (3, 11), True, platform.python_version(), "use Python 3.11", "python"
        ),
        Finding(
            "system libraries",
            not missing,
            True,
            f"missing: {' '.join(missing)}" if missing else "all found",
            library_remedy(missing) if missing else "",
            "library",
        ),
    ]
    findings += [_module(name, package, True, f"pip install {package}") for name, package in MODULES.items()]
    findings += [_module(name, package, False, remedy) for name, (package, remedy) in OPTIONAL_MODULES.items()]
    findings += _data()
    return findings


def _module(name: str, package: str, required: bool, remedy: str) -> Finding:
    try:
        importlib.import_module(name)
        return Finding(package, True, required, importlib.metadata.version(package))
    except Exception as error:  # whatever an import may raise belongs into the report
        return Finding(package, False, required, f"{type(error).__name__}: {error}", remedy)


def _data() -> list[Finding]:
    """Device, shipped weights and data, body models."""
    try:
        from sherf.body.files import load_body_model
        from sherf.errors import SherfError
        from sherf.files.assets import asset_record, verify_assets
        from sherf.motion.read import builtin_motions
        from sherf.render.devices import choose_backend
    except ImportError as error:
        return [Finding("sherf", False, True, str(error), "fix the findings above first")]
    findings = [Finding("device", True, True, str(choose_backend("auto").device), kind="device")]
    findings += [
        Finding(name, ok, True, message, "" if ok else AGAIN, "asset", asset_record(name))
        for name, ok, message in verify_assets()
    ]
    for name, count in (
        ("motions", len(builtin_motions())),
        ("pose prior", len(list(PACKAGE.glob("photo/*.npz")))),
    ):
        findings.append(Finding(name, count > 0, True, f"{count} files", "" if count else AGAIN, "data"))
    for name, required in (("openbody", True), ("smpl", False)):
        try:
            body = load_body_model(name)
            found = f"{len(body.v_template)} vertices"
            findings.append(Finding(f"body model {name}", True, required, found, kind="body model"))
        except SherfError as error:
            first, *rest = str(error).splitlines()
            findings.append(Finding(f"body model {name}", False, required, first, " ".join(rest), "body model"))
    return findings


def as_text(findings: list[Finding]) -> str:
    """Return the findings as a table, with the remedy below each missing item."""
    lines = [f"sherf {__version__} in {PACKAGE}"]
    for finding in findings:
        mark = "ok" if finding.ok else ("MISSING" if finding.required else "not installed (optional)")
        lines.append(f"{finding.name:36} {mark:24} {finding.found}")
        if not finding.ok and finding.remedy:
            lines.append(f"{'':36} → {finding.remedy}")
    bad = sum(1 for finding in findings if finding.required and not finding.ok)
    lines.append("everything required was found" if not bad else f"{bad} required items are missing")
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Return the findings as JSON values; `ok`, like the exit code, tells whether everything required was found."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "ok": all(f.ok for f in findings if f.required),
        "package": {"version": __version__, "folder": str(PACKAGE)},
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "platform": platform.platform(),
        "device": next((f.found for f in findings if f.kind == "device"), None),
        "packages": {f.name: f.found if f.ok else None for f in findings if f.kind == "package"},
        "assets": [{"name": f.name, "ok": f.ok, **f.details} for f in findings if f.kind == "asset"],
        "missing": [{"name": f.name, "required": f.required, "remedy": f.remedy} for f in findings if not f.ok],
        "findings": [asdict(f) for f in findings],
    }
