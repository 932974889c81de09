"""Run a model over a data set's protocol: encode, render, score, one picture at a time, each of them once."""

import random
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from sherf.avatar.renderer import Renderer
from sherf.benchmark.benchmark_model import BenchmarkModel
from sherf.benchmark.estimated_body import Estimate, driven, estimate
from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import rectangle_around, score
from sherf.benchmark.pictures import write_strip
from sherf.benchmark.protocols import Item, Protocol
from sherf.benchmark.published_inputs import PublishedInputs, house_camera, published_inputs
from sherf.benchmark.records import Record, RecordFile, key_of, keys_in, record_of
from sherf.body.lbs import axis_angle_to_matrix
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import CachedViews, Key
from sherf.errors import BadInput
from sherf.progress import print_status, progress
from sherf.scene import BodyPose, Camera, Subject

SEED = 0
CACHE_BYTES = 512 * 2**20


@dataclass
class Run:
    """What came of a benchmark."""

    records: list[Record]
    left_out: dict[str, str] = field(default_factory=dict)
    """What could not be scored, by name, and why."""
    missing: list[str] = field(default_factory=list)
    """Frames that the protocol wants and the data set lacks, in words."""
    timing: dict[str, float] = field(default_factory=dict)


class Timing:
    """Seconds of the first picture from a photo, of the same again, and of every frame."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.cold_s = self.warm_s = 0.0
        self.frames: list[float] = []

    def summary(self) -> dict[str, float]:
        """For results.json."""
        per_frame = float(np.median(self.frames)) if self.frames else 0.0
        unit = 1.0 if sys.platform == "darwin" else 1024.0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
        rounded = {"cold_s": self.cold_s, "warm_s": self.warm_s, "per_frame_s": per_frame, "peak_memory_mb": peak}
        return {name: round(value, 4) for name, value in rounded.items()}


def plan(data: MultiviewData, protocol: Protocol, subjects: list[str], run: Run, most: int | None = None) -> list[Item]:
    """All pictures to predict, subject by subject; what cannot be planned is noted in `run`.

    Args:
        most: of one subject and kind, evenly chosen: for a quick look.
    """
    rng = random.Random(SEED)
    items: list[Item] = []
    for subject in subjects:
        try:
            of_subject, missing = protocol.items(data, subject, rng)
        except BadInput as error:
            run.left_out[subject] = str(error)
            continue
        run.missing += missing
        for kind in ("novel_view", "novel_pose"):
            of_kind = [item for item in of_subject if item.kind == kind]
            if most is not None and len(of_kind) > most:
                of_kind = [of_kind[round(i)] for i in np.linspace(0, len(of_kind) - 1, most)]
            items += of_kind
    return items


def run_items(
    data: MultiviewData,
    protocol: Protocol,
    model: BenchmarkModel,
    items: list[Item],
    out: Path,
    run: Run,
    estimated: bool = False,
) -> None:
    """Predict and score what is not done yet; `run` takes up the results.

    A picture that cannot be read is left out with its reason, and the rest goes on.

    Args:
        estimated: body and camera of the observation come from its picture, not from the data set.
    """
    file = RecordFile(out / "images.csv")
    run.records = file.read()
    done = keys_in(run.records)
    todo = [item for item in items if key_of(item) not in done]
    if len(todo) < len(items):
        print_status(f"{len(items) - len(todo)} of {len(items)} pictures are done already")
    runner = _Runner(data, protocol, model, out, estimated)
    for item in progress(todo, "pictures"):
        try:
            record = runner.score(item)
        except BadInput as error:
            run.left_out[" ".join(map(str, key_of(item)))] = str(error)
            continue
        file.append(record)
        run.records.append(record)
    run.timing = runner.timing.summary() if todo else {}


class _Runner:
    def __init__(self, data: MultiviewData, protocol: Protocol, model: BenchmarkModel, out: Path, estimated: bool):
        self.estimated = estimated
        self._estimate: Estimate | None = None
        self.views = CachedViews(data, CACHE_BYTES)
        self.protocol, self.model, self.out = protocol, model, out
        self.lpips, self.timing = Lpips(), Timing()
        self._observed: Key | None = None
        self._renderer: Renderer | None = None
        self._pose: tuple[Key, BodyPose] | None = None

    def score(self, item: Item) -> Record:
        """One picture."""
        inputs = published_inputs(
            self.views[item.observation], self.views[item.target], self.protocol.scale, self.protocol.silhouette_margin
        )
        size = inputs.mask.shape
        camera = house_camera(inputs.camera, size)
        subject = observed_subject(inputs, self.views[item.observation].subject.body_model)
        if item.observation != self._observed:
            self._observe(item, subject, inputs, camera)
        prediction, seconds = self._predict(item, camera, inputs)
        target = np.moveaxis(inputs.image, 0, -1)
        box = inputs.rays.hit.reshape(size)
        if not box.any() or not inputs.mask.any():
            raise BadInput(f"{item.target}: the person is outside the picture.")
        scores = {
            "published": score(prediction, target, box, "published", self.lpips),
            "standard": score(prediction, target, box, "standard", self.lpips),
            "standard_person_box": score(prediction, target, rectangle_around(inputs.mask), "standard", self.lpips),
        }
        record = record_of(item, angle_between(subject, camera, inputs.pose), scores, seconds)
        observed = np.moveaxis(inputs.observed_image * inputs.observed_mask, 0, -1)
        write_strip(self.out / "pictures" / record.subject / record.picture, observed, target, prediction)
        return record

    def _observe(self, item: Item, subject: Subject, inputs: PublishedInputs, camera: Camera) -> None:
        """Encode another photo; the first one is timed."""
        vertices = torch.from_numpy(inputs.observed_vertices)
        is_first = self._observed is None
        if self.estimated:
            self._estimate = estimate(subject, self.model.body)
            subject = self._estimate.subject
            vertices = self.model.body.pose(subject.pose).vertices
        self._renderer, self._observed, self._pose = self.model.encode(subject, vertices), item.observation, None
        if is_first:
            self._predict(item, camera, inputs)
            self.timing.cold_s = time.perf_counter() - self.timing.start
            start = time.perf_counter()
            self._renderer, self._pose = self.model.encode(subject, vertices), None
            self._predict(item, camera, inputs)
            self.timing.warm_s = time.perf_counter() - start
            self.timing.frames.clear()

    def _predict(self, item: Item, camera: Camera, inputs: PublishedInputs) -> tuple[Float[np.ndarray, "h w 3"], float]:
        """The picture, on black, and the seconds for rendering it."""
        # renderers keep what belongs to a pose while they are handed the same one
        place = item.target._replace(view=0)
        pose, vertices = inputs.pose, torch.from_numpy(inputs.vertices)
        if self._estimate is not None:
            own, vertices = self._estimate.subject.pose, None
            if item.kind == "novel_view":
                pose, similarity = own, self._estimate.similarity
            else:
                pose, similarity = driven(own, pose, self.model.body)
            camera = similarity.seen_by(camera)
        if self._pose is None or self._pose[0] != place:
            self._pose = (place, pose)
        assert self._renderer is not None
        start = time.perf_counter()
        frame = self._renderer.frame(camera, self._pose[1], vertices)
        seconds = time.perf_counter() - start
        self.timing.frames.append(seconds)
        return frame.rgb.permute(1, 2, 0).cpu().numpy(), seconds


def observed_subject(inputs: PublishedInputs, body_model: str) -> Subject:
    """The observation as models receive it."""
    image = torch.from_numpy(np.ascontiguousarray(inputs.observed_image))
    mask = torch.from_numpy(inputs.observed_mask)
    camera = house_camera(inputs.observed_camera, inputs.observed_mask.shape)
    return Subject(image, mask, camera, inputs.observed_pose, body_model)


def angle_between(observed: Subject, camera: Camera, pose: BodyPose) -> float:
    """How far a camera stands round the body from the one that observed it, degrees, 0 to 180.

    Measured in the body's own frame, so that a body that turns shows another side to the same camera.
    """
    azimuths = []
    for seen_from, posed in ((observed.camera, observed.pose), (camera, pose)):
        R_world_root = posed.R_world_body @ axis_angle_to_matrix(posed.joints[0])
        x, _, z = (R_world_root.T @ (seen_from.position - posed.T_world_body)).tolist()
        azimuths.append(np.degrees(np.arctan2(x, z)))
    difference = abs(azimuths[0] - azimuths[1]) % 360
    return float(min(difference, 360 - difference))
