"""Fit the pose prior (sherf/photo/pose_prior.npz), a mixture of Gaussians, to poses of OpenPeople.

python benchmarks/learn_pose_prior.py
"""

from pathlib import Path

import numpy as np
import torch
from scipy.cluster.vq import kmeans2

from sherf.body.lbs import mirrored_rotations
from sherf.body.skeleton import joint_index
from sherf.datasets.openpeople.poses import draw_pose
from sherf.photo.joint_limits import STIFFNESS
from sherf.photo.pose_prior import PARTS

POSES = 12_000
GAUSSIANS = {"trunk": 1, "legs": 4, "arm": 1}
"""Number of components of each body part, and as many mirrored ones."""
LEAST_SPREAD = 0.05
"""Radians added to every joint's standard deviation: real poses vary more than sampled ones."""


def main() -> None:
    """Sample, cluster and write."""
    rng = np.random.default_rng(0)
    poses = np.array([draw_pose(rng)[1] for _ in range(POSES)])
    in_mirror = mirrored_rotations(torch.from_numpy(poses)).numpy()
    learned = {}
    for part, names in PARTS.items():
        joints = [joint_index(name) for name in names]
        both = [p[:, joints].reshape(len(p), -1) for p in (poses, in_mirror)]
        scaled = both[0] * STIFFNESS.numpy()[joints].flatten()
        _, label = kmeans2(scaled, GAUSSIANS[part], iter=50, minit="++", rng=0)
        groups = [numbers[label == k] for numbers in both for k in range(GAUSSIANS[part])]
        spread = LEAST_SPREAD**2 * np.eye(3 * len(joints))
        precisions = [np.linalg.inv(np.cov(group.T) + spread) for group in groups]
        learned[f"{part}_share"] = np.array([len(group) / (2 * POSES) for group in groups])
        learned[f"{part}_mean"] = np.array([group.mean(axis=0) for group in groups])
        learned[f"{part}_root"] = np.linalg.cholesky(np.array(precisions))
    path = Path(__file__).parent.parent / "sherf/photo/pose_prior.npz"
    np.savez_compressed(path, **{name: array.astype(np.float32) for name, array in learned.items()})
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB from {POSES} poses")


if __name__ == "__main__":
    main()
