"""A visit in a real browser: what someone sees who has never opened a terminal. Pictures of it: out/browser/."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from serving import served

sync = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
SHOTS = Path(__file__).parents[2] / "out" / "browser"
EXAMPLES = Path(__file__).parents[2] / "examples"
SOON, LONG = 30_000, 240_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is served by its own process."""
    with served(tmp_path_factory.mktemp("app")) as address:
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
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
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
    """The whole visit as a small film, and three moments of it side by side."""
    moves = [f"moves {i}" for i in range(4)]
    names = ("empty", "found", "fix", "coarse", "around", *moves, "files")
    small = {name: Image.open(SHOTS / f"{name}.png").convert("RGB").resize((720, 500)) for name in names}
    first, *others = small.values()
    lasts = [250 if name in moves else 1500 for name in names]
    first.save(SHOTS / "visit.webp", save_all=True, append_images=others, duration=lasts, loop=0, quality=60)
    sheet = Image.new("RGB", (3 * 720, 500))
    for i, name in enumerate(("found", "fix", "moves 0")):
        sheet.paste(small[name], (720 * i, 0))
    sheet.save(SHOTS / "page.jpg", quality=80)


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
    """Its pictures page.jpg and visit.webp stand in the README."""
    page = opened(browser, address)
    shown(page, "empty")
    page.locator(".gallery-item").first.click()
    sync.expect(page.get_by_text("The body fits the photo well.")).to_be_visible(timeout=LONG)
    sync.expect(page.get_by_alt_text("Your photo", exact=True)).to_be_visible()
    shown(page, "found")
    page.get_by_role("button", name="Fix the fit").click()
    points = page.get_by_alt_text("The photo with the points of the body on it")
    sync.expect(points).to_be_visible(timeout=SOON)
    found = points.get_attribute("src")
    points.click(position={"x": 100, "y": 100})
    sync.expect(points).not_to_have_attribute("src", found or "", timeout=SOON)
    painted(page)
    shown(page, "fix")
    page.get_by_role("button", name="Paint the mask").click()
    sync.expect(page.locator("canvas:visible")).to_have_count(0)
    page.get_by_role("button", name="Look around").click()
    sync.expect(page.get_by_text("A coarse preview.")).to_be_visible(timeout=LONG)
    view = page.get_by_alt_text("The avatar from where the sliders stand")
    sync.expect(view).to_be_visible(timeout=SOON)
    page.wait_for_timeout(500)
    shown(page, "coarse")
    sync.expect(page.get_by_text("The photo saw")).to_be_visible(timeout=LONG)
    page.wait_for_timeout(500)  # the view comes with it
    before = view.get_attribute("src")
    page.get_by_label("seen / invented").check()
    sync.expect(view).not_to_have_attribute("src", before or "", timeout=SOON)
    shown(page, "around")
    page.get_by_role("button", name="Let it move →").click()
    motion = page.get_by_role("button", name="wave", exact=True)
    motion.focus()
    page.keyboard.press("Enter")
    sync.expect(page.get_by_text("wave will be played")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Let it move", exact=True).click()
    sync.expect(page.get_by_text("s left").first).to_be_visible(timeout=LONG)
    shown(page, "being filmed")
    sync.expect(page.locator("video:visible").first).to_be_visible(timeout=LONG)
    page.wait_for_function("document.querySelector('video').readyState >= 2", timeout=LONG)
    assert page.evaluate("document.querySelector('video').duration") > 0.5
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
    shown(page, "files")
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
    shown(page, "nobody")
    (tmp_path / "broken.jpg").write_bytes(b"no picture at all")
    other = opened(browser, address)
    other.locator("input[type=file]").first.set_input_files(tmp_path / "broken.jpg")
    sync.expect(other.get_by_text("Use a JPEG, PNG or WebP picture")).to_be_visible(timeout=LONG)
    assert "/tmp" not in other.locator("body").inner_text()
    closed(other)
    closed(page)


def test_of_two_people_the_one_who_is_clicked_is_taken_and_a_film_can_be_stopped(
    browser: "sync.Browser", address: str, tmp_path: Path
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


def test_nothing_is_wider_than_a_phone_and_the_fit_is_mended_there(browser: "sync.Browser", address: str) -> None:
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
    shown(page, "phone about")
    page.get_by_role("tab", name="1 Photo").click()
    page.locator(".gallery-item").nth(1).click()
    sync.expect(page.get_by_text("The body fits the photo well.")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Fix the fit").click()
    sync.expect(page.get_by_alt_text("The photo with the points of the body on it")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="It cannot be seen").click()
    painted(page)
    shown(page, "phone fix")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    overlay = page.get_by_alt_text("The photo with mask, skeleton and fitted body drawn on it")
    before = overlay.get_attribute("src")
    page.get_by_role("button", name="Fit again").click()
    sync.expect(overlay).not_to_have_attribute("src", before or "", timeout=LONG)
    page.locator(".overflow-menu > button").click()
    page.locator(".overflow-dropdown").get_by_text("4 3D and files").click()
    sync.expect(page.get_by_text("sherf animate avatar.safetensors")).to_be_visible(timeout=SOON)
    closed(page)
