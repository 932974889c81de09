"""A session in a real browser: what someone sees who has never opened a terminal. Pictures of it: out/browser/."""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fits import fitted
from PIL import Image
from serving import served

sync = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
SHOTS = Path(__file__).parents[2] / "out" / "browser"
EXAMPLES = Path(__file__).parents[2] / "examples"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
LEAST_CONTRAST = 4.5
SOON, LONG = 30_000, 240_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the page's server."""
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where the page is served by its own process."""
    with served(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator["sync.Browser"]:
    """Headless, without a sandbox: tests may run as root."""
    with sync.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def opened(browser: "sync.Browser", address: str, width: int = 1440, height: int = 1000) -> "sync.Page":
    """The page in a session of its own; `closed` fails when it asked anybody else."""
    page = browser.new_context(viewport={"width": width, "height": height}, has_touch=width < 500).new_page()
    page.strangers = []
    page.on(
        "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else page.strangers.append(r.url)
    )
    page.goto(address)
    sync.expect(page.get_by_role("button", name="Make the avatar")).to_be_visible(timeout=SOON)
    return page


def closed(page: "sync.Page") -> None:
    assert page.strangers == []
    page.context.close()


def shown(page: "sync.Page", name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


def for_the_readme() -> None:
    """The whole session as a small film, and three moments of it side by side."""
    moves = [f"moves {i}" for i in range(4)]
    names = ("empty", "found", "fix", "coarse", "around", *moves, "files")
    small = {name: Image.open(SHOTS / f"{name}.png").convert("RGB").resize((720, 500)) for name in names}
    first, *others = small.values()
    lasts = [250 if name in moves else 1500 for name in names]
    first.save(SHOTS / "session.webp", save_all=True, append_images=others, duration=lasts, loop=0, quality=60)
    sheet = Image.new("RGB", (3 * 720, 500))
    for i, name in enumerate(("found", "fix", "moves 0")):
        sheet.paste(small[name], (720 * i, 0))
    sheet.save(SHOTS / "page.jpg", quality=80)


def readable(page: "sync.Page", name: str) -> None:
    """All texts that are seen now are, by WCAG's measure for small ones; pictures in the dark and in the light."""
    for scheme, shot in (("dark", f"dark {name}"), ("light", name)):
        page.emulate_media(color_scheme=scheme)
        sync.expect(page.locator("body.dark")).to_have_count(int(scheme == "dark"), timeout=SOON)
        page.wait_for_timeout(300)  # colours fade
        shown(page, shot)
        assert page.evaluate(CONTRAST, LEAST_CONTRAST) == [], shot


def points(page: "sync.Page") -> "sync.Locator":
    """*Fix the fit*, opened: the photo with the points on it."""
    page.get_by_role("button", name="Fix the fit").click()
    photo = page.get_by_alt_text("The photo with the points of the body on it")
    sync.expect(photo).to_be_visible(timeout=SOON)
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
    """The left wrist is dragged, and put back; the right knee is moved by a key, the right wrist by a click."""
    points(page)
    wrist = point(page, "left wrist")
    x, y = middle(wrist)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y - 40, steps=4)
    page.mouse.up()
    sync.expect(page.get_by_text("Placed: left wrist.")).to_be_visible(timeout=SOON)
    assert middle(wrist) == pytest.approx((x + 30, y - 40), abs=1)
    page.get_by_role("button", name="As it was found").click()
    sync.expect(page.get_by_text("All points are as they were found.")).to_be_visible(timeout=SOON)
    sync.expect(wrist).to_have_attribute("data-state", "found")
    point(page, "right knee").focus()
    page.keyboard.press("Shift+ArrowRight")
    sync.expect(page.get_by_text("Placed: right knee.")).to_be_visible(timeout=SOON)
    point(page, "right ear").focus()
    page.keyboard.press("Delete")
    sync.expect(page.get_by_text("Cannot be seen: right ear.")).to_be_visible(timeout=SOON)
    point(page, "right wrist").click()
    x, y = middle(point(page, "right wrist"))
    page.mouse.click(x - 30, y - 25)
    sync.expect(page.get_by_text("Placed: right knee, right wrist.")).to_be_visible(timeout=SOON)
    assert middle(point(page, "right wrist")) == pytest.approx((x - 30, y - 25), abs=1)


def painted(page: "sync.Page") -> None:
    """A stroke with the brush, near the head."""
    page.get_by_role("button", name="Paint the mask").click()
    canvas = page.locator("canvas:visible").first
    sync.expect(canvas).to_be_visible(timeout=SOON)
    page.wait_for_timeout(3000)  # the editor lays the photo out
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 20, steps=5)
    page.mouse.up()
    page.wait_for_timeout(1000)  # what was painted is sent


