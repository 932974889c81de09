"""Our network against golden numbers of the published one: python tests/golden.py FILE.npz --salt TEXT

Makes the stand-in weights, runs our modules stage by stage and the whole program, and prints every stage's largest
difference beside its tolerance. Exits with 1 if one is larger.
"""

import argparse
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "models" / "paper"))

from golden_file import Golden  # noqa: E402
from stages import all_checks, fitting_statistics, use_statistics  # noqa: E402
from stand_in import stand_in_model  # noqa: E402

from sherf.body.files import read_body_model  # noqa: E402
from sherf.errors import SherfError  # noqa: E402
from sherf.models.config import PAPER  # noqa: E402

BODY = "smpl_standin.npz"


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    options = _options(argv)
    try:
        return compare(options)
    except SherfError as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 1


def compare(options: argparse.Namespace) -> int:
    """Print all differences; 1 if one is too large."""
    golden = Golden(options.file)
    body = read_body_model(options.body or _body_beside(options.file), "stand-in")
    model = stand_in_model(PAPER, options.salt)
    statistics = options.batch_norm or _named_statistics(options.file) or fitting_statistics(golden, model)
    use_statistics(model, statistics)
    print(f"{options.file.name}: stand-in weights with salt {options.salt!r}, batch normalisation by {statistics}")
    print(f"{'stage':34} {'largest difference':>18} {'tolerance':>10}")
    wrong = 0
    for check in all_checks(golden, model, body):
        wrong += not check.agrees
        verdict = "" if check.agrees else "  TOO LARGE"
        print(f"{check.stage:34} {check.difference:18.3g} {check.tolerance:10.3g}  {check.note}{verdict}", flush=True)
    print(f"{wrong} too large" if wrong else "all within tolerance")
    return 1 if wrong else 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, metavar="FILE.npz")
    parser.add_argument("--salt", default="", help="goes before each tensor's name when the weights are made")
    parser.add_argument(
        "--batch-norm",
        choices=("frame", "running"),
        help="default: as the file's name ends (_frame, _running), else what fits the first stage better",
    )
    parser.add_argument("--body", type=Path, help=f"default: {BODY} beside the file, else the tests' own")
    return parser.parse_args(argv)


def _named_statistics(file: Path) -> str | None:
    last = file.stem.rsplit("_", 1)[-1]
    return last if last in ("frame", "running") else None


def _body_beside(file: Path) -> Path:
    beside = file.with_name(BODY)
    return beside if beside.is_file() else HERE / "golden" / BODY


if __name__ == "__main__":
    # a second thread gains a tenth of the time, and loses tenfold where the processor is shared
    torch.set_num_threads(1)
    sys.exit(main())
