"""Sessions in a real browser, as users see them. Screenshots: out/browser/."""

import io
import json
import math
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fits import fitted_pixel
from PIL import Image
from serving import served

sync = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.timeout(1200),
]
WAIT_MS = 600_000
"""Longest wait for anything that the page shows, also on a slow machine."""
sync.expect.set_options(timeout=WAIT_MS)
SCREENSHOTS = Path(__file__).parents[2] / "out" / "browser"
EXAMPLES = Path(__file__).parents[2] / "examples"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
MIN_CONTRAST = 4.5
SETTLED = """() => document.getAnimations().every((animation) =>
    animation.playState !== 'running' || animation.effect.getTiming().iterations === Infinity)"""
"""JavaScript: whether colours and layout have stopped to change."""
MIN_TINT = 60
"""Difference of green and red from which a pixel shows the mask's colour, of 255."""
VIEW_TEXTS = re.compile("Low-resolution preview|The photo shows")
"""Before and after the mesh is built, whichever is first on this machine."""
DESKTOP = {"width": 1440, "height": 1000}
SECTIONS, TAB_WIDTH, README_WIDTH = ("photo", "corrections", "animate"), 1240, 2160
"""Sections in the README's page.jpg; widths of the window that shows the tabs, and of page.jpg, pixels."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the page's server: its log and temporary files."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Address of the page, served by its own process."""
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator["sync.Browser"]:
    """Headless, without a sandbox: tests may run as root."""
    with sync.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def opened(
    browser: "sync.Browser", address: str, width: int = DESKTOP["width"], height: int = DESKTOP["height"]
) -> "sync.Page":
    """Open the page in a new session; `closed` fails if it requested anything from elsewhere."""
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 500)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.foreign_requests = []
    page.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:", "blob:")) else page.foreign_requests.append(r.url),
    )
    page.goto(address)
    sync.expect(page.get_by_role("button", name="Create avatar")).to_be_visible()
    return page


def closed(page: "sync.Page") -> None:
    assert page.foreign_requests == []
    page.context.close()


def save_screenshot(page: "sync.Page", name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def save_tab(page: "sync.Page", name: str) -> None:
    """Save a whole tab, from the page's top to its end, for the README."""
    page.set_viewport_size({"width": TAB_WIDTH, "height": 800})
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_function(SETTLED)
    page.screenshot(path=SCREENSHOTS / f"section {name}.png", full_page=True)
    page.set_viewport_size(DESKTOP)


def save_corrections(page: "sync.Page") -> None:
    """Save the whole section *Fix the fit* for the README."""
    section = page.locator("div.block:has(> button:has-text('Fix the fit'))").first
    section.screenshot(path=SCREENSHOTS / "section corrections.png")


def write_readme_images() -> None:
    """Write three whole sections side by side, and the session as a short animation."""
    sections = [Image.open(SCREENSHOTS / f"section {name}.png").convert("RGB") for name in SECTIONS]
    background = sections[0].getpixel((0, 0))
    size = sum(section.width for section in sections), max(section.height for section in sections)
    sheet, left = Image.new("RGB", size, background), 0
    for section in sections:
        sheet.paste(section, (left, 0))
        left += section.width
    sheet.thumbnail((README_WIDTH, README_WIDTH), Image.Resampling.LANCZOS)
    sheet.save(SCREENSHOTS / "page.jpg", quality=80)
    clips = [f"animate {i}" for i in range(4)]
    names = ("empty", "found", "fix", "coarse", "around", *clips, "export")
    first, *others = [Image.open(SCREENSHOTS / f"{name}.png").convert("RGB").resize((720, 500)) for name in names]
    durations = [250 if name in clips else 1500 for name in names]
    first.save(
        SCREENSHOTS / "session.webp", save_all=True, append_images=others, duration=durations, loop=0, quality=60
    )


def readable(page: "sync.Page", name: str) -> None:
    """Check the contrast of all visible texts by WCAG's limit for small ones, in dark and light; save screenshots."""
    for scheme, screenshot in (("dark", f"dark {name}"), ("light", name)):
        page.emulate_media(color_scheme=scheme)
        sync.expect(page.locator("body.dark")).to_have_count(int(scheme == "dark"))
        page.wait_for_function(SETTLED)
        save_screenshot(page, screenshot)
        assert page.evaluate(CONTRAST, MIN_CONTRAST) == [], screenshot


def points(page: "sync.Page") -> "sync.Locator":
    """Open *Fix the fit*; return the photo with the landmarks on it."""
    page.get_by_role("button", name="Fix the fit").click()
    photo = page.get_by_alt_text("Photo with the body's landmarks")
    sync.expect(photo).to_be_visible()
    photo.scroll_into_view_if_needed()
    return photo


def point(page: "sync.Page", name: str) -> "sync.Locator":
    return page.get_by_role("button", name=name, exact=True)


def middle(dot: "sync.Locator") -> tuple[float, float]:
    box = dot.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def dragged_by_touch(page: "sync.Page", dot: "sync.Locator", right: float, down: float) -> None:
    (x, y), screen = middle(dot), page.context.new_cdp_session(page)
    for kind, share in (
        ("touchStart", 0),
        ("touchMove", 0.3),
        ("touchMove", 0.6),
        ("touchMove", 1),
        ("touchEnd", None),
    ):
        at = [] if share is None else [{"x": x + share * right, "y": y + share * down}]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})


