"""What is looked at during a training: a few people of the validation split, in pictures and numbers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from sherf.avatar.avatar_file import Avatar
from sherf.avatar.renderer import make_renderer
from sherf.benchmark.lpips_metric import Lpips
from sherf.benchmark.metrics import rectangle_around, score
from sherf.body.body_model import BodyModel
from sherf.datasets.multiview import MultiviewData
from sherf.datasets.pairs import Key
from sherf.export.video_writer import write_png
from sherf.models.paper.network import Sherf
from sherf.render.backend import Backend
from sherf.training.csv_log import Log
from sherf.training.state import Progress, RunningAverage
from sherf.training.training_pairs import Drawn

MOST_PEOPLE = 4


class Validation:
    """Renders the same pictures again and again: one novel view and one novel pose of each of a few people."""

    def __init__(self, data: MultiviewData, out: Path, after: int, people: int = MOST_PEOPLE):
        self.data, self.out = data, out
        self.log = Log(out / "validation.csv", after)
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
    def weights(self, model: Sherf, average: RunningAverage) -> Iterator[None]:
        """The averaged weights in place of the model's own."""
        own = {name: value.clone() for name, value in model.state_dict().items()}
        was_training = model.training
        model.load_state_dict(average.weights)
        model.eval()
        try:
            yield
        finally:
            model.load_state_dict(own)
            model.train(was_training)

    def run(self, model: Sherf, body: BodyModel, backend: Backend, progress: Progress, board: Any) -> None:
        """Render, score, and write a sheet: observation, target, prediction, visibility."""
        rows, scores = [], []
        for observed_key, target_key in self.keys:
            observed, target = self.data.view(*observed_key), self.data.view(*target_key)
            with torch.no_grad():
                bank = model.encode(observed.subject.to(backend.device), body, observed.vertices.to(backend.device))
            renderer = make_renderer(Avatar(bank, {}, model), body, backend)
            frame = renderer.frame(target.subject.camera, target.subject.pose, target.vertices)
            wanted = target.subject.image * target.subject.mask
            prediction = frame.rgb.cpu()
            a, b = (x.permute(1, 2, 0).numpy() for x in (prediction, wanted))
            scores.append(score(a, b, rectangle_around(target.subject.mask.numpy() > 0.5), "standard", self.lpips))
            photo = observed.subject.image * observed.subject.mask
            rows.append(torch.cat([photo, wanted, prediction, frame.visibility.cpu().expand(3, -1, -1)], dim=2))
        halves = [torch.cat(rows[0::2], dim=1), torch.cat(rows[1::2], dim=1)]
        sheet = torch.cat(halves, dim=2).clamp(0, 1)
        write_png(self.out / "validation" / f"step_{progress.step:07d}.png", sheet)
        row = {name: round(float(np.mean([getattr(s, name) for s in scores])), 4) for name in vars(scores[0])}
        self.log.add({"step": progress.step, "seconds": round(progress.seconds, 1)} | row)
        if board is not None:
            for name, value in row.items():
                board.add_scalar(f"validation/{name}", value, progress.step)
            board.add_image("validation", sheet, progress.step)


def write_bad_batch(out: Path, step: int, rank: int, batch: list[Drawn]) -> Path:
    """Keep the batch at which a training stopped."""
    path = out / f"bad_batch_{step:07d}_{rank}.safetensors"
    tensors = {}
    for number, drawn in enumerate(batch):
        for role in ("observation", "target"):
            subject = getattr(drawn.pair, role).subject
            tensors |= {f"{number}.{role}.image": subject.image, f"{number}.{role}.mask": subject.mask}
            tensors |= {f"{number}.{role}.{name}": getattr(subject.camera, name) for name in "KRT"}
            tensors[f"{number}.{role}.joints"] = subject.pose.joints
    keys = [{"observation": drawn.observation, "target": drawn.target, "seed": drawn.seed} for drawn in batch]
    save_file({name: x.clone() for name, x in tensors.items()}, path, {"keys": json.dumps(keys)})
    return path
