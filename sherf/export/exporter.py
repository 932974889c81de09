"""What `sherf export` does: avatar, rigged mesh, file."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from sherf.api.choose_motion import chosen_motion
from sherf.avatar.avatar_file import Avatar, is_avatar, read_avatar, restore
from sherf.avatar.provenance import provenance
from sherf.avatar.reconstruct import obtain_avatar, shown_files, tell_warnings
from sherf.body.body_model import BodyModel
from sherf.body.files import load_body_model
from sherf.errors import BadInput
from sherf.export.gltf import glb_bytes, write_glb
from sherf.export.mesh_files import write_obj, write_ply, write_points
from sherf.export.motion_out import write_bvh, write_poses
from sherf.export.options import ExportFormat, ExportOptions, VrmOptions
from sherf.export.rigged import RiggedMesh, rigged_mesh
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.files.output import keep_inputs, prepare_output_folder, write_json
from sherf.motion.ground import grounded
from sherf.motion.motion import Motion, apply, resample
from sherf.motion.options import MotionOptions
from sherf.photo.options import PhotoOptions
from sherf.progress import print_status
from sherf.render.devices import Backend, choose_backend
from sherf.scene import BodyPose

FORMATS: tuple[str, ...] = get_args(ExportFormat)
CLIP_FPS = 30.0
TRIANGLES, TEXTURE, POINTS = (500, 500_000), (64, 8192), (0, 10_000_000)
POSED, SELF_CONTAINED = ("obj", "ply"), ("glb", "vrm")
"""Kinds of files that hold one pose, and those that say themselves where they come from."""


def export_avatar(
    source: Path,
    out: Path,
    options: ExportOptions = ExportOptions(),
    photo: PhotoOptions = PhotoOptions(),
    moving: MotionOptions = MotionOptions(),
    overwrite: bool = False,
    vrm: VrmOptions = VrmOptions(),
) -> list[Path]:
    """Write a mesh of an avatar, or a motion on it; returns the files.

    Raises:
        BadInput: of the source, the options, or an avatar without a surface.
        OutputError: a file cannot be written.
    """
    kind = _format(out, options)
    out = _named(out, kind)
    check_mesh(options.triangles, options.texture, options.points)
    _check_kind(kind, options)
    folder, files = out.with_suffix(""), _files(out, kind)
    keep_inputs([*files, *shown_files(folder)], [source, *photo.files, *options.motion])
    motions = [chosen_motion(name, moving, folder) for name in options.motion]
    _check_frame(options, motions)
    if kind == "vrm" and motions:
        print_status(
            "warning: a .vrm holds no motion, --motion is left out; export it as .glb, or as .bvh beside the .vrm."
        )
    if kind in POSED and motions and options.frame is None:
        print_status(f"a .{kind} holds one pose: taking the first frame of {motions[0].name} (--frame takes another).")
    prepare_output_folder(out.parent)
    backend = choose_backend(options.device)
    avatar, body = _avatar(source, out, photo, overwrite)
    # also where an avatar was given: its photo may lie there
    keep_inputs(
        files, [path for path in files if path.is_file() and file_sha256(path) == avatar.report.get("photo_sha256")]
    )
    tell_warnings(avatar)
    return Exporter(avatar, body, backend, options.triangles, options.texture).write(out, motions, options, vrm)


class Exporter:
    """Writes one avatar's files; its mesh is made once, when it is first needed."""

    def __init__(self, avatar: Avatar, body: BodyModel, backend: Backend, triangles: int, texture: int):
        self.avatar, self.body = avatar, body
        self._make_mesh = partial(rigged_mesh, avatar, body, backend, triangles, texture)

    @cached_property
    def mesh(self) -> RiggedMesh:
        """The avatar's surface on its skeleton."""
        print_status("making the mesh, about half a minute ...")
        return self._make_mesh()

    def write(
        self, out: Path, motions: list[Motion], options: ExportOptions, vrm: VrmOptions = VrmOptions()
    ) -> list[Path]:
        """Write a file of the kind that its name or the options say; returns all that was written."""
        kind = _format(out, options)
        if kind in ("bvh", "npz"):
            _write_motion(out, kind, self.avatar, self.body, motions[0])
            return [out, _beside(out, provenance(self.avatar))]
        record = provenance(self.avatar, self.mesh.seen)
        if kind in SELF_CONTAINED:
            betas = self.avatar.bank.subject.pose.betas
            clips = [grounded(resample(motion, CLIP_FPS), self.body, betas) for motion in motions]
            meta = _vrm_meta(out.stem, vrm) if kind == "vrm" else None
            # VRM keeps motions in files of their own
            write_glb(out, glb_bytes(self.mesh, clips if kind == "glb" else (), record, meta))
            return [out]
        vertices = self.mesh.posed(_pose(self.avatar, self.body, motions, options)).numpy()
        if options.points:
            files = write_points(out, self.mesh, vertices, options.points)
        elif kind == "ply":
            files = write_ply(out, self.mesh, vertices)
        else:
            comment = ", ".join(f"{key}: {value}" for key, value in record.items())
            files = write_obj(out, self.mesh, vertices, comment)
        return [*files, _beside(out, record)]