def moved_with_mouse_and_keys(page: "sync.Page") -> None:
    """Drag the left wrist and reset it; move the right knee by a key and the right wrist by a click; hide an ear."""
    points(page)
    wrist = point(page, "left wrist")
    x, y = middle(wrist)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y - 40, steps=4)
    page.mouse.up()
    sync.expect(page.get_by_text("Moved: left wrist.")).to_be_visible()
    assert middle(wrist) == pytest.approx((x + 30, y - 40), abs=1)
    page.get_by_role("button", name="Reset point").click()
    sync.expect(page.get_by_text("No points have been moved.")).to_be_visible()
    sync.expect(wrist).to_have_attribute("data-state", "detected")
    point(page, "right knee").focus()
    page.keyboard.press("Shift+ArrowRight")
    sync.expect(page.get_by_text("Moved: right knee.")).to_be_visible()
    point(page, "right ear").focus()
    page.keyboard.press("Delete")
    sync.expect(page.get_by_text("Not visible: right ear.")).to_be_visible()
    point(page, "right wrist").click()
    x, y = middle(point(page, "right wrist"))
    page.mouse.click(x - 30, y - 25)
    sync.expect(page.get_by_text("Moved: right knee, right wrist.")).to_be_visible()
    assert middle(point(page, "right wrist")) == pytest.approx((x - 30, y - 25), abs=1)


def painted(page: "sync.Page") -> None:
    """Paint a stroke with the brush, near the head."""
    page.get_by_role("button", name="Edit the mask").click()
    canvas = page.locator("canvas:visible").first
    sync.expect(canvas).to_be_visible()
    laid_out, still = tinted(canvas), 0
    while still < 30 or not laid_out:  # the editor draws the photo bit by bit, and then takes it up once more
        before, laid_out = laid_out, tinted(canvas)
        still = still + 1 if laid_out == before else 0
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    started_ms = 1000 * time.time()
    with page.expect_response(  # what was painted is sent; what was drawn before may be on its way still
        lambda reply: reply.url.endswith("/upload") and reply.request.timing["startTime"] > started_ms
    ):
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y - 20, steps=5)
        page.mouse.up()
    for _ in range(30):  # the editor takes up the answers, one for each of its layers, while it draws
        assert tinted(canvas) > laid_out


def tinted(canvas: "sync.Locator") -> int:
    """Return the number of pixels in the mask's colour."""
    shown = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB"), dtype=int)
    return int((shown[..., 1] - shown[..., 0] > MIN_TINT).sum())


