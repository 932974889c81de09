"""Loading of training pairs: in the training process on the CPU, in worker processes for a GPU."""

from collections.abc import Iterator

from torch.utils.data import DataLoader

from sherf.files.interrupts import block_interrupts_in_children
from sherf.render.backend import Backend
from sherf.threads import available_cores
from sherf.training.training_pairs import TrainingPair, TrainingPairs

MAX_WORKERS = 8


def open_loader(pairs: TrainingPairs, backend: Backend, processes: int) -> Iterator[list[TrainingPair]]:
    """Return an iterator over the batches of one process.

    A GPU gets its pairs in page-locked memory from worker processes, which read ahead; on the CPU, workers would only
    compete with the training.

    Args:
        pairs: of this process.
        backend: where the training computes.
        processes: number of training processes on this machine, which share its processors.
    """
    workers = min(MAX_WORKERS, max(1, len(available_cores()) // processes - 1)) if backend.is_gpu else 0
    pairs.share_cache(workers)
    loader = DataLoader(
        pairs,
        batch_size=pairs.share,
        collate_fn=list,
        num_workers=workers,
        pin_memory=backend.is_gpu,
        multiprocessing_context="spawn" if workers else None,
    )
    with block_interrupts_in_children(termination=True):
        return iter(loader)
