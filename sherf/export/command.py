"""What `sherf export` does: avatar, rigged mesh, file."""

from pathlib import Path
from typing import Any, get_args

from sherf import __version__
from sherf.avatar import Avatar, is_avatar, read_avatar, restore
from sherf.body.files import load_body_model
from sherf.body.model import BodyModel
from sherf.devices import choose_backend
from sherf.errors import BadInput
from sherf.export.gltf import glb_bytes, write_glb
from sherf.export.mesh_files import write_obj, write_ply
from sherf.export.rigged import RiggedMesh, rigged_mesh
from sherf.motion import Motion, apply, leg_height, resample, scaled
from sherf.motion_choice import chosen_motion
from sherf.options import ExportFormat, ExportOptions, MotionOptions, OutputOptions, PhotoOptions
from sherf.output import prepare_output_folder
from sherf.progress import say
from sherf.reconstruct import obtain_avatar, tell_warnings
from sherf.scene import BodyPose

FORMATS: tuple[str, ...] = get_args(ExportFormat)
CLIP_FPS = 30.0
TRIANGLES, TEXTURE = (500, 500_000), (64, 8192)
VRM_META = {
    "name": "avatar",
    "version": "1",
    "authors": ["made with sherf"],
    "licenseUrl": "https://vrm.dev/licenses/1.0/",
    "avatarPermission": "onlyAuthor",
    "commercialUsage": "personalNonProfit",
    "creditNotation": "required",
    "allowRedistribution": False,
    "modification": "prohibited",
}
"""VRM 1.0's most careful licence fields: a photo shows somebody, and only its user knows what they agreed to."""


def export_avatar(
    source: Path,
    out: Path,
    options: ExportOptions = ExportOptions(),
    photo: PhotoOptions = PhotoOptions(),
    moving: MotionOptions = MotionOptions(),
    overwrite: bool = False,
) -> list[Path]:
    """Write a mesh of an avatar; returns the files.

    Raises:
        BadInput: of the source, the options, or an avatar without a surface.
        OutputError: a file cannot be written.
    """
    kind = _format(out, options)
    for name, value, (least, most) in (
        ("--triangles", options.triangles, TRIANGLES),
        ("--texture", options.texture, TEXTURE),
    ):
        if not least <= value <= most:
            raise BadInput(f"{name} {value} is not possible: choose {least} to {most}.")
    motions = [chosen_motion(name, moving, out.with_suffix("")) for name in options.motion]
    _check_frame(options, motions)
    prepare_output_folder(out.parent)
    backend = choose_backend(options.device)
    avatar, body = _avatar(source, out, photo, overwrite)
    tell_warnings(avatar)
    say("making the mesh, about half a minute ...")
    mesh = rigged_mesh(avatar, body, backend, options.triangles, options.texture)
    record = provenance(avatar, mesh)
    if kind in ("glb", "vrm"):
        legs = leg_height(body.rest_joints(avatar.bank.subject.pose.betas).cpu())
        clips = [scaled(resample(motion, CLIP_FPS), legs) for motion in motions]
        meta = {**VRM_META, "name": out.stem} if kind == "vrm" else None
        # VRM keeps motions in files of their own
        write_glb(out, glb_bytes(mesh, clips if kind == "glb" else (), record, meta))
        return [out]
    vertices = mesh.posed(_pose(avatar, body, motions, options)).numpy()
    if kind == "ply":
        return write_ply(out, mesh, vertices)
    return write_obj(out, mesh, vertices, ", ".join(f"{key}: {value}" for key, value in record.items()))


def provenance(avatar: Avatar, mesh: RiggedMesh) -> dict[str, Any]:
    """What a file says of where it comes from."""
    report = avatar.report
    return {
        "tool": f"sherf {__version__}",
        "model": report.get("model", ""),
        "model_sha256": report.get("options", {}).get("model", ""),
        "body_model": avatar.bank.subject.body_model,
        "photo_sha256": report.get("photo_sha256", ""),
        "fit": report.get("verdict", ""),
        "seen_by_the_photo": round(mesh.seen, 3),
        "invented": round(1 - mesh.seen, 3),
    }


def _format(out: Path, options: ExportOptions) -> str:
    kind = options.format or out.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise BadInput(f"cannot export {out.name}: give --format, or a name that ends in .{', .'.join(FORMATS)}.")
    if out.is_dir():
        raise BadInput(f"{out} is a folder: --out takes the name of the file, such as {out / ('me.' + kind)}.")
    return kind


def _check_frame(options: ExportOptions, motions: list[Motion]) -> None:
    if options.frame is None:
        return
    if len(motions) != 1 or not 0 <= options.frame < len(motions[0]):
        length = f"; {motions[0].name} has {len(motions[0])} frames" if motions else ""
        raise BadInput(f"--frame {options.frame} needs one --motion that has this frame{length}.")


def _avatar(source: Path, out: Path, photo: PhotoOptions, overwrite: bool) -> tuple[Avatar, BodyModel]:
    """An avatar file's, or a photo's, which is kept in a folder of the file's name beside it."""
    if source.is_file() and is_avatar(source):
        saved = read_avatar(source)
        body = load_body_model(photo.body_model or saved.body_model)
        return restore(saved, body), body
    return obtain_avatar(source, OutputOptions(out.with_suffix(""), overwrite), photo)


def _pose(avatar: Avatar, body: BodyModel, motions: list[Motion], options: ExportOptions) -> BodyPose:
    """The pose that a mesh without a skeleton is written in."""
    pose = avatar.bank.subject.pose
    if options.frame is not None:
        legs = leg_height(body.rest_joints(pose.betas).cpu())
        return apply(motions[0], pose, leg_height_m=legs)[options.frame]
    if options.posed == "photo":
        return pose
    return body.rest_pose(pose.betas)
