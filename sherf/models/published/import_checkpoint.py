"""Import the published training snapshot as a checkpoint of this project."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.models.checkpoint import check_name, save_checkpoint
from sherf.models.config import PAPER, SherfConfig
from sherf.models.paper.network import PaperNetwork
from sherf.models.published.names import from_published
from sherf.models.published.snapshot import SnapshotNetwork, read_network


@dataclass(frozen=True)
class ImportResult:
    """The file that an import wrote, and how many tensors it used."""

    path: Path
    """The checkpoint."""
    taken: int
    """Number of imported tensors."""
    ignored: int
    """Number of tensors that only the published network has: super-resolution, unused stages, constants."""


def import_checkpoint(
    source: Path, out: Path, network: SnapshotNetwork = "G", overwrite: bool = False, config: SherfConfig = PAPER
) -> ImportResult:
    """Convert a published snapshot to a checkpoint, without executing any code from it.

    Args:
        source: the snapshot, a pickle file.
        out: the checkpoint to write, ending with .safetensors.
        network: G produced the published results; G_ema is its running average.
        overwrite: whether to replace an existing checkpoint.
        config: the published network's configuration.

    Returns:
        The file written, and the numbers of tensors.

    Raises:
        BadInput: `source` is not a published snapshot, or `out` exists already or cannot name a checkpoint.
        OutputError: the file cannot be written.
    """
    check_name(out)
    if not overwrite and (out.exists() or out.is_symlink()):
        raise BadInput(f"{out} exists already. Pass --overwrite to replace it, or choose another --out.")
    if out.exists() and source.exists() and out.samefile(source):
        raise BadInput(f"{out} is the file to import. Choose another --out.")
    published = read_network(source, network)
    try:
        tensors = from_published(published, config)
    except BadInput as error:
        raise BadInput(
            f"{source} cannot be imported: {error}.\n"
            f"Its {network} is damaged or does not have SHERF's published architecture. Download the snapshot again."
        ) from error
    with torch.device("meta"):
        model = PaperNetwork(config)
    model.load_state_dict(tensors, assign=True)
    origin = {"file": source.name, "sha256": file_sha256(source), "network": network}
    save_checkpoint(model, out, {"source": origin})
    return ImportResult(out, len(tensors), len(published) - len(tensors))
