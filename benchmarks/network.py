"""Speed of the published network at 512 x 512, compared with its per-point part alone: `python benchmarks/network.py`.

Uses the synthetic subject of tests/golden at full size, with stand-in weights and body: neither affects the amount of
computation. The baseline runs only fusion and decoder over the samples near the body, 16 k at a time, written as in the
paper. Run it on an otherwise idle machine.
"""

import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "models" / "paper"))

from stand_in import stand_in_model  # noqa: E402

from sherf.avatar.encoder import EncodedAvatar  # noqa: E402
from sherf.avatar.renderer import FieldRenderer  # noqa: E402
from sherf.body.files import load_body_model  # noqa: E402
from sherf.datasets.thuman import Thuman  # noqa: E402
from sherf.models.config import PAPER  # noqa: E402
from sherf.models.layers.positional_encoding import positional_encoding  # noqa: E402
from sherf.models.paper.field import PaperReader  # noqa: E402
from sherf.models.paper.network import PaperNetwork  # noqa: E402
from sherf.render.box import box_rays, box_samples  # noqa: E402
from sherf.render.devices import choose_backend  # noqa: E402
from sherf.render.sampling import OccupancyGrid  # noqa: E402

DATA, SUBJECT, BODY = ROOT / "tests/golden/thuman_layout", "subject_000", ROOT / "tests/golden/smpl_standin.npz"
OBSERVED, TARGETS = (0, 0), {"same pose": (0, 6), "new pose": (2, 4)}
CHUNK, REPEATS = 2**14, 5


def plain_network(model: PaperNetwork, tokens: Tensor, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Run fusion and decoder, layer by layer."""
    for layer in model.fusion.layers:
        normed = layer.attention_norm(tokens)
        q, k, v = layer.to_qkv(normed).unflatten(-1, (3, layer.heads, -1)).transpose(-4, -2).unbind(-3)
        shares = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)
        tokens = tokens + layer.to_out((shares @ v).transpose(-3, -2).flatten(start_dim=-2))
        tokens = tokens + layer.mlp(layer.mlp_norm(tokens))
    decoder = model.decoder
    inputs = torch.cat([positional_encoding(points, 6), tokens[:, 0]], dim=-1)
    hidden = inputs
    for i, linear in enumerate(decoder.trunk):
        hidden = F.relu(linear(hidden))
        if i == decoder.skip_after:
            hidden = torch.cat([inputs, hidden], dim=-1)
    density = decoder.density(hidden)
    view = torch.cat([decoder.feature(hidden), positional_encoding(directions, 4), tokens[:, 1]], dim=-1)
    return density, torch.sigmoid(decoder.colour(F.relu(decoder.view(view)))) * 1.002 - 0.001


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the median time of a call, seconds."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def over_samples(network: Callable[[Tensor, Tensor, Tensor], object], count: int) -> Callable[[], None]:
    """Return a function that runs a network over so many samples, in chunks."""
    tokens, points, directions = torch.randn(count, 3, 32), torch.randn(count, 3), torch.randn(count, 3)

    def work() -> None:
        for chunk in zip(tokens.split(CHUNK), points.split(CHUNK), directions.split(CHUNK), strict=True):
            network(*chunk)

    return work


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    body, data, backend = load_body_model(BODY), Thuman(DATA), choose_backend("cpu")
    model = stand_in_model(PAPER)
    observed = data.view(SUBJECT, *OBSERVED)
    start = time.perf_counter()
    bank = model.encode(observed.subject, body, observed.vertices)
    rows = [("encoding a photo (once)", time.perf_counter() - start, "")]
    renderer = FieldRenderer(EncodedAvatar(bank, {}, model), body, backend)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, 512 x 512, {PAPER.samples} samples per ray\n")
    for name, (pose, view) in TARGETS.items():
        target = data.view(SUBJECT, pose, view)
        camera, vertices = target.subject.camera, target.vertices
        rays = box_rays(camera, vertices)
        grid = OccupancyGrid.around(vertices, body.faces, PAPER.near_body_m)
        candidates = box_samples(rays, grid, PAPER.samples)
        points = rays.origins[candidates.ray] + candidates.position[:, None] * rays.directions[candidates.ray]
        nearest = backend.nearest_vertex(vertices, math.inf)(points)
        kept = int(((points - vertices[nearest]).square().sum(dim=1) < PAPER.near_body_m**2).sum())
        plain = seconds(over_samples(lambda *x: plain_network(model, *x), kept))
        ours = seconds(over_samples(model.decode, kept))
        start = time.perf_counter()
        renderer.frame(camera, target.subject.pose, vertices)
        cold = time.perf_counter() - start
        warm = seconds(lambda c=camera, p=target.subject.pose, v=vertices: renderer.frame(c, p, v))
        full_reader = PaperReader(model, bank, body, backend, replace(PaperReader.OPTIONS, stop=0.0))
        full_field = full_reader.field(replace(body.pose(target.subject.pose), vertices=vertices))
        full_field.render(camera)
        full = seconds(lambda f=full_field, c=camera: f.render(c), 3)
        rows += [
            (f"{name}: baseline, {kept} samples", plain, "1"),
            (f"{name}: fusion and decoder, ours", ours, f"{ours / plain:.2f}"),
            (f"{name}: first frame of the pose", cold, f"{cold / plain:.2f}"),
            (f"{name}: **frame, warm**", warm, f"**{warm / plain:.2f}**"),
            (f"{name}: frame, warm, no early ray termination", full, f"{full / plain:.2f}"),
        ]
    print("| what | seconds | relative to the baseline |\n|---|---|---|")
    for what, taken, ratio in rows:
        print(f"| {what} | {taken:.2f} | {ratio} |")
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


if __name__ == "__main__":
    main()
