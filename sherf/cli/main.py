"""The command line: parse, call, print. Everything heavy is imported inside the commands."""

import json as json_module
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sherf import __version__
from sherf.app.options import AppOptions
from sherf.batch.options import BatchOptions
from sherf.benchmark.options import BenchmarkOptions
from sherf.cli.exits import USER_ERROR, exits
from sherf.datasets.openpeople.options import GenerateOptions
from sherf.errors import BadInput, MissingAsset
from sherf.export.options import ExportOptions, MeshOptions, VrmOptions
from sherf.files.options import OutputOptions
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.render.options import RenderOptions
from sherf.training.train_options import TrainOptions

Photo = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|AVATAR")]
Flat = tyro.conf.arg(name="")


def doctor(json: bool = False) -> None:
    """Show what is installed, which device is used, which files are missing and how to get them.

    Args:
        json: print JSON for machines.
    """
    from sherf.cli.doctor import as_json, as_text, examine

    findings = examine()
    print(json_module.dumps(as_json(findings), indent=2) if json else as_text(findings))
    if not as_json(findings)["ok"]:
        raise SystemExit(USER_ERROR)


def reconstruct(
    photo: Photo,
    output: Annotated[OutputOptions, Flat] = OutputOptions(),
    options: Annotated[PhotoOptions, Flat] = PhotoOptions(),
    json: bool = False,
) -> None:
    """Turn a photo of a person into an avatar: OUT/avatar.safetensors, overlay.png and report.json.

    Args:
        photo: JPEG, PNG, WebP, TIFF, BMP or GIF that shows a person, best from head to feet.
        json: print the report as JSON.
    """
    from sherf.avatar.avatar_file import is_avatar
    from sherf.avatar.reconstruct import AVATAR, OVERLAY, obtain_avatar, tell_warnings

    if photo.is_file() and is_avatar(photo):
        raise BadInput(f"{photo} is an avatar already. Pass it to render, animate or export as it is.")
    avatar, _ = obtain_avatar(photo, output, options)
    if json:
        print(json_module.dumps(avatar.report, indent=2))
        return
    tell_warnings(avatar)
    _print_report(avatar.report)
    print(output.out / OVERLAY)
    print(output.out / AVATAR)


def render(
    source: Source,
    path: Literal["turntable", "orbit"] = "turntable",
    cameras: Path | None = None,
    frames: int = 60,
    preview: bool = False,
    output: Annotated[OutputOptions, Flat] = OutputOptions(),
    photo: Annotated[PhotoOptions, Flat] = PhotoOptions(),
    options: Annotated[RenderOptions, Flat] = RenderOptions(),
) -> None:
    """Show the person of a photo from all around: OUT/frames/0000.png ... and OUT/video.mp4.

    Args:
        source: a photo, or an avatar.safetensors made before.
        path: turntable circles the person once, orbit swings gently to both sides.
        cameras: your own cameras instead, as a transforms.json in NeRF-studio's layout.
        frames: number of pictures along the path.
        preview: write OUT/preview.png only, six small pictures from all around.
    """
    from sherf.api.render import render_preview, render_views

    rest = (output, photo, options)
    _print_paths([render_preview(source, *rest)] if preview else render_views(source, path, cameras, frames, *rest))


def animate(
    source: Source,
    motion: str = "walk",
    frames: int | None = None,
    path: Literal["still", "turntable", "orbit"] = "still",
    output: Annotated[OutputOptions, Flat] = OutputOptions(),
    moving: Annotated[MotionOptions, Flat] = MotionOptions(),
    photo: Annotated[PhotoOptions, Flat] = PhotoOptions(),
    options: Annotated[RenderOptions, Flat] = RenderOptions(),
) -> None:
    """Let the person of a photo move: OUT/frames/0000.png ... and OUT/video.mp4.

    Args:
        source: a photo, or an avatar.safetensors made before.
        motion: a built-in motion (see `sherf motions`), a motion file (AMASS, AIST++, SMPL, BVH, glTF), or a video.
        frames: how many pictures; the whole motion if not given, and it starts again when it is over.
        path: how the camera moves meanwhile.
    """
    from sherf.api.render import animate_motion

    _print_paths(animate_motion(source, motion, frames, path, output, photo, options, moving))


