"""From the published training snapshot to our own checkpoint."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.models.checkpoint import about_path, check_name, save_checkpoint
from sherf.models.config import PAPER, SherfConfig
from sherf.models.paper.network import Sherf
from sherf.models.published.names import from_published
from sherf.models.published.snapshot import Network, read_network


@dataclass(frozen=True)
class Imported:
    """What an import gave."""

    weights: Path
    about: Path
    taken: int
    """Tensors that our network uses."""
    ignored: int
    """Tensors that only the published one has: super-resolution, unused stages, constants."""


def import_checkpoint(
    source: Path, out: Path, network: Network = "G", overwrite: bool = False, config: SherfConfig = PAPER
) -> Imported:
    """Read a published snapshot without executing anything of it, and write `out` and a JSON beside it.

    Args:
        network: G made the published figures; G_ema is its running average.
        overwrite: replace a checkpoint that is there already.
        config: what the published network is made of.

    Raises:
        BadInput: `source` is no published snapshot, or `out` exists or has no fitting name.
        OutputError: the files cannot be written.
    """
    check_name(out)
    for path in (out, about_path(out)):
        if not overwrite and (path.exists() or path.is_symlink()):
            raise BadInput(f"{path} exists already. Pass --overwrite to replace it, or choose another --out.")
        if path.exists() and source.exists() and path.samefile(source):
            raise BadInput(f"{path} is the file to import. Choose another --out.")
    published = read_network(source, network)
    try:
        tensors = from_published(published, config)
    except BadInput as error:
        raise BadInput(
            f"{source} cannot be imported: {error}.\n"
            f"Its {network} is no undamaged network of SHERF's published architecture."
        ) from error
    with torch.device("meta"):
        model = Sherf(config)
    model.load_state_dict(tensors, assign=True)
    origin = {"file": source.name, "sha256": file_sha256(source), "network": network}
    save_checkpoint(model, out, {"source": origin})
    return Imported(out, about_path(out), len(tensors), len(published) - len(tensors))