def test_a_whole_session(browser: "sync.Browser", address: str, folder: Path) -> None:
    """From photo to files. Its images page.jpg and session.webp are shown in the manual."""
    page = opened(browser, address)
    readable(page, "empty")
    page.locator(".gallery-item").first.click()
    sync.expect(page.get_by_text("The avatar shows the person of the photo.")).to_be_visible()
    sync.expect(page.get_by_alt_text("Your photo", exact=True)).to_be_visible()
    readable(page, "found")
    save_tab(page, "photo")
    page.get_by_role("button", name="Look around").click()
    sync.expect(page.get_by_text(VIEW_TEXTS)).to_be_visible()
    view = page.get_by_alt_text("Avatar as seen from the selected camera")
    sync.expect(view).to_be_visible()
    readable(page, "coarse")
    page.get_by_role("tab", name="1 Photo").click()
    moved_with_mouse_and_keys(page)
    save_corrections(page)
    painted(page)
    page.get_by_role("button", name="Fix the fit").evaluate("button => button.scrollIntoView()")
    readable(page, "fix")
    page.get_by_role("button", name="Edit the mask").click()
    sync.expect(page.locator("canvas:visible")).to_have_count(0)
    page.get_by_role("button", name="Look around").click()
    sync.expect(page.get_by_text("The photo shows")).to_be_visible()
    sync.expect(view).not_to_have_attribute("src", re.compile("turning"))
    before = view.get_attribute("src")
    page.get_by_label("Visibility", exact=True).check()
    sync.expect(view).not_to_have_attribute("src", before or "")
    readable(page, "around")
    turned(page)
    page.get_by_role("button", name="Animate →").click()
    motion = page.get_by_role("button", name="wave", exact=True)
    motion.focus()
    page.keyboard.press("Enter")
    sync.expect(page.get_by_text("Selected: wave")).to_be_visible()
    page.get_by_label("Resolution (px)").click()
    page.get_by_role("option", name="384").click()  # as large as the images show it
    page.get_by_role("button", name="Animate", exact=True).click()
    sync.expect(page.get_by_text("s left").first).to_be_visible()
    readable(page, "rendering")
    sync.expect(page.locator("video:visible").first).to_be_visible()
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert page.evaluate("document.querySelector('video').duration") > 0.5
    readable(page, "animate")
    for i in range(4):
        save_screenshot(page, f"animate {i}")
    save_tab(page, "animate")
    page.get_by_role("button", name="Export →").click()
    sync.expect(page.get_by_text("sherf animate person_1.jpg --motion wave")).to_be_visible()
    page.get_by_role("button", name="Export GLB").click()
    link = page.locator("a[href$='avatar.glb']").first
    sync.expect(link).to_be_visible()
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes()[:4] == b"glTF"
    readable(page, "export")
    write_readme_images()
    page.reload()
    check_restored(page)
    check_deleted_in_another_tab(page, folder)
    other = opened(browser, address)
    sync.expect(other.get_by_text("will be drawn over the photo")).to_be_visible()
    closed(other)
    closed(page)


def check_deleted_in_another_tab(page: "sync.Page", folder: Path) -> None:
    """All tabs of a browser show its session, and can delete it."""
    tab = page.context.new_page()
    tab.goto(page.url)
    check_restored(tab)
    assert list(folder.rglob("fit.json"))
    tab.get_by_role("tab", name="About").click()
    tab.get_by_role("button", name="Delete my photos and results").click()
    for _ in range(2):  # at once, and after a reload
        sync.expect(tab.get_by_text("will be drawn over the photo")).to_be_visible()
        tab.reload()
    for _ in range(WAIT_MS // 100):  # a picture in progress is finished first
        if not list(folder.rglob("fit.json")):
            break
        tab.wait_for_timeout(100)
    assert not list(folder.rglob("fit.json"))
    tab.close()


def turned(page: "sync.Page") -> None:
    """Drag the avatar, film it, and compare the mesh with the picture that is laid over it once it rests."""
    viewer, rest = page.locator("#turn model-viewer"), page.locator("#turn .rest")
    page.wait_for_function("document.querySelector('#turn model-viewer')?.loaded")
    sync.expect(rest).to_be_visible()
    box, theta = viewer.bounding_box(), "document.querySelector('#turn model-viewer').getCameraOrbit().theta"
    before, (x, y) = page.evaluate(theta), middle(viewer)
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(6):
        page.mouse.move(x + (i + 1) * box["width"] / 12, y)
        save_screenshot(page, f"turn {i}")
        sync.expect(rest).to_be_hidden()
    page.mouse.up()
    page.wait_for_function(f"Math.abs({theta} - ({before})) > 0.8")
    sync.expect(rest).to_be_visible()
    save_screenshot(page, "turn rest")
    field = shape(viewer.screenshot())
    rest.evaluate("image => { image.style.visibility = 'hidden' }")
    coloured = viewer.screenshot()
    mesh = shape(coloured)
    assert (field & mesh).sum() / (field | mesh).sum() > 0.85, "the picture shows the same view"
    page.get_by_role("button", name="Seen / invented").click()
    wait_for_other_picture(page, viewer, coloured)
    save_screenshot(page, "turn seen")
    page.get_by_role("button", name="Seen / invented").click()
    rest.evaluate("image => { image.style.visibility = '' }")
    before = page.evaluate(theta)
    viewer.locator(".userInput").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"Math.abs({theta} - ({before})) > 0.05")