def test_a_whole_visit(browser: "sync.Browser", address: str) -> None:
    """Its pictures page.jpg and session.webp stand in the README."""
    page = opened(browser, address)
    readable(page, "empty")
    page.locator(".gallery-item").first.click()
    sync.expect(page.get_by_text("The body fits the photo well.")).to_be_visible(timeout=LONG)
    sync.expect(page.get_by_alt_text("Your photo", exact=True)).to_be_visible()
    readable(page, "found")
    moved_with_mouse_and_keys(page)
    painted(page)
    page.get_by_role("button", name="Fix the fit").evaluate("button => button.scrollIntoView()")
    readable(page, "fix")
    page.get_by_role("button", name="Paint the mask").click()
    sync.expect(page.locator("canvas:visible")).to_have_count(0)
    page.get_by_role("button", name="Look around").click()
    sync.expect(page.get_by_text("A coarse preview.")).to_be_visible(timeout=LONG)
    view = page.get_by_alt_text("The avatar from where the sliders stand")
    sync.expect(view).to_be_visible(timeout=SOON)
    page.wait_for_timeout(500)
    readable(page, "coarse")
    sync.expect(page.get_by_text("The photo saw")).to_be_visible(timeout=LONG)
    page.wait_for_timeout(500)  # the view comes with it
    before = view.get_attribute("src")
    page.get_by_label("seen / invented").check()
    sync.expect(view).not_to_have_attribute("src", before or "", timeout=SOON)
    readable(page, "around")
    page.get_by_role("button", name="Let it move →").click()
    motion = page.get_by_role("button", name="wave", exact=True)
    motion.focus()
    page.keyboard.press("Enter")
    sync.expect(page.get_by_text("wave will be played")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Let it move", exact=True).click()
    sync.expect(page.get_by_text("s left").first).to_be_visible(timeout=LONG)
    readable(page, "being filmed")
    sync.expect(page.locator("video:visible").first).to_be_visible(timeout=LONG)
    page.wait_for_function("document.querySelector('video').readyState >= 2", timeout=LONG)
    assert page.evaluate("document.querySelector('video').duration") > 0.5
    readable(page, "moves")
    for i in range(4):
        shown(page, f"moves {i}")
    page.get_by_role("button", name="3D and files →").click()
    sync.expect(page.get_by_text("sherf animate person_1.jpg --motion wave")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Make the 3D file").click()
    link = page.locator("a[href$='avatar.glb']").first
    sync.expect(link).to_be_visible(timeout=LONG)
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes()[:4] == b"glTF"
    page.wait_for_timeout(4000)
    readable(page, "files")
    for_the_readme()
    it_is_all_there_again(page)
    stranger = opened(browser, address)
    sync.expect(stranger.get_by_text("will be drawn over your photo")).to_be_visible()
    closed(stranger)
    closed(page)


def it_is_all_there_again(page: "sync.Page") -> None:
    page.reload()
    sync.expect(page.get_by_text("The body fits the photo well.")).to_be_visible(timeout=SOON)
    for alt in ("Your photo", "The photo with mask, skeleton and fitted body drawn on it"):
        sync.expect(page.get_by_alt_text(alt, exact=True)).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="2 Look around").click()
    sync.expect(page.get_by_alt_text("The avatar from where the sliders stand")).to_be_visible(timeout=SOON)
    sync.expect(page.get_by_text("The photo saw")).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="3 Move").click()
    sync.expect(page.locator("video:visible").first).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="4 3D and files").click()
    sync.expect(page.locator("a[href$='avatar.glb']").first).to_be_visible(timeout=SOON)


def test_a_wall_is_no_person(browser: "sync.Browser", address: str, tmp_path: Path) -> None:
    Image.new("RGB", (300, 400), "grey").save(tmp_path / "wall.png")
    page = opened(browser, address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "wall.png")
    sync.expect(page.get_by_text("no person was found in the photo")).to_be_visible(timeout=LONG)
    assert "--" not in page.locator("body").inner_text()
    readable(page, "nobody")
    (tmp_path / "broken.jpg").write_bytes(b"no picture at all")
    other = opened(browser, address)
    other.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
    sync.expect(other.get_by_text("Use a JPEG, PNG or WebP picture")).to_be_visible(timeout=LONG)
    assert "/tmp" not in other.locator("body").inner_text()
    closed(other)
    closed(page)


