"""Exports from any source, as `sherf export` makes them: avatar, rigged mesh, file."""

from pathlib import Path

from sherf.api.choose_motion import choose_motion
from sherf.api.sources import check_source, obtain_avatar, open_avatar
from sherf.avatar.avatar_file import is_avatar
from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.result_files import explaining_files, print_warnings
from sherf.body.body_model import BodyModel
from sherf.export.exporter import Exporter
from sherf.export.file_format import (
    POSED,
    check_frame,
    check_mesh,
    check_options,
    exported_files,
    file_format,
    named_file,
)
from sherf.export.options import ExportOptions, VrmOptions
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import prepare_output_folder, refuse_overwriting_inputs
from sherf.motion.motion import Motion
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend


def export_avatar(
    source: Path,
    out: Path,
    options: ExportOptions = ExportOptions(),
    photo: PhotoOptions = PhotoOptions(),
    moving: MotionOptions = MotionOptions(),
    overwrite: bool = False,
    vrm: VrmOptions = VrmOptions(),
) -> list[Path]:
    """Write a mesh of an avatar, or a motion on it.

    Args:
        source: photo, avatar file or subject's folder. A photo's avatar is kept in a folder of the file's name.
        out: the file; without a suffix it gets the format's.
        options: format, motions, size of the mesh, pose.
        photo: how a photo is read.
        moving: how motions are played.
        overwrite: replace another photo's avatar in that folder.
        vrm: licence fields of a .vrm.

    Returns:
        All files that were written.

    Raises:
        BadInput: source or options cannot be used, or the avatar has no surface.
        NoPerson: the photo shows no person.
        OutputError: a file cannot be written.
    """
    kind = file_format(out, options)
    out = named_file(out, kind)
    check_mesh(options.triangles, options.texture, options.points)
    check_options(kind, options, len(options.motion))
    folder, files = out.with_suffix(""), exported_files(out, kind)
    refuse_overwriting_inputs([*files, *explaining_files(folder)], [source, *photo.files, *options.motion])
    motions = [choose_motion(name, moving, folder) for name in options.motion]
    check_frame(options, motions)
    _warn_of_unused(kind, options, motions)
    prepare_output_folder(out.parent)
    backend = choose_backend(options.device)
    avatar, body = _obtain(source, folder, photo, overwrite, backend)
    # The photo of a given avatar may lie beside the file too.
    refuse_overwriting_inputs(
        files, [path for path in files if path.is_file() and file_sha256(path) == avatar.report.get("photo_sha256")]
    )
    print_warnings(avatar)
    return Exporter(avatar, body, backend, options.triangles, options.texture).write(out, motions, options, vrm)


def _warn_of_unused(kind: str, options: ExportOptions, motions: list[Motion]) -> None:
    """Say which motions, or which of their frames, the format has no room for."""
    if kind == "vrm" and motions:
        print_status(
            "warning: a .vrm does not hold motions, --motion is ignored; export .glb, or .bvh beside the .vrm."
        )
    if kind in POSED and motions and options.frame is None:
        print_status(f"a .{kind} holds one pose: using the first frame of {motions[0].name} (--frame selects another).")


def _obtain(
    source: Path, folder: Path, photo: PhotoOptions, overwrite: bool, backend: Backend
) -> tuple[EncodedAvatar, BodyModel]:
    """Return an avatar file's avatar, or a photo's, which is kept in a folder."""
    check_source(source)
    if source.is_file() and is_avatar(source):
        return open_avatar(source, photo.body_model)
    return obtain_avatar(source, OutputOptions(folder, overwrite), photo, backend)
