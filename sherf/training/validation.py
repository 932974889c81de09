"""Validation during training: a few people of the validation split are rendered and scored."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import FieldRenderer
from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import bounding_rectangle, score
from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import Key
from sherf.files.images import write_png
from sherf.models.network import Network
from sherf.render.backend import Backend
from sherf.training.csv_log import CsvLog
from sherf.training.state import Progress, RunningAverage
from sherf.training.training_pairs import TrainingPair

MAX_PEOPLE = 4


class Validation:
    """Renders the same frames each time: one novel view and one novel pose of each of a few people."""

    def __init__(self, data: MultiviewData, out: Path, after: int, people: int = MAX_PEOPLE):
        """Choose the frames.

        Args:
            data: the validation split.
            out: folder of the training; validation.csv and validation/ are written there.
            after: step that the training resumes from; later rows of the log are dropped.
            people: number of people.

        Raises:
            BadInput: a file of the data set is missing or damaged.
            MissingAsset: LPIPS is not installed.
        """
        self.data, self.out = data, out
        self.log = CsvLog(out / "validation.csv", after)
        self.lpips = Lpips()
        self.keys: list[tuple[Key, Key]] = []
        for number, subject in enumerate(data.subjects[:people]):
            poses, views = data.poses(subject), data.views(subject)
            observed = Key(subject, poses[0], views[0])
            back = views[len(views) // 2 - number % 3]
            self.keys += [
                (observed, Key(subject, poses[0], back)),
                (observed, Key(subject, poses[-1], views[1 + number % 3])),
            ]

    @contextmanager
    def averaged_weights(self, model: Network, average: RunningAverage) -> Iterator[None]:
        """Replace the model's weights with the averaged ones inside a `with` block."""
        original = {name: value.clone() for name, value in model.state_dict().items()}
        was_training = model.training
        model.load_state_dict(average.weights)
        model.eval()
        try:
            yield
        finally:
            model.load_state_dict(original)
            model.train(was_training)

    def run(self, model: Network, body: BodyModel, backend: Backend, progress: Progress, board: Any) -> None:
        """Render and score the frames, and write them as one image: observation, target, prediction, visibility.

        Args:
            model: the network.
            body: the body model of the data set.
            backend: where to compute.
            progress: for the log.
            board: TensorBoard's writer, or None.

        Raises:
            BadInput: an image of the data set is missing or damaged.
            OutputError: a file cannot be written.
        """
        rows, scores = [], []
        for observed_key, target_key in self.keys:
            observed, target = self.data.view(*observed_key), self.data.view(*target_key)
            with torch.no_grad():
                bank = model.encode(observed.subject.to(backend.device), body, observed.vertices.to(backend.device))
            renderer = FieldRenderer(EncodedAvatar(bank, model, {}), body, backend)
            frame = renderer.frame(target.subject.camera, target.subject.pose, target.vertices)
            truth = target.subject.image * target.subject.mask
            prediction = frame.rgb.cpu()
            a, b = (x.permute(1, 2, 0).numpy() for x in (prediction, truth))
            scores.append(score(a, b, bounding_rectangle(target.subject.mask.numpy() > 0.5), "standard", self.lpips))
            photo = observed.subject.image * observed.subject.mask
            rows.append(torch.cat([photo, truth, prediction, frame.visibility.cpu().expand(3, -1, -1)], dim=2))
        halves = [torch.cat(rows[0::2], dim=1), torch.cat(rows[1::2], dim=1)]
        sheet = torch.cat(halves, dim=2).clamp(0, 1)
        write_png(self.out / "validation" / f"step_{progress.step:07d}.png", sheet)
        row = {name: round(float(np.mean([getattr(s, name) for s in scores])), 4) for name in vars(scores[0])}
        self.log.add({"step": progress.step, "seconds": round(progress.seconds, 1)} | row)
        if board is not None:
            for name, value in row.items():
                board.add_scalar(f"validation/{name}", value, progress.step)
            board.add_image("validation", sheet, progress.step)


def write_failed_batch(out: Path, step: int, rank: int, batch: list[TrainingPair]) -> Path:
    """Write the batch at which a training stopped, to reproduce the failure.

    Args:
        out: folder of the training.
        step: at which it stopped.
        rank: of the process.
        batch: its pairs, before augmentation.

    Returns:
        The .safetensors file: images, masks, cameras and poses; keys and seeds in the header.
    """
    path = out / f"bad_batch_{step:07d}_{rank}.safetensors"
    tensors: dict[str, Tensor] = {}
    for number, pair in enumerate(batch):
        for role in ("observation", "target"):
            subject = getattr(pair.pair, role).subject
            tensors |= {f"{number}.{role}.image": subject.image, f"{number}.{role}.mask": subject.mask}
            tensors |= {f"{number}.{role}.{name}": getattr(subject.camera, name) for name in "KRT"}
            tensors[f"{number}.{role}.joints"] = subject.pose.joints
    keys = [{"observation": pair.observation, "target": pair.target, "seed": pair.seed} for pair in batch]
    save_file({name: x.clone() for name, x in tensors.items()}, path, {"keys": json.dumps(keys)})
    return path
