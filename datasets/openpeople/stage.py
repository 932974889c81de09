"""Pictures of a posed person: ray casting, ambient occlusion, lamps, and materials evaluated where pixels fall."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from sherf.datasets.openpeople.casting import Caster, Hits, Lens, lens
from sherf.datasets.openpeople.lighting import Lighting, shine
from sherf.datasets.openpeople.occlusion import ambient_occlusion, shadows, surface
from sherf.datasets.openpeople.part import PosedPerson, SurfaceSamples
from sherf.scene import Camera

SEEN_TOLERANCE_M = 0.003
"""A point counts as seen if nothing lies more than this before it: cloth lies closer to skin than that."""
_EDGE_DEPTH = 0.012
"""Relative step of depth between neighbouring pixels that makes an edge."""
_EDGE_COLOUR = 0.05
"""Difference of colour between neighbouring pixels above which a pixel is looked at more closely."""


@dataclass(frozen=True)
class Picture:
    """A rendered view."""

    image: UInt8[np.ndarray, "h w 3"]
    """sRGB, premultiplied on black."""
    mask: Float32[np.ndarray, "h w"]
    """Share of each pixel that the person covers, in [0, 1]."""
    depth: Float32[np.ndarray, "h w"]
    """Along the camera's z axis, metres; 0 where the person is not."""


