"""Run a model over a data set's protocol: encode, render and score one image at a time, each of them once."""

import random
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sherf.avatar.renderer import Renderer
from sherf.benchmark.benchmark_model import BenchmarkModel
from sherf.benchmark.estimated_body import EstimatedBody, estimate_body, repose
from sherf.benchmark.image_strips import write_strip
from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import Scores, bounding_rectangle, score
from sherf.benchmark.protocols import KINDS, EvaluationPair, Protocol
from sherf.benchmark.published_inputs import PublishedInputs, camera_from_published, published_inputs
from sherf.benchmark.records import Record, RecordFile, key_of, make_record
from sherf.camera.rotations import axis_angle_to_matrix
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import CachedViews, Key
from sherf.errors import BadInput
from sherf.progress import print_status, progress
from sherf.scene import BodyPose, Camera, Subject

SEED = 0
CACHE_BYTES = 512 * 2**20
RECORDS = "images.csv"
STRIPS_FOLDER = "pictures"


@dataclass
class BenchmarkRun:
    """The outcome of a benchmark."""

    records: list[Record]
    skipped: dict[str, str] = field(default_factory=dict)
    """What could not be scored, by name, and the reason."""
    missing_frames: list[str] = field(default_factory=list)
    """Messages about frames that the protocol names and the data set lacks."""
    timing: dict[str, float] = field(default_factory=dict)
    """See `RuntimeMeasurements.summary`; empty where nothing was left to predict."""


class RuntimeMeasurements:
    """Latency of the first image from a photo, cold and warm, and the rendering time of every frame."""

    def __init__(self) -> None:
        """Start the clock."""
        self.start = time.perf_counter()
        self.cold_s = self.warm_s = 0.0
        self.frame_seconds: list[float] = []

    def summary(self) -> dict[str, float]:
        """Return cold_s, warm_s and per_frame_s (median) in seconds and peak_memory_mb (resident) in MiB."""
        per_frame = float(np.median(self.frame_seconds)) if self.frame_seconds else 0.0
        unit = 1.0 if sys.platform == "darwin" else 1024.0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
        rounded = {"cold_s": self.cold_s, "warm_s": self.warm_s, "per_frame_s": per_frame, "peak_memory_mb": peak}
        return {name: round(value, 4) for name, value in rounded.items()}


def plan_evaluation(
    data: MultiviewData,
    protocol: Protocol,
    subjects: list[str],
    run: BenchmarkRun,
    max_per_kind: int | None = None,
) -> list[EvaluationPair]:
    """Return all images to predict, subject by subject.

    Args:
        data: the data set.
        protocol: its evaluation.
        subjects: which to evaluate.
        run: receives the subjects that are skipped and the frames that are missing.
        max_per_kind: choose so many images of each subject and kind, evenly spaced; None: all.
    """
    rng = random.Random(SEED)
    pairs: list[EvaluationPair] = []
    for subject in subjects:
        try:
            of_subject, missing = protocol.pairs(data, subject, rng)
        except BadInput as error:
            run.skipped[subject] = str(error)
            continue
        run.missing_frames += missing
        for kind in KINDS:
            of_kind = [pair for pair in of_subject if pair.kind == kind]
            if max_per_kind is not None and len(of_kind) > max_per_kind:
                of_kind = [of_kind[round(i)] for i in np.linspace(0, len(of_kind) - 1, max_per_kind)]
            pairs += of_kind
    return pairs


def evaluate(
    data: MultiviewData,
    protocol: Protocol,
    model: BenchmarkModel,
    pairs: list[EvaluationPair],
    out: Path,
    run: BenchmarkRun,
    estimated: bool = False,
) -> None:
    """Predict and score every image that OUT/images.csv does not hold yet.

    An image that cannot be read is skipped with its reason, and the evaluation continues.

    Args:
        data: the data set.
        protocol: its evaluation.
        model: the model under test.
        pairs: what to predict.
        out: folder for images.csv and the image strips.
        run: receives the records, old and new, what was skipped, and the timing.
        estimated: estimate body and camera from the observed image instead of taking the data set's.

    Raises:
        BadInput: images.csv was written by another version.
        OutputError: a file cannot be written.
    """
    file = RecordFile(out / RECORDS)
    run.records = file.read()
    done = {record.key for record in run.records}
    todo = [pair for pair in pairs if key_of(pair) not in done]
    if len(todo) < len(pairs):
        print_status(f"resuming: {len(pairs) - len(todo)} of {len(pairs)} images are already scored")
    evaluator = _Evaluator(data, protocol, model, out, estimated)
    for pair in progress(todo, "images"):
        try:
            record = evaluator.evaluate_pair(pair)
        except BadInput as error:
            run.skipped[" ".join(map(str, key_of(pair)))] = str(error)
            continue
        file.append(record)
        run.records.append(record)
    run.timing = evaluator.measurements.summary() if todo else {}


