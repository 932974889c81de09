"""How long a visitor of the page waits: `python benchmarks/page.py`, nothing else running. Needs Chromium, playwright.

Prints a table: from the command to the page, from a dropped photo to overlay, first view and mesh, further views, a
walk of two seconds at 256 x 256, and the longest answer of /health meanwhile.
"""

import shutil
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from soak import EXAMPLES, serve, stop

LONG = 240_000
"""Milliseconds."""
OVERLAY, VIEW = "The photo with mask, skeleton and fitted body drawn on it", "The avatar from where the sliders stand"


def main() -> None:
    """Serve, session, print."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        served = serve(Path(folder) / "log", Path(folder))
        rows = [("page ready after the command", time.monotonic() - begun, "10 s")]
        health, over = [0.0], threading.Event()
        watching = threading.Thread(target=_ask, args=(served.address, health, over), daemon=True)
        try:
            with sync_playwright() as playwright:
                chromium = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page()
                page.goto(served.address)
                expect(page.get_by_role("button", name="Make the avatar")).to_be_visible(timeout=LONG)
                time.sleep(5.0)  # a visitor looks for a photo; what the first one needs is loaded meanwhile
                watching.start()
                rows += session(page)
                browser.close()
        finally:
            over.set()
            stop(served)
    print("| what | seconds | target |\n|---|---|---|")
    for what, seconds, target in [*rows, ("/health meanwhile, longest", health[0], "0.05 s")]:
        print(f"| {what} | {seconds:.2f} | {target} |")


def session(page: Page) -> list[tuple[str, float, str]]:
    """What a visitor does, and how long it takes."""
    begun = time.monotonic()
    page.locator("input[type=file]").first.set_input_files(EXAMPLES / "person_2.jpg")
    expect(page.get_by_alt_text(OVERLAY)).to_be_visible(timeout=LONG)
    rows = [("photo dropped → overlay", time.monotonic() - begun, "8 s")]
    page.get_by_role("tab", name="2 Look around").click()
    view = page.get_by_alt_text(VIEW)
    expect(view).to_be_visible(timeout=LONG)
    rows.append(("→ first coarse view", time.monotonic() - begun, "12 s"))
    expect(page.get_by_text("The photo saw")).to_be_visible(timeout=LONG)
    rows.append(("→ the mesh", time.monotonic() - begun, ""))
    time.sleep(1.0)
    for name in ("seen / invented", "colours"):
        before, asked = view.get_attribute("src") or "", time.monotonic()
        page.get_by_label(name).check()
        expect(view).not_to_have_attribute("src", before, timeout=LONG)
        rows.append((f"a further view ({name})", time.monotonic() - asked, "1 s"))
    page.get_by_role("tab", name="3 Move").click()
    page.get_by_label("Size, pixels").click()
    page.get_by_role("option", name="256").click()
    asked = time.monotonic()
    page.get_by_role("button", name="Let it move", exact=True).click()
    expect(page.locator("video:visible").first).to_be_visible(timeout=LONG)
    rows.append(("a walk at 256 x 256, with its GIF", time.monotonic() - asked, "60 s"))
    return rows


def _ask(address: str, longest: list[float], over: threading.Event) -> None:
    while not over.wait(0.2):
        asked = time.monotonic()
        urllib.request.urlopen(f"{address}/health", timeout=20).read()
        longest[0] = max(longest[0], time.monotonic() - asked)


if __name__ == "__main__":
    main()
