"""The template on a GPU, compared with the CPU."""

import pytest
import torch

from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.renderer import FieldRenderer
from sherf.body.body_model import BodyModel
from sherf.models.template.bank import encode
from sherf.models.template.model import TemplateModel
from sherf.render.devices import choose_backend
from sherf.scene import Subject


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_and_cpu_render_the_same_frame(subject: Subject, body: BodyModel) -> None:
    avatar = EncodedAvatar(encode(subject, body), TemplateModel(), {})
    frames = [
        FieldRenderer(avatar, body, choose_backend(device)).frame(subject.camera, subject.pose)
        for device in ("cpu", "cuda")
    ]
    torch.testing.assert_close(frames[1].rgb.cpu(), frames[0].rgb, atol=2e-2, rtol=0)
    assert float((frames[1].rgb.cpu() - frames[0].rgb).abs().mean()) < 1e-3
