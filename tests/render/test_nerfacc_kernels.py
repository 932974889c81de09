"""nerfacc's kernels are compiled when they are needed, quietly, and replaced where they cannot be."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nerfacc
import pytest
import torch
from simulated_device import NerfaccKernels, simulated_gpu

from sherf.render import nerfacc_kernels
from sherf.render.devices import choose_backend
from sherf.render.nerfacc_kernels import build_folder, compiled_kernels
from sherf.render.torch_backend import composite
from sherf.scene import RaySamples

SAMPLES = RaySamples(torch.tensor([0, 0, 1]), torch.tensor([1.0, 1.1, 1.0]), torch.tensor([1.1, 1.2, 1.1]), 2)
DENSITY = torch.tensor([1.0, 5.0, 20.0])


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A GPU, and no kernels yet; return the folder of their builds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with simulated_gpu():
        vars(nerfacc).pop("csrc")
        compiled_kernels.cache_clear()
        yield tmp_path


def _composited() -> tuple[torch.Tensor, ...]:
    samples = RaySamples(*(x.to("cuda") for x in (SAMPLES.ray, SAMPLES.start, SAMPLES.end)), SAMPLES.num_rays)
    made = choose_backend("cuda").composite(DENSITY.to("cuda"), samples, torch.ones(2, device="cuda"))
    return tuple(x.cpu() for x in made)


def test_where_they_cannot_be_compiled_pytorch_composites_after_one_warning(
    uncompiled: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without nvcc on the path: a real failure of PyTorch's builder."""
    monkeypatch.setenv("PATH", str(uncompiled))
    monkeypatch.setenv("CUDA_HOME", str(uncompiled))
    for _ in range(2):
        torch.testing.assert_close(_composited(), composite(DENSITY, SAMPLES, torch.ones(2)))
    said = capfd.readouterr()
    assert said.out == "", "standard output belongs to --json"
    assert said.err.count("warning: nerfacc's CUDA kernels cannot be compiled") == 1


def test_they_are_compiled_once_under_a_lock_with_a_line_that_says_so(
    uncompiled: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    builds = []

    def load(name: str, sources: list[str], build_directory: str, **options: object) -> ModuleType:
        assert any(path.endswith("scan.cu") for path in sources)
        with pytest.raises(nerfacc_kernels.portalocker.LockException):
            nerfacc_kernels.portalocker.Lock(build_folder() / "sherf.lock", timeout=0).acquire()
        (Path(build_directory) / f"{name}.so").touch()
        builds.append(build_directory)
        module = ModuleType(name)
        vars(module).update(exclusive_sum=NerfaccKernels.exclusive_sum)
        return module

    monkeypatch.setattr("torch.utils.cpp_extension.load", load)
    for _ in range(3):
        torch.testing.assert_close(_composited(), composite(DENSITY, SAMPLES, torch.ones(2)))
    assert builds == [str(build_folder())] and build_folder().is_relative_to(uncompiled)
    said = capfd.readouterr()
    assert said.err.count("compiling nerfacc's CUDA kernels") == 1 and "warning" not in said.err and said.out == ""
    vars(nerfacc).pop("csrc")
    compiled_kernels.cache_clear()
    _composited()
    assert "compiling" not in capfd.readouterr().err, "the next process finds them"


def test_choosing_the_gpu_does_not_compile(uncompiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nerfacc_kernels, "_load", lambda folder: pytest.fail("compiled"))
    assert choose_backend("cuda").is_gpu and not hasattr(nerfacc, "csrc")
