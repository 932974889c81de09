"""Fixtures for all tests: a small toy body, the open body, a synthetic photo of it, and generated people."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from running import run_in_process
from stage import camera_in_front, photograph, standing

from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.body.skeleton import NUM_JOINTS, PARENTS, mirrored_joints
from sherf.scene import Subject

torch.set_num_threads(1)  # several tests run beside each other

SLOW = ("test_batch.py", "test_browser.py", "test_commands.py", "test_training.py", "test_person_video.py")
"""Files of long tests: they start first, so that several workers finish at about the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow files first, the others in their usual order."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


JOINTS = {
    0: (0.0, 0.0, 0.0),
    1: (0.08, -0.08, 0.0),
    3: (0.0, 0.12, 0.0),
    4: (0.1, -0.48, 0.0),
    6: (0.0, 0.24, 0.0),
    7: (0.1, -0.88, -0.02),
    9: (0.0, 0.36, 0.0),
    10: (0.12, -0.93, 0.1),
    12: (0.0, 0.52, 0.0),
    13: (0.07, 0.45, 0.0),
    15: (0.0, 0.62, 0.02),
    16: (0.18, 0.46, 0.0),
    18: (0.44, 0.46, 0.0),
    20: (0.7, 0.46, 0.0),
    22: (0.79, 0.46, 0.0),
}
"""Rest joints, metres; the right side is the mirror image."""


def _rest_joint(joint: int) -> np.ndarray:
    if joint in JOINTS:
        return np.array(JOINTS[joint])
    return np.array(JOINTS[mirrored_joints()[joint]]) * [-1.0, 1.0, 1.0]


@pytest.fixture(scope="session")
def toy_body() -> BodyModel:
    """24 balls of 42 vertices around SMPL's joints, mirror-symmetric, with random shape and pose offsets."""
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.07)
    parts, faces, weights = [], [], []
    for joint, parent in enumerate(PARENTS):
        corners = np.array(ball.faces)
        mirrored = ball.vertices * ([-1.0, 1.0, 1.0] if _rest_joint(joint)[0] < 0 else 1.0)
        parts.append(mirrored + _rest_joint(joint))
        faces.append((corners[:, ::-1] if _rest_joint(joint)[0] < 0 else corners) + joint * len(ball.vertices))
        # The lower half of each ball is shared with the parent.
        share = np.zeros((len(ball.vertices), NUM_JOINTS))
        share[:, joint] = 1.0 if parent < 0 else 0.5 + 0.5 * (ball.vertices[:, 1] > 0)
        share[:, parent] += 1.0 - share[:, joint] if parent >= 0 else 0.0
        weights.append(share)
    vertices = torch.tensor(np.concatenate(parts), dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    regressor = torch.block_diag(*[torch.full((1, len(ball.vertices)), 1 / len(ball.vertices))] * NUM_JOINTS)
    return BodyModel(
        name="toy",
        v_template=vertices,
        shapedirs=0.01 * torch.randn(len(vertices), 3, 10, generator=generator),
        posedirs=0.002 * torch.randn(len(vertices), 3, 207, generator=generator),
        J_regressor=regressor,
        weights=torch.tensor(np.concatenate(weights), dtype=torch.float32),
        parents=PARENTS,
        faces=torch.tensor(np.concatenate(faces), dtype=torch.int64),
    )


@pytest.fixture(scope="session")
def body() -> BodyModel:
    """The open body."""
    return load_body_model("openbody")


@pytest.fixture(scope="session")
def subject(body: BodyModel) -> Subject:
    return photograph(body, standing(math.radians(20)), camera_in_front())


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate OpenPeople's people 8 (validation) and 9 (test): 2 poses, 3 views of 64 x 64, photos and a preview."""
    out = tmp_path_factory.mktemp("people")
    options = ("--people", "2", "--seed-start", "8", "--views", "3", "--poses", "2", "--size", "64")
    done = run_in_process("generate", "openpeople", *options, "--photos", "--preview", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return out
