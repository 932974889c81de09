"""Four moments of a GLB's first clip as three.js shows them, side by side.

    npm ci && python play.py FILE.glb OUT.png

Needs playwright (in the extra `dev`) and a Chromium on this machine; nothing else than this machine is asked.
"""

import io
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SIZE, MOMENTS = (400, 560), (0.0, 0.25, 0.5, 0.75)
LOADED_MS = 60_000


class Handler(SimpleHTTPRequestHandler):
    """This folder, and the file as /file.glb."""

    def __init__(self, glb: Path, *rest: object) -> None:
        self.glb = glb
        super().__init__(*rest, directory=FOLDER)

    def translate_path(self, path: str) -> str:
        """Where a request's file lies."""
        return str(self.glb) if path == "/file.glb" else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    """Serve, look, and write the picture."""
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    if CHROMIUM is None or not (FOLDER / "node_modules" / "three").is_dir():
        raise SystemExit(f"Chromium and three.js are needed: install chromium, and run npm ci in {FOLDER}.")
    glb, out = map(Path, sys.argv[1:])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, glb.resolve(strict=True)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sheet = Image.new("RGB", (SIZE[0] * len(MOMENTS), SIZE[1]))
    with sync_playwright() as playwright:
        # no sandbox: containers run as root; SwiftShader: machines without a graphics card
        arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.goto(f"http://127.0.0.1:{server.server_port}/page.html")
        try:
            page.wait_for_function("window.show", timeout=LOADED_MS)
        except Exception as error:
            raise SystemExit("\n".join([f"three.js did not show {glb}: {error}", *problems])) from None
        for i, moment in enumerate(MOMENTS):
            clip = page.evaluate("moment => window.show(moment)", moment)
            sheet.paste(Image.open(io.BytesIO(page.screenshot())), (SIZE[0] * i, 0))
        browser.close()
    server.shutdown()
    sheet.save(out)
    print(f"{out}: {clip}", *problems, sep="\n")


if __name__ == "__main__":
    main()
