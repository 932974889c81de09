"""The commands: parse, call, print. Everything heavy is imported inside them."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from sherf.app.options import AppOptions
from sherf.batch.options import BatchOptions
from sherf.benchmark.options import BenchmarkOptions
from sherf.cli.exits import USER_ERROR
from sherf.datasets.openpeople.options import GenerateOptions
from sherf.errors import BadInput, MissingAsset
from sherf.export.options import ExportOptions, MeshOptions, VrmOptions
from sherf.files.options import OutputOptions
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.render.options import RenderOptions
from sherf.training.options import TrainOptions

Photo = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")]
Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|AVATAR")]
Flat = tyro.conf.arg(name="")


def doctor(json: bool = False) -> None:
    """Check the installation: packages, device, weights, and how to get what is missing.

    Args:
        json: print JSON.
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
    device: Literal["auto", "cpu", "cuda"] = "auto",
    json: bool = False,
) -> None:
    """Turn a photo of a person into an avatar.

    Writes OUT/avatar.safetensors, overlay.png, report.json and fit.json.

    Args:
        photo: JPEG, PNG, WebP, TIFF, BMP or GIF that shows a person, best from head to feet.
        device: where to compute.
        json: print the report as JSON.
    """
    from sherf.api.sources import obtain_avatar
    from sherf.avatar.avatar_file import is_avatar
    from sherf.avatar.result_files import AVATAR, OVERLAY, print_warnings
    from sherf.render.devices import choose_backend

    if photo.is_file() and is_avatar(photo):
        raise BadInput(f"{photo} is an avatar already. Pass it to render, animate or export.")
    avatar, _ = obtain_avatar(photo, output, options, choose_backend(device))
    if json:
        print(json_module.dumps(avatar.report, indent=2))
        return
    print_warnings(avatar)
    _print_report(avatar.report)
    _print_paths([output.out / OVERLAY, output.out / AVATAR])


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
    """Render the person of a photo from all around.

    Writes OUT/frames/0000.png ... and OUT/video.mp4.

    Args:
        source: a photo, or an avatar.safetensors from an earlier run.
        path: turntable circles the person once, orbit swings gently to both sides.
        cameras: your own cameras instead: a transforms.json in Nerfstudio's layout.
        frames: number of frames along the path.
        preview: write OUT/preview.png only: six small images from all around.
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
    """Animate the person of a photo.

    Writes OUT/frames/0000.png ... and OUT/video.mp4.

    Args:
        source: a photo, or an avatar.safetensors from an earlier run.
        motion: a built-in motion (see `sherf motions`), a motion file (AMASS, AIST++, SMPL, BVH, glTF), or a video.
        frames: number of frames; a shorter motion starts again. Default: the whole motion.
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
    """Export a rigged, textured mesh as GLB, VRM, OBJ or PLY for Blender, Unity, Unreal and the browser.

    Args:
        source: a photo, or an avatar.safetensors from an earlier run.
        out: the file, such as me.glb; without a suffix it gets the --format's. The avatar of a photo is kept in a
            folder of that name beside it.
        overwrite: replace the avatar of another photo in that folder.
    """
    from sherf.api.export import export_avatar

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
    """Process many photos: avatars, videos, rigged files.

    Writes OUT/index.html, sheet.jpg and results.csv beside a folder for each photo. Safe to interrupt; run it again to
    resume. The exit code is 1 if any item failed; the others are completed.

    Args:
        source: a folder of photos, or a manifest (.csv, .jsonl, .yaml) with a `photo` in each row and any options of
            this command as columns.
        json: print the state of the batch as JSON.
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
    """List the built-in motions, or preview a motion on a plain body within seconds.

    A preview is written to OUT/NAME.mp4.

    Args:
        motion: what to preview: a built-in motion, a motion file or a video.
        out: folder for the preview.
    """
    from sherf.api.choose_motion import choose_motion
    from sherf.cli.motion_preview import preview_motion
    from sherf.files.output import refuse_overwriting_inputs
    from sherf.motion.read import builtin_motions, read_motion

    if motion is None:
        print(*(f"{name:10} {read_motion(name).seconds:.1f} s" for name in builtin_motions()), sep="\n")
        return
    refuse_overwriting_inputs([out / f"{Path(motion).stem}.mp4"], [motion])
    played = choose_motion(motion, moving, out)
    print(f"{played.name}: {len(played)} frames, {played.fps:g} frames per second, {played.seconds:.1f} s")
    print(preview_motion(played, out))


def benchmark(
    name: Annotated[
        Literal["openpeople", "thuman", "renderpeople", "humman", "zju-mocap"],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="openpeople|thuman|renderpeople|humman|zju-mocap"),
    ],
    options: Annotated[BenchmarkOptions, Flat],
    json: bool = False,
) -> None:
    """Score a model on a data set: PSNR, SSIM and LPIPS of novel views and poses, beside the papers' figures.

    Writes images.csv, subjects.csv, results.json and report.html.

    Args:
        name: the data set.
        json: print results.json instead of the table.
    """
    from sherf.api.score import score_model

    content, table = score_model(name, options)
    print(json_module.dumps(content, indent=2) if json else table)
    out = options.out or Path("out") / f"benchmark-{name}"
    if not json:
        _print_paths([out / "results.json", out / "report.html"])


def generate(
    name: Annotated[Literal["openpeople"], tyro.conf.Positional, tyro.conf.arg(metavar="openpeople")],
    options: Annotated[GenerateOptions, Flat],
) -> None:
    """Generate synthetic people for training and tests: dressed, posed, rendered from all around, CC0.

    Args:
        name: the data set.
    """
    try:
        from sherf.datasets.openpeople.generate import generate_openpeople
    except ModuleNotFoundError as error:
        raise _not_installed("the generator", error, "generate") from error
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
    """Train a network.

    Writes OUT/checkpoint.safetensors, log.csv, validation.csv, TensorBoard events and images. Uses all processes of
    torchrun. Safe to interrupt; run it again to resume.

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
    """Convert SHERF's published training snapshot to a checkpoint, without running any code in it.

    Writes to OUT the weights, and with them options, body model, and the snapshot's SHA-256.

    Args:
        file: the published .pkl, a pickle of G, D and G_ema.
        out: the checkpoint, *.safetensors.
        ema: take G_ema, the running average of the weights, instead of G, which made the published figures.
        overwrite: replace an existing checkpoint.
    """
    from sherf.models.published.import_checkpoint import import_checkpoint as run

    imported = run(file, out, "G_ema" if ema else "G", overwrite)
    print(f"{imported.taken} tensors imported, {imported.ignored} ignored")
    _print_paths([imported.path])


def app(options: Annotated[AppOptions, Flat] = AppOptions()) -> None:
    """Open the web page on this machine: drop a photo, see the person move."""
    try:
        from sherf.app.serve import serve

        serve(options)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("gradio", "fastapi", "uvicorn"):
            raise
        raise _not_installed("the page", error, "app") from error


def _not_installed(what: str, error: ModuleNotFoundError, extra: str) -> MissingAsset:
    return MissingAsset(
        f"{what} needs {error.name}, which is not installed.\nTo fix this: pip install 'sherf[{extra}]'"
    )


def _print_report(report: dict[str, Any]) -> None:
    if "verdict" not in report:  # body and camera were given with the image
        return
    own = report.get("own_view")
    overlap = f"overlap with the photo {own['overlap']:.2f}, " if own else ""
    print(
        f"avatar: {report['verdict']} (landmark error {report['keypoint_error']:.1f} % of the body's height, "
        f"{overlap}{report.get('surface_seen', 0):.0%} of the body visible)"
    )


def _print_paths(paths: list[Path]) -> None:
    print(*paths, sep="\n")
