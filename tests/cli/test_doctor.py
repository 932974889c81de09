"""What the doctor says to machines: the same keys always, every asset by its hash, a remedy for all that is missing."""

import ctypes
import hashlib
import json
from pathlib import Path

import pytest

import sherf
from sherf import __version__
from sherf.cli import doctor
from sherf.cli.doctor import Finding, as_json, as_text, examine
from sherf.errors import MissingAsset
from sherf.files import assets
from sherf.files.assets import assets_root

KEYS = {
    "format", "version", "ok", "package", "python", "platform", "device", "packages", "assets", "missing", "findings",
}  # fmt: skip


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return examine()


def test_the_json_has_its_keys_and_is_json(findings: list[Finding]) -> None:
    said = json.loads(json.dumps(as_json(findings)))
    assert said.keys() == KEYS and (said["format"], said["version"]) == ("sherf-doctor", 1)
    assert said["ok"] is True and said["device"] in ("cpu", "cuda")
    assert said["package"] == {"version": __version__, "folder": str(Path(sherf.__file__).parent)}
    assert said["packages"]["torch"].startswith("2.") and said["packages"]["nerfacc"] == "0.5.3"
    assert {"name", "ok", "required", "found", "remedy"} <= said["findings"][0].keys()


def test_assets_are_named_with_the_hash_of_their_files(findings: list[Finding]) -> None:
    for asset in as_json(findings)["assets"]:
        content = (assets_root() / asset["name"]).read_bytes()
        assert (asset["ok"], asset["bytes"]) == (True, len(content))
        assert asset["sha256"] == hashlib.sha256(content).hexdigest()


def test_all_that_is_missing_has_a_remedy(findings: list[Finding]) -> None:
    said = as_json(findings)
    assert {entry["name"] for entry in said["missing"]} == {f.name for f in findings if not f.ok}
    assert all(entry["remedy"] and not entry["required"] for entry in said["missing"])
    assert said["packages"].keys() >= {"torch", "gradio", "smplx", "rembg"}


def test_a_damaged_asset_is_found(monkeypatch: pytest.MonkeyPatch, findings: list[Finding]) -> None:
    whole = assets.verify_file

    def damaged(root: Path, name: str) -> Path:
        if name.endswith("pose_detection.tflite"):
            raise MissingAsset(f"the asset {name} is damaged")
        return whole(root, name)

    monkeypatch.setattr(assets, "verify_file", damaged)
    found = doctor._data()
    said = as_json(found)
    assert not said["ok"] and said["missing"][0] == {
        "name": "pose/pose_detection.tflite", "required": True, "remedy": "reinstall sherf",
    }  # fmt: skip
    text = as_text(found)
    assert "MISSING" in text and "1 required items are missing" in text


def test_a_missing_library_is_told_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        if name.startswith("libGL"):
            raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    assert doctor.missing_libraries() == ["libgl1"]
    assert doctor.library_remedy(["libgl1"]).endswith("apt-get install -y --no-install-recommends libgl1")


def test_the_text_begins_with_the_version_and_ends_with_the_verdict(findings: list[Finding]) -> None:
    lines = as_text(findings).splitlines()
    assert lines[0].startswith(f"sherf {__version__} in ") and lines[-1] == "everything required was found"
