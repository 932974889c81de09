"""Fabrics, and the panels that map them onto garments."""

from functools import cache

import numpy as np
import pytest

from sherf.datasets.openpeople.body import make_figure
from sherf.datasets.openpeople.colours import colour, contrast, palette
from sherf.datasets.openpeople.fabric import FAMILIES, Fabric, make_fabric
from sherf.datasets.openpeople.noise import CELLS, fbm, periodic_noise, value_noise
from sherf.datasets.openpeople.panels import BACK_PIECE_M, Panels

JOINTS = make_figure(np.zeros(10)).joints


@cache
def fabric(family: str, seed: int = 0) -> Fabric:
    return make_fabric(family, np.random.default_rng([seed, FAMILIES.index(family)]))


def coordinates(count: int = 500) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.6, 0.6, (count, 2)).astype(np.float32)


def test_families_are_many_and_unknown_ones_are_refused() -> None:
    assert len(FAMILIES) == len(set(FAMILIES)) >= 24
    with pytest.raises(KeyError, match=r"unknown fabric family 'tin'.*denim"):
        make_fabric("tin", np.random.default_rng(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fabric_is_a_valid_colour_everywhere_and_repeatable(family: str) -> None:
    uv = coordinates()
    first, again = fabric(family), make_fabric(family, np.random.default_rng([0, FAMILIES.index(family)]))
    assert first.family == family
    for footprint in (0.0005, 0.004, 0.1):
        found = first.colour(uv, footprint)
        assert found.dtype == np.float32
        assert found.shape == (500, 3)
        assert 0 <= found.min() <= found.max() <= 1
        np.testing.assert_array_equal(found, again.colour(uv, footprint))
    assert np.abs(found - fabric(family, 1).colour(uv, footprint)).max() > 0.01, "another seed is another fabric"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pattern_repeats_after_its_period(family: str) -> None:
    """Around the body always; along it too, unless the pattern spans shoulder to hem once."""
    pattern = fabric(family).pattern
    uv = coordinates()
    here = pattern.sample(uv, 0.002)
    np.testing.assert_allclose(pattern.sample(uv + np.array([pattern.size[0], 0]), 0.002), here, atol=0.02)
    if pattern.repeats_along:
        np.testing.assert_allclose(pattern.sample(uv + np.array([0, pattern.size[1]]), 0.002), here, atol=0.02)
    else:
        np.testing.assert_array_equal(
            pattern.sample(uv + np.array([0, 5]), 0.002), pattern.sample(uv + np.array([0, 7]), 0.002)
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_distant_fabric_is_its_average(family: str) -> None:
    pattern = fabric(family).pattern
    for level in pattern.levels:
        np.testing.assert_allclose(level.mean((0, 1), float), pattern.levels[0].mean((0, 1), float), atol=1e-3)
    spread = [level.std() for level in pattern.levels]
    assert spread[-1] <= spread[0] + 1e-6


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in ("colour_block", "gradient")])
def test_tiles_have_no_seam(family: str) -> None:
    """Across the tile's edge colours change no more than inside it."""
    for tile in (fabric(family).pattern, fabric(family).weave):
        picture = tile.levels[0]
        for axis in (0, 1):
            within = np.abs(np.diff(picture, axis=axis)).mean(axis=tuple({0, 1, 2} - {axis}))
            across = np.abs(np.take(picture, 0, axis) - np.take(picture, -1, axis)).mean()
            assert across <= 1.5 * within.max() + 0.01


def test_families_look_different() -> None:
    """In the same base colour, no two families look nearly the same at the scale of a person's photo."""
    base = colour(0.3, 0.4, 0.6)
    y, x = np.mgrid[:64, :64] * 0.004
    uv = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
    seen = {}
    for number, family in enumerate(FAMILIES):
        found = make_fabric(family, np.random.default_rng(number), base).colour(uv, 0.001)
        seen[family] = np.concatenate([found.mean(axis=0), found.std(axis=0), np.abs(np.fft.rfft(found[:, 1]))[1:200]])
    names = sorted(seen)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert np.abs(seen[a] - seen[b]).max() > 0.05, (a, b)


@pytest.mark.parametrize("family", ["plain", "denim", "corduroy", "heather", "satin", "rib_knit"])
def test_a_given_base_colour_is_the_colour_of_the_cloth(family: str) -> None:
    base = colour(0.7, 0.2, 0.15)
    found = make_fabric(family, np.random.default_rng(0), base).colour(coordinates(), 0.05).mean(axis=0)
    np.testing.assert_allclose(found, base, atol=0.15)


def test_inks_stand_out_from_their_ground() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        ground, *inks = palette(rng, 4, least=0.3)
        assert min(contrast(ground, ink) for ink in inks) >= 0.3


def test_noise_is_smooth_periodic_and_in_range() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(-50, 50, (20_000, 3)).astype(np.float32)
    noise = value_noise(p, 7)
    assert -1 <= noise.min() < -0.7
    assert 0.7 < noise.max() <= 1
    assert abs(noise.mean()) < 0.02
    np.testing.assert_allclose(value_noise(p + np.array([CELLS, 0, 2 * CELLS]), 7), noise, atol=2e-3)
    step = 1e-3
    assert np.abs(value_noise(p + step, 7) - noise).max() < 15 * step
    assert abs(np.corrcoef(noise, value_noise(p, 8))[0, 1]) < 0.05
    assert np.abs(fbm(p, 3, 4)).max() < 2


def test_noise_matches_its_definition() -> None:
    """Trilinear interpolation with smoothstep weights between the values at integer coordinates."""
    seed = 0  # no shift: the lattice's nodes lie on whole numbers
    p = np.array([[3.25, 30.5, 31.75], [-0.5, 7.9, 12.0]], np.float32)
    cell = np.floor(p).astype(int)
    t = p - cell
    t = t * t * (3 - 2 * t)
    expected = np.zeros(2)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, t, 1 - t), axis=1)
        expected += weight * value_noise((cell + corner).astype(np.float32), seed)
    np.testing.assert_allclose(value_noise(p, seed), expected, atol=1e-5)


