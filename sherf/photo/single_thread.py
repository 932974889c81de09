"""A block in which the calling thread computes alone; other threads of the process are not affected."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let the calling thread compute alone inside the block.

    A fit's tensors are small, so more threads do not pay, and MKL's results depend on their number.
    `torch.set_num_threads` is not an option: threads that first use torch in the meantime inherit its number for good.
    OpenMP's and MKL's own numbers belong to the calling thread (OpenMP 5.0, 3.2.1; `MKL_Set_Num_Threads_Local`). Where
    torch was built without either, this does nothing.

    Yields:
        Nothing; the calling thread's numbers are restored afterwards.
    """
    threads = torch.get_num_threads()  # also lets torch set up the calling thread, which it does once
    libraries = ctypes.CDLL(torch._C.__file__)  # finds functions of all libraries that torch loads
    set_openmp = getattr(libraries, "omp_set_num_threads", _ignore)
    set_mkl = getattr(libraries, "MKL_Set_Num_Threads_Local", _ignore)
    set_openmp(1)
    before = set_mkl(1)
    try:
        yield
    finally:
        set_mkl(before)
        set_openmp(threads)


def _ignore(number: int) -> int:
    """Stand in for a function that this build of torch does not have."""
    return number
