"""Clothes keep their dimensions, layers stay apart, bodies stay inside, poses are possible."""

import numpy as np
import pytest

from sherf.datasets.openpeople.body import Figure, make_figure
from sherf.datasets.openpeople.bottoms import Shoe, Skirt, Trousers, sew_shoe, sew_skirt, sew_sock, sew_trousers
from sherf.datasets.openpeople.collars import COLLARS, sew_collar
from sherf.datasets.openpeople.mesh import Draft, border_edges
from sherf.datasets.openpeople.part import Part
from sherf.datasets.openpeople.person import make_person
from sherf.datasets.openpeople.poses import NATURAL, draw_pose, motion_pose, natural_pose, random_pose
from sherf.datasets.openpeople.posing import arm_penetration, hidden_skin, pose_person, skin_protrusion
from sherf.datasets.openpeople.tailoring import Measures, find_covered_skin, lift_above
from sherf.datasets.openpeople.tops import NECKS, Top, sew_top
from sherf.photo.joint_limits import LOWER, UPPER

SEEDS = (0, 3, 12)


@pytest.fixture(scope="module", params=SEEDS)
def person(request: pytest.FixtureRequest) -> Figure:
    return make_figure(np.random.default_rng(request.param).normal(0, 1.2, 10))


def off_skin(draft: Draft) -> np.ndarray:
    return (draft.offset * draft.normals).sum(axis=1)


def test_tops_have_the_requested_lengths(person: Figure) -> None:
    measures = Measures(person)
    hem = measures.waist_y - 0.1
    short, long = (sew_top(person, Top(sleeve, hem, 0.08, NECKS["crew"]), 1) for sleeve in (0.3, 0.98))
    for top, sleeve in ((short, 0.3), (long, 0.98)):
        assert top.reference[:, 1].min() == pytest.approx(hem, abs=1e-6)
        assert measures.along_arm(top.reference).max() == pytest.approx(sleeve, abs=1e-6)
        assert off_skin(top).min() > 0
    bare = sew_top(person, Top(-1.0, hem, 0.02, NECKS["scoop"]), 1)
    assert bare.arm.max() <= 0.5 + 1e-9


@pytest.mark.parametrize("name", [n for n, neck in NECKS.items() if neck.shape != "high"])
def test_necklines_open_the_front_more_than_the_back(person: Figure, name: str) -> None:
    measures = Measures(person)
    top = sew_top(person, Top(0.3, measures.waist_y - 0.1, 0.05, NECKS[name]), 1)
    middle = top.reference[np.abs(top.reference[:, 0]) < 0.012]
    front = middle[middle[:, 2] > measures.neck[2] + 0.03, 1].max()
    back = middle[middle[:, 2] < measures.neck[2] - 0.02, 1].max()
    assert front < back


def test_wider_cuts_are_wider(person: Figure) -> None:
    hem = Measures(person).waist_y - 0.1
    narrow, wide = (sew_top(person, Top(0.9, hem, loose, NECKS["crew"]), 1) for loose in (0.02, 0.2))
    low = narrow.reference[:, 1] < hem + 0.1
    assert off_skin(wide)[low].mean() > off_skin(narrow)[low].mean() + 0.01


def test_open_fronts_are_open(person: Figure) -> None:
    measures = Measures(person)
    jacket = sew_top(person, Top(0.98, measures.waist_y - 0.1, 0.08, NECKS["shirt"], opening=0.06), 1)
    front = jacket.reference[jacket.reference[:, 2] > measures.neck[2] + 0.02]
    low = front[:, 1] < measures.waist_y
    assert np.abs(front[low, 0]).min() > 0.05
    back = jacket.reference[jacket.reference[:, 2] < measures.neck[2] - 0.05]
    assert np.abs(back[:, 0]).min() < 0.01


def test_trousers_end_at_their_length_and_stay_on_their_side(person: Figure) -> None:
    measures = Measures(person)
    legs = sew_trousers(person, Trousers(0.6, measures.waist_y, 0.25, 0.08), 1)
    end = measures.hip_y + (measures.ankle_y - measures.hip_y) * 0.6
    assert legs.reference[:, 1].min() == pytest.approx(end, abs=1e-6)
    assert legs.reference[:, 1].max() == pytest.approx(measures.waist_y, abs=1e-6)
    low = legs.reference[:, 1] < measures.hip_y - 0.15
    assert (legs.vertices[low, 0] * np.sign(legs.reference[low, 0]) > 0).all()


def test_skirts_flare_from_the_waist(person: Figure) -> None:
    measures = Measures(person)
    narrow, wide = (
        sew_skirt(person, Skirt(measures.knee_y, measures.waist_y - 0.03, flare), 1) for flare in (0.0, 0.5)
    )
    hem = wide.reference[:, 1] < measures.knee_y + 0.02
    assert np.ptp(wide.vertices[hem, 0]) > np.ptp(narrow.vertices[hem, 0]) + 0.1
    assert wide.reference[:, 1].min() == pytest.approx(measures.knee_y, abs=1e-6)


def test_shoes_and_socks_hold_the_feet(person: Figure) -> None:
    measures = Measures(person)
    shoes = sew_shoe(person, Shoe(0.05, 0.02))
    assert shoes.reference[:, 1].max() == pytest.approx(measures.ankle_y + 0.05, abs=1e-6)
    assert shoes.vertices[:, 1].min() < measures.floor_y - 0.01
    assert sew_sock(person, measures.ankle_y + 0.1).reference[:, 1].max() == pytest.approx(
        measures.ankle_y + 0.1, abs=1e-6
    )


