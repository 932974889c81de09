"""What the mask shows and the clothed surface does not cover becomes a layer: inflated to a body of its own.

Depth comes from the outline of the body that the matter adjoins, thickness from the matter's own width (the inflation
of Igarashi et al., "Teddy", 1999, as the solution of a Poisson equation), bones from the nearest vertices.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.sparse.linalg import spsolve
from torch import Tensor

from sherf.body.body_model import BodyModel
from sherf.body.skeleton import JOINT_NAMES
from sherf.models.surface.layer import Layer, to_rest
from sherf.scene import Camera, PosedBody

MIN_AREA_M2 = 0.0005
"""Smaller patches are not worth a layer, square metres."""
BAND_M = 0.03
"""The layer continues this far into the body's outline, thinning out, metres."""
TOUCH_M = 0.015
"""Patches further than this from the covered pixels are not attached to the person, metres."""
THICK_SEARCH_M = 0.05
"""The body's thickness beside a patch is the greatest within this distance, metres."""
MIN_HALF_M = 0.006
"""Least half thickness of the layer away from its edge, metres."""
MAX_JUMP_M = 0.03
"""The layer is cut where its depth jumps further than this from one pixel to the next, metres."""
SMOOTHING = 40
"""Rounds in which skinning weights are averaged over neighbouring points."""
ARM_SHARE = 0.75
"""A patch moves with the arms only if they make up this share of what it touches."""
ARMS = [i for i, name in enumerate(JOINT_NAMES) if name.split("_")[-1] in ("elbow", "wrist", "hand", "shoulder")]


@dataclass(frozen=True)
class OwnImage:
    """The avatar and its photo through the photo's camera."""

    camera: Camera
    mask: Float[Tensor, "h w"]
    opacity: Float[Tensor, "h w"]
    depth: Float[Tensor, "h w"]
    """Of the first surface along the camera's z axis, metres."""
    half_thickness: Float[Tensor, "h w"]
    """Half the distance from the body's first to its last surface, metres; 0 beside it."""


def layer_of_uncovered(image: OwnImage, posed: PosedBody, body: BodyModel) -> Layer | None:
    """Return the layer of what the mask shows and the avatar does not cover; None if that is too little.

    Args:
        image: at a resolution of about half a centimetre a pixel.
        posed: the body in the photo.
        body: the body model, on the CPU.
    """
    mask, covered = (image.mask > 0.5).numpy(), (image.opacity > 0.5).numpy()
    person = covered & (image.depth > 0).numpy()
    if not person.any():
        return None
    cell = float(image.depth[torch.from_numpy(person)].median()) / float(image.camera.K[0, 0])
    patches, labels = _patches(mask & ~covered, person, cell)
    if not patches.any():
        return None
    domain, mid, half = _inflated(patches, person, image, cell)
    points, faces, sheet_pixels = _closed_mesh(domain, mid, half, image.camera)
    weights = _skinning_weights(points, faces, labels[sheet_pixels[:, 1], sheet_pixels[:, 0]], posed, body)
    return Layer(to_rest(points, weights, posed), weights, faces)


