"""Peak memory and time of one training step of the published network at 128 x 128."""

import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "models" / "paper"))

from stand_in import stand_in_model  # noqa: E402

from sherf.body.files import load_body_model  # noqa: E402
from sherf.camera.pinhole import resize  # noqa: E402
from sherf.datasets.multiview import View  # noqa: E402
from sherf.datasets.thuman import Thuman  # noqa: E402
from sherf.models.config import PAPER  # noqa: E402
from sherf.models.paper.bank import CanonicalSpace  # noqa: E402
from sherf.models.paper.field import PaperField  # noqa: E402
from sherf.render.box import box_rays, box_samples  # noqa: E402
from sherf.render.devices import choose_backend  # noqa: E402
from sherf.render.march import MarchOptions, follow  # noqa: E402
from sherf.render.sampling import OccupancyGrid  # noqa: E402

SIDE = 128


def resize_view(view: View) -> View:
    """Return the view at SIDE x SIDE, by averaging areas."""
    subject = view.subject
    layers = torch.cat([subject.image, subject.mask[None]])
    *image, mask = F.interpolate(layers[None], size=(SIDE, SIDE), mode="area")[0]
    camera = resize(subject.camera, (SIDE, SIDE))
    return replace(view, subject=replace(subject, image=torch.stack(image), mask=mask, camera=camera))


def main() -> None:
    """Measure and print."""
    body, backend = load_body_model(ROOT / "tests/golden/smpl_standin.npz"), choose_backend("cpu")
    data, model = Thuman(ROOT / "tests/golden/thuman_layout"), stand_in_model(PAPER).train()
    observed, target = (resize_view(data.view("subject_000", 0, view)) for view in (0, 6))
    start = time.perf_counter()
    space = CanonicalSpace.of(body)
    tables = model.tables(model.encode(observed.subject, body, observed.vertices), space)
    field = PaperField(model, tables, body, body.pose(target.subject.pose), backend)
    rays = box_rays(target.subject.camera, field.vertices)
    grid = OccupancyGrid.around(field.vertices, body.faces, PAPER.near_body_m)
    samples = box_samples(rays, grid, PAPER.samples)
    seen = follow(field, rays, samples, backend, MarchOptions(block=PAPER.samples, stop=0.0))
    wanted = (target.subject.image * target.subject.mask).flatten(start_dim=1).T
    loss = (seen.rgb - wanted).square().mean() + (seen.opacity - target.subject.mask.flatten()).square().mean()
    loss.backward()
    reached = sum(p.grad is not None for p in model.parameters())
    print(
        f"{SIDE} x {SIDE} rays, {len(samples.ray)} samples: loss {loss.item():.4f}, {reached} parameters with gradients"
    )
    print(f"{time.perf_counter() - start:.1f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


if __name__ == "__main__":
    main()