def test_periodic_noise_continues_across_its_edges() -> None:
    picture = periodic_noise(np.random.default_rng(0), 128, (4, 8), 3)
    for axis in (0, 1):
        inside = np.abs(np.diff(picture, axis=axis)).max()
        assert np.abs(np.take(picture, 0, axis) - np.take(picture, -1, axis)).max() <= inside * 1.05


def barrel(a: float, b: float, y: float, centre_z: float, count: int = 4001) -> tuple[np.ndarray, np.ndarray]:
    """Return points around a vertical elliptic cylinder, from the middle of the back, and the arc lengths between."""
    t = np.linspace(-np.pi, np.pi, count)
    p = np.stack([a * np.sin(t), np.full(count, y), centre_z + b * np.cos(t)], axis=1).astype(np.float32)
    return p, np.linalg.norm(np.diff(p.astype(float), axis=0), axis=1)


@pytest.mark.parametrize("kind", ["top", "skirt"])
@pytest.mark.parametrize("girth", [0.8, 1.0, 1.4])
def test_fabric_is_not_stretched_around_the_body(kind: str, girth: float) -> None:
    """|du| is the arc length on a torso-like cylinder of any girth, apart from the two side seams."""
    a, aspect = 0.14 * girth, {"top": 0.72, "skirt": 0.85}[kind]
    p, arc = barrel(a, a * aspect, float(JOINTS[3, 1]), float(JOINTS[3, 2]))
    u = Panels(JOINTS, kind)(p)[:, 0]
    step = np.abs(np.diff(u.astype(float)))
    seams = step > 0.02
    assert seams.sum() == 2
    assert np.abs(p[:-1][seams, 0]).min() > 0.99 * a, "the seams lie at the sides"
    ratio = step[~seams].sum() / arc[~seams].sum()
    assert abs(ratio - 1) < 0.01
    pieces = [slice(k, k + 100) for k in range(0, 4000, 100) if not seams[k : k + 100].any()]
    assert max(abs(step[s].sum() / arc[s].sum() - 1) for s in pieces) < 0.06