def export(
    source: Source,
    out: Path,
    options: Annotated[ExportOptions, Flat] = ExportOptions(),
    moving: Annotated[MotionOptions, Flat] = MotionOptions(),
    photo: Annotated[PhotoOptions, Flat] = PhotoOptions(),
    vrm: VrmOptions = VrmOptions(),
    overwrite: bool = False,
) -> None:
    """Make a rigged, textured mesh of a photo's person: GLB, VRM, OBJ or PLY, for Blender, Unity and the browser.

    Args:
        source: a photo, or an avatar.safetensors made before.
        out: the file, such as me.glb; without a suffix it gets the --format's. A photo's avatar is kept in a folder of
            that name beside it.
        overwrite: replace the avatar of another photo in that folder.
    """
    from sherf.export.exporter import export_avatar

    _print_paths(export_avatar(source, out, options, photo, moving, overwrite, vrm))


def batch(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER|MANIFEST")],
    options: Annotated[BatchOptions, Flat],
    moving: Annotated[MotionOptions, Flat] = MotionOptions(),
    photo: Annotated[PhotoOptions, Flat] = PhotoOptions(),
    rendering: Annotated[RenderOptions, Flat] = RenderOptions(),
    mesh: Annotated[MeshOptions, Flat] = MeshOptions(),
    json: bool = False,
) -> None:
    """Make everything of many photos: avatars, videos, rigged files; then OUT/index.html, sheet.jpg, results.csv.

    It can be stopped in any way: the same command goes on. Exit code 1 if something failed; the rest is done.

    Args:
        source: a folder of photos, or a manifest (.csv, .jsonl, .yaml) with a `photo` in each row and, as columns,
            whatever this command has as options.
        json: print how it stands as JSON.
    """
    from sherf.batch.run_batch import run_batch

    report = run_batch(source, options, photo, rendering, moving, mesh)
    print(json_module.dumps(report.as_json, indent=2) if json else report.as_text)
    if report.failures:
        raise SystemExit(USER_ERROR)


def motions(
    motion: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[MOTION]")] = None,
    out: Path = Path("out"),
    moving: Annotated[MotionOptions, Flat] = MotionOptions(),
) -> None:
    """List the built-in motions; or show one, a file's or a video's on a plain body: OUT/NAME.mp4, in seconds.

    Args:
        motion: what to show: a built-in motion, a motion file or a video.
        out: folder for the preview.
    """
    if motion is not None:
        from sherf.api.choose_motion import chosen_motion
        from sherf.cli.motion_preview import preview_motion
        from sherf.files.output import keep_inputs

        keep_inputs([out / f"{Path(motion).stem}.mp4"], [motion])
        played = chosen_motion(motion, moving, out)
        print(f"{played.name}: {len(played)} frames, {played.fps:g} a second, {played.seconds:.1f} s")
        print(preview_motion(played, out))
        return
    from sherf.motion.motion import builtin_motions, read_motion

    print(*(f"{name:10} {read_motion(name).seconds:.1f} s" for name in builtin_motions()), sep="\n")


def benchmark(
    name: Annotated[
        Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="openpeople|thuman|renderpeople|humman|zju-mocap"),
    ],
    options: Annotated[BenchmarkOptions, Flat],
    json: bool = False,
) -> None:
    """Score a model: novel views and poses, PSNR, SSIM and LPIPS, beside the papers' figures.

    Writes images.csv, subjects.csv, results.json and report.html.

    Args:
        name: the data set.
        json: print results.json instead of the table.
    """
    from sherf.benchmark.run_benchmark import run_benchmark

    content, table = run_benchmark(name, options)
    print(json_module.dumps(content, indent=2) if json else table)
    out = options.out or Path("out") / f"benchmark-{name}"
    if not json:
        _print_paths([out / "results.json", out / "report.html"])


