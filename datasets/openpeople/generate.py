"""Generate the data set: in parallel, resumable, verified."""

import secrets
import shutil
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sherf.datasets.openpeople.backgrounds import compose, make_background
from sherf.datasets.openpeople.lighting import random_lighting
from sherf.datasets.openpeople.options import GenerateOptions
from sherf.datasets.openpeople.part import PosedPerson
from sherf.datasets.openpeople.person import VERSION, Person, make_person, stream
from sherf.datasets.openpeople.poses import Joints, draw_pose, natural_pose, raise_arms
from sherf.datasets.openpeople.posing import arm_penetration, skin_protrusion
from sherf.datasets.openpeople.stage import Stage
from sherf.datasets.openpeople.store import (
    MANIFEST,
    DamagedFile,
    Plan,
    camera_to_json,
    find_fault,
    find_people,
    person_folder,
    read_manifest,
    remove_partial_outputs,
    write_manifest,
    write_photo,
    write_record,
    write_view,
)
from sherf.datasets.openpeople.viewpoints import draw_viewpoints
from sherf.errors import BadInput
from sherf.files.interrupts import block_interrupts_in_children
from sherf.files.lock import lock_folder
from sherf.files.output import PARTIAL_PREFIX, sync, translate_write_errors
from sherf.progress import print_status, progress
from sherf.threads import available_cores

MAX_PROTRUSION_M = 0.005
"""Poses in which skin sticks out of the clothes farther than this are rejected."""
MAX_PENETRATION_M = 0.03
"""Poses in which an arm lies deeper than this inside the body are rejected."""
POSE_ATTEMPTS, MAX_ARM_STEPS = 12, 6
"""Random poses to try, and how often to raise the arms of each before rejecting it."""


def generate_openpeople(options: GenerateOptions) -> list[int]:
    """Generate the missing people, verify all files and write the manifest.

    Finished people are never rendered again, so an interrupted run resumes when it is started again.

    Args:
        options: which people to generate, and where to write them.

    Returns:
        The seeds of all people in the folder, those of earlier runs included, ascending.

    Raises:
        BadInput: an option is out of range, the folder holds people generated with other options, or a file differs
            from its recorded hash.
        OutputError: the folder cannot be written, or another run is using it.
    """
    _check_options(options)
    plan = Plan(VERSION, options.views, options.poses, options.size, options.photos)
    with lock_folder(options.out):
        return _generate(options, plan)


def _generate(options: GenerateOptions, plan: Plan) -> list[int]:
    """Return what `generate_openpeople` returns; the folder must be locked.

    Raises:
        BadInput: the folder holds people generated with other options, or a file differs from its recorded hash.
    """
    out = options.out
    remove_partial_outputs(out)
    wanted = list(range(options.seed_start, options.seed_start + options.people))
    existing = _read_listed_seeds(out, plan)
    missing = [seed for seed in wanted if _needs_generating(out, seed, plan)]
    if len(missing) < len(wanted):
        print_status(f"{len(wanted) - len(missing)} of {len(wanted)} people already exist")
    _generate_in_parallel(out, missing, plan, options.workers or len(available_cores()))
    seeds = sorted({*existing, *wanted})
    damaged = [problem for seed in progress(seeds, "verify") if (problem := find_fault(person_folder(out, seed), plan))]
    if damaged:
        raise BadInput("\n".join([*damaged, "Rerun the same command to generate them again."]))
    write_manifest(out, plan, seeds)
    return seeds


