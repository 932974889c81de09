"""The page on a GPU: it encodes and renders there, and shows the same as on the CPU."""

import numpy as np
import pytest
import torch
from simulated_device import simulated_gpu

from sherf.app.options import AppOptions
from sherf.app.tints import visibility_image
from sherf.app.viewer import AvatarViewer, View
from sherf.avatar.encoder import ModelEncoder
from sherf.body.body_model import BodyModel
from sherf.models.template.model import TemplateModel
from sherf.render.devices import Device, choose_backend
from sherf.scene import Frame, Subject

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")

from sherf.app import server  # noqa: E402


@pytest.mark.parametrize("shows_visibility", [False, True])
def test_views_are_the_same_on_a_gpu(
    body: BodyModel, subject: Subject, shows_visibility: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sherf.app.viewer.COARSE_SIZE", 24)

    def view(device: Device) -> np.ndarray:
        backend = choose_backend(device)
        avatar = ModelEncoder(TemplateModel(), backend, "template").encode(subject, body, {})
        return AvatarViewer(avatar, body, backend).render(View(shows_visibility=shows_visibility))

    on_cpu = view("cpu")
    with simulated_gpu():
        on_gpu = view("cuda")
    assert (on_cpu < 250).any() and np.abs(on_gpu.astype(int) - on_cpu).mean() < 1


def test_visibility_is_tinted_where_the_frame_lies() -> None:
    rgb, opacity = torch.rand(3, 4, 5), torch.rand(4, 5)
    frame = Frame(rgb * opacity, opacity, torch.ones(4, 5), opacity * torch.rand(4, 5))
    on_cpu = visibility_image(frame)
    with simulated_gpu():
        np.testing.assert_array_equal(visibility_image(frame.to(torch.device("cuda"))), on_cpu)


def test_the_option_chooses_the_device_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = []

    def page(minutes: int, backend: object) -> gr.Blocks:
        chosen.append(backend.name)
        return gr.Blocks()

    for module, name in (
        (gr.processing_utils, "async_ssrf_protected_download"),
        (gr.image_utils, "preprocess_image"),
        (server, "page"),
    ):
        monkeypatch.setattr(module, name, page if name == "page" else getattr(module, name))
    server._server(AppOptions(device="cpu"), None)
    with simulated_gpu():
        server._server(AppOptions(device="auto"), None)
        server._server(AppOptions(device="cuda"), None)
    assert chosen == ["cpu", "cuda", "cuda"]
