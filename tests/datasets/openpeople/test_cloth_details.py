"""Details of clothes appear at their positions and nowhere else."""

import numpy as np
import pytest

from sherf.datasets.openpeople.body import make_figure
from sherf.datasets.openpeople.cloth import Cloth, Detail, cloth
from sherf.datasets.openpeople.colours import colour
from sherf.datasets.openpeople.decals import Decal, emblem_print, random_print, stack_prints, text_print
from sherf.datasets.openpeople.details import AXES, Band, Fade, Line, Ribs, Sheet
from sherf.datasets.openpeople.details_sewn import Buckle, Buttons, Laces, Patch, Pocket, Zip
from sherf.datasets.openpeople.fabric import make_fabric
from sherf.datasets.openpeople.panels import Panels
from sherf.datasets.openpeople.part import SurfaceSamples

CENTRE = (0.03, 0.1, 0.12)
RED, WHITE, GREY = (0.9, 0.1, 0.1), (0.95, 0.95, 0.95), (0.4, 0.4, 0.4)


def samples(rest: np.ndarray, footprint: float = 0.0005) -> SurfaceSamples:
    rest = np.atleast_2d(rest).astype(np.float32)
    return SurfaceSamples(rest, np.zeros((len(rest), 2), np.float32), footprint)


def painted(detail: Detail, rest: np.ndarray, footprint: float = 0.0005) -> np.ndarray:
    """Return a detail's colours over grey cloth."""
    s = samples(rest, footprint)
    return detail.paint(s, np.tile(np.array(GREY, np.float32), (len(s.rest), 1)))


def sheet_points(side: str, x: np.ndarray, y: np.ndarray, centre=CENTRE) -> np.ndarray:
    """Return the points at positions (right, down) on a sheet around the centre."""
    right, down, _ = (np.array(axis) for axis in AXES[side])
    return np.array(centre) + x[..., None] * right + y[..., None] * down


def picture_of_quarters() -> np.ndarray:
    """Red at the top left, green at the top right, blue at the bottom left, transparent at the bottom right."""
    image = np.zeros((64, 64, 4), np.uint8)
    image[:32, :32], image[:32, 32:], image[32:, :32] = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
    return image


@pytest.mark.parametrize("side", sorted(AXES))
def test_a_decal_is_at_its_position_and_not_mirrored(side: str) -> None:
    decal = Decal(picture_of_quarters(), Sheet(CENTRE, side), 0.1, 0.1)
    at = sheet_points(side, np.array([-0.025, 0.025, -0.025, 0.025, 0.06]), np.array([-0.025, -0.025, 0.025, 0.025, 0]))
    expected = [(1, 0, 0), (0, 1, 0), (0, 0, 1), GREY, GREY]
    np.testing.assert_allclose(painted(decal, at), expected, atol=1e-6)


@pytest.mark.parametrize("side", sorted(AXES))
def test_a_decal_does_not_show_on_the_other_side(side: str) -> None:
    out = np.array(AXES[side][2])
    decal = Decal(picture_of_quarters(), Sheet(CENTRE, side), 0.1, 0.1)
    at = sheet_points(side, np.array([-0.025]), np.array([-0.025]))
    np.testing.assert_allclose(painted(decal, at - 0.17 * out), [GREY], atol=1e-6)
    assert np.abs(painted(decal, at - 0.03 * out) - GREY).max() > 0.5, (
        "the body is round: the print reaches some way back"
    )


def test_right_down_and_out_are_a_frame_seen_from_outside() -> None:
    """Right x down points into the cloth: what is drawn there is not mirrored."""
    for right, down, out in AXES.values():
        np.testing.assert_allclose(np.cross(right, down), -np.array(out))


def test_a_turned_sheet_turns_its_print_clockwise() -> None:
    decal = Decal(picture_of_quarters(), Sheet(CENTRE, "front", np.pi / 2), 0.1, 0.1)
    at = sheet_points("front", np.array([0.025]), np.array([-0.025]))
    np.testing.assert_allclose(painted(decal, at), [(1, 0, 0)], atol=1e-6)