def _beside(out: Path, record: dict[str, Any]) -> Path:
    """Where the file itself has no place to say where it comes from."""
    path = _record_path(out)
    write_json(path, record)
    return path


def _record_path(out: Path) -> Path:
    return out.with_suffix(f"{out.suffix}.provenance.json")


def _files(out: Path, kind: str) -> list[Path]:
    """What an export writes beside the avatar."""
    materials = [out.with_suffix(".mtl"), out.with_suffix(".png")] if kind == "obj" else []
    return [out, *materials] + ([] if kind in SELF_CONTAINED else [_record_path(out)])


def _vrm_meta(name: str, vrm: VrmOptions) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "authors": list(vrm.author),
        "licenseUrl": "https://vrm.dev/licenses/1.0/",
        "avatarPermission": vrm.may_act,
        "commercialUsage": vrm.commercial,
        "creditNotation": vrm.credit,
        "allowRedistribution": vrm.redistribution,
        "modification": vrm.modification,
    }


def _format(out: Path, options: ExportOptions) -> str:
    kind = options.format or out.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise BadInput(f"cannot export {out.name}: give --format, or a name that ends in .{', .'.join(FORMATS)}.")
    return kind


def _named(out: Path, kind: str) -> Path:
    """The file, with its kind's suffix if it has none."""
    if not out.suffix and out.name not in ("", ".."):
        out = out.with_name(f"{out.name}.{kind}")
    if out.is_dir():
        raise BadInput(f"{out} is a folder: --out takes the name of the file, such as {out / ('me.' + kind)}.")
    return out


def check_mesh(triangles: int, texture: int, points: int = 0) -> None:
    """Refuse sizes that no mesh or cloud can have.

    Raises:
        BadInput: which, and what is possible.
    """
    for name, value, (least, most) in (
        ("--triangles", triangles, TRIANGLES),
        ("--texture", texture, TEXTURE),
        ("--points", points, POINTS),
    ):
        if not least <= value <= most:
            raise BadInput(f"{name} {value} is not possible: choose {least} to {most}.")


def _check_kind(kind: str, options: ExportOptions) -> None:
    """Refuse options that a kind of file has no place for."""
    for name, given, kinds in (
        (f"--frame {options.frame}", options.frame is not None, POSED),
        (f"--posed {options.posed}", options.posed != "rest", POSED),
        (f"--points {options.points}", options.points != 0, ("ply",)),
    ):
        if given and kind not in kinds:
            raise BadInput(f"{name} is of no use for a .{kind}: leave it out, or export .{' or .'.join(kinds)}.")
    if kind in ("bvh", "npz") and len(options.motion) != 1:
        raise BadInput(f"a .{kind} holds one motion: give one --motion, not {len(options.motion)}.")
    if kind in POSED and len(options.motion) + (options.posed != "rest") > 1:
        raise BadInput(f"a .{kind} holds one pose: give one --motion, or --posed photo, not both or several.")


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
    if motions:
        return apply(grounded(motions[0], body, pose.betas), pose)[options.frame or 0]
    if options.posed == "photo":
        return pose
    return body.rest_pose(pose.betas)


def _write_motion(out: Path, kind: str, avatar: Avatar, body: BodyModel, motion: Motion) -> None:
    """The motion with steps of the avatar's own length, on its ground."""
    subject = avatar.bank.subject
    betas = subject.pose.betas.cpu()
    own = grounded(motion, body, betas)
    if kind == "npz":
        write_poses(out, own, betas.numpy(), body.name, subject.camera, subject.pose)
        return
    rest = body.rest_joints(betas).double().numpy()
    ground = float(body.shaped(betas)[:, 1].min())
    write_bvh(out, own, rest - np.array([0.0, ground, 0.0]), body.parents)
