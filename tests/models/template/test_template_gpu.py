"""The template on a card, held to the CPU: run it where there is one."""

import pytest
import torch

from sherf.avatar.avatar_file import Avatar
from sherf.avatar.renderer import make_renderer
from sherf.body.body_model import BodyModel
from sherf.models.template.bank import encode
from sherf.render.devices import choose_backend
from sherf.scene import Subject


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_card_renders_what_the_cpu_renders(subject: Subject, body: BodyModel) -> None:
    avatar = Avatar(encode(subject, body), {})
    frames = [
        make_renderer(avatar, body, choose_backend(device)).frame(subject.camera, subject.pose)
        for device in ("cpu", "cuda")
    ]
    torch.testing.assert_close(frames[1].rgb.cpu(), frames[0].rgb, atol=2e-2, rtol=0)
    assert float((frames[1].rgb.cpu() - frames[0].rgb).abs().mean()) < 1e-3
