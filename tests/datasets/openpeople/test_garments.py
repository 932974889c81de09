"""Clothes: measures are kept, layers stay apart, bodies stay inside, poses are possible."""

import numpy as np
import pytest

from sherf.datasets.openpeople.body import Figure, figure
from sherf.datasets.openpeople.bottoms import Shoe, Skirt, Trousers, sew_shoe, sew_skirt, sew_sock, sew_trousers
from sherf.datasets.openpeople.collars import COLLARS, sew_collar
from sherf.datasets.openpeople.mesh import Draft, border_edges
from sherf.datasets.openpeople.part import Part
from sherf.datasets.openpeople.person import make_person
from sherf.datasets.openpeople.poses import NATURAL, draw_pose, motion_pose, natural_pose, random_pose
from sherf.datasets.openpeople.posing import crossing, hidden_skin, pose_person, protrusion
from sherf.datasets.openpeople.tailoring import Measures, covered, lifted
from sherf.datasets.openpeople.tops import NECKS, Top, sew_top
from sherf.photo.joint_limits import LOWER, UPPER

SEEDS = (0, 3, 12)


@pytest.fixture(scope="module", params=SEEDS)
def person(request: pytest.FixtureRequest) -> Figure:
    return figure(np.random.default_rng(request.param).normal(0, 1.2, 10))


def off_skin(draft: Draft) -> np.ndarray:
    return (draft.offset * draft.normals).sum(axis=1)


def test_tops_reach_as_far_as_they_should(person: Figure) -> None:
    measures = Measures(person)
    hem = measures.waist_y - 0.1
    short, long = (sew_top(person, Top(sleeve, hem, 0.08, NECKS["crew"]), 1) for sleeve in (0.3, 0.98))
    for top, sleeve in ((short, 0.3), (long, 0.98)):
        assert top.chart[:, 1].min() == pytest.approx(hem, abs=1e-6)
        assert measures.along_arm(top.chart).max() == pytest.approx(sleeve, abs=1e-6)
        assert off_skin(top).min() > 0
    bare = sew_top(person, Top(-1.0, hem, 0.02, NECKS["scoop"]), 1)
    assert bare.arm.max() <= 0.5 + 1e-9


@pytest.mark.parametrize("name", [n for n, neck in NECKS.items() if neck.shape != "high"])
def test_necklines_open_the_front_more_than_the_back(person: Figure, name: str) -> None:
    measures = Measures(person)
    top = sew_top(person, Top(0.3, measures.waist_y - 0.1, 0.05, NECKS[name]), 1)
    middle = top.chart[np.abs(top.chart[:, 0]) < 0.012]
    front = middle[middle[:, 2] > measures.neck[2] + 0.03, 1].max()
    back = middle[middle[:, 2] < measures.neck[2] - 0.02, 1].max()
    assert front < back


def test_wider_cuts_are_wider(person: Figure) -> None:
    hem = Measures(person).waist_y - 0.1
    narrow, wide = (sew_top(person, Top(0.9, hem, loose, NECKS["crew"]), 1) for loose in (0.02, 0.2))
    low = narrow.chart[:, 1] < hem + 0.1
    assert off_skin(wide)[low].mean() > off_skin(narrow)[low].mean() + 0.01


def test_open_fronts_are_open(person: Figure) -> None:
    measures = Measures(person)
    jacket = sew_top(person, Top(0.98, measures.waist_y - 0.1, 0.08, NECKS["shirt"], opening=0.06), 1)
    front = jacket.chart[jacket.chart[:, 2] > measures.neck[2] + 0.02]
    low = front[:, 1] < measures.waist_y
    assert np.abs(front[low, 0]).min() > 0.05
    back = jacket.chart[jacket.chart[:, 2] < measures.neck[2] - 0.05]
    assert np.abs(back[:, 0]).min() < 0.01


def test_trousers_end_at_their_length_and_stay_on_their_side(person: Figure) -> None:
    measures = Measures(person)
    legs = sew_trousers(person, Trousers(0.6, measures.waist_y, 0.25, 0.08), 1)
    end = measures.hip_y + (measures.ankle_y - measures.hip_y) * 0.6
    assert legs.chart[:, 1].min() == pytest.approx(end, abs=1e-6)
    assert legs.chart[:, 1].max() == pytest.approx(measures.waist_y, abs=1e-6)
    low = legs.chart[:, 1] < measures.hip_y - 0.15
    assert (legs.vertices[low, 0] * np.sign(legs.chart[low, 0]) > 0).all()


def test_skirts_flare_from_the_waist(person: Figure) -> None:
    measures = Measures(person)
    narrow, wide = (
        sew_skirt(person, Skirt(measures.knee_y, measures.waist_y - 0.03, flare), 1) for flare in (0.0, 0.5)
    )
    hem = wide.chart[:, 1] < measures.knee_y + 0.02
    assert np.ptp(wide.vertices[hem, 0]) > np.ptp(narrow.vertices[hem, 0]) + 0.1
    assert wide.chart[:, 1].min() == pytest.approx(measures.knee_y, abs=1e-6)


