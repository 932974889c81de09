"""People from seeds are reproducible, match the shipped body, and each split has its own wardrobe."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from sherf.body.body_model import BodyModel
from sherf.datasets.openpeople.body import base_mesh, make_figure
from sherf.datasets.openpeople.cuts_bottoms import DRESSES, LEGS, SHOES, SKIRTS
from sherf.datasets.openpeople.cuts_tops import OUTERS, TOPS
from sherf.datasets.openpeople.part import SurfaceSamples
from sherf.datasets.openpeople.person import Person, make_person, split_of, stream
from sherf.datasets.openpeople.poses import random_pose
from sherf.datasets.openpeople.posing import pose_joints, pose_transforms, skin_vertices
from sherf.datasets.openpeople.wardrobe import FABRICS, TEST_FAMILIES, families
from sherf.scene import BodyPose

CUTS = {**TOPS, **OUTERS, **LEGS, **SKIRTS, **DRESSES, **SHOES}


def fingerprint(person: Person) -> str:
    """Return a hash of all meshes and of every material's colours."""
    total = hashlib.sha256()
    for part in person.parts:
        for array in (part.vertices, part.faces, part.weights, part.reference):
            total.update(np.ascontiguousarray(array).tobytes())
        uv = part.uv if part.uv is not None else np.zeros((len(part.vertices), 2))
        samples = SurfaceSamples(part.reference.astype(np.float32), uv.astype(np.float32), 0.003)
        total.update(part.material.albedo(samples).tobytes())
    return total.hexdigest()


def test_a_seed_is_one_person_in_every_process() -> None:
    here = fingerprint(make_person(7))
    assert fingerprint(make_person(7)) == here
    code = "from test_person import fingerprint, make_person; print(fingerprint(make_person(7)))"
    folder = str(__file__).rsplit("/", 1)[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True)
    assert done.stdout.strip() == here


def test_other_seeds_are_other_people() -> None:
    assert len({fingerprint(make_person(seed)) for seed in (0, 1, 2)}) == 3


def test_a_stream_depends_on_seed_and_name_alone() -> None:
    drawn = [stream(seed, name).random() for seed in (0, 1, 10) for name in ("a", "b", "ab")]
    assert len(set(drawn)) == len(drawn)
    assert stream(1, "a").random() == drawn[3]


def test_negative_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        make_person(-1)


def test_of_ten_people_eight_train_one_validates_one_tests() -> None:
    splits = [split_of(seed) for seed in range(100)]
    assert [splits.count(s) for s in ("train", "validation", "test")] == [80, 10, 10]


@pytest.mark.parametrize("seeds", [range(0, 60, 2), range(9, 309, 10)])
def test_test_people_wear_what_no_training_person_wears(seeds: range) -> None:
    for seed in seeds:
        person = make_person(seed)
        is_test = person.split == "test"
        for garment in person.outfit.garments:
            assert (garment.family in TEST_FAMILIES) == is_test, (seed, garment.cut, garment.family)
            assert CUTS[garment.cut].is_test == is_test, (seed, garment.cut)


def test_every_group_of_fabrics_has_some_for_both_splits() -> None:
    assert all(families(group, is_test) for group in FABRICS for is_test in (False, True))
    assert len({name for names in FABRICS.values() for name in names}) >= 35


def test_every_cut_and_accessory_is_drawn() -> None:
    """Over many seeds, everything in the tables occurs."""
    worn, extras = set(), set()
    for seed in range(900):
        cuts, accessories = _decisions(seed)
        worn |= cuts
        extras |= accessories
    assert worn >= set(CUTS), set(CUTS) - worn
    assert extras >= {"full", "goatee", "moustache", "stubble", "short", "glasses", "backpack", "shoulder bag", "cap",
                      "beanie", "brimmed hat", "bucket hat", "belt bag"}  # fmt: skip


def _decisions(seed: int) -> tuple[set[str], set[str]]:
    person = make_person(seed)
    extras = {person.look.beard, person.hat or "", person.bag or "", "glasses" if person.wears_glasses else ""}
    return {garment.cut for garment in person.outfit.garments}, extras


def test_bodies_differ_in_height_weight_and_build() -> None:
    heights, volumes = [], []
    for seed in range(60):
        vertices = make_person(seed).figure.vertices[:13380]
        heights.append(np.ptp(vertices[:, 1]))
        a, b, c = (vertices[base_mesh().skin_faces[:, k]] for k in range(3))
        volumes.append((np.cross(a, b) * c).sum() / 6)
    assert min(heights) < 1.6 and max(heights) > 1.85
    bulk = np.array(volumes) / np.array(heights) ** 2
    assert bulk.max() > 1.25 * bulk.min()


@pytest.mark.parametrize("seed", range(4))
def test_skin_and_joints_match_the_shipped_body(body: BodyModel, seed: int) -> None:
    """The same betas and rotations give the same positions, to less than a tenth of a millimetre."""
    rng = np.random.default_rng(seed)
    betas, joints = rng.normal(0, 1.3, 10), random_pose(rng)[1]
    shape = make_figure(betas)
    T = pose_transforms(shape, joints)
    ids = base_mesh().joint_vertices
    ours = skin_vertices(shape.vertices[ids], base_mesh().weights[ids], T)
    tensors = (torch.from_numpy(x).float() for x in (betas, joints, np.eye(3), np.zeros(3)))
    shipped = body.pose(BodyPose(*tensors))
    assert np.abs(ours - shipped.vertices.numpy()).max() < 1e-4
    assert np.abs(pose_joints(shape, T) - shipped.joints.numpy()).max() < 1e-4
