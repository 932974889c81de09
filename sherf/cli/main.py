"""The command line: the commands by name, and how they end."""

import os
import sys
from typing import Any

import tyro

from sherf import __version__
from sherf.cli import commands
from sherf.cli.exits import exits

COMMANDS: dict[str, Any] = {
    "doctor": commands.doctor,
    "reconstruct": commands.reconstruct,
    "render": commands.render,
    "animate": commands.animate,
    "export": commands.export,
    "batch": commands.batch,
    "motions": commands.motions,
    "app": commands.app,
    "benchmark": commands.benchmark,
    "generate": commands.generate,
    "train": commands.train,
    "import-checkpoint": commands.import_checkpoint,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process with its exit code (`exits`).

    Args:
        arguments: of the command line; those of the process if None.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"sherf {__version__}")
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with exits():
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="sherf", description="One photo of a person in, an animatable 3D human out.", args=arguments
        )
