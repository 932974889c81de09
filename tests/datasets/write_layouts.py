"""Write tiny data sets in the published layouts, from people whose pose, camera and mask are known.

The ground truth follows SMPL's definition: the root rotation is about the pelvis, then a translation is added.
"""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation
from stage import photograph

from sherf.body.body_model import BodyModel
from sherf.camera.pinhole import intrinsics, look_at
from sherf.scene import BodyPose, Camera

SIZE = (96, 80)


@dataclass(frozen=True)
class Truth:
    """What an adapter must return for one image."""

    vertices: torch.Tensor
    mask: torch.Tensor
    camera: Camera


def smpl_like(body: BodyModel) -> BodyModel:
    """Return the open body under SMPL's name: any body of 6,890 vertices serves."""
    return replace(body, name="smpl")


def pose_of(frame: int) -> BodyPose:
    """Return a pose with its own root rotation, joint angles and position for every frame."""
    rng = np.random.default_rng(frame)
    joints = rng.normal(0, 0.08, (24, 3))
    joints[0] = Rotation.from_euler("xyz", [0.3 + 0.1 * frame, 0.7 * frame, -0.2]).as_rotvec()
    joints[16, 2], joints[17, 2] = -0.9, 0.9
    position = np.array([0.2, 1.0, -0.3]) + rng.normal(0, 0.1, 3)
    return BodyPose(*(torch.from_numpy(x).float() for x in (rng.normal(0, 0.7, 10), joints, np.eye(3), position)))


def cameras(count: int) -> list[Camera]:
    """Return cameras around the origin, a metre up."""
    found = []
    for azimuth in 2 * np.pi * np.arange(count) / count:
        eye = torch.tensor([3.4 * np.sin(azimuth), 1.2, 3.4 * np.cos(azimuth)]).float()
        R, T = look_at(eye, torch.tensor([0.2, 0.9, -0.3]))
        found.append(Camera(intrinsics(105.0, SIZE, (39.0, 50.0)), R, T, SIZE))
    return found


def published_camera(camera: Camera) -> dict[str, np.ndarray]:
    """Return K, R, T in the published convention: the first pixel's centre is (0, 0)."""
    K = camera.K.double().numpy().copy()
    K[:2, 2] -= 0.5
    return {"K": K, "R": camera.R.double().numpy(), "T": camera.T.double().numpy().reshape(3, 1)}