def test_shoes_and_socks_hold_the_feet(person: Figure) -> None:
    measures = Measures(person)
    shoes = sew_shoe(person, Shoe(0.05, 0.02))
    assert shoes.chart[:, 1].max() == pytest.approx(measures.ankle_y + 0.05, abs=1e-6)
    assert shoes.vertices[:, 1].min() < measures.floor_y - 0.01
    assert sew_sock(person, measures.ankle_y + 0.1).chart[:, 1].max() == pytest.approx(measures.ankle_y + 0.1, abs=1e-6)


def test_an_outer_layer_clears_what_is_under_it(person: Figure) -> None:
    hem = Measures(person).waist_y - 0.1
    under = sew_top(person, Top(0.98, hem, 0.15, NECKS["crew"], 0.2), 1)
    over = lifted(sew_top(person, Top(0.98, hem, 0.02, NECKS["shirt"]), 2), [under], 0.004)
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(under.chart).query(over.chart)
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
    assert np.isfinite(collar.chart).all()
    np.testing.assert_allclose(collar.weights.sum(axis=1), 1, atol=1e-6)
    assert np.abs(collar.chart[:, 0]).max() < 1.2 * measures.shoulder_x
    assert collar.chart[:, 1].max() < measures.neck[1] + 0.12


def test_skin_is_covered_inside_garments_only(person: Figure) -> None:
    measures = Measures(person)
    top = sew_top(person, Top(0.5, measures.waist_y - 0.1, 0.05, NECKS["crew"]), 1)
    hidden = person.vertices[:13380][covered(person, top, 0.03)]
    assert len(hidden) > 500
    assert hidden[:, 1].min() > measures.waist_y - 0.1 and measures.along_arm(hidden).max() < 0.5
    rim = top.chart[np.unique(border_edges(top.faces))]
    assert np.linalg.norm(hidden[:, None] - rim[None, ::7], axis=2).min() > 0.025


def test_sleeveless_waists_without_border_cover_nothing_twice() -> None:
    parts = make_person(3).parts
    assert not hidden_skin(tuple(p for p in parts if p.covers is None)).any()
    assert hidden_skin(parts).sum() > 2000


def _with_sunken_top(parts: tuple[Part, ...], depth: float) -> tuple[Part, ...]:
    """The top moved bodily forward, so that the back comes out."""
    from dataclasses import replace

    return tuple(replace(p, vertices=p.vertices + np.array([0.0, 0.0, depth])) if p.name == "top" else p for p in parts)


def test_a_body_that_sticks_out_is_found() -> None:
    person = make_person(3)
    joints = np.zeros((24, 3))
    assert protrusion(person.pose(joints), person.figure, joints) < 0.001
    from sherf.datasets.openpeople import posing

    touch = posing.TOUCH_M
    try:
        posing.TOUCH_M = 1e-6  # let nothing be pushed out
        sunken = pose_person(_with_sunken_top(person.parts, 0.04), person.figure, joints)
    finally:
        posing.TOUCH_M = touch
    assert 0.01 < protrusion(sunken, person.figure, joints) < 0.045


def test_pushing_out_mends_what_bending_breaks() -> None:
    """Knees and elbows bent hard: cloth stays outside."""
    for seed in (1, 5):
        person = make_person(seed)
        joints = np.zeros((24, 3))
        joints[[4, 5], 0], joints[[1, 2], 0] = 1.4, -1.3
        joints[18, 1], joints[19, 1] = -1.6, 1.6
        assert protrusion(person.pose(joints), person.figure, joints) < 0.005


def test_a_posed_person_stands_on_the_floor_where_the_body_does(person: Figure) -> None:
    dressed = make_person(1)
    joints = natural_pose(np.random.default_rng(0), "sitting")[1]
    posed = dressed.pose(joints)
    assert posed.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(posed.normals, axis=1), 1, atol=1e-4)
    assert posed.faces.max() == len(posed.vertices) - 1 and len(posed.part_of_face) == len(posed.faces)


def test_hands_inside_the_body_are_found() -> None:
    shape = figure(np.zeros(10))
    hanging = natural_pose(np.random.default_rng(0), "by the side")[1]
    assert crossing(shape, hanging) < 0.01
    pierced = hanging.copy()
    pierced[16] = [0.0, 0.0, -1.55]
    pierced[18] = [0.0, 0.0, -0.8]
    assert crossing(shape, pierced) > 0.03


@pytest.mark.parametrize("name", NATURAL)
def test_natural_poses_are_possible(name: str) -> None:
    rng = np.random.default_rng(5)
    shape = figure(np.zeros(10))
    for _ in range(3):
        found, joints = natural_pose(rng, name)
        assert found == name and np.isfinite(joints).all()
        assert (np.linalg.norm(joints, axis=1) < np.pi).all()
    assert crossing(shape, natural_pose(np.random.default_rng(1), name)[1]) < 0.12


def test_random_poses_keep_to_the_joints_limits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        joints = random_pose(rng)[1][1:]
        assert (joints >= LOWER.numpy()[1:] - 1e-6).all() and (joints <= UPPER.numpy()[1:] + 1e-6).all()


def test_drawn_poses_are_natural_moving_and_random() -> None:
    rng = np.random.default_rng(0)
    names = [draw_pose(rng)[0] for _ in range(300)]
    shares = [np.mean([n in NATURAL for n in names]), np.mean([n == "random" for n in names])]
    assert 0.5 < shares[0] < 0.7 and 0.12 < shares[1] < 0.28
    assert motion_pose(np.random.default_rng(1))[1].shape == (24, 3)
