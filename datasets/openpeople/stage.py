"""Rendering of a posed person: ray casting, ambient occlusion, shadows, and materials evaluated at the hit points."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

from sherf.datasets.openpeople.casting import Hits, NumpyCamera, RayCaster, to_numpy_camera
from sherf.datasets.openpeople.lighting import Lighting, shade_samples
from sherf.datasets.openpeople.occlusion import ambient_occlusion, prepare_occlusion, shadows
from sherf.datasets.openpeople.part import PosedPerson, SurfaceSamples
from sherf.scene import Camera

VISIBILITY_BIAS_M = 0.003
"""Occluders nearer to a point than this are ignored when its visibility is tested: cloth lies this close to skin."""
_EDGE_DEPTH = 0.012
"""Relative depth step between neighbouring pixels above which they are refined."""
_EDGE_COLOUR = 0.05
"""Colour difference between neighbouring pixels above which they are refined."""


@dataclass(frozen=True)
class RenderedView:
    """One rendered view of a person, without background."""

    image: UInt8[np.ndarray, "h w 3"]
    """sRGB, premultiplied on black."""
    mask: Float32[np.ndarray, "h w"]
    """Coverage: share of each pixel that the person covers, in [0, 1]."""
    depth: Float32[np.ndarray, "h w"]
    """Along the camera's z axis, metres; 0 in the background."""


