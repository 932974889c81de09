"""Which point of the open body each point of MediaPipe's face mesh is: writes sherf/photo/face_points.npz.

    python benchmarks/learn_face_points.py --people 40

Heads of generated people are rendered from several sides, the mesh is detected in them, and its pixels are cast back
onto the body. The median over all renderings and both halves of the face is kept, with its spread.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree

from sherf.body.files import load_body_model
from sherf.camera.pinhole import camera_rays, intrinsics, look_at
from sherf.datasets.openpeople.generate import draw_valid_pose
from sherf.datasets.openpeople.lighting import random_lighting
from sherf.datasets.openpeople.person import make_person, stream
from sherf.datasets.openpeople.stage import Stage
from sherf.photo.face_mesh import face_in_crop, surroundings
from sherf.photo.mediapipe_landmarks import Roi
from sherf.progress import progress
from sherf.render.open3d_surface import Open3dSurface, as_open3d, mesh_scene
from sherf.scene import BodyPose, Camera

SIZE, DISTANCE_M, FOCAL = 320, 1.2, 3.6
NOSE_VERTEX = 332
YAWS = (-0.5, -0.25, 0.0, 0.25, 0.5)
MIN_SCORE = 0.97
OUT = Path("sherf/photo/face_points.npz")


def head_camera(vertices: torch.Tensor, turn: torch.Tensor, yaw: float) -> Camera:
    """Return a camera in front of the face, turned about the head's vertical axis."""
    nose = vertices[NOSE_VERTEX]
    towards = turn @ torch.tensor([np.sin(yaw), 0.05, np.cos(yaw)], dtype=torch.float32)
    centre = nose - 0.06 * turn[:, 2]
    R, T = look_at(centre + DISTANCE_M * towards / towards.norm(), centre)
    return Camera(intrinsics(FOCAL * SIZE, (SIZE, SIZE)), R, T, (SIZE, SIZE))


def found_on_body(seed: int) -> list[Float[np.ndarray, "468 3"]]:
    """Return the mesh's points on the template's surface, metres, for each side from which a face was found."""
    body, person = load_body_model("openbody"), make_person(seed)
    _, joints, posed = draw_valid_pose(person, 0)
    truth = BodyPose(
        torch.from_numpy(np.asarray(person.physique.betas)).float(),
        torch.from_numpy(np.asarray(joints)).float(),
        torch.eye(3),
        torch.from_numpy(posed.joints[0] - person.figure.joints[0]).float(),
    )
    mine = body.pose(truth)
    stage, scene = Stage(posed, random_lighting(stream(seed, "lighting"))), mesh_scene(mine.vertices, body.faces)
    results = []
    for yaw in YAWS:
        camera = head_camera(mine.vertices, mine.T_world_rest[15, :3, :3], yaw)
        rendering = stage.render(camera)
        image = np.asarray(
            rendering.image * rendering.mask[..., None] + 160 * (1 - rendering.mask[..., None]), np.uint8
        )
        points, score = face_in_crop(image, Roi(np.array([SIZE / 2, SIZE / 2]), SIZE * 0.9, 0.0))
        if score > 0.3:
            points, score = face_in_crop(image, surroundings(points))
        if score < MIN_SCORE:
            continue
        rays = camera_rays(camera, torch.from_numpy(points).float())
        hits = scene.cast_rays(as_open3d(torch.cat([rays.origins, rays.directions], dim=1)))
        face = hits["primitive_ids"].numpy().astype(np.int64)
        hit = face < len(body.faces)
        v, w = np.moveaxis(hits["primitive_uvs"].numpy(), -1, 0)
        corners = body.v_template.numpy()[body.faces.numpy()[np.where(hit, face, 0)]]
        on_template = (np.stack([1 - v - w, v, w], axis=1)[..., None] * corners).sum(axis=1)
        results.append(np.where(hit[:, None], on_template, np.nan))
    return results


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = np.stack([mesh for seed in progress(range(options.people), "heads") for mesh in found_on_body(seed)])
    mean = np.nanmedian(found, axis=0)
    # the mesh is symmetric: the counterpart of a point is the one nearest to its mirror image
    _, mirrored = cKDTree(mean).query(mean * [-1, 1, 1])
    both = np.concatenate([found, found[:, mirrored] * [-1, 1, 1]])
    middle = np.nanmedian(both, axis=0)
    spread = 1000 * np.nanmedian(np.linalg.norm(both - middle, axis=-1), axis=0)
    body = load_body_model("openbody")
    nearest = Open3dSurface(body.v_template, body.faces).nearest(torch.from_numpy(middle).float())
    corners = body.faces[nearest.face].numpy().astype(np.int16)
    np.savez_compressed(
        options.out, corners=corners, weights=nearest.barycentric.numpy().astype(np.float16),
        spread_mm=spread.astype(np.float16),
    )  # fmt: skip
    print(f"{len(found)} faces; spread {np.median(spread):.1f} mm (median), {np.quantile(spread, 0.9):.1f} mm (90 %)")


if __name__ == "__main__":
    main()
