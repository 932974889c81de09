"""Convert a trained checkpoint for release: checkpoints/NAME in half precision, with SHA-256 sums.

    python benchmarks/ship.py out/train/checkpoint.safetensors

Write the model card (checkpoints/NAME/README.md) by hand.
"""

import sys
from pathlib import Path

from sherf.files.assets import SUMS
from sherf.files.digest import file_sha256
from sherf.files.output import write_text
from sherf.models.checkpoint import load_checkpoint, read_about, save_checkpoint


def main() -> None:
    """Convert and record."""
    source = Path(sys.argv[1])
    model = load_checkpoint(source)
    target = Path(__file__).parent.parent / "checkpoints" / model.config.name / f"{model.config.name}.safetensors"
    about = read_about(source)
    save_checkpoint(model, target, {key: about[key] for key in ("training",)}, half=True)
    target.with_suffix(".json").unlink(missing_ok=True)  # the description of an earlier version
    write_text(target.parent / SUMS, f"{file_sha256(target)}  {target.name}\n")
    print(target, f"{target.stat().st_size / 1e6:.1f} MB, {about['training']['step']} steps")


if __name__ == "__main__":
    main()
