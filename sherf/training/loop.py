"""The training loop, on Lightning Fabric: one process or many, interrupted and continued."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData
from sherf.errors import TrainingError
from sherf.files.output import prepare_output_folder
from sherf.models.checkpoint import save_checkpoint
from sherf.models.paper.network import Sherf
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.training.csv_log import Log
from sherf.training.objective import Objective
from sherf.training.options import TrainingOptions
from sherf.training.state import STATE, Progress, RunningAverage, read_state, write_state
from sherf.training.training_pairs import Drawn, DrawnPairs, bakery_of
from sherf.training.validation import Validation, write_bad_batch

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Duration:
    """How long to go on, and how often to save."""

    seconds: float = math.inf
    save_seconds: float = 600.0
    validation_steps: int = 1000


def learning_rate(options: TrainingOptions, step: int) -> float:
    """Rises, stays (or falls slowly, or is halved now and then), and sinks to a hundredth along a cosine."""
    rising = min(1.0, (step + 1) / max(options.warm_up, 1))
    begin = options.steps * (1 - options.decay)
    share = min(max((step - begin) / max(options.steps - begin, 1), 0.0), 1.0)
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
        model: Sherf,
        body: BodyModel,
        backend: Backend,
        options: TrainingOptions,
        out: Path,
        settings: dict[str, Any],
        half: bool = False,
    ):
        """Begin, or continue what is in the folder.

        Args:
            settings: kept with the state.
            half: compute convolutions and linear layers in bfloat16.
        """
        self.fabric, self.options, self.out, self.settings = fabric, options, prepare_output_folder(out), settings
        objective = Objective(model, body, backend, options, half)
        self.average = RunningAverage(model, options.ema)
        optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, betas=options.adam)
        self.progress = Progress()
        self.model, self.body, self.backend = model, body, backend
        if (out / STATE).exists():
            self.progress = read_state(out / STATE, model, self.average, optimizer)
            print_status(f"continuing after step {self.progress.step}, {self.progress.seconds / 3600:.2f} hours")
        self.objective, self.optimizer = fabric.setup(objective, optimizer)
        self.average.weights = {name: x.to(fabric.device) for name, x in self.average.weights.items()}

    def train(self, data: MultiviewData, validation: Validation | None, duration: Duration) -> Progress:
        """Go on until the schedule or the time ends, or somebody interrupts."""
        fabric, options, done = self.fabric, self.options, self.progress
        pairs = DrawnPairs(data, options, done.step, fabric.global_rank, fabric.world_size, options.steps)
        if options.looks_at_maps and pairs.knows_depth:
            pairs.bakery = bakery_of(self.body.to("cpu"), options, self.out, self.settings["data_sha256"])
        elif options.looks_at_maps:
            print_status("the data set knows no depths: the planes learn from rays alone")
        for name, why in pairs.left_out.items():
            print_status(f"left out: {name}: {why}")
        loader = DataLoader(pairs, batch_size=pairs.share, collate_fn=list, num_workers=0)
        is_first = fabric.global_rank == 0
        log = Log(self.out / "log.csv", done.step) if is_first else None
        board = _board(self.out) if is_first else None
        began = saved = time.monotonic()
        with (
            _stoppable() as stopped,
            tqdm(
                total=options.steps, initial=done.step, disable=not is_first, unit="step", mininterval=5, smoothing=0.05
            ) as bar,
        ):
            for batch in loader:
                start = time.perf_counter()
                row = self._step(batch, pairs.bakery is not None and done.step < options.maps_steps)
                done.seconds += time.perf_counter() - start
                done.step += 1
                if log is not None and board is not None:
                    log.add({"step": done.step, "seconds": round(done.seconds, 2)} | row)
                    for name, value in row.items():
                        board.add_scalar(name, value, done.step)
                    bar.update()
                    bar.set_postfix_str(f"loss {row['loss']:.4f}", refresh=False)
                if validation is not None and is_first and done.step % duration.validation_steps == 0:
                    with validation.weights(self.model, self.average):
                        validation.run(self.model, self.body, self.backend, done, board)
                now = time.monotonic()
                over = self._agreed(now - began > duration.seconds or stopped())
                if over or now - saved > duration.save_seconds:
                    saved = now
                    self.save()
                if over:
                    break
            else:
                self.save()
        if board is not None:
            board.close()
        if stopped():
            raise KeyboardInterrupt
        return done

    def save(self) -> None:
        """Write the state, and the averaged weights as a checkpoint."""
        if self.fabric.global_rank != 0:
            return
        write_state(self.out / STATE, self.settings, self.progress, self.model, self.average, self.optimizer)
        about = {"training": self.settings | {"step": self.progress.step, "seconds": round(self.progress.seconds)}}
        with torch.device("meta"):
            averaged = Sherf(self.model.config)
        averaged.load_state_dict(self.average.weights, assign=True)
        save_checkpoint(averaged, self.out / CHECKPOINT, about)

    def _step(self, batch: list[Drawn], maps_alone: bool) -> dict[str, float]:
        """One step; returns its losses by name."""
        rate = learning_rate(self.options, self.progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        moved = [drawn.to(self.fabric.device) for drawn in batch]
        losses: dict[str, Tensor] = self.objective(moved, maps_alone)
        loss = torch.stack(list(losses.values())).sum()
        if not bool(loss.detach().isfinite()):
            self._stop_at(batch, f"the loss is {float(loss.detach())}")
        self.fabric.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip or math.inf)
        if not bool(norm.isfinite()):
            self._stop_at(batch, f"the gradient's norm is {float(norm)}")
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update(self.model, self.progress.step)
        values = {"loss": loss.detach()} | {name: value.detach() for name, value in losses.items()}
        mean = self.fabric.all_reduce(torch.stack(list(values.values())), reduce_op="mean")
        row = {name: round(float(value), 7) for name, value in zip(values, mean, strict=True)}
        return row | {"gradient": round(float(norm), 5), "learning_rate": rate}

    def _stop_at(self, batch: list[Drawn], what: str) -> None:
        path = write_bad_batch(self.out, self.progress.step, self.fabric.global_rank, batch)
        raise TrainingError(
            f"training stopped at step {self.progress.step}: {what}.\nThe batch is in {path}; the last good state in "
            f"{self.out / STATE}. A smaller learning_rate may help; or look at the pictures of that batch."
        )

    def _agreed(self, wish: bool) -> bool:
        """Whether any process wants to stop: all do then."""
        if self.fabric.world_size == 1:
            return wish
        return bool(self.fabric.all_reduce(torch.tensor(float(wish)), reduce_op="sum") > 0)


def _board(out: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(out / "tensorboard")


@contextmanager
def _stoppable() -> Iterator[Any]:
    """Lets the step that runs come to its end on Ctrl-C or SIGTERM; a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        print_status("stopping after this step (again: at once) ...")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
