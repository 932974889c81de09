"""The template on a card, held to the CPU: run it where there is one."""

import pytest
import torch

from sherf.avatar import Avatar
from sherf.body.model import BodyModel
from sherf.devices import choose_backend
from sherf.renderer import make_renderer
from sherf.scene import Subject
from sherf.template.model import encode


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