def test_a_distant_decal_is_its_average() -> None:
    decal = Decal(picture_of_quarters(), Sheet(CENTRE), 0.1, 0.1)
    found = painted(decal, sheet_points("front", np.array([0.0]), np.array([0.0])), footprint=0.1)
    np.testing.assert_allclose(found, [0.25 + 0.25 * np.array(GREY)], atol=0.02)


@pytest.mark.parametrize("footprint", [0.0005, 0.004, 0.02])
@pytest.mark.parametrize("width", [0.001, 0.01, 0.05])
def test_a_stripe_covers_its_width_however_coarse_the_pixels(width: float, footprint: float) -> None:
    """Integrated across, the colour it adds equals its width: antialiasing preserves coverage."""
    y = np.linspace(-0.2, 0.2, 8001)
    band = Band((0.0, 1.0, 0.0), -width / 2, width / 2, WHITE)
    added = painted(band, np.stack([0 * y, y, 0 * y], axis=1), footprint)[:, 0] - GREY[0]
    covered = added.sum() * (y[1] - y[0]) / (WHITE[0] - GREY[0])
    assert covered == pytest.approx(width, rel=0.1, abs=1e-4)


def test_bands_can_be_unbounded_mirrored_and_clipped() -> None:
    at = np.array([[0.3, 0, 0], [-0.3, 0, 0], [0.1, 0, 0], [-0.3, -0.5, 0]])
    one = Band((1.0, 0.0, 0.0), 0.2, np.inf, RED)
    np.testing.assert_allclose(painted(one, at), [RED, GREY, GREY, GREY], atol=1e-6)
    both = Band((1.0, 0.0, 0.0), 0.2, np.inf, RED, mirrored=True, low=(-np.inf, -0.1, -np.inf))
    np.testing.assert_allclose(painted(both, at), [RED, RED, GREY, GREY], atol=1e-6)


def test_a_line_passes_through_its_points_and_stitches_leave_gaps() -> None:
    a, b, c = (0.0, 0.1, 0.1), (0.06, 0.1, 0.1), (0.06, 0.02, 0.12)
    through = np.linspace(0, 1, 200)[:, None]
    path = np.concatenate([np.array(a) + through * (np.array(b) - a), np.array(b) + through * (np.array(c) - b)])
    solid = painted(Line((a, b, c), RED, width=0.003), path)
    np.testing.assert_allclose(solid, np.tile(RED, (400, 1)), atol=1e-5)
    dashed = painted(Line((a, b, c), RED, width=0.003, stitches=True), path)[:, 0]
    assert dashed.max() > 0.85
    assert dashed.min() < 0.45
    beside = path + np.array([0.01, 0.01, 0])
    assert np.abs(painted(Line((a, b), RED, width=0.003), beside) - GREY).max() < 1e-6


def test_buttons_are_round_evenly_spaced_and_counted() -> None:
    row = Buttons((0.0, 0.2, 0.12), (0.0, -0.2, 0.12), 5, WHITE, radius=0.006)
    x, y = np.meshgrid(np.arange(-0.01, 0.01, 0.0005), np.arange(-0.22, 0.22, 0.0005))
    found = painted(row, sheet_points("front", x.ravel(), y.ravel(), (0, 0, 0.12)), 0.0005).reshape(*x.shape, 3)
    bright = found[..., 0] > 0.6
    rows = np.flatnonzero(np.diff(bright[:, np.abs(x[0] - 0.003).argmin()].astype(int)) == 1)
    np.testing.assert_allclose(np.diff(y[rows, 0]), 0.1, atol=0.001)
    assert len(rows) == 5
    area = (np.abs(found - GREY).max(axis=-1) > 0.2).sum() * 0.0005**2
    assert area == pytest.approx(5 * np.pi * 0.006**2, rel=0.45), "discs with a little shadow around them"


