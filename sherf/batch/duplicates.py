"""Photos that are there under several names: made once, and found under each name."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sherf.batch.job import Job
from sherf.files.output import translate_write_errors


def names_of_duplicates(jobs: Iterable[Job]) -> dict[str, str]:
    """Return the duplicates' names with the names under which their results are made."""
    return {duplicate.name: job.name for job in jobs for duplicate in job.duplicates}


def remove_links(jobs: Iterable[Job]) -> None:
    """Remove links of an earlier run where now a photo of its own belongs, which would overwrite the other's results.

    Raises:
        OutputError: a link cannot be removed.
    """
    for job in jobs:
        if _is_own_link(job.folder):
            with translate_write_errors(job.folder):
                job.folder.unlink()


def link_duplicates(jobs: Iterable[Job]) -> None:
    """Link each duplicate's name to the results, where the disk has links; a folder of that name stays."""
    for job in jobs:
        for duplicate in job.duplicates:
            link = job.folder.with_name(duplicate.name)
            with suppress(OSError):  # a disk without links: the page and the table lead to the results
                if _is_own_link(link):
                    link.unlink()
                link.symlink_to(job.name, target_is_directory=True)


def _is_own_link(path: Path) -> bool:
    """Return whether a path is a link to a neighbour, as `link_duplicates` makes them."""
    return path.is_symlink() and len(path.readlink().parts) == 1
