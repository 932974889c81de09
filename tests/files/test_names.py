"""Names from lists name one file or folder, never a place elsewhere."""

import pytest

from sherf.errors import BadInput
from sherf.files.names import check_name

BAD_NAMES = (
    "",
    ".",
    "..",
    "/etc",
    "../a",
    "a/..",
    "a/b",
    "a\\b",
    "..\\a",
    "a\0b",
    "a\nb",
    "\ud800",
    "a" * 256,
    "ä" * 128,
)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_a_path_or_no_text_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"list\.txt, line 3: .* is not a valid name"):
        check_name(name, "list.txt, line 3")


@pytest.mark.parametrize("name", ["CoreView_377", "seq_000000-rp_aaron", "..a", "a..b", "Camera (1)", "人", "ä" * 127])
def test_any_other_name_is_accepted(name: str) -> None:
    assert check_name(name, "list.txt, line 3") == name