def test_of_two_people_the_one_who_is_clicked_is_taken_and_a_film_can_be_stopped(
    browser: "sync.Browser", address: str, folder: Path, tmp_path: Path
) -> None:
    people = [Image.open(EXAMPLES / f"person_{i}.jpg").convert("RGB") for i in (1, 2)]
    both = Image.new("RGB", (people[0].width + people[1].width, people[0].height), "white")
    both.paste(people[0], (0, 0))
    both.paste(people[1], (people[0].width, 0))
    both.resize((2600, round(2600 * both.height / both.width))).save(tmp_path / "both.jpg")  # is reduced to be read
    page, other = opened(browser, address), opened(browser, address)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "both.jpg")
    photo = page.get_by_alt_text("Your photo", exact=True)
    sync.expect(page.get_by_text("2 people: click another")).to_be_visible(timeout=LONG)
    corner, nose, fit = points(page).bounding_box(), middle(point(page, "nose")), json.loads(newest(folder).read_text())
    across = (nose[0] - corner["x"]) / corner["width"] * fit["size"][0]
    assert across == pytest.approx(fit["landmarks"]["nose"]["pixel"][0], abs=5), "in pixels of the photo as it was read"
    page.get_by_role("tab", name="2 Look around").click()
    sync.expect(page.get_by_text("A coarse preview.")).to_be_visible(timeout=LONG)
    page.get_by_role("tab", name="1 Photo").click()
    overlay = page.get_by_alt_text("The photo with mask, skeleton and fitted body drawn on it")
    number, before = page.get_by_label("Which person"), overlay.get_attribute("src")
    taken = []
    for share in (0.25, 0.75):
        box = photo.bounding_box()
        photo.click(position={"x": share * box["width"], "y": box["height"] / 2})
        page.wait_for_timeout(2000)
        taken.append(number.input_value())
    assert sorted(taken) == ["1", "2"]
    sync.expect(overlay).not_to_have_attribute("src", before or "", timeout=LONG)
    shown(page, "two")
    other.get_by_role("tab", name="2 Look around").click()
    sync.expect(other.get_by_text("Make an avatar first.")).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="3 Move").click()
    page.get_by_role("button", name="Let it move", exact=True).click()
    page.wait_for_timeout(3000)  # the mesh is being made, or waited for
    shown(page, "under way")
    page.get_by_role("button", name="Stop").click()
    sync.expect(page.get_by_text("nothing of the film was kept")).to_be_visible(timeout=5000)
    closed(page)
    closed(other)


def test_nothing_is_wider_than_a_phone_and_the_fit_is_mended_there(
    browser: "sync.Browser", address: str, folder: Path
) -> None:
    page = opened(browser, address, 390, 844)
    shown(page, "phone")
    for name in ("1 Photo", "2 Look around", "3 Move", "4 3D and files", "About"):
        tab = page.get_by_role("tab", name=name)
        if not tab.is_visible():
            page.locator(".overflow-menu > button").click()
            tab = page.locator(".overflow-dropdown").get_by_text(name)
        tab.click()
        sync.expect(page.locator("[role=tabpanel]:visible")).to_have_count(1, timeout=SOON)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    readable(page, "phone about")
    page.get_by_role("tab", name="1 Photo").click()
    page.locator(".gallery-item").nth(1).click()
    sync.expect(page.get_by_text("The body fits the photo well.")).to_be_visible(timeout=LONG)
    photo = points(page)
    before = newest(folder)
    found, (width, _) = fitted(before, "left_wrist"), json.loads(before.read_text())["size"]
    wrist = point(page, "left wrist")
    wrist.tap()
    page.get_by_role("button", name="Larger").click()
    drag = (40, -34)
    dragged_by_touch(page, wrist, *drag)
    sync.expect(page.get_by_text("Placed: left wrist.")).to_be_visible(timeout=SOON)
    shown(page, "phone points")
    wanted = [
        at + shift * width / photo.bounding_box()["width"]
        for at, shift in zip(json.loads(before.read_text())["landmarks"]["left_wrist"]["pixel"], drag, strict=True)
    ]
    point(page, "right toe").tap()
    page.get_by_role("button", name="It cannot be seen").click()
    sync.expect(page.get_by_text("Cannot be seen: right toe.")).to_be_visible(timeout=SOON)
    painted(page)
    shown(page, "phone fix")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    overlay = page.get_by_alt_text("The photo with mask, skeleton and fitted body drawn on it")
    shown_before = overlay.get_attribute("src")
    page.get_by_role("button", name="Fit again").click()
    sync.expect(overlay).not_to_have_attribute("src", shown_before or "", timeout=LONG)
    after = newest(folder)
    assert json.loads(after.read_text())["edits"]["landmarks"]["left_wrist"] == pytest.approx(wanted, abs=3)
    assert math.dist(fitted(after, "left_wrist"), wanted) < 0.3 * math.dist(found, wanted)
    sync.expect(page.get_by_text("All points are as they were found.")).to_be_visible(timeout=SOON)
    sync.expect(wrist).to_have_attribute("data-state", "found")
    page.locator(".overflow-menu > button").click()
    page.locator(".overflow-dropdown").get_by_text("4 3D and files").click()
    sync.expect(page.get_by_text("sherf animate avatar.safetensors")).to_be_visible(timeout=SOON)
    closed(page)


def newest(folder: Path) -> Path:
    """The fit that was made last."""
    return max(folder.rglob("fit.json"), key=lambda path: path.stat().st_mtime)