class Stage:
    """A posed person under light, ready for any number of cameras."""

    def __init__(self, posed: PosedPerson, lighting: Lighting | None = None, threads: int = 1) -> None:
        self.posed = posed
        self.lighting = lighting if lighting is not None else Lighting()
        self._caster = Caster(posed.vertices, posed.faces, threads)
        mesh = surface(self._caster, posed.vertices, posed.normals, posed.faces)
        daylight, lit = ambient_occlusion(mesh), shadows(mesh, self.lighting)
        self._faces = posed.faces.astype(np.int32)
        self._part_of_face = posed.part_of_face.astype(np.int16)
        self._attributes = np.concatenate(
            [posed.normals, posed.chart, posed.uv, daylight[:, None], lit[:, None]], axis=1, dtype=np.float32
        )
        """Per vertex: normal 3, chart 3, uv 2, daylight 1, key light 1."""

    def render(self, camera: Camera, supersampling: int = 2) -> Picture:
        """Draw the person.

        Every pixel is looked at through its centre; where that differs from its neighbours (outlines, folds, sharp
        print) it becomes the mean of supersampling^2 looks instead.
        """
        if supersampling < 1:
            raise ValueError(f"supersampling is a count of looks along a pixel's side, at least 1; got {supersampling}")
        view, (height, width) = lens(camera), camera.size
        image = np.zeros((height, width, 3), np.float32)
        mask = np.zeros((height, width), np.float32)
        depth = np.zeros((height, width), np.float32)
        left, top, right, bottom = _box(view, self.posed.vertices)
        if right <= left or bottom <= top:
            return Picture(image.astype(np.uint8), mask, depth)
        box = np.s_[top:bottom, left:right]
        shape = (bottom - top, right - left)
        corner = np.array([left, top], np.float32)
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).reshape(-1, 2).astype(np.float32)
        part = np.full(shape[0] * shape[1], -1, np.int16)
        colour = np.zeros((len(part), 3), np.float32)
        far = np.zeros(len(part), np.float32)
        hits, directions = self._look(view, grid + corner + 0.5)
        part[hits.ray] = self._part_of_face[hits.face]
        far[hits.ray] = hits.depth
        colour[hits.ray] = self._shade(view, hits, directions, supersampling=1)
        share = (part >= 0).astype(np.float32)
        if supersampling > 1:
            again = np.flatnonzero(_uneven(part.reshape(shape), far.reshape(shape), colour.reshape(*shape, 3)))
            self._refine(view, again, grid[again] + corner, supersampling, colour, share, far)
        image[box] = colour.reshape(*shape, 3)
        mask[box] = share.reshape(shape)
        depth[box] = far.reshape(shape)
        return Picture(np.rint(image * 255).astype(np.uint8), mask, depth)

    def visibility(
        self, camera: Camera, observation_camera: Camera, supersampling: int = 2
    ) -> Float32[np.ndarray, "h w"]:
        """Share of each pixel's surface that the observation camera sees: inside its frame, and nothing before it."""
        view, observer, (height, width) = lens(camera), lens(observation_camera), camera.size
        seen = np.zeros((height, width), np.float32)
        left, top, right, bottom = _box(view, self.posed.vertices)
        if right <= left or bottom <= top:
            return seen
        shape = (bottom - top, right - left)
        corner = np.array([left, top], np.float32)
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).reshape(-1, 2).astype(np.float32)
        state = np.full(len(grid), -1.0, np.float32)
        hits, directions = self._look(view, grid + corner + 0.5)
        state[hits.ray] = self._is_seen(view, observer, hits, directions)
        share = np.maximum(state, 0)
        if supersampling > 1:
            again = np.flatnonzero(_differs(state.reshape(shape)))
            looks = _looks(grid[again] + corner, supersampling)
            hits, directions = self._look(view, looks)
            pixel = hits.ray // supersampling**2
            covered = np.bincount(pixel, minlength=len(again))
            total = np.bincount(pixel, self._is_seen(view, observer, hits, directions), minlength=len(again))
            share[again] = total / np.maximum(covered, 1)
        seen[top:bottom, left:right] = share.reshape(shape)
        return seen

    def _look(self, view: Lens, pixels: Float32[np.ndarray, "ray 2"]) -> tuple[Hits, Float32[np.ndarray, "ray 3"]]:
        """Cast rays through pixel coordinates."""
        directions = view.directions(pixels)
        return self._caster.cast(view.position, directions), directions

    def _refine(
        self,
        view: Lens,
        again: Int[np.ndarray, " pixel"],
        corners: Float32[np.ndarray, "pixel 2"],
        supersampling: int,
        colour: Float32[np.ndarray, "all 3"],
        share: Float32[np.ndarray, " all"],
        depth: Float32[np.ndarray, " all"],
    ) -> None:
        """Look at some pixels again, many times each; writes into the last three."""
        hits, directions = self._look(view, _looks(corners, supersampling))
        shaded = self._shade(view, hits, directions, supersampling)
        count = supersampling**2
        pixel = hits.ray // count
        for channel in range(3):
            colour[again, channel] = np.bincount(pixel, shaded[:, channel], minlength=len(again)) / count
        covered = np.bincount(pixel, minlength=len(again))
        mean = np.bincount(pixel, hits.depth, minlength=len(again)) / np.maximum(covered, 1)
        share[again] = covered / count
        centre = depth[again]
        depth[again] = np.where(covered == 0, 0, np.where((centre > 0) | (covered <= count / 2), centre, mean))

    def _is_seen(
        self, view: Lens, observer: Lens, hits: Hits, directions: Float32[np.ndarray, "ray 3"]
    ) -> Bool[np.ndarray, " hit"]:
        """Whether the observer sees what rays met."""
        points = (view.position.astype(np.float32) + directions[hits.ray] * hits.depth[:, None]).astype(np.float32)
        pixels, depth = observer.project(points)
        height, width = observer.size
        seen = (depth > 0) & (pixels >= 0).all(axis=1) & (pixels[:, 0] <= width) & (pixels[:, 1] <= height)
        asked = np.flatnonzero(seen)
        # From the point to the camera, stopping there; starting a little off the surface.
        towards = observer.position.astype(np.float32) - points[asked]
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        rays = np.concatenate([points[asked], towards], axis=1)
        seen[asked] = ~self._caster.is_blocked(rays, SEEN_TOLERANCE_M, np.inf)
        return seen

    def _shade(
        self, view: Lens, hits: Hits, directions: Float32[np.ndarray, "ray 3"], supersampling: int
    ) -> Float32[np.ndarray, "hit 3"]:
        """sRGB of what rays met, in [0, 1]."""
        found = self._interpolate(hits)
        towards = directions[hits.ray]
        towards /= -np.sqrt(np.einsum("ij,ij->i", towards, towards))[:, None]
        normals = found[:, :3]
        normals /= np.maximum(np.sqrt(np.einsum("ij,ij->i", normals, normals)), 1e-9)[:, None]
        # Cloth and hair have two sides.
        normals *= np.where(np.einsum("ij,ij->i", normals, towards) < 0, np.float32(-1), np.float32(1))[:, None]
        part = self._part_of_face[hits.face]
        albedo = np.zeros((len(part), 3), np.float32)
        gloss, sharpness = np.zeros(len(part), np.float32), np.ones(len(part), np.float32)
        for number in np.unique(part):
            here = np.flatnonzero(part == number)
            material = self.posed.parts[number].material
            footprint = float(np.median(hits.depth[here]) / abs(view.K[0, 0]) / supersampling)
            samples = SurfaceSamples(found[here, 3:6], found[here, 6:8], footprint)
            albedo[here] = material.albedo(samples)
            gloss[here], sharpness[here] = material.gloss, material.sharpness
        return shine(self.lighting, albedo, normals, towards, found[:, 8], found[:, 9], gloss, sharpness)

    def _interpolate(self, hits: Hits) -> Float32[np.ndarray, "hit attribute"]:
        """The vertices' attributes where rays met faces."""
        corners = self._faces[hits.face]
        u, v = hits.barycentric[:, :1], hits.barycentric[:, 1:]
        found = self._attributes[corners[:, 0]] * (1 - u - v)
        found += self._attributes[corners[:, 1]] * u
        found += self._attributes[corners[:, 2]] * v
        return found


