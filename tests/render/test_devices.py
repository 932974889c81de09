"""The device is chosen once, with its reason, and a missing one is refused."""

import logging

import pytest
import torch

from sherf.errors import MissingAsset
from sherf.render.devices import choose_backend


def test_the_cpu_is_used_when_requested() -> None:
    backend = choose_backend("cpu")
    assert (backend.name, backend.device) == ("cpu", torch.device("cpu"))


def test_without_a_gpu_auto_selects_the_cpu_and_logs_one_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.INFO, logger="sherf"):
        assert choose_backend("auto").device == torch.device("cpu")
    assert len(caplog.records) == 1 and "CPU" in caplog.text


def test_without_a_gpu_cuda_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingAsset, match="--device cpu"):
        choose_backend("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_auto_selects_an_available_gpu() -> None:
    assert choose_backend("auto").device.type == "cuda"
