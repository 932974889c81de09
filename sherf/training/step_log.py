"""The numbers of training steps: read from the device together, then written to log.csv, TensorBoard and a bar."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from sherf.training.csv_log import CsvLog
from sherf.training.training_pairs import TrainingPair


@dataclass(frozen=True)
class StepResult:
    """What one step of a training leaves behind."""

    step: int
    """From 0."""
    seconds: float
    """Time spent in steps so far."""
    learning_rate: float
    batch: list[TrainingPair]
    names: tuple[str, ...]
    """Of the losses: their sum first."""
    values: Float[Tensor, " loss_and_gradient"]
    """The losses, means over all processes, and the norm of the gradient; on the device."""


def read_results(results: list[StepResult]) -> Iterator[tuple[StepResult, dict[str, float]]]:
    """Copy the numbers of several steps from the device at once.

    Yields:
        Each step with its losses, `gradient` (norm) and `learning_rate` by name.
    """
    if not results:
        return
    all_values = torch.cat([result.values for result in results]).tolist()
    for result in results:
        count = len(result.values)
        *losses, gradient = all_values[:count]
        del all_values[:count]
        row = {name: round(value, 7) for name, value in zip(result.names, losses, strict=True)}
        yield result, row | {"gradient": round(gradient, 5), "learning_rate": result.learning_rate}


class StepLog:
    """log.csv, TensorBoard and the progress bar of a training."""

    def __init__(self, out: Path, step: int, steps: int):
        """Open the log in the folder of a training.

        Args:
            out: the folder.
            step: completed steps.
            steps: of the whole schedule.
        """
        from torch.utils.tensorboard import SummaryWriter

        self.csv = CsvLog(out / "log.csv", step)
        self.board = SummaryWriter(out / "tensorboard")
        self.bar = tqdm(total=steps, initial=step, unit="step", mininterval=5, smoothing=0.05)

    def add(self, result: StepResult, row: dict[str, float]) -> None:
        """Write the numbers of a step."""
        done = result.step + 1
        self.csv.add({"step": done, "seconds": round(result.seconds, 2)} | row)
        for name, value in row.items():
            self.board.add_scalar(name, value, done)
        self.bar.update()
        self.bar.set_postfix_str(f"loss {row['loss']:.4f}", refresh=False)

    def close(self) -> None:
        """Close TensorBoard's file and the bar."""
        self.board.close()
        self.bar.close()