class _Evaluator:
    """Predicts and scores pair by pair; the avatar is kept while the observation stays the same."""

    def __init__(self, data: MultiviewData, protocol: Protocol, model: BenchmarkModel, out: Path, estimated: bool):
        self.views = CachedViews(data, CACHE_BYTES)
        self.protocol, self.model, self.out, self.estimated = protocol, model, out, estimated
        self.lpips, self.measurements = Lpips(), RuntimeMeasurements()
        self._observation: Key | None = None
        self._estimate: EstimatedBody | None = None
        self._renderer: Renderer | None = None
        self._pose: tuple[Key, BodyPose] | None = None

    def evaluate_pair(self, pair: EvaluationPair) -> Record:
        """Predict one image, score it, and write its strip."""
        observation, target_view = self.views[pair.observation], self.views[pair.target]
        inputs = published_inputs(observation, target_view, self.protocol.scale, self.protocol.silhouette_margin)
        camera = camera_from_published(inputs.camera, _size(inputs.mask))
        subject = observed_subject(inputs, observation.subject.body_model)
        if pair.observation != self._observation:
            self._encode_observation(pair, subject, inputs, camera)
        prediction, seconds = self._predict(pair, camera, inputs)
        target = np.moveaxis(inputs.image, 0, -1)
        scores = self._score(pair, prediction, target, inputs)
        record = make_record(pair, azimuth_between(subject, camera, inputs.pose), scores, seconds)
        observed = np.moveaxis(inputs.observed_image * inputs.observed_mask, 0, -1)
        write_strip(self.out / STRIPS_FOLDER / record.subject / record.strip_name, observed, target, prediction)
        return record

    def _score(
        self,
        pair: EvaluationPair,
        prediction: Float[np.ndarray, "h w 3"],
        target: Float[np.ndarray, "h w 3"],
        inputs: PublishedInputs,
    ) -> dict[str, Scores]:
        """Return the scores in every scope of `sherf.benchmark.records.SCOPES`.

        Raises:
            BadInput: the person is outside the image.
        """
        box = inputs.rays.hit.reshape(_size(inputs.mask))
        if not box.any() or not inputs.mask.any():
            raise BadInput(f"{pair.target}: the person is outside the image.")
        person = bounding_rectangle(inputs.mask)
        return {
            "published": score(prediction, target, box, "published", self.lpips),
            "standard": score(prediction, target, box, "standard", self.lpips),
            "standard_person_box": score(prediction, target, person, "standard", self.lpips),
        }

    def _encode_observation(
        self, pair: EvaluationPair, subject: Subject, inputs: PublishedInputs, camera: Camera
    ) -> None:
        """Encode another observation; the first one is encoded and rendered twice to measure cold and warm latency."""
        vertices = torch.from_numpy(inputs.observed_vertices)
        is_first = self._observation is None
        if self.estimated:
            self._estimate = estimate_body(subject, self.model.body)
            subject = self._estimate.subject
            vertices = self.model.body.pose(subject.pose).vertices
        self._renderer, self._observation, self._pose = self.model.encode(subject, vertices), pair.observation, None
        if is_first:
            self._predict(pair, camera, inputs)
            self.measurements.cold_s = self._time() - self.measurements.start
            start = self._time()
            self._renderer, self._pose = self.model.encode(subject, vertices), None
            self._predict(pair, camera, inputs)
            self.measurements.warm_s = self._time() - start
            self.measurements.frame_seconds.clear()

    def _predict(
        self, pair: EvaluationPair, camera: Camera, inputs: PublishedInputs
    ) -> tuple[Float[np.ndarray, "h w 3"], float]:
        """Return the predicted image on black, and its rendering time in seconds."""
        camera, pose, vertices = self._target_scene(pair, camera, inputs)
        # renderers cache what depends on the pose as long as they receive the same object
        pose_key = pair.target._replace(view=0)
        if self._pose is None or self._pose[0] != pose_key:
            self._pose = (pose_key, pose)
        assert self._renderer is not None
        start = self._time()
        frame = self._renderer.frame(camera, self._pose[1], vertices)
        seconds = self._time() - start
        self.measurements.frame_seconds.append(seconds)
        return frame.rgb.permute(1, 2, 0).cpu().numpy(), seconds

    def _time(self) -> float:
        """Return the time in seconds at which the device has done all that it was asked to."""
        self.model.backend.synchronize()
        return time.perf_counter()

    def _target_scene(
        self, pair: EvaluationPair, camera: Camera, inputs: PublishedInputs
    ) -> tuple[Camera, BodyPose, Float[Tensor, "vertex 3"] | None]:
        """Return camera, pose and vertices to render, in the estimated world if there is one."""
        if self._estimate is None:
            return camera, inputs.pose, torch.from_numpy(inputs.vertices)
        pose, similarity = self._estimate.subject.pose, self._estimate.similarity
        if pair.kind == "novel_pose":
            pose, similarity = repose(pose, inputs.pose, self.model.body)
        return similarity.transform_camera(camera), pose, None


def observed_subject(inputs: PublishedInputs, body_model: str) -> Subject:
    """Return the observation as models receive it, black outside the person.

    Args:
        inputs: the prepared pair.
        body_model: whose betas the observed pose carries.
    """
    image = torch.from_numpy(np.ascontiguousarray(inputs.observed_image))
    mask = torch.from_numpy(inputs.observed_mask)
    camera = camera_from_published(inputs.observed_camera, _size(inputs.observed_mask))
    return Subject(image, mask, camera, inputs.observed_pose, body_model)


def azimuth_between(observed: Subject, camera: Camera, pose: BodyPose) -> float:
    """Return the azimuth between the observing and another camera about the body, degrees, 0 to 180.

    Measured in the body's root frame: a body that turns shows another side to the same camera.

    Args:
        observed: the observation, with its camera and pose.
        camera: the other camera.
        pose: of the body that the other camera sees.
    """
    azimuths = []
    for viewpoint, posed in ((observed.camera, observed.pose), (camera, pose)):
        R_world_root = posed.R_world_body @ axis_angle_to_matrix(posed.joints[0])
        x, _, z = (R_world_root.T @ (viewpoint.position - posed.T_world_body)).tolist()
        azimuths.append(np.degrees(np.arctan2(x, z)))
    difference = abs(azimuths[0] - azimuths[1]) % 360
    return float(min(difference, 360 - difference))


def _size(image: Float[np.ndarray, "h w"] | np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