def shape(screenshot: bytes) -> np.ndarray:
    """Return which pixels of the viewer are not white, without the button in its corner."""
    pixels = np.asarray(Image.open(io.BytesIO(screenshot)).convert("L"))
    return pixels[: int(0.88 * len(pixels))] < 240


def wait_for_other_picture(page: "sync.Page", viewer: "sync.Locator", before: bytes) -> None:
    """Wait until the viewer shows other colours: WebGL does not announce its frames."""
    first = np.asarray(Image.open(io.BytesIO(before)).convert("RGB"), float)
    for _ in range(WAIT_MS // 250):
        now = np.asarray(Image.open(io.BytesIO(viewer.screenshot())).convert("RGB"), float)
        if np.abs(now - first)[shape(before).nonzero()].mean() > 20:
            return
        page.wait_for_timeout(250)
    raise AssertionError("the avatar kept its colours")


def check_restored(page: "sync.Page") -> None:
    sync.expect(page.get_by_text("The avatar shows the person of the photo.")).to_be_visible()
    for alt in ("Your photo", "Photo with mask, skeleton and fitted body overlaid"):
        sync.expect(page.get_by_alt_text(alt, exact=True)).to_be_visible()
    page.get_by_role("tab", name="2 Look around").click()
    sync.expect(page.get_by_alt_text("Avatar as seen from the selected camera")).to_be_visible()
    sync.expect(page.get_by_text("The photo shows")).to_be_visible()
    page.wait_for_function("document.querySelector('#turn model-viewer')?.loaded")
    page.get_by_role("tab", name="3 Animate").click()
    sync.expect(page.locator("video:visible").first).to_be_visible()
    page.get_by_role("tab", name="4 Export").click()
    sync.expect(page.locator("a[href$='avatar.glb']").first).to_be_visible()


def test_photos_without_a_person_and_broken_files_are_explained(
    browser: "sync.Browser", address: str, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 400), "grey").save(tmp_path / "wall.png")
    page = opened(browser, address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "wall.png")
    sync.expect(page.get_by_text("no person was found in the photo")).to_be_visible()
    assert "--" not in page.locator("body").inner_text()
    readable(page, "no person")
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    other = opened(browser, address)
    other.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
    sync.expect(other.get_by_text("Use a JPEG, PNG or WebP")).to_be_visible()
    assert "/tmp" not in other.locator("body").inner_text()
    closed(other)
    closed(page)


