"""Response times of the web page: `python benchmarks/page.py`, on an otherwise idle machine.

Needs Chromium and playwright. Prints a table: from command to page, from an uploaded photo to overlay, first view and
mesh, further views, a walk of two seconds at 256 x 256, and the slowest response of /health meanwhile.
"""

import shutil
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from soak import EXAMPLES, serve, stop

TIMEOUT_MS = 240_000
OVERLAY, VIEW = "Photo with mask, skeleton and fitted body overlaid", "Avatar as seen from the selected camera"


def main() -> None:
    """Serve the page, run a session, print."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        served = serve(Path(folder) / "log", Path(folder))
        rows = [("page ready after the command", time.monotonic() - begun, "10 s")]
        health, over = [0.0], threading.Event()
        watching = threading.Thread(target=_poll_health, args=(served.address, health, over), daemon=True)
        try:
            with sync_playwright() as playwright:
                chromium = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page()
                page.goto(served.address)
                expect(page.get_by_role("button", name="Create avatar")).to_be_visible(timeout=TIMEOUT_MS)
                time.sleep(5.0)  # a user takes as long to choose a photo; models load meanwhile
                watching.start()
                rows += session(page)
                browser.close()
        finally:
            over.set()
            stop(served)
    print("| what | seconds | target |\n|---|---|---|")
    for what, seconds, target in [*rows, ("/health meanwhile, slowest", health[0], "0.05 s")]:
        print(f"| {what} | {seconds:.2f} | {target} |")


def session(page: Page) -> list[tuple[str, float, str]]:
    """Run a user's session and return how long each step takes, seconds."""
    begun = time.monotonic()
    page.locator("input[type=file]").first.set_input_files(EXAMPLES / "person_2.jpg")
    expect(page.get_by_alt_text(OVERLAY)).to_be_visible(timeout=TIMEOUT_MS)
    rows = [("photo uploaded → overlay", time.monotonic() - begun, "8 s")]
    page.get_by_role("tab", name="2 Look around").click()
    view = page.get_by_alt_text(VIEW)
    expect(view).to_be_visible(timeout=TIMEOUT_MS)
    rows.append(("→ first coarse view", time.monotonic() - begun, "12 s"))
    expect(page.get_by_text("The photo shows")).to_be_visible(timeout=TIMEOUT_MS)
    rows.append(("→ the mesh", time.monotonic() - begun, ""))
    time.sleep(1.0)
    for name in ("Visibility", "Colour"):
        before, started = view.get_attribute("src") or "", time.monotonic()
        page.get_by_label(name, exact=True).check()
        expect(view).not_to_have_attribute("src", before, timeout=TIMEOUT_MS)
        rows.append((f"a further view ({name})", time.monotonic() - started, "1 s"))
    page.get_by_role("tab", name="3 Animate").click()
    page.get_by_label("Resolution (px)").click()
    page.get_by_role("option", name="256").click()
    started = time.monotonic()
    page.get_by_role("button", name="Animate", exact=True).click()
    expect(page.locator("video:visible").first).to_be_visible(timeout=TIMEOUT_MS)
    rows.append(("a walk at 256 x 256, with its GIF", time.monotonic() - started, "60 s"))
    return rows


def _poll_health(address: str, slowest: list[float], over: threading.Event) -> None:
    while not over.wait(0.2):
        started = time.monotonic()
        urllib.request.urlopen(f"{address}/health", timeout=20).read()
        slowest[0] = max(slowest[0], time.monotonic() - started)


if __name__ == "__main__":
    main()