def write_images(body: BodyModel, pose: BodyPose, camera: Camera, image: Path, mask: Path) -> Truth:
    """Render a person, and write image and mask as JPEG or PNG by their suffix."""
    seen = photograph(body, pose, camera)
    for path in (image, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    rgb = (seen.image.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    cv2.imwrite(str(image), rgb[..., ::-1])
    cv2.imwrite(str(mask), (seen.mask.numpy() > 0).astype(np.uint8) * 255)
    return Truth(body.pose(pose).vertices, seen.mask, camera)


def write_npy(path: Path, content: object) -> None:
    """Write an array, or a dict as one pickled object, as np.save does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(content, dtype=object) if isinstance(content, dict) else content, allow_pickle=True)


def write_renderpeople(root: Path, body: BodyModel, frames: tuple[int, ...], views: int) -> dict[tuple, Truth]:
    folder, around = root / "seq_000000", cameras(views)
    content = {f"camera{v:04d}": {k: x.tolist() for k, x in published_camera(c).items()} for v, c in enumerate(around)}
    folder.mkdir(parents=True)
    (folder / "cameras.json").write_text(json.dumps(content))
    truths, betas = {}, pose_of(0).betas
    poses = [replace(pose_of(frame), betas=betas) for frame in range(max(frames) + 1)]
    for frame in frames:
        for v, camera in enumerate(around):
            names = (folder / kind / f"camera{v:04d}" / f"{frame:04d}" for kind in ("img", "mask"))
            image, mask = (path.with_suffix(s) for path, s in zip(names, (".jpg", ".png"), strict=True))
            truths[frame, v] = write_images(body, poses[frame], camera, image, mask)
    joints = np.stack([p.joints.numpy() for p in poses])
    smpl = {
        "betas": betas.numpy()[None], "global_orient": joints[:, 0], "body_pose": joints[:, 1:].reshape(-1, 69),
        "transl": np.stack([p.T_world_body.numpy() for p in poses]),
    }  # fmt: skip
    (folder / "outputs_re_fitting").mkdir()
    np.savez(folder / "outputs_re_fitting" / "refit_smpl_2nd.npz", smpl=np.array(smpl, dtype=object))
    return truths


def write_humman(root: Path, body: BodyModel, frames: tuple[int, ...], views: int) -> dict[tuple, Truth]:
    folder, around = root / "p000455_a000986", cameras(views)
    content = {
        f"kinect_color_{v:03d}": {k: x.tolist() for k, x in published_camera(c).items()} for v, c in enumerate(around)
    }
    folder.mkdir(parents=True)
    (folder / "cameras.json").write_text(json.dumps(content))
    (folder / "smpl_params").mkdir()
    truths = {}
    for frame in frames:
        pose = pose_of(frame)
        for v, camera in enumerate(around):
            image, mask = (
                folder / f"kinect_{kind}" / f"kinect_{v:03d}" / f"{frame:06d}.png" for kind in ("color", "mask")
            )
            truths[frame, v] = write_images(body, pose, camera, image, mask)
        joints = pose.joints.numpy()
        np.savez(
            folder / "smpl_params" / f"{frame:06d}.npz", betas=pose.betas.numpy(), global_orient=joints[0],
            body_pose=joints[1:].reshape(69), transl=pose.T_world_body.numpy(),
        )  # fmt: skip
    return truths


def write_zju(root: Path, body: BodyModel, subject: str, frames: int, views: int) -> dict[tuple, Truth]:
    """Write SMPL's vertices; Rh rotates about the origin, so Th compensates for the pelvis. Cameras in millimetres."""
    folder, around = root / subject, cameras(views)
    published = [published_camera(camera) for camera in around]
    renamed = subject in ("CoreView_313", "CoreView_315")
    listed, truths = [], {}
    for frame in range(frames):
        pose = pose_of(frame)
        names = []
        for v, camera in enumerate(around):
            stored = f"Camera_B{v + 1}/{frame:06d}.jpg"
            image = folder / stored
            truths[frame, v] = write_images(
                body, pose, camera, image, (folder / "mask_cihp" / stored).with_suffix(".png")
            )
            long = f"Camera_B{v + 1}/{subject}_Camera_({v + 1})_{frame:06d}_2019-08-23_16-08.jpg"
            names.append(long if renamed else stored)
        listed.append({"ims": names})
        joints = pose.joints.double().numpy()
        root_rotation = Rotation.from_rotvec(joints[0]).as_matrix()
        pelvis = body.rest_joints(pose.betas)[0].double().numpy()
        Th = pose.T_world_body.double().numpy() + pelvis - root_rotation @ pelvis
        poses = joints.copy()
        poses[0] = 0
        parameters = {
            "Rh": joints[:1], "Th": Th[None], "poses": poses.reshape(1, 72), "shapes": pose.betas.numpy()[None],
        }  # fmt: skip
        write_npy(folder / "new_params" / f"{frame}.npy", parameters)
        write_npy(folder / "new_vertices" / f"{frame}.npy", truths[frame, 0].vertices.numpy())
    cams = {key: [camera[key] for camera in published] for key in ("K", "R")}
    cams["T"] = [camera["T"] * 1000 for camera in published]
    cams["D"] = [np.full((5, 1), 0.3) for _ in published]
    write_npy(folder / "annots.npy", {"cams": cams, "ims": listed})
    return truths


def pickled_npz(path: Path, key: str, value: object) -> None:
    """Write an .npz whose member is any pickled object."""
    import zipfile

    np.savez(path, **{key: np.array({}, dtype=object)})
    with zipfile.ZipFile(path) as archive:
        member = archive.read(f"{key}.npy")
    start = member.index(b"\n") + 1
    holder = np.empty((), object)
    holder[()] = value
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{key}.npy", member[:start] + pickle.dumps(holder))
