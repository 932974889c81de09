"""What the browser turns: its cameras, and messages that it must not trust."""

import math
from typing import Any

import pytest
import torch
from stage import camera_in_front, standing

from sherf.app.turning import HEIGHT, start_camera, view_camera
from sherf.avatar.encoder import EncodedAvatar, ModelEncoder
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.camera.framing import frame_person
from sherf.camera.pinhole import project
from sherf.errors import BadInput
from sherf.models.template.model import TemplateModel
from sherf.render.devices import choose_backend

from stage import photograph  # isort: skip

VIEW: dict[str, Any] = {
    "name": "a/b", "view": 1, "theta": 0.3, "phi": 1.4, "radius": 3.0, "fov": 28.0, "target": [0.1, -0.2, 0.3],
    "aspect": 1.5,
}  # fmt: skip


def test_the_target_is_in_the_middle_at_the_given_distance() -> None:
    camera = view_camera(VIEW)
    pixels, depth = project(camera, torch.tensor([VIEW["target"]]))
    torch.testing.assert_close(pixels[0], torch.tensor([HEIGHT * 1.5 / 2, HEIGHT / 2]))
    assert float(depth[0]) == pytest.approx(3.0, abs=1e-5)
    # the vertical field of view: a point that far above lies on the upper edge
    above = torch.tensor([VIEW["target"]]) - 3.0 * math.tan(math.radians(14)) * camera.R[1]
    assert float(project(camera, above)[0][0, 1]) == pytest.approx(0, abs=1e-2)
    # theta turns about the vertical axis from +z towards +x, phi comes down from +y: as three.js and model-viewer count
    front = view_camera(VIEW | {"theta": 0.0, "phi": math.pi / 2, "target": [0.0, 0.0, 0.0]})
    torch.testing.assert_close(front.position, torch.tensor([0.0, 0.0, 3.0]), atol=1e-5, rtol=0)
    right = view_camera(VIEW | {"theta": math.pi / 2, "phi": math.pi / 2, "target": [0.0, 0.0, 0.0]})
    torch.testing.assert_close(right.position, torch.tensor([3.0, 0.0, 0.0]), atol=1e-5, rtol=0)


def test_the_viewer_starts_with_the_camera_that_frames_the_person(body: BodyModel) -> None:
    subject = photograph(body, standing(0.4), camera_in_front((120, 90)))
    backend = choose_backend("cpu")
    avatar: EncodedAvatar = ModelEncoder(TemplateModel(), backend, "template").encode(subject, body, {})
    renderer = FieldRenderer(avatar, body, backend)
    camera = view_camera(start_camera(renderer, avatar) | {"aspect": 1.0})
    framed, _ = frame_person(renderer.outline(subject.pose), subject.camera, (HEIGHT, HEIGHT))
    for name in ("K", "R", "T"):
        torch.testing.assert_close(getattr(camera, name), getattr(framed, name), atol=2e-3, rtol=1e-4)


@pytest.mark.parametrize("message", [
    None, "view", [], {}, VIEW | {"theta": None}, VIEW | {"target": [1, 2]}, VIEW | {"target": "abc"},
    VIEW | {"radius": -1}, VIEW | {"radius": "3"}, VIEW | {"fov": 0}, VIEW | {"fov": 179}, VIEW | {"aspect": 1e-3},
    VIEW | {"aspect": 1e3}, VIEW | {"phi": math.nan}, VIEW | {"theta": math.inf}, VIEW | {"target": [1, 2, 1e9]},
])  # fmt: skip
def test_views_that_cannot_be_rendered_are_refused(message: Any) -> None:
    with pytest.raises(BadInput):
        view_camera(message)