def _patches(
    missing: Bool[np.ndarray, "h w"], person: Bool[np.ndarray, "h w"], cell: float
) -> tuple[Bool[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Return the patches of uncovered pixels that are large enough and touch the person, and nearest patch numbers."""
    near = ndimage.distance_transform_edt(~person) * cell
    opened = cv2.morphologyEx(missing.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    labels, count = ndimage.label(opened, np.ones((3, 3)))
    kept = np.zeros_like(missing)
    for number in range(1, count + 1):
        patch = labels == number
        if patch.sum() * cell**2 >= MIN_AREA_M2 and near[patch].min() <= TOUCH_M:
            kept |= patch
    labels = np.where(kept, labels, 0)
    if not kept.any():
        return kept, labels
    rows, columns = ndimage.distance_transform_edt(~kept, return_distances=False, return_indices=True)
    return kept, labels[rows, columns]


def _inflated(
    patches: Bool[np.ndarray, "h w"], person: Bool[np.ndarray, "h w"], image: OwnImage, cell: float
) -> tuple[Bool[np.ndarray, "h w"], Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return the layer's pixels, the depth of its middle, and its half thickness, metres."""
    free = (cv2.dilate(patches.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~person
    # depth: that of the nearest outline, smoothly extended
    rim = person & (cv2.dilate(free.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    depth = image.depth.numpy().astype(np.float64)
    mid = _harmonic(free, rim, np.where(rim, depth, 0.0))
    # thickness: -laplacian(half^2) = 2 makes a round profile of the patch's width; free at the body, 0 at the outline
    half = np.sqrt(_poisson(free, person, 2.0).clip(0)) * cell
    radius = max(1, round(THICK_SEARCH_M / cell))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    body_half = cv2.dilate(image.half_thickness.numpy().astype(np.float32), disc)
    to_person = ndimage.distance_transform_edt(~person, return_distances=False, return_indices=True)
    half = np.minimum(half, np.maximum(body_half[tuple(to_person)], MIN_HALF_M))
    # the band that joins the layer to the body
    distance, nearest = ndimage.distance_transform_edt(~free, return_indices=True)
    band = person & (distance * cell < BAND_M)
    falloff = np.sqrt((1 - (distance * cell / BAND_M)).clip(0))
    to_rim = ndimage.distance_transform_edt(~rim, return_distances=False, return_indices=True)
    mid = np.where(band, depth[tuple(to_rim)], mid)
    half = np.where(band, half[tuple(nearest)] * falloff, half)
    domain = free | band
    half = np.where(domain, cv2.GaussianBlur(half.astype(np.float32), (0, 0), 1.0), 0.0)
    return domain, mid, half


def _neighbours(inside: Bool[np.ndarray, "h w"]) -> tuple[np.ndarray, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Return rows and columns of the pixels, and those of their four neighbours, clamped to the image."""
    rows, columns = inside.nonzero()
    h, w = inside.shape
    shifts = ((-1, 0), (1, 0), (0, -1), (0, 1))
    return rows, columns, [((rows + dy).clip(0, h - 1), (columns + dx).clip(0, w - 1)) for dy, dx in shifts]


def _harmonic(
    free: Bool[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"], values: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Return values extended from known pixels over free ones, without slope across all other borders."""
    rows, columns, neighbours = _neighbours(free)
    index = np.full(free.shape, -1)
    index[rows, columns] = np.arange(len(rows))
    own = np.arange(len(rows))
    entries, right, diagonal = [], np.zeros(len(rows)), np.full(len(rows), 1e-6)
    right += 1e-6 * values[known].mean() if known.any() else 0.0
    for at in neighbours:
        inner, fixed = free[at], known[at]
        diagonal += inner | fixed
        right += np.where(fixed, values[at], 0.0)
        entries.append((own[inner], index[at][inner]))
    left, other = (np.concatenate(x) for x in zip(*entries, strict=True))
    matrix = sp.diags(diagonal) - sp.coo_matrix((np.ones(len(left)), (left, other)), (len(rows), len(rows)))
    result = values.astype(np.float64).copy()
    result[rows, columns] = spsolve(matrix.tocsc(), right)
    return result


def _poisson(free: Bool[np.ndarray, "h w"], person: Bool[np.ndarray, "h w"], source: float) -> Float[np.ndarray, "h w"]:
    """Return the solution of -laplacian(u) = source over free pixels: no slope towards the person, 0 beyond, px^2."""
    rows, columns, neighbours = _neighbours(free)
    index = np.full(free.shape, -1)
    index[rows, columns] = np.arange(len(rows))
    own = np.arange(len(rows))
    entries, diagonal = [], np.full(len(rows), 1e-6)
    for at in neighbours:
        inner = free[at]
        diagonal += ~person[at]
        entries.append((own[inner], index[at][inner]))
    left, other = (np.concatenate(x) for x in zip(*entries, strict=True))
    matrix = sp.diags(diagonal) - sp.coo_matrix((np.ones(len(left)), (left, other)), (len(rows), len(rows)))
    result = np.zeros(free.shape)
    result[rows, columns] = spsolve(matrix.tocsc(), np.full(len(rows), source))
    return result


def _closed_mesh(
    domain: Bool[np.ndarray, "h w"], mid: Float[np.ndarray, "h w"], half: Float[np.ndarray, "h w"], camera: Camera
) -> tuple[Float[Tensor, "point 3"], Int[Tensor, "face 3"], Int[np.ndarray, "point 2"]]:
    """Return a mesh with a front and a back sheet over the pixels, closed along their border.

    Returns:
        Points in world space (metres), faces, and the pixel (x, y) of each point.
    """
    squares = domain[:-1, :-1] & domain[1:, :-1] & domain[:-1, 1:] & domain[1:, 1:]
    corners = np.stack([mid[:-1, :-1], mid[1:, :-1], mid[:-1, 1:], mid[1:, 1:]])
    squares &= np.ptp(corners, axis=0) < MAX_JUMP_M
    used = np.zeros_like(domain)
    for dy in (0, 1):
        for dx in (0, 1):
            used[dy : used.shape[0] - 1 + dy, dx : used.shape[1] - 1 + dx] |= squares
    index = np.full(domain.shape, -1)
    count = int(used.sum())
    index[used] = np.arange(count)
    a, b, c, d = (x[squares] for x in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    # counter-clockwise seen from the camera, whose y axis points down
    front = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    edges = np.concatenate([front[:, [0, 1]], front[:, [1, 2]], front[:, [2, 0]]])
    key = np.minimum(edges[:, 0], edges[:, 1]) * count + np.maximum(edges[:, 0], edges[:, 1])
    _, inverse, times = np.unique(key, return_inverse=True, return_counts=True)
    border = edges[times[inverse] == 1]
    walls = np.concatenate(
        [
            np.stack([border[:, 1], border[:, 0], border[:, 0] + count], 1),
            np.stack([border[:, 1], border[:, 0] + count, border[:, 1] + count], 1),
        ]
    )
    faces = np.concatenate([front, front[:, ::-1] + count, walls])
    rows, columns = used.nonzero()
    pixels = np.stack([columns, rows], axis=1)
    at = torch.from_numpy(pixels + 0.5).float()
    depth = torch.from_numpy(np.concatenate([(mid - half)[used], (mid + half)[used]])).float()
    points = _unproject(camera, torch.cat([at, at]), depth)
    return points, torch.from_numpy(np.ascontiguousarray(faces)), np.concatenate([pixels, pixels])


def _unproject(
    camera: Camera, pixels: Float[Tensor, "point 2"], depth: Float[Tensor, " point"]
) -> Float[Tensor, "point 3"]:
    """Return the world points at pixel coordinates and depths along the camera's z axis, metres."""
    K = camera.K
    y = (pixels[:, 1] - K[1, 2]) / K[1, 1]
    x = (pixels[:, 0] - K[0, 2] - K[0, 1] * y) / K[0, 0]
    in_camera = torch.stack([x, y, torch.ones_like(x)], dim=1) * depth[:, None]
    return (in_camera - camera.T) @ camera.R


def _skinning_weights(
    points: Float[Tensor, "point 3"],
    faces: Int[Tensor, "face 3"],
    patch: Int[np.ndarray, " point"],
    posed: PosedBody,
    body: BodyModel,
) -> Float[Tensor, "point 24"]:
    """Return the weights of the nearest vertices, averaged over the mesh.

    A patch that touches the trunk, the head or the legs does not move with an arm that happens to hang before it.
    """
    arm = body.weights[:, ARMS].sum(dim=1) > 0.5
    weights = torch.zeros(len(points), body.weights.shape[1])
    for number in np.unique(patch):
        some = torch.from_numpy((patch == number).nonzero()[0])
        nearest = _nearest(points[some], posed.vertices)
        if 0 < float(arm[nearest].float().mean()) < ARM_SHARE:
            others = (~arm).nonzero()[:, 0]
            nearest = others[_nearest(points[some], posed.vertices[others])]
        weights[some] = body.weights[nearest]
    count = len(points)
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).numpy()
    adjacent = sp.coo_matrix((np.ones(len(pairs)), pairs.T), (count, count)).tocsr()
    adjacent = ((adjacent + adjacent.T) > 0).astype(np.float64) + sp.eye(count)
    mean = sp.diags(1 / np.asarray(adjacent.sum(axis=1)).ravel()) @ adjacent
    values = weights.double().numpy()
    for _ in range(SMOOTHING):
        values = mean @ values
    smooth = torch.from_numpy(values).float()
    return smooth / smooth.sum(dim=1, keepdim=True)


def _nearest(points: Float[Tensor, "point 3"], vertices: Float[Tensor, "vertex 3"]) -> Int[Tensor, " point"]:
    """Return the index of the vertex nearest to each point."""
    return torch.cat([torch.cdist(some, vertices).argmin(dim=1) for some in points.split(2048)])
