"""Exports of one avatar: rigged meshes, meshes in one pose, point clouds, and motions on its skeleton."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from sherf.avatar.encoder import EncodedAvatar
from sherf.avatar.provenance import provenance
from sherf.body.body_model import BodyModel
from sherf.export.file_format import (
    MOTIONS,
    SELF_CONTAINED,
    check_frame,
    check_mesh,
    check_options,
    file_format,
    provenance_path,
)
from sherf.export.gltf import encode_glb, write_glb
from sherf.export.mesh_files import write_obj, write_ply, write_points
from sherf.export.motion_files import write_bvh, write_poses
from sherf.export.options import ExportOptions, VrmOptions
from sherf.export.rigged import RiggedMesh, build_rigged_mesh
from sherf.files.output import write_json
from sherf.motion.ground import ground_motion
from sherf.motion.motion import Motion
from sherf.motion.playback import apply
from sherf.motion.resample import resample
from sherf.progress import print_status
from sherf.render.backend import Backend
from sherf.scene import BodyPose

CLIP_FPS = 30.0
"""Frame rate of the clips in a GLB."""


class Exporter:
    """Writes one avatar's files. Its mesh is built once, on first use."""

    def __init__(self, avatar: EncodedAvatar, body: BodyModel, backend: Backend, triangles: int, texture: int):
        """Prepare an export; nothing is computed yet.

        Args:
            avatar: what is exported.
            body: the body model that it was made with.
            backend: where the surface is computed.
            triangles: maximum number of triangles, roughly.
            texture: side of the texture, pixels.

        Raises:
            BadInput: `triangles` or `texture` is out of range.
        """
        check_mesh(triangles, texture)
        self.avatar, self.body = avatar, body
        self._make_mesh = partial(build_rigged_mesh, avatar, body, backend, triangles, texture)

    @cached_property
    def mesh(self) -> RiggedMesh:
        """The avatar's surface on its skeleton."""
        print_status("building the mesh, about half a minute ...")
        return self._make_mesh()

    def write(
        self, out: Path, motions: list[Motion], options: ExportOptions, vrm: VrmOptions = VrmOptions()
    ) -> list[Path]:
        """Write one file in the format that the options or its suffix select.

        Args:
            out: the file.
            motions: clips of a .glb, the motion of a .bvh or .npz, or the pose of an .obj or .ply.
            options: format, pose and points; the mesh's size is this exporter's.
            vrm: licence fields of a .vrm.

        Returns:
            All files that were written.

        Raises:
            BadInput: the options do not fit the format, or the avatar has no surface.
            OutputError: a file cannot be written.
        """
        kind = file_format(out, options)
        check_options(kind, options, len(motions))
        check_frame(options, motions)
        if kind in MOTIONS:
            self._write_motion(out, kind, motions[0])
            return [out, _write_record(out, provenance(self.avatar))]
        record = provenance(self.avatar, self.mesh.visible_share)
        if kind in SELF_CONTAINED:
            betas = self.avatar.bank.subject.pose.betas
            clips = [ground_motion(resample(motion, CLIP_FPS), self.body, betas) for motion in motions]
            meta = _vrm_meta(out.stem, vrm) if kind == "vrm" else None
            # VRM keeps motions in separate files.
            write_glb(out, encode_glb(self.mesh, clips if kind == "glb" else (), record, meta))
            return [out]
        return [*self._write_posed(out, kind, motions, options, record), _write_record(out, record)]

    def _write_posed(
        self, out: Path, kind: str, motions: list[Motion], options: ExportOptions, record: dict[str, Any]
    ) -> list[Path]:
        """Write a mesh or points in one pose."""
        vertices = self.mesh.posed(self._pose(motions, options)).numpy()
        if options.points:
            return write_points(out, self.mesh, vertices, options.points)
        if kind == "ply":
            return write_ply(out, self.mesh, vertices)
        comment = ", ".join(f"{key}: {value}" for key, value in record.items())
        return write_obj(out, self.mesh, vertices, comment)

    def _pose(self, motions: list[Motion], options: ExportOptions) -> BodyPose:
        """Return the pose that a mesh without a skeleton is written in."""
        pose = self.avatar.bank.subject.pose
        if motions:
            return apply(ground_motion(motions[0], self.body, pose.betas), pose)[options.frame or 0]
        return pose if options.posed == "photo" else self.body.at_rest(pose)

    def _write_motion(self, out: Path, kind: str, motion: Motion) -> None:
        """Write a motion on the avatar's skeleton and ground, its steps as long as the avatar's legs make them."""
        subject, body = self.avatar.bank.subject, self.body
        betas = subject.pose.betas.cpu()
        grounded = ground_motion(motion, body, betas)
        if kind == "npz":
            write_poses(out, grounded, betas.numpy(), body.name, subject.camera, subject.pose)
            return
        rest = body.rest_joints(betas).double().numpy()
        ground = float(body.rest_vertices(betas)[:, 1].min())
        write_bvh(out, grounded, rest - np.array([0.0, ground, 0.0]), body.parents)


def _write_record(out: Path, record: dict[str, Any]) -> Path:
    """Write the provenance beside a file that cannot contain it."""
    path = provenance_path(out)
    write_json(path, record)
    return path


def _vrm_meta(name: str, vrm: VrmOptions) -> dict[str, Any]:
    """Return the meta object of the VRMC_vrm extension (VRM 1.0)."""
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