class Stage:
    """A posed, lit person, prepared for rendering from any number of cameras."""

    def __init__(self, posed: PosedPerson, lighting: Lighting | None = None, threads: int = 1) -> None:
        """Build the ray casting scene and compute ambient occlusion and shadows once for all cameras.

        Args:
            posed: the person, in world space.
            lighting: the light; None is the default studio.
            threads: CPU threads for ray casting; results do not depend on it.
        """
        self.posed = posed
        self.lighting = lighting if lighting is not None else Lighting()
        self._caster = RayCaster(posed.vertices, posed.faces, threads)
        mesh = prepare_occlusion(self._caster, posed.vertices, posed.normals, posed.faces)
        sky_visibility, lamp_visibility = ambient_occlusion(mesh), shadows(mesh, self.lighting)
        self._faces = posed.faces.astype(np.int32)
        self._part_of_face = posed.part_of_face.astype(np.int16)
        self._attributes = np.concatenate(
            [posed.normals, posed.reference, posed.uv, sky_visibility[:, None], lamp_visibility[:, None]],
            axis=1,
            dtype=np.float32,
        )
        """Per vertex: normal 3, reference 3, uv 2, sky visibility 1, lamp visibility 1."""

    def render(self, camera: Camera, supersampling: int = 2) -> RenderedView:
        """Render the person.

        One ray goes through each pixel's centre; pixels that differ from a neighbour (outlines, folds, sharp prints)
        become the mean of supersampling^2 rays instead.

        Args:
            camera: a camera without a view axis.
            supersampling: rays along a pixel's side where the image has edges.

        Returns:
            Colour, coverage and depth at the camera's size.

        Raises:
            ValueError: `supersampling` is below 1, or the camera has a view axis.
        """
        if supersampling < 1:
            raise ValueError(f"supersampling must be at least 1 ray along a pixel's side, got {supersampling}")
        view, (height, width) = to_numpy_camera(camera), camera.size
        image = np.zeros((height, width, 3), np.float32)
        mask = np.zeros((height, width), np.float32)
        depth = np.zeros((height, width), np.float32)
        left, top, right, bottom = _bounding_box(view, self.posed.vertices)
        if right <= left or bottom <= top:
            return RenderedView(image.astype(np.uint8), mask, depth)
        box = np.s_[top:bottom, left:right]
        shape = (bottom - top, right - left)
        corner = np.array([left, top], np.float32)
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).reshape(-1, 2).astype(np.float32)
        part = np.full(shape[0] * shape[1], -1, np.int16)
        colour = np.zeros((len(part), 3), np.float32)
        far = np.zeros(len(part), np.float32)
        hits, directions = self._cast_pixels(view, grid + corner + 0.5)
        part[hits.ray] = self._part_of_face[hits.face]
        far[hits.ray] = hits.depth
        colour[hits.ray] = self._shade(view, hits, directions, supersampling=1)
        share = (part >= 0).astype(np.float32)
        if supersampling > 1:
            refined = np.flatnonzero(
                _needs_refinement(part.reshape(shape), far.reshape(shape), colour.reshape(*shape, 3))
            )
            self._refine(view, refined, grid[refined] + corner, supersampling, colour, share, far)
        image[box] = colour.reshape(*shape, 3)
        mask[box] = share.reshape(shape)
        depth[box] = far.reshape(shape)
        return RenderedView(np.rint(image * 255).astype(np.uint8), mask, depth)

    def visibility(
        self, camera: Camera, observation_camera: Camera, supersampling: int = 2
    ) -> Float32[np.ndarray, "h w"]:
        """Return how much of each pixel's surface the observation camera sees: in its frame and unoccluded.

        Args:
            camera: the camera to render.
            observation_camera: the camera whose view is tested.
            supersampling: rays along a pixel's side where visibility changes.

        Returns:
            Share of each pixel's surface that is visible to the observation camera, in [0, 1]; 0 in the background.

        Raises:
            ValueError: a camera has a view axis.
        """
        view, observer, (height, width) = to_numpy_camera(camera), to_numpy_camera(observation_camera), camera.size
        seen = np.zeros((height, width), np.float32)
        left, top, right, bottom = _bounding_box(view, self.posed.vertices)
        if right <= left or bottom <= top:
            return seen
        shape = (bottom - top, right - left)
        corner = np.array([left, top], np.float32)
        grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), -1).reshape(-1, 2).astype(np.float32)
        state = np.full(len(grid), -1.0, np.float32)
        hits, directions = self._cast_pixels(view, grid + corner + 0.5)
        state[hits.ray] = self._is_visible(view, observer, hits, directions)
        share = np.maximum(state, 0)
        if supersampling > 1:
            refined = np.flatnonzero(_differs_from_neighbours(state.reshape(shape)))
            positions = _sample_positions(grid[refined] + corner, supersampling)
            hits, directions = self._cast_pixels(view, positions)
            pixel = hits.ray // supersampling**2
            covered = np.bincount(pixel, minlength=len(refined))
            total = np.bincount(pixel, self._is_visible(view, observer, hits, directions), minlength=len(refined))
            share[refined] = total / np.maximum(covered, 1)
        seen[top:bottom, left:right] = share.reshape(shape)
        return seen

    def _cast_pixels(
        self, view: NumpyCamera, pixels: Float32[np.ndarray, "ray 2"]
    ) -> tuple[Hits, Float32[np.ndarray, "ray 3"]]:
        """Cast rays through pixel coordinates."""
        directions = view.directions(pixels)
        return self._caster.cast(view.position, directions), directions

    def _refine(
        self,
        view: NumpyCamera,
        refined: Int[np.ndarray, " pixel"],
        corners: Float32[np.ndarray, "pixel 2"],
        supersampling: int,
        colour: Float32[np.ndarray, "all 3"],
        share: Float32[np.ndarray, " all"],
        depth: Float32[np.ndarray, " all"],
    ) -> None:
        """Supersample some pixels; overwrites their values in `colour`, `share` and `depth`."""
        hits, directions = self._cast_pixels(view, _sample_positions(corners, supersampling))
        shaded = self._shade(view, hits, directions, supersampling)
        count = supersampling**2
        pixel = hits.ray // count
        for channel in range(3):
            colour[refined, channel] = np.bincount(pixel, shaded[:, channel], minlength=len(refined)) / count
        covered = np.bincount(pixel, minlength=len(refined))
        mean = np.bincount(pixel, hits.depth, minlength=len(refined)) / np.maximum(covered, 1)
        share[refined] = covered / count
        centre = depth[refined]
        depth[refined] = np.where(covered == 0, 0, np.where((centre > 0) | (covered <= count / 2), centre, mean))

    def _is_visible(
        self, view: NumpyCamera, observer: NumpyCamera, hits: Hits, directions: Float32[np.ndarray, "ray 3"]
    ) -> Bool[np.ndarray, " hit"]:
        """Return whether the observer sees each hit point."""
        points = (view.position.astype(np.float32) + directions[hits.ray] * hits.depth[:, None]).astype(np.float32)
        pixels, depth = observer.project(points)
        height, width = observer.size
        seen = (depth > 0) & (pixels >= 0).all(axis=1) & (pixels[:, 0] <= width) & (pixels[:, 1] <= height)
        in_frame = np.flatnonzero(seen)
        # From the point to the camera, starting a little off the surface.
        towards = observer.position.astype(np.float32) - points[in_frame]
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        rays = np.concatenate([points[in_frame], towards], axis=1)
        seen[in_frame] = ~self._caster.is_blocked(rays, VISIBILITY_BIAS_M, np.inf)
        return seen

    def _shade(
        self, view: NumpyCamera, hits: Hits, directions: Float32[np.ndarray, "ray 3"], supersampling: int
    ) -> Float32[np.ndarray, "hit 3"]:
        """Return the shaded sRGB colour of each hit point, in [0, 1]."""
        found = self._interpolate(hits)
        towards = directions[hits.ray]
        towards /= -np.sqrt(np.einsum("ij,ij->i", towards, towards))[:, None]
        normals = found[:, :3]
        normals /= np.maximum(np.sqrt(np.einsum("ij,ij->i", normals, normals)), 1e-9)[:, None]
        # Cloth and hair are two-sided.
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
        return shade_samples(self.lighting, albedo, normals, towards, found[:, 8], found[:, 9], gloss, sharpness)

    def _interpolate(self, hits: Hits) -> Float32[np.ndarray, "hit attribute"]:
        """Interpolate the vertex attributes at the hit points."""
        corners = self._faces[hits.face]
        u, v = hits.barycentric[:, :1], hits.barycentric[:, 1:]
        found = self._attributes[corners[:, 0]] * (1 - u - v)
        found += self._attributes[corners[:, 1]] * u
        found += self._attributes[corners[:, 2]] * v
        return found