def generate_person(out: Path, seed: int, plan: Plan) -> None:
    """Build, pose, render and write one person; the folder appears under its final name only once it is complete.

    Args:
        out: the data set's folder.
        seed: the person's seed.
        plan: what to render.

    Raises:
        OutputError: a file cannot be written.
    """
    partial = out / f"{PARTIAL_PREFIX}{secrets.token_hex(6)}"
    final = person_folder(out, seed)
    try:
        with translate_write_errors(final):
            partial.mkdir()
            write_record(partial, _write_person(partial, make_person(seed), plan))
            if final.exists():
                shutil.rmtree(final)
            partial.rename(final)
            sync(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def draw_valid_pose(person: Person, number: int) -> tuple[str, Joints, PosedPerson]:
    """Draw a pose in which the clothes cover the body and the arms stay outside it.

    Args:
        person: the person to pose.
        number: which of the person's poses: each number has a random stream of its own.

    Returns:
        The pose's name, its joint rotations (axis-angle, radians) and the posed person. If every attempt fails the
        intersection tests, an A-pose.
    """
    rng = stream(person.seed, f"pose {number}")
    for _ in range(POSE_ATTEMPTS):
        name, joints = draw_pose(rng)
        for _ in range(MAX_ARM_STEPS):
            if arm_penetration(person.figure, joints) <= MAX_PENETRATION_M:
                break
            joints = raise_arms(joints)
        else:
            continue
        posed = person.pose(joints)
        if skin_protrusion(posed, person.figure, joints) <= MAX_PROTRUSION_M:
            return name, joints, posed
    name, joints = natural_pose(rng, "arms apart")
    return name, joints, person.pose(joints)


def _write_person(folder: Path, person: Person, plan: Plan) -> dict[str, Any]:
    """Render and write all poses and views of a person; return the record for `write_record`."""
    poses = []
    lighting = random_lighting(stream(person.seed, "lighting"))
    for number in range(plan.poses):
        name, joints, posed = draw_valid_pose(person, number)
        stage = Stage(posed, lighting)
        cameras = draw_viewpoints(
            stream(person.seed, f"cameras {number} {plan.views}"), posed.vertices, plan.views, plan.size
        )
        for view, camera in enumerate(cameras):
            rendered = stage.render(camera)
            write_view(folder, number, view, rendered)
            if view == 0 and plan.photos:
                background = make_background(stream(person.seed, f"background {number}"), camera.size)
                write_photo(folder, number, compose(rendered, background))
        translation = posed.joints[0] - person.figure.joints[0]
        poses.append(
            {
                "name": name, "joints": np.asarray(joints).tolist(), "translation": translation.tolist(),
                "cameras": [camera_to_json(camera) for camera in cameras],
            }
        )  # fmt: skip
    return {"person": person.describe(), "plan": asdict(plan), "poses": poses}


def _check_options(options: GenerateOptions) -> None:
    """Check that all options are in range.

    Raises:
        BadInput: a number is too small or too large.
    """
    for name, value, least in (
        ("people", options.people, 1), ("seed-start", options.seed_start, 0), ("views", options.views, 1),
        ("poses", options.poses, 1), ("size", options.size, 16), ("workers", options.workers or 1, 1),
    ):  # fmt: skip
        if value < least:
            raise BadInput(f"--{name} must be at least {least}, got {value}.")
    for name, value, most in (("views", options.views, 99), ("poses", options.poses, 99), ("size", options.size, 4096)):
        if value > most:
            raise BadInput(f"--{name} must be at most {most}, got {value}.")


def _read_listed_seeds(out: Path, plan: Plan) -> list[int]:
    """Return the seeds listed in an existing manifest, or, if it is damaged, of the people in the folder.

    Raises:
        BadInput: the folder was generated with other options, or its manifest is not one or has a newer layout.
    """
    if not (out / MANIFEST).exists():
        return []
    try:
        content = read_manifest(out)
        people, planned = list(content["people"]), content["plan"]
    except DamagedFile as error:
        print_status(f"{error}: listing the people in the folder again")
        records = find_people(out)
        people, planned = list(records), next((record["plan"] for record in records.values()), asdict(plan))
    if planned != asdict(plan):
        changed = [key for key, value in asdict(plan).items() if planned.get(key) != value]
        raise BadInput(
            f"{out} holds people generated with other options ({', '.join(changed)}).\n"
            "Choose another folder, or use the same options to add people."
        )
    return [int(name) for name in people if name.isdigit() and person_folder(out, int(name)).name == name]


def _needs_generating(out: Path, seed: int, plan: Plan) -> bool:
    """Return whether a person is missing or damaged; report the damage."""
    folder = person_folder(out, seed)
    if not folder.exists():
        return True
    problem = find_fault(folder, plan)
    if problem:
        print_status(f"{problem}: generating person {seed} again")
    return problem is not None


def _generate_in_parallel(out: Path, seeds: list[int], plan: Plan, workers: int) -> None:
    """Generate people in worker processes, one person at a time each.

    An interrupt or an error stops all workers at once; finished people stay.
    """
    if not seeds:
        return
    pool = ProcessPoolExecutor(min(workers, len(seeds)), get_context("spawn"), torch.set_num_threads, (1,))
    try:
        with block_interrupts_in_children(termination=True):
            futures: list[Future[None]] = [pool.submit(generate_person, out, seed, plan) for seed in seeds]
        for future in progress(futures, "people"):
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.kill()
            worker.join()
        remove_partial_outputs(out)
        raise
    pool.shutdown()
