"""The device is chosen once, with its reason, and a missing one is refused."""

from types import SimpleNamespace

import pytest
import torch
from simulated_device import any_gpu, simulated_gpu

from sherf.errors import MissingAsset
from sherf.render import devices
from sherf.render.devices import choose_backend


def test_the_cpu_is_used_when_requested() -> None:
    backend = choose_backend("cpu")
    assert (backend.name, backend.device) == ("cpu", torch.device("cpu"))


def test_without_a_gpu_auto_selects_the_cpu_and_says_why_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    devices._say_once.cache_clear()
    for _ in range(2):
        assert choose_backend("auto").device == torch.device("cpu")
    said = capsys.readouterr()
    assert said.err.count("computing on the CPU: ") == 1 and said.out == ""


def test_without_a_gpu_cuda_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingAsset, match="--device cpu"):
        choose_backend("cuda")


@pytest.mark.gpu
def test_auto_selects_an_available_gpu_in_full_precision() -> None:
    """TF32 would keep 10 bits of the factors: frames would differ from the CPU's."""
    torch.backends.cudnn.allow_tf32 = True
    with any_gpu():
        assert choose_backend("auto").device == torch.device("cuda", 0)
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


def test_small_gpus_evaluate_fewer_points_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    points = []
    with simulated_gpu():
        for memory in (6 * 2**30, 24 * 2**30):
            properties = SimpleNamespace(total_memory=memory)
            monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=properties: found)
            points.append(choose_backend("cuda").points_at_once)
    assert points == [2**18, 2**20]
