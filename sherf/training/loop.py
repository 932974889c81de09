"""The training loop, on Lightning Fabric: one process or several, safe to interrupt and resume."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import torch
from lightning_fabric import Fabric
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData
from sherf.errors import TrainingError
from sherf.files.output import prepare_output_folder
from sherf.models.build import build_network
from sherf.models.checkpoint import save_checkpoint
from sherf.models.network import Network
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.training.loader import open_loader
from sherf.training.objective import Objective
from sherf.training.options import TrainingOptions
from sherf.training.state import STATE, Progress, RunningAverage, read_state, write_state
from sherf.training.step_log import StepLog, StepResult, read_results
from sherf.training.texture_cache import TextureCache
from sherf.training.training_pairs import TrainingPair, TrainingPairs
from sherf.training.validation import Validation, write_failed_batch

CHECKPOINT = "checkpoint.safetensors"
READ_STEPS = 16
"""On a GPU, losses are read once in this many steps: the CPU waits for the GPU meanwhile."""


@dataclass(frozen=True)
class RunLimits:
    """How long one run trains, and how often it saves and validates."""

    seconds: float = math.inf
    """Stop after this long, even if the schedule goes on."""
    save_seconds: float = 600.0
    """Time between saves of the state."""
    validation_steps: int = 1000
    """Steps between validations."""


def compute_learning_rate(options: TrainingOptions, step: int) -> float:
    """Return the learning rate of a step: warm-up, plateau or slow decay, and a cosine to a hundredth at the end.

    Args:
        options: `learning_rate`, `steps`, `warm_up`, `halve_steps`, `slow_after` and `decay`.
        step: from 0.
    """
    rising = min(1.0, (step + 1) / max(options.warm_up, 1))
    decay_start = options.steps * (1 - options.decay)
    share = min(max((step - decay_start) / max(options.steps - decay_start, 1), 0.0), 1.0)
    falling = 0.5 ** (step // options.halve_steps) if options.halve_steps else 1.0
    if options.slow_after:
        falling *= min(1.0, math.sqrt(options.slow_after / (step + 1)))
    if options.decay == 0:
        return options.learning_rate * rising * falling
    return options.learning_rate * rising * falling * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)


class Trainer:
    """One training in one folder."""

    def __init__(
        self,
        fabric: Fabric,
        model: Network,
        body: BodyModel,
        backend: Backend,
        options: TrainingOptions,
        out: Path,
        settings: dict[str, Any],
        half: bool = False,
    ):
        """Start a training, or resume the one in the folder.

        Args:
            fabric: devices and processes.
            model: the network, with its initial weights.
            body: the body model of the data set, on the backend's device.
            backend: where to compute.
            options: losses and schedule.
            out: folder for state, checkpoint and logs.
            settings: stored with the state, as JSON values; `data_sha256` names the texture cache.
            half: compute convolutions and linear layers in bfloat16.

        Raises:
            BadInput: the state in the folder is damaged, or belongs to another network.
            OutputError: the folder cannot be written.
        """
        self.fabric, self.options, self.out, self.settings = fabric, options, prepare_output_folder(out), settings
        model.to(backend.device)  # first: average and optimiser keep their state where the weights lie
        objective = Objective(model, body, backend, options, half)
        self.average = RunningAverage(model, options.ema)
        optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, betas=options.adam)
        self.progress = Progress()
        self.model, self.body, self.backend = model, body, backend
        if (out / STATE).exists():
            self.progress = read_state(out / STATE, model, self.average, optimizer)
            print_status(f"continuing after step {self.progress.step}, {self.progress.seconds / 3600:.2f} hours")
        self.objective, self.optimizer = fabric.setup(objective, optimizer)
        self._unread: list[StepResult] = []

    def train(self, data: MultiviewData, validation: Validation | None, limits: RunLimits) -> Progress:
        """Train until the schedule or the time ends, or the user interrupts; the state is saved in any case.

        Args:
            data: the training split.
            validation: None: do not validate.
            limits: of this run.

        Returns:
            The progress at the end.

        Raises:
            BadInput: an image of the data set is missing or damaged.
            OutputError: the folder cannot be written.
            TrainingError: a loss or gradient is not finite.
            KeyboardInterrupt: the user interrupted, after the state was saved.
        """
        fabric, options, progress = self.fabric, self.options, self.progress
        pairs = TrainingPairs(data, options, progress.step, fabric.global_rank, fabric.world_size, options.steps)
        pairs.texture_cache = self._texture_cache(pairs)
        for name, why in pairs.skipped.items():
            print_status(f"skipped {name}: {why}")
        is_first = fabric.global_rank == 0
        log = StepLog(self.out, progress.step, options.steps) if is_first else None
        started = saved = time.monotonic()
        with _defer_interrupts() as is_interrupted, closing(log) if log else nullcontext():
            for batch in open_loader(pairs, self.backend, fabric.world_size):
                self._train_on(batch, pairs.texture_cache is not None and progress.step < options.maps_steps)
                now = time.monotonic()
                is_over = self._is_true_anywhere(now - started > limits.seconds or is_interrupted())
                validates = validation is not None and progress.step % limits.validation_steps == 0
                saves = is_over or now - saved > limits.save_seconds
                if validates or saves or len(self._unread) >= self._read_steps:
                    self._read(log)
                if validation is not None and validates and log is not None:
                    with validation.averaged_weights(self.model, self.average):
                        validation.run(self.model, self.body, self.backend, progress, log.board)
                if saves:
                    saved = now
                    self.save()
                if is_over:
                    break
            else:
                self._read(log)
                self.save()
        if is_interrupted():
            raise KeyboardInterrupt
        return progress

    @property
    def _read_steps(self) -> int:
        return READ_STEPS if self.backend.is_gpu else 1

    def _read(self, log: StepLog | None) -> None:
        """Read and log the losses of all steps since the last call; on a GPU this waits for it.

        Raises:
            TrainingError: a loss or gradient is not finite.
        """
        for result, row in read_results(self._unread):
            for name in ("loss", "gradient"):
                if not math.isfinite(row[name]):
                    self._fail(result, f"the {name} is {row[name]}")
            if log is not None:
                log.add(result, row)
        self._unread.clear()

    def _texture_cache(self, pairs: TrainingPairs) -> TextureCache | None:
        """Return the cache of texel targets; None if no loss needs them, or the data set has no depths."""
        body = self.body.to("cpu")
        atlas = self.model.atlas(body) if self.options.supervises_maps else None
        if atlas is None:
            return None
        if not pairs.has_depth:
            print_status("the data set has no depths: UV feature maps are supervised by rays alone")
            return None
        return TextureCache(body, atlas, self.out / "baked" / self.settings["data_sha256"][:16])

    def save(self) -> None:
        """Write the state, and the averaged weights as a checkpoint.

        Raises:
            OutputError: a file cannot be written; the earlier ones remain.
        """
        if self.fabric.global_rank != 0:
            return
        write_state(self.out / STATE, self.settings, self.progress, self.model, self.average, self.optimizer)
        about = {"training": self.settings | {"step": self.progress.step, "seconds": round(self.progress.seconds)}}
        with torch.device("meta"):
            averaged = build_network(self.model.config)
        averaged.load_state_dict(self.average.weights, assign=True)
        save_checkpoint(averaged, self.out / CHECKPOINT, about)

    def _train_on(self, batch: list[TrainingPair], maps_alone: bool) -> None:
        """Train on one batch; its losses stay on the device until they are read."""
        progress, start = self.progress, time.perf_counter()
        rate = compute_learning_rate(self.options, progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        on_device = [pair.to(self.fabric.device) for pair in batch]
        losses: dict[str, Tensor] = self.objective(on_device, maps_alone)
        loss = torch.stack(list(losses.values())).sum()
        self.fabric.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip or math.inf)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.model, progress.step)
        every = torch.stack([loss.detach(), *(x.detach() for x in losses.values())])
        mean = self.fabric.all_reduce(every, reduce_op="mean")
        assert isinstance(mean, Tensor)
        progress.seconds += time.perf_counter() - start
        values = torch.cat([mean, norm.reshape(1).to(mean)])
        self._unread.append(StepResult(progress.step, progress.seconds, rate, batch, ("loss", *losses), values))
        progress.step += 1

    def _fail(self, result: StepResult, reason: str) -> NoReturn:
        """Stop the training at a batch, which is written for inspection.

        Raises:
            TrainingError: always.
        """
        path = write_failed_batch(self.out, result.step, self.fabric.global_rank, result.batch)
        raise TrainingError(
            f"training stopped at step {result.step}: {reason}.\nThe batch is in {path}, the last good state in "
            f"{self.out / STATE}.\nTo fix this: try a smaller learning_rate, or check the images of that batch."
        )

    def _is_true_anywhere(self, condition: bool) -> bool:
        """Return whether a condition holds in any process; the answer is the same in all."""
        if self.fabric.world_size == 1:
            return condition
        total = self.fabric.all_reduce(torch.tensor(float(condition)), reduce_op="sum")
        assert isinstance(total, Tensor)
        return bool(total > 0)


@contextmanager
def _defer_interrupts() -> Iterator[Callable[[], bool]]:
    """Let the current step finish on Ctrl-C or SIGTERM; a second signal interrupts at once.

    Yields:
        Whether a signal has arrived.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        print_status("stopping after this step (repeat to stop at once) ...")

    original = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in original.items():
            signal.signal(number, handler)