def _box(view: Lens, points: Float32[np.ndarray, "point 3"]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that the points' picture can touch."""
    height, width = view.size
    pixels, depth = view.project(points)
    if (depth < 0.05).any():
        return 0, 0, width, height
    left, top = (np.floor(pixels.min(axis=0)).astype(int) - 1).tolist()
    right, bottom = (np.ceil(pixels.max(axis=0)).astype(int) + 1).tolist()
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _looks(corners: Float32[np.ndarray, "pixel 2"], supersampling: int) -> Float32[np.ndarray, "ray 2"]:
    """Pixel coordinates of an even grid of looks within each pixel, pixel by pixel."""
    steps = (np.arange(supersampling, dtype=np.float32) + 0.5) / supersampling
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return (corners[:, None] + grid).reshape(-1, 2).astype(np.float32)


def _uneven(
    part: Int[np.ndarray, "h w"], depth: Float32[np.ndarray, "h w"], colour: Float32[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels that differ from a neighbour in what they show, how far it is, or its colour."""
    found = _differs(part)
    for axis in (0, 1):
        a, b = _neighbours(depth, axis)
        step = np.abs(a - b) > _EDGE_DEPTH * np.minimum(a, b)
        a, b = _neighbours(colour, axis)
        _mark(found, step | (np.abs(a - b).max(axis=-1) > _EDGE_COLOUR), axis)
    return found


def _differs(state: Float[np.ndarray, "h w"] | Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels whose state is not that of all their neighbours, corners included."""
    found = np.zeros(state.shape, bool)
    for axis in (0, 1):
        a, b = _neighbours(state, axis)
        _mark(found, a != b, axis)
    wide = found.copy()
    for axis in (0, 1):
        _mark(wide, _neighbours(found, axis)[0] | _neighbours(found, axis)[1], axis)
    return wide


def _neighbours(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel but the last along an axis, and the one after it."""
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])


def _mark(found: Bool[np.ndarray, "h w"], between: Bool[np.ndarray, "..."], axis: int) -> None:
    """Mark both pixels of each pair."""
    for side in _neighbours(found, axis):
        side |= between