@pytest.mark.parametrize("shape", ["square", "round", "pointed", "flap", "slit"])
def test_pockets_show_their_outline_and_stitches_and_leave_the_rest(shape: str) -> None:
    pocket = Pocket(Sheet(CENTRE), 0.1, 0.012 if shape == "slit" else 0.12, WHITE, shape)
    x, y = np.meshgrid(np.arange(-0.1, 0.1, 0.0007), np.arange(-0.1, 0.1, 0.0007))
    found = painted(pocket, sheet_points("front", x.ravel(), y.ravel()), 0.0007)
    assert found.max() > 0.6, "thread"
    assert found.min() < 0.3, "the gap's shadow"
    outside = (np.abs(x) > 0.06).ravel() | (np.abs(y) > 0.07).ravel()
    np.testing.assert_array_equal(found[outside], np.tile(np.array(GREY, np.float32), (outside.sum(), 1)))


@pytest.mark.parametrize(
    "detail",
    [
        Zip((0.03, 0.0, 0.12), (0.03, 0.2, 0.12), (0.1, 0.1, 0.1), WHITE), Buckle(CENTRE, (0.8, 0.7, 0.3)),
        Laces(Sheet(CENTRE, "above"), 0.04, 0.06, WHITE, tongue=RED),
        Patch(Sheet(CENTRE), 0.08, 0.1, RED, thread=WHITE),
        Fade(CENTRE, (0.05, 0.05, 0.05), WHITE), Ribs((0.0, 1.0, 0.0), 0.05, 0.15),
    ],
)  # fmt: skip
def test_sewn_details_change_only_colours_near_them(detail: Detail) -> None:
    rng = np.random.default_rng(0)
    near = np.array(CENTRE) + rng.uniform(-0.03, 0.03, (3000, 3))
    far = near[:300] + np.array([0.0, 0.5, 0.0])
    found = painted(detail, near)
    assert np.abs(found - GREY).max() > 0.05
    assert 0 <= found.min() <= found.max() <= 1
    np.testing.assert_array_equal(painted(detail, far), np.tile(np.array(GREY, np.float32), (300, 1)))


def test_letters_are_opaque_on_a_transparent_background() -> None:
    word = text_print("HI", RED, WHITE)
    assert word.dtype == np.uint8
    assert word.shape[2] == 4
    assert word[0, 0, 3] == 0
    opaque = word[word[..., 3] == 255][:, :3] / 255
    for ink in (RED, WHITE):
        assert (np.abs(opaque - ink).max(axis=1) < 0.01).sum() > 500
    assert text_print("A\nB", RED).shape[0] > 1.5 * text_print("A", RED).shape[0]


def test_prints_are_random_yet_repeatable() -> None:
    inks = [RED, WHITE, GREY]
    seen = {random_print(np.random.default_rng(seed), inks).tobytes() for seed in range(12)}
    assert len(seen) == 12
    first, second = (emblem_print(np.random.default_rng(3), inks) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    both = stack_prints([first, text_print("HI", RED)])
    assert both.shape[0] > first.shape[0]


def test_cloth_is_its_fabric_with_details_painted_in_order() -> None:
    joints = make_figure(np.zeros(10)).joints
    fabric = make_fabric("satin", np.random.default_rng(0), colour(0.2, 0.3, 0.6))
    panels = Panels(joints, "top")
    at = samples(np.array([[0.0, 0.1, 0.12], [0.1, 0.0, 0.1]]))
    bare = cloth(fabric, panels)
    np.testing.assert_array_equal(bare.albedo(at), fabric.colour(panels(at.rest), at.footprint))
    assert (bare.gloss, bare.sharpness) == (fabric.gloss, fabric.sharpness)
    under, over = Band((0.0, 1.0, 0.0), 0.05, 0.2, RED), Band((0.0, 1.0, 0.0), 0.08, 0.2, WHITE)
    dressed = Cloth(fabric, panels, (under, over))
    np.testing.assert_allclose(dressed.albedo(at)[0], WHITE, atol=1e-6)
    np.testing.assert_array_equal(dressed.albedo(at)[1], bare.albedo(at)[1])