@pytest.mark.parametrize("kind", ["top", "bottom", "skirt"])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_middle_of_front_and_back_has_no_seam(kind: str, side: float) -> None:
    """u is continuous and grows towards +x on the front and towards -x on the back."""
    heights = np.linspace(JOINTS[0, 1] + 0.02, JOINTS[9, 1], 50)
    step = 0.004
    for x in np.arange(-0.05, 0.05, step):
        left, right = (
            np.stack([np.full(50, at), heights, np.full(50, 0.03 + side * 0.1)], axis=1).astype(np.float32)
            for at in (x, x + step)
        )
        delta = Panels(JOINTS, kind)(right) - Panels(JOINTS, kind)(left)
        np.testing.assert_allclose(delta[:, 0], side * step, atol=0.35 * step)
        assert np.abs(delta[:, 1]).max() < 1e-5


def test_prints_are_not_mirrored_on_any_side() -> None:
    """u to the viewer's right, v down: u, upward v and the outward normal are right-handed."""
    xs = float(JOINTS[16, 0])
    spots = {
        "front": ([0.02, 0.05, 0.13], [0, 0, 1]), "back": ([0.02, 0.05, -0.07], [0, 0, -1]),
        "left sleeve": ([xs + 0.1, JOINTS[16, 1] + 0.05, JOINTS[16, 2]], [0, 1, 0]),
        "right sleeve": ([-xs - 0.1, JOINTS[16, 1] + 0.05, JOINTS[16, 2]], [0, 1, 0]),
    }  # fmt: skip
    for name, (spot, normal) in spots.items():
        axes = np.eye(3)[np.array(normal) == 0] * 1e-3
        p = np.array([spot, spot + axes[0], spot + axes[1]], np.float32)
        uv = Panels(JOINTS, "top")(p).astype(float)
        jacobian = np.linalg.solve(axes[:, np.array(normal) == 0], np.diff(uv[[0, 1, 0, 2]], axis=0)[[0, 2]]).T
        full = np.zeros((2, 3))
        full[:, np.array(normal) == 0] = jacobian
        assert np.cross(full[0], full[1]) @ normal < -0.5, name


def test_v_runs_down_from_the_shoulder_and_out_along_the_sleeve() -> None:
    top = Panels(JOINTS, "top")
    chest = np.array([[0.0, y, 0.13] for y in (0.1, 0.0, -0.1)], np.float32)
    np.testing.assert_allclose(np.diff(top(chest)[:, 1]), 0.1, atol=0.01)
    arm = np.array([[x, JOINTS[16, 1], 0.08] for x in (0.25, 0.35, 0.45)], np.float32)
    np.testing.assert_allclose(np.diff(top(arm)[:, 1]), 0.1, atol=0.01)
    np.testing.assert_allclose(np.diff(top(arm * np.array([-1, 1, 1], np.float32))[:, 1]), 0.1, atol=0.01)


def test_each_leg_has_its_own_arc_length() -> None:
    """Around the shin u is the leg's own arc length, with seams inside and outside."""
    knee, ankle = JOINTS[4], JOINTS[7]
    middle = (knee + ankle) / 2
    t = np.linspace(-np.pi, np.pi, 2001)
    p = np.stack([middle[0] + 0.05 * np.sin(t), np.full(2001, middle[1]), middle[2] + 0.05 * np.cos(t)], axis=1)
    u = Panels(JOINTS, "bottom")(p.astype(np.float32))[:, 0].astype(float)
    step = np.abs(np.diff(u))
    seams = step > 0.02
    assert seams.sum() == 2
    np.testing.assert_allclose(step[~seams], 0.05 * np.diff(t)[~seams], rtol=0.15)
    assert abs(u[1000] - middle[0]) < 0.01, "the leg's front continues the hips'"
    assert abs(u[0] - (BACK_PIECE_M - middle[0])) < 0.01, "and so does its back"
