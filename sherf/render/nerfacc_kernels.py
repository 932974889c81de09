"""nerfacc's CUDA kernels, compiled when a command first composites on a GPU: once per machine, minutes."""

import os
import sys
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import portalocker
import torch

from sherf.progress import print_status

NAME = "nerfacc_cuda"


@lru_cache(maxsize=1)
def compiled_kernels() -> bool:
    """Return whether nerfacc's CUDA kernels are available, compiling them if need be.

    Processes that need them at the same time wait for the one that compiles. A failure is reported once, and
    compositing then takes place in PyTorch (`torch_backend.composite`).
    """
    import nerfacc

    if not hasattr(nerfacc, "csrc"):
        try:
            nerfacc.csrc = _load(build_folder())  # where nerfacc looks first
        except Exception as error:  # compilers, linkers and drivers fail in any way
            lines = str(error).strip().splitlines() or [type(error).__name__]
            print_status(
                f"warning: nerfacc's CUDA kernels cannot be compiled ({lines[0]}); compositing in PyTorch instead, "
                "which is slower.\nThey need nvcc, as in NVIDIA's CUDA toolkit, and a C++ compiler."
            )
            return False
    return True


def build_folder() -> Path:
    """Return where the kernels are kept: a folder for each version of nerfacc, PyTorch and GPU."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    major, minor = torch.cuda.get_device_capability()
    return cache / "sherf" / f"nerfacc-{version('nerfacc')}-torch-{torch.__version__}-sm{major}{minor}"


def _load(folder: Path) -> ModuleType:
    """Return the compiled module, after compiling it into a folder if it is not there.

    Raises:
        RuntimeError: there is no compiler, or it fails.
    """
    from torch.utils import cpp_extension

    folder.mkdir(parents=True, exist_ok=True)
    with portalocker.Lock(folder / "sherf.lock", timeout=None):
        (folder / "lock").unlink(missing_ok=True)  # of a compiler that was killed: PyTorch would wait for it forever
        if not (folder / f"{NAME}.so").exists():
            print_status("compiling nerfacc's CUDA kernels: once, a few minutes ...")
        _add_ninja_to_path()
        spec = find_spec("nerfacc.cuda")
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin).parent / "csrc"
        module: ModuleType = cpp_extension.load(
            NAME,
            [str(path) for pattern in ("*.cu", "*.cpp") for path in sorted(source.glob(pattern))],
            extra_cflags=["-O3"],
            extra_cuda_cflags=["-O3"],
            extra_ldflags=_link_runtime(folder),
            extra_include_paths=[str(path) for path in _toolkit_folders("include")],
            build_directory=str(folder),
        )
        return module


def _add_ninja_to_path() -> None:
    """Let PyTorch find the ninja that is installed beside this Python, also where its environment is not active."""
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])


def _link_runtime(folder: Path) -> list[str]:
    """Return linker options that find the CUDA runtime of PyTorch's packages, which lack the name that linkers use."""
    for path in _toolkit_folders("lib"):
        for runtime in path.glob("libcudart.so.*"):
            link = folder / "libcudart.so"
            link.unlink(missing_ok=True)
            link.symlink_to(runtime)
            return [f"-L{folder}"]
    return []


def _toolkit_folders(name: str) -> list[Path]:
    """Return folders of the CUDA packages that PyTorch brings: for toolkits that have a compiler and little else."""
    spec = find_spec("nvidia")
    folders = [] if spec is None else [Path(path) for path in spec.submodule_search_locations or ()]
    return [path for folder in folders for path in sorted(folder.glob(f"cu*/{name}"))]