def _bounding_box(view: NumpyCamera, points: Float32[np.ndarray, "point 3"]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the pixels that the projected points can touch."""
    height, width = view.size
    pixels, depth = view.project(points)
    if (depth < 0.05).any():
        return 0, 0, width, height
    left, top = (np.floor(pixels.min(axis=0)).astype(int) - 1).tolist()
    right, bottom = (np.ceil(pixels.max(axis=0)).astype(int) + 1).tolist()
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _sample_positions(corners: Float32[np.ndarray, "pixel 2"], supersampling: int) -> Float32[np.ndarray, "ray 2"]:
    """Return pixel coordinates of a regular grid of samples within each pixel, pixel by pixel."""
    steps = (np.arange(supersampling, dtype=np.float32) + 0.5) / supersampling
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return (corners[:, None] + grid).reshape(-1, 2).astype(np.float32)


def _needs_refinement(
    part: Int[np.ndarray, "h w"], depth: Float32[np.ndarray, "h w"], colour: Float32[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Return which pixels differ from a neighbour in part, depth or colour."""
    found = _differs_from_neighbours(part)
    for axis in (0, 1):
        a, b = _neighbours(depth, axis)
        step = np.abs(a - b) > _EDGE_DEPTH * np.minimum(a, b)
        a, b = _neighbours(colour, axis)
        _mark_pairs(found, step | (np.abs(a - b).max(axis=-1) > _EDGE_COLOUR), axis)
    return found


def _differs_from_neighbours(state: Float[np.ndarray, "h w"] | Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Return which pixels have a different state from any of their eight neighbours."""
    found = np.zeros(state.shape, bool)
    for axis in (0, 1):
        a, b = _neighbours(state, axis)
        _mark_pairs(found, a != b, axis)
    wide = found.copy()
    for axis in (0, 1):
        _mark_pairs(wide, _neighbours(found, axis)[0] | _neighbours(found, axis)[1], axis)
    return wide


def _neighbours(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return views of each pixel but the last along an axis, and of its successor."""
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])


def _mark_pairs(found: Bool[np.ndarray, "h w"], between: Bool[np.ndarray, "..."], axis: int) -> None:
    """Mark both pixels of each marked pair, in place."""
    for side in _neighbours(found, axis):
        side |= between
