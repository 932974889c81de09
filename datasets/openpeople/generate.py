"""Make people: in parallel, resumable, verified."""

import os
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
from sherf.datasets.openpeople.poses import Joints, draw_pose, eased, natural_pose
from sherf.datasets.openpeople.posing import crossing, protrusion
from sherf.datasets.openpeople.stage import Stage
from sherf.datasets.openpeople.store import (
    MANIFEST,
    Plan,
    camera_record,
    fault,
    folder_of,
    read_manifest,
    seal,
    sweep,
    write_manifest,
    write_photo,
    write_picture,
)
from sherf.datasets.openpeople.viewpoints import draw_viewpoints
from sherf.errors import BadInput
from sherf.files.interrupts import interrupts_kept_from_children
from sherf.files.lock import alone_in
from sherf.files.output import PARTIAL_PREFIX, translated_errors
from sherf.progress import print_status, progress

MOST_PROTRUSION_M = 0.005
MOST_CROSSING_M = 0.03
"""Poses in which the body sticks out of the clothes, or an arm lies inside the body, farther than this are refused."""
POSE_ATTEMPTS, EASINGS = 12, 6


def generate_openpeople(options: GenerateOptions) -> list[int]:
    """Make the people that are missing, verify all, and write the manifest. Returns the seeds of all that are there.

    Raises:
        BadInput: the options make no sense, or the folder holds people that were made with others.
        OutputError: the folder cannot be written, or another run works in it.
    """
    _check(options)
    plan = Plan(VERSION, options.views, options.poses, options.size, options.photos)
    with alone_in(options.out):
        return _generated(options, plan)


def _generated(options: GenerateOptions, plan: Plan) -> list[int]:
    out = options.out
    sweep(out)
    wanted = list(range(options.seed_start, options.seed_start + options.people))
    before = _seeds_there(out, plan)
    missing = [seed for seed in wanted if _must_make(out, seed, plan)]
    if len(missing) < len(wanted):
        print_status(f"{len(wanted) - len(missing)} of {len(wanted)} people are there already")
    _make_all(out, missing, plan, options.workers or os.cpu_count() or 1)
    seeds = sorted({*before, *wanted})
    damaged = [problem for seed in progress(seeds, "verify") if (problem := fault(folder_of(out, seed), plan))]
    if damaged:
        raise BadInput("\n".join([*damaged, "Run the same command again to make them anew."]))
    write_manifest(out, plan, seeds)
    return seeds


def make_one(out: Path, seed: int, plan: Plan) -> None:
    """Build, pose, render and write one person; the folder appears whole."""
    partial = out / f"{PARTIAL_PREFIX}{secrets.token_hex(6)}"
    final = folder_of(out, seed)
    try:
        with translated_errors(final):
            partial.mkdir()
            seal(partial, _write_person(partial, make_person(seed), plan))
            if final.exists():
                shutil.rmtree(final)
            partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def fitting_pose(person: Person, number: int) -> tuple[str, Joints, PosedPerson]:
    """Draw a pose in which clothes cover the body and arms stay outside of it; the A-pose if none of many does."""
    rng = stream(person.seed, f"pose {number}")
    for _ in range(POSE_ATTEMPTS):
        name, joints = draw_pose(rng)
        for _ in range(EASINGS):
            if crossing(person.figure, joints) <= MOST_CROSSING_M:
                break
            joints = eased(joints)
        else:
            continue
        posed = person.pose(joints)
        if protrusion(posed, person.figure, joints) <= MOST_PROTRUSION_M:
            return name, joints, posed
    name, joints = natural_pose(rng, "arms apart")
    return name, joints, person.pose(joints)


def _write_person(folder: Path, person: Person, plan: Plan) -> dict[str, Any]:
    """Render everything; returns the record."""
    poses = []
    lighting = random_lighting(stream(person.seed, "lighting"))
    for number in range(plan.poses):
        name, joints, posed = fitting_pose(person, number)
        stage = Stage(posed, lighting)
        cameras = draw_viewpoints(
            stream(person.seed, f"cameras {number} {plan.views}"), posed.vertices, plan.views, plan.size
        )
        for view, camera in enumerate(cameras):
            picture = stage.render(camera)
            write_picture(folder, number, view, picture)
            if view == 0 and plan.photos:
                background = make_background(stream(person.seed, f"background {number}"), camera.size)
                write_photo(folder, number, compose(picture, background))
        translation = posed.joints[0] - person.figure.joints[0]
        poses.append(
            {
                "name": name, "joints": np.asarray(joints).tolist(), "translation": translation.tolist(),
                "cameras": [camera_record(camera) for camera in cameras],
            }
        )  # fmt: skip
    return {"person": person.describe(), "plan": asdict(plan), "poses": poses}


def _check(options: GenerateOptions) -> None:
    for name, value, least in (
        ("people", options.people, 1), ("seed-start", options.seed_start, 0), ("views", options.views, 1),
        ("poses", options.poses, 1), ("size", options.size, 16), ("workers", options.workers or 1, 1),
    ):  # fmt: skip
        if value < least:
            raise BadInput(f"--{name} is at least {least}, not {value}.")
    for name, value, most in (("views", options.views, 99), ("poses", options.poses, 99), ("size", options.size, 4096)):
        if value > most:
            raise BadInput(f"--{name} is at most {most}, not {value}.")


def _seeds_there(out: Path, plan: Plan) -> list[int]:
    """People of earlier runs with the same options."""
    if not (out / MANIFEST).exists():
        return []
    content = read_manifest(out)
    if content["plan"] != asdict(plan):
        changed = [key for key, value in asdict(plan).items() if content["plan"].get(key) != value]
        raise BadInput(
            f"{out} holds people made with other options ({', '.join(changed)}).\n"
            "Choose another folder, or give the same options to add people."
        )
    return [int(name) for name in content["people"] if name.isdigit() and folder_of(out, int(name)).name == name]


def _must_make(out: Path, seed: int, plan: Plan) -> bool:
    folder = folder_of(out, seed)
    if not folder.exists():
        return True
    problem = fault(folder, plan)
    if problem:
        print_status(f"{problem}: making person {seed} anew")
    return problem is not None


def _make_all(out: Path, seeds: list[int], plan: Plan, workers: int) -> None:
    """One person at a time in each worker. An interrupt stops them at once; finished people stay."""
    if not seeds:
        return
    pool = ProcessPoolExecutor(min(workers, len(seeds)), get_context("spawn"), torch.set_num_threads, (1,))
    try:
        with interrupts_kept_from_children():
            made: list[Future[None]] = [pool.submit(make_one, out, seed, plan) for seed in seeds]
        for future in progress(made, "people"):
            future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()
            worker.join()
        sweep(out)
        raise
    pool.shutdown()