def test_an_outer_layer_clears_what_is_under_it(person: Figure) -> None:
    hem = Measures(person).waist_y - 0.1
    under = sew_top(person, Top(0.98, hem, 0.15, NECKS["crew"], 0.2), 1)
    over = lift_above(sew_top(person, Top(0.98, hem, 0.02, NECKS["shirt"]), 2), [under], 0.004)
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(under.reference).query(over.reference)
    same = distance < 1e-6
    assert same.sum() > 1000
    gap = ((over.vertices - under.vertices[nearest]) * over.normals).sum(axis=1)[same]
    assert gap.min() > 0.0035


@pytest.mark.parametrize("name", COLLARS)
def test_collars_lie_on_the_neckline_and_off_the_cloth(person: Figure, name: str) -> None:
    measures = Measures(person)
    neck = NECKS["deep v" if name == "lapel" else "turtle" if name == "roll" else "shirt"]
    top = sew_top(person, Top(0.98, measures.waist_y - 0.1, 0.05, neck), 1)
    collar = sew_collar(measures, top, neck, COLLARS[name])
    assert np.isfinite(collar.reference).all()
    np.testing.assert_allclose(collar.weights.sum(axis=1), 1, atol=1e-6)
    assert np.abs(collar.reference[:, 0]).max() < 1.2 * measures.shoulder_x
    assert collar.reference[:, 1].max() < measures.neck[1] + 0.12


def test_skin_is_covered_inside_garments_only(person: Figure) -> None:
    measures = Measures(person)
    top = sew_top(person, Top(0.5, measures.waist_y - 0.1, 0.05, NECKS["crew"]), 1)
    hidden = person.vertices[:13380][find_covered_skin(person, top, 0.03)]
    assert len(hidden) > 500
    assert hidden[:, 1].min() > measures.waist_y - 0.1 and measures.along_arm(hidden).max() < 0.5
    rim = top.reference[np.unique(border_edges(top.faces))]
    assert np.linalg.norm(hidden[:, None] - rim[None, ::7], axis=2).min() > 0.025


def test_only_garments_hide_skin() -> None:
    parts = make_person(3).parts
    assert not hidden_skin(tuple(p for p in parts if p.covers is None)).any()
    assert hidden_skin(parts).sum() > 2000


def _with_sunken_top(parts: tuple[Part, ...], depth: float) -> tuple[Part, ...]:
    """Return the parts with the top moved forward, so that the back sticks out."""
    from dataclasses import replace

    return tuple(replace(p, vertices=p.vertices + np.array([0.0, 0.0, depth])) if p.name == "top" else p for p in parts)


def test_protruding_skin_is_measured() -> None:
    person = make_person(3)
    joints = np.zeros((24, 3))
    assert skin_protrusion(person.pose(joints), person.figure, joints) < 0.001
    from sherf.datasets.openpeople import posing

    touch = posing.TOUCH_M
    try:
        posing.TOUCH_M = 1e-6  # disable pushing cloth out
        sunken = pose_person(_with_sunken_top(person.parts, 0.04), person.figure, joints)
    finally:
        posing.TOUCH_M = touch
    assert 0.01 < skin_protrusion(sunken, person.figure, joints) < 0.045


def test_cloth_stays_outside_strongly_bent_limbs() -> None:
    """Knees and elbows bent by 80 to 90 degrees."""
    for seed in (1, 5):
        person = make_person(seed)
        joints = np.zeros((24, 3))
        joints[[4, 5], 0], joints[[1, 2], 0] = 1.4, -1.3
        joints[18, 1], joints[19, 1] = -1.6, 1.6
        assert skin_protrusion(person.pose(joints), person.figure, joints) < 0.005


def test_a_posed_person_stands_on_the_floor(person: Figure) -> None:
    dressed = make_person(1)
    joints = natural_pose(np.random.default_rng(0), "sitting")[1]
    posed = dressed.pose(joints)
    assert posed.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(posed.normals, axis=1), 1, atol=1e-4)
    assert posed.faces.max() == len(posed.vertices) - 1 and len(posed.part_of_face) == len(posed.faces)


def test_arm_penetration_is_measured() -> None:
    shape = make_figure(np.zeros(10))
    hanging = natural_pose(np.random.default_rng(0), "by the side")[1]
    assert arm_penetration(shape, hanging) < 0.01
    pierced = hanging.copy()
    pierced[16] = [0.0, 0.0, -1.55]
    pierced[18] = [0.0, 0.0, -0.8]
    assert arm_penetration(shape, pierced) > 0.03


@pytest.mark.parametrize("name", NATURAL)
def test_natural_poses_are_possible(name: str) -> None:
    rng = np.random.default_rng(5)
    shape = make_figure(np.zeros(10))
    for _ in range(3):
        found, joints = natural_pose(rng, name)
        assert found == name and np.isfinite(joints).all()
        assert (np.linalg.norm(joints, axis=1) < np.pi).all()
    assert arm_penetration(shape, natural_pose(np.random.default_rng(1), name)[1]) < 0.12


def test_random_poses_respect_the_joint_limits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        joints = random_pose(rng)[1][1:]
        assert (joints >= LOWER.numpy()[1:] - 1e-6).all() and (joints <= UPPER.numpy()[1:] + 1e-6).all()


def test_drawn_poses_mix_natural_motion_and_random_ones() -> None:
    rng = np.random.default_rng(0)
    names = [draw_pose(rng)[0] for _ in range(300)]
    shares = [np.mean([n in NATURAL for n in names]), np.mean([n == "random" for n in names])]
    assert 0.5 < shares[0] < 0.7 and 0.12 < shares[1] < 0.28
    assert motion_pose(np.random.default_rng(1))[1].shape == (24, 3)