def test_a_click_selects_the_person_and_a_video_can_be_cancelled(
    browser: "sync.Browser", address: str, folder: Path, tmp_path: Path
) -> None:
    people = [Image.open(EXAMPLES / f"person_{i}.jpg").convert("RGB") for i in (1, 2)]
    both = Image.new("RGB", (people[0].width + people[1].width, people[0].height), "white")
    both.paste(people[0], (0, 0))
    both.paste(people[1], (people[0].width, 0))
    both.resize((2600, round(2600 * both.height / both.width))).save(
        tmp_path / "both.jpg"
    )  # large enough to be reduced
    page, other = opened(browser, address), opened(browser, address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "both.jpg")
    photo = page.get_by_alt_text("Your photo", exact=True)
    sync.expect(page.get_by_text("2 people: click another")).to_be_visible()
    corner, nose, fit = points(page).bounding_box(), middle(point(page, "nose")), json.loads(newest(folder).read_text())
    across = (nose[0] - corner["x"]) / corner["width"] * fit["size"][0]
    assert across == pytest.approx(fit["landmarks"]["nose"]["pixel"][0], abs=5), "in pixels of the photo as it was read"
    page.get_by_role("tab", name="2 Look around").click()
    sync.expect(page.get_by_text(VIEW_TEXTS)).to_be_visible()
    page.get_by_role("tab", name="1 Photo").click()
    overlay = page.get_by_alt_text("Photo with mask, skeleton and fitted body overlaid")
    number, before = page.get_by_label("Person number"), overlay.get_attribute("src")
    people = json.loads(newest(folder).with_name("report.json").read_text())["people"]
    lefts = [person["box"][0] for person in people]
    for share, left in ((0.25, min(lefts)), (0.75, max(lefts))):
        box = photo.bounding_box()
        photo.click(position={"x": share * box["width"], "y": box["height"] / 2})
        sync.expect(number).to_have_value(str(1 + lefts.index(left)))
    sync.expect(overlay).not_to_have_attribute("src", before or "")
    save_screenshot(page, "two people")
    other.get_by_role("tab", name="2 Look around").click()
    sync.expect(other.get_by_text("Create an avatar first.")).to_be_visible()
    page.get_by_role("tab", name="3 Animate").click()
    page.get_by_role("button", name="Animate", exact=True).click()
    sync.expect(page.get_by_text("s left").first).to_be_visible()
    save_screenshot(page, "in progress")
    page.get_by_role("button", name="Cancel").click()
    sync.expect(page.get_by_text("Video cancelled and discarded.")).to_be_visible()
    closed(page)
    closed(other)


def test_the_page_fits_a_phone_and_the_fit_is_corrected_there(
    browser: "sync.Browser", address: str, folder: Path
) -> None:
    page = opened(browser, address, 390, 844)
    save_screenshot(page, "phone")
    for name in ("1 Photo", "2 Look around", "3 Animate", "4 Export", "About"):
        tab = page.get_by_role("tab", name=name)
        if not tab.is_visible():
            page.locator(".overflow-menu > button").click()
            tab = page.locator(".overflow-dropdown").get_by_text(name)
        tab.click()
        sync.expect(page.locator("[role=tabpanel]:visible")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    readable(page, "phone about")
    page.get_by_role("tab", name="1 Photo").click()
    page.locator(".gallery-item").nth(1).click()
    sync.expect(page.get_by_text("The avatar shows the person of the photo.")).to_be_visible()
    photo = points(page)
    before = newest(folder)
    found, (width, _) = fitted_pixel(before, "left_wrist"), json.loads(before.read_text())["size"]
    wrist = point(page, "left wrist")
    wrist.tap()
    page.get_by_role("button", name="Zoom in").click()
    drag = (40, -34)
    dragged_by_touch(page, wrist, *drag)
    sync.expect(page.get_by_text("Moved: left wrist.")).to_be_visible()
    save_screenshot(page, "phone points")
    wanted = [
        at + shift * width / photo.bounding_box()["width"]
        for at, shift in zip(json.loads(before.read_text())["landmarks"]["left_wrist"]["pixel"], drag, strict=True)
    ]
    point(page, "right toe").tap()
    page.get_by_role("button", name="Not visible").click()
    sync.expect(page.get_by_text("Not visible: right toe.")).to_be_visible()
    painted(page)
    save_screenshot(page, "phone fix")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    overlay = page.get_by_alt_text("Photo with mask, skeleton and fitted body overlaid")
    src_before = overlay.get_attribute("src")
    page.get_by_role("button", name="Apply corrections").click()
    sync.expect(overlay).not_to_have_attribute("src", src_before or "")
    after = newest(folder)
    edits = json.loads(after.read_text())["edits"]
    assert edits["landmarks"]["left_wrist"] == pytest.approx(wanted, abs=3) and edits["mask"] is not None
    assert math.dist(fitted_pixel(after, "left_wrist"), wanted) < 0.3 * math.dist(found, wanted)
    sync.expect(page.get_by_text("No points have been moved.")).to_be_visible()
    sync.expect(wrist).to_have_attribute("data-state", "detected")
    page.locator(".overflow-menu > button").click()
    page.locator(".overflow-dropdown").get_by_text("4 Export").click()
    sync.expect(page.get_by_text("sherf animate avatar.safetensors")).to_be_visible()
    closed(page)


def newest(folder: Path) -> Path:
    """Return the latest fit.json."""
    return max(folder.rglob("fit.json"), key=lambda path: path.stat().st_mtime)
