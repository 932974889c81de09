"""The account that users of the page must enter: where it comes from, and what is refused."""

from pathlib import Path

import pytest

from sherf.app.account import read_account
from sherf.app.options import AppOptions
from sherf.errors import BadInput

ACCOUNT = ("me", "correct:horse")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the account that only its owner can read; no account in the environment."""
    monkeypatch.delenv("SHERF_AUTH", raising=False)
    path = tmp_path / "account"
    path.write_text("me:correct:horse\n")
    path.chmod(0o600)
    return path


def test_the_account_comes_from_a_file_or_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert read_account(AppOptions()) is None
    assert read_account(AppOptions(host="0.0.0.0", auth_file=file)) == ACCOUNT
    monkeypatch.setenv("SHERF_AUTH", "me:correct:horse")
    assert read_account(AppOptions(host="0.0.0.0")) == ACCOUNT
    assert read_account(AppOptions()) is None, "the server and its children do not inherit it"
    assert capsys.readouterr().err == ""


def test_an_account_on_the_command_line_is_visible_to_others(file: Path, capsys: pytest.CaptureFixture) -> None:
    assert read_account(AppOptions(auth="me:correct:horse")) == ACCOUNT
    warning = capsys.readouterr().err
    assert "visible to other users of this machine: use --auth-file" in warning and "horse" not in warning


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        ("me:correct:horse", 0o640, "other users can read or change .*chmod 600"),
        ("me:correct:horse", 0o604, "other users can read or change"),
        ("me:1234567", 0o600, "has 7 characters: choose at least 8"),
        ("me", 0o600, "is not NAME:PASSWORD"),
        (":correct:horse", 0o600, "is not NAME:PASSWORD"),
        ("", 0o600, "holds 0 lines; expected one"),
        ("me:correct:horse\nyou:correct:horse", 0o600, "holds 2 lines; expected one"),
        (b"me:\xff\xfe\xff\xfe\xff\xfe\xff\xfe", 0o600, "it is not text in UTF-8"),
    ],
)
def test_unsafe_and_malformed_files_are_refused(file: Path, content: str | bytes, mode: int, message: str) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)
    with pytest.raises(BadInput, match=f"(?s){message}") as raised:
        read_account(AppOptions(auth_file=file))
    assert "horse" not in str(raised.value) and "1234567" not in str(raised.value)


def test_other_mistakes_are_explained(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_account(AppOptions(auth_file=tmp_path / "none"))
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        read_account(AppOptions(auth_file=tmp_path))
    with pytest.raises(BadInput, match="both give an account"):
        read_account(AppOptions(auth="me:correct:horse", auth_file=file))
    with pytest.raises(BadInput, match="--auth has 4 characters"):
        read_account(AppOptions(auth="me:1234"))
    monkeypatch.setenv("SHERF_AUTH", "me:1234")
    with pytest.raises(BadInput, match="SHERF_AUTH has 4 characters"):
        read_account(AppOptions())
    with pytest.raises(BadInput, match=r"(?s)exposes photos.*--auth-file"):
        read_account(AppOptions(host="0.0.0.0"))
