"""Threads of numerical libraries: how they wait, and how many cores there are. Free of torch: both come before it."""

import os

SPINS = "1000"  # about 10 us of busy waiting; libgomp's own 300,000 (3 ms) multiply times on a machine that is busy
OPENBLAS_TIMEOUT = "15"  # 2^15 clock cycles, about 10 us; OpenBLAS's own default is 2^28, about 0.1 s


def let_waiting_threads_sleep() -> None:
    """Let worker threads that wait sleep, so that another program can use their core.

    PyTorch with its MKL runs on libgomp; NumPy, SciPy and OpenCV bring OpenBLAS. Both read their variables when they
    are loaded: a library that is loaded before `sherf` keeps its own behaviour. What the user set takes precedence.
    The pools of Open3D (TBB) and OpenCV sleep after a short wait by themselves.

    Sources: libgomp's manual, GOMP_SPINCOUNT; OpenBLAS's driver/others/blas_server.c, OPENBLAS_THREAD_TIMEOUT.
    """
    if "OMP_WAIT_POLICY" not in os.environ:  # GOMP_SPINCOUNT would override it
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", OPENBLAS_TIMEOUT)


def available_cores() -> list[int]:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
