"""Progress is a bar on a terminal, occasional lines elsewhere, and never on standard output."""

import os
import pty
import subprocess
import sys

from sherf.progress import progress, report_progress_to

CODE = "from sherf.progress import progress\nfor i in progress(list(range(3)), 'frames'): print(i)"


def test_without_a_terminal_short_work_is_silent() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n1\n2\n"
    assert done.stderr == ""


def test_a_terminal_gets_a_bar_even_if_it_does_not_know_its_size() -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 0
    assert b"frames" in shown and b"3/3" in shown


def test_a_callback_receives_every_item_and_the_total_where_it_is_known() -> None:
    reports: list[tuple[str, int, int | None]] = []
    with report_progress_to(lambda *report: reports.append(report)):
        assert list(progress([7, 8], "listed")) == [7, 8]
        assert list(progress(iter([7]), "unknown")) == list(progress(iter([7]), "estimated", 5)) == [7]
    list(progress([7], "afterwards"))
    assert reports == [("listed", 0, 2), ("listed", 1, 2), ("unknown", 0, None), ("estimated", 0, 5)]