def generate(
    name: Annotated[Literal["openpeople"], tyro.conf.Positional, tyro.conf.arg(metavar="openpeople")],
    options: Annotated[GenerateOptions, Flat],
) -> None:
    """Make people to train and test on: dressed, posed, seen from all around, free of licences.

    Args:
        name: the data set.
    """
    from sherf.datasets.openpeople.generate import generate_openpeople
    from sherf.datasets.openpeople.preview import PREVIEW, write_preview

    assert name == "openpeople"
    seeds = generate_openpeople(options)
    print(f"{len(seeds)} people in {options.out}")
    if options.preview:
        write_preview(options.out, seeds)
        print(options.out / PREVIEW)


def train(
    config: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")],
    options: Annotated[TrainOptions, Flat],
) -> None:
    """Train a network: OUT/checkpoint.safetensors, log.csv, validation.csv, TensorBoard, pictures.

    Under torchrun it uses all processes. Ctrl-C saves and stops; the same command goes on.

    Args:
        config: sherf-small, sherf-paper, or a JSON file of options.
    """
    try:
        from sherf.training.run_training import run_training
    except ModuleNotFoundError as error:
        raise _not_installed("training", error, "train") from error

    _print_paths(run_training(config, options))


def import_checkpoint(
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    out: Path,
    ema: bool = False,
    overwrite: bool = False,
) -> None:
    """Turn SHERF's published training snapshot into weights for this program, without running any of its code.

    Writes the weights to OUT and a JSON beside it: options, body model, and the snapshot's SHA-256.

    Args:
        file: the published .pkl, a pickle of G, D and G_ema.
        out: the weights' file, *.safetensors.
        ema: take G_ema, the running average of the network, not G, which made the published figures.
        overwrite: replace weights that are there already.
    """
    from sherf.models.published.import_checkpoint import import_checkpoint as run

    imported = run(file, out, "G_ema" if ema else "G", overwrite)
    print(f"{imported.taken} tensors taken, {imported.ignored} ignored")
    _print_paths([imported.weights, imported.about])


def app(options: Annotated[AppOptions, Flat] = AppOptions()) -> None:
    """Open the web page on this machine: drop a photo, see yourself move."""
    try:
        from sherf.app.serve import serve

        serve(options)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("gradio", "fastapi", "uvicorn"):
            raise
        raise _not_installed("the page", error, "app") from error


def _not_installed(what: str, error: ModuleNotFoundError, extra: str) -> MissingAsset:
    return MissingAsset(f"{what} needs {error.name}, which is not installed: pip install 'sherf[{extra}]'")


COMMANDS = {
    "doctor": doctor,
    "reconstruct": reconstruct,
    "render": render,
    "animate": animate,
    "export": export,
    "batch": batch,
    "motions": motions,
    "app": app,
    "benchmark": benchmark,
    "generate": generate,
    "train": train,
    "import-checkpoint": import_checkpoint,
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command; exit codes as in `sherf.cli.exits`."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"sherf {__version__}")
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with exits():
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="sherf", description="One photo of a person in, an animatable 3D human out.", args=arguments
        )


def _print_report(report: dict) -> None:
    if "verdict" not in report:  # body and camera were given with the picture
        return
    print(
        f"fit: {report['verdict']} (landmarks off by {report['keypoint_error']:.1f} % of the body's height, "
        f"outline overlap {report['silhouette_iou']:.2f}, {report.get('surface_seen', 0):.0%} of the body seen)"
    )


def _print_paths(paths: list[Path]) -> None:
    print(*paths, sep="\n")


if __name__ == "__main__":
    main()
