"""The renderer against closed forms: spheres, plates, shadows, creases."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from sherf.camera.pinhole import intrinsics, look_at, project
from sherf.datasets.openpeople.casting import to_numpy_camera
from sherf.datasets.openpeople.lighting import Lamp, Lighting, blackbody_colour, random_lighting, shade_samples
from sherf.datasets.openpeople.part import Part, PosedPerson, SurfaceSamples
from sherf.datasets.openpeople.stage import Stage
from sherf.scene import Camera

NO_LAMPS = Lighting((0.8, 0.8, 0.8), (0.8, 0.8, 0.8), ())


class Paint:
    """One colour, or a function of the rest-space position."""

    def __init__(self, colour=(0.6, 0.5, 0.4), gloss: float = 0.0, by_position=None) -> None:
        self.gloss, self.sharpness = gloss, 20.0
        self.colour, self.by_position = np.array(colour, np.float32), by_position

    def albedo(self, samples: SurfaceSamples) -> np.ndarray:
        if self.by_position is not None:
            return self.by_position(samples.rest).astype(np.float32)
        return np.tile(self.colour, (len(samples.rest), 1))


def scene(*meshes: tuple[trimesh.Trimesh, Paint]) -> PosedPerson:
    """Return a "person" made of plain meshes."""
    parts, counts = [], np.cumsum([0, *(len(m.vertices) for m, _ in meshes)])
    for number, (mesh, paint) in enumerate(meshes):
        v = np.array(mesh.vertices)
        parts.append(Part(f"part{number}", v, np.array(mesh.faces), np.zeros((len(v), 24)), paint, v))
    vertices = np.concatenate([m.vertices for m, _ in meshes]).astype(np.float32)
    return PosedPerson(
        parts=tuple(parts),
        vertices=vertices,
        normals=np.concatenate([m.vertex_normals for m, _ in meshes]).astype(np.float32),
        faces=np.concatenate([m.faces + start for (m, _), start in zip(meshes, counts[:-1], strict=True)]),
        part_of_face=np.concatenate([np.full(len(m.faces), k) for k, (m, _) in enumerate(meshes)]),
        reference=vertices,
        uv=np.zeros((len(vertices), 2), np.float32),
        joints=np.zeros((24, 3)),
    )


def sphere(radius: float = 0.5, centre=(0.0, 1.0, 0.0), detail: int = 5) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=detail, radius=radius)
    mesh.apply_translation(centre)
    return mesh


def plate(z: float, half: float, centre=(0.0, 1.0), cells: int = 16) -> trimesh.Trimesh:
    """Return a square that faces +z."""
    steps = np.linspace(-half, half, cells + 1)
    x, y = np.meshgrid(steps, steps)
    vertices = np.stack([x.ravel() + centre[0], y.ravel() + centre[1], np.full(x.size, z)], axis=1)
    i = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    quads = np.stack([i, i + 1, i + cells + 2, i + cells + 1], axis=1)
    return trimesh.Trimesh(vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]), process=False)


def camera(eye=(0.0, 1.0, 3.0), size=(160, 128), focal: float = 200.0, target=(0.0, 1.0, 0.0)) -> Camera:
    R, T = look_at(torch.tensor(eye), torch.tensor(target))
    return Camera(intrinsics(focal, size), R, T, size)


@pytest.fixture(scope="module")
def ball() -> Stage:
    return Stage(scene((sphere(), Paint())))


def test_a_sphere_covers_its_analytic_silhouette(ball: Stage) -> None:
    picture = ball.render(camera(), supersampling=4)
    radius = 200 * 0.5 / np.sqrt(3.0**2 - 0.5**2)
    assert picture.mask.sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    y, x = np.mgrid[:160, :128] + 0.5
    centre = [(picture.mask * a).sum() / picture.mask.sum() for a in (x, y)]
    np.testing.assert_allclose(centre, [64, 80], atol=0.02)


def test_depth_is_along_the_axis_and_exact(ball: Stage) -> None:
    """At the centre, and all over: every pixel's depth puts its centre's ray on the sphere."""
    view = camera(eye=(0.5, 1.2, 2.9))
    depth = ball.render(view).depth
    eye = to_numpy_camera(view)
    y, x = np.nonzero(depth)
    pixels = np.stack([x, y], axis=1).astype(np.float32) + 0.5
    points = eye.position + eye.directions(pixels) * depth[y, x, None]
    far = np.linalg.norm(points - [0, 1, 0], axis=1)
    assert np.abs(far - 0.5).max() < 0.03
    assert np.quantile(np.abs(far - 0.5), 0.95) < 0.001
    middle = ball.render(camera(size=(161, 129))).depth[80, 64]
    assert middle == pytest.approx(2.5, abs=0.001)


def test_images_are_premultiplied_on_black(ball: Stage) -> None:
    picture = ball.render(camera())
    assert picture.image.dtype == np.uint8
    assert picture.mask.min() == 0
    assert picture.mask.max() == 1
    outside = picture.mask == 0
    assert not picture.image[outside].any()
    assert not picture.depth[outside].any()
    # No pixel is brighter than its share of the brightest light allows.
    assert (picture.image.max(axis=-1) <= np.ceil(picture.mask * 255)).all()
    rim = (picture.mask > 0) & (picture.mask < 1)
    assert rim.sum() > 50
    assert picture.image[rim].max(axis=-1).mean() < picture.image[picture.mask == 1].max(axis=-1).mean() * 0.75


def test_rendering_again_gives_the_same_bits() -> None:
    posed = scene((sphere(detail=3), Paint()))
    first, second = (Stage(posed, random_lighting(np.random.default_rng(5))).render(camera()) for _ in range(2))
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


@pytest.mark.parametrize("size", [(160, 128), (96, 200)])
def test_pixels_agree_with_the_cameras_projection(size: tuple[int, int]) -> None:
    """Small red balls on a big grey one appear at `sherf.camera.pinhole.project` of their positions."""
    spots = torch.tensor([[0.35, 1.35, 0.1], [-0.3, 0.7, 0.25], [0.1, 1.1, 0.48]])
    balls = [(sphere(0.03, tuple(p.tolist()), 2), Paint((0.9, 0.05, 0.05))) for p in spots]
    stage = Stage(scene((sphere(0.3, detail=3), Paint((0.1, 0.1, 0.1))), *balls))
    view = camera((0.8, 1.4, 2.5), size, 210.0)
    redness = stage.render(view, supersampling=3).image.astype(float) @ [1, -0.5, -0.5] / 255
    pixels, _ = project(view, spots)
    for x, y in pixels.tolist():
        near = np.s_[max(int(y) - 6, 0) : int(y) + 7, max(int(x) - 6, 0) : int(x) + 7]
        rows, columns = np.mgrid[near]
        weight = np.clip(redness[near] - 0.05, 0, None)
        found = [(weight * (a + 0.5)).sum() / weight.sum() for a in (columns, rows)]
        np.testing.assert_allclose(found, [x, y], atol=0.35)


def test_a_camera_with_a_view_axis_is_refused(ball: Stage) -> None:
    views = Camera(torch.eye(3)[None], torch.eye(3)[None], torch.zeros(1, 3), (16, 16))
    with pytest.raises(ValueError, match="index it first"):
        ball.render(views)


def test_nothing_in_view_is_an_empty_image(ball: Stage) -> None:
    picture = ball.render(camera(target=(9.0, 1.0, 3.0)))
    assert not picture.image.any()
    assert not picture.mask.any()


@pytest.mark.parametrize("supersampling", [1, 2, 3])
def test_smooth_shading_does_not_depend_on_supersampling(ball: Stage, supersampling: int) -> None:
    picture, fine = ball.render(camera(), supersampling), ball.render(camera(), 6)
    inside = (picture.mask == 1) & (fine.mask == 1)
    assert np.abs(picture.image[inside].astype(int) - fine.image[inside]).max() <= 2
    assert np.abs(picture.mask - fine.mask).max() <= (1.0 if supersampling == 1 else 0.35)


def test_fine_print_is_averaged_not_aliased() -> None:
    """Stripes of 3.3 mm under pixels of 15 mm: with 4 x 4 samples per pixel they approach their mean."""
    stripes = Paint(by_position=lambda p: np.repeat((np.floor(p[:, :1] / 0.0033) % 2) * 0.8 + 0.1, 3, axis=1))
    image = Stage(scene((plate(0.0, 0.5), stripes)), NO_LAMPS).render(camera(), supersampling=4).image
    inner = image[60:100, 44:84, 0].astype(float)
    single = (
        Stage(scene((plate(0.0, 0.5), stripes)), NO_LAMPS).render(camera(), supersampling=1).image[60:100, 44:84, 0]
    )
    assert inner.std() < 0.5 * single.std()


def test_the_lit_side_is_brighter() -> None:
    for side in (1.0, -1.0):
        light = Lighting((0.2, 0.2, 0.2), (0.2, 0.2, 0.2), (Lamp((side, 0.0, 0.3), (0.7, 0.7, 0.7), 0.1, True),))
        image = Stage(scene((sphere(detail=4), Paint())), light).render(camera()).image.astype(float)
        left, right = image[80, 45:55].mean(), image[80, 73:83].mean()
        assert (right - left) * side > 30


def test_plain_ambient_light_shows_the_albedo() -> None:
    """A lone plate under even light of strength 1 keeps its colour."""
    even = Lighting((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), ())
    image = Stage(scene((plate(0.0, 0.5), Paint((0.6, 0.3, 0.45)))), even).render(camera()).image
    np.testing.assert_allclose(image[80, 64] / 255, [0.6, 0.3, 0.45], atol=0.005)


def test_both_sides_of_cloth_are_lit() -> None:
    front, back = (
        Stage(scene((plate(0.0, 0.5), Paint())), NO_LAMPS).render(camera((0.0, 1.0, z))) for z in (3.0, -3.0)
    )
    np.testing.assert_allclose(front.image[80, 64], back.image[80, 64], atol=2)
    assert front.image[80, 64].min() > 60


def test_creases_are_darker() -> None:
    """Where two balls touch, less of the sky is visible."""
    pair = [(sphere(0.3, (x, 1.0, 0.0), 4), Paint()) for x in (-0.29, 0.29)]
    image = Stage(scene(*pair), NO_LAMPS).render(camera()).image.astype(float).mean(axis=-1)
    crease, open_ = image[80, 62:66].mean(), image[80, 84]
    assert crease < 0.85 * open_
    alone = Stage(scene(pair[1]), NO_LAMPS).render(camera()).image.astype(float).mean(axis=-1)
    assert alone[80, 84] == pytest.approx(open_, abs=6)


def test_shadows_fall_away_from_the_lamp() -> None:
    """A small ball in front of a wall darkens it behind the ball, seen from the lamp, and nowhere else."""
    light = Lighting((0.2, 0.2, 0.2), (0.2, 0.2, 0.2), (Lamp((1.0, 0.0, 1.0), (0.6, 0.6, 0.6), 0.02, True),))
    wall = (plate(0.0, 0.6, cells=80), Paint())
    clear = Stage(scene(wall), light).render(camera()).image.astype(float).mean(axis=-1)
    shaded = Stage(scene(wall, (sphere(0.1, (0.0, 1.0, 0.3), 3), Paint())), light).render(camera())
    ratio = shaded.image.astype(float).mean(axis=-1) / np.maximum(clear, 1)
    x = round(64 - 200 * 0.3 / 3.0)  # 0.3 m before the wall under 45 degrees: 0.3 m aside
    assert ratio[80, x] < 0.75
    assert ratio[80, x - 15] == pytest.approx(1, abs=0.05)
    assert ratio[50, x] == pytest.approx(1, abs=0.05)


def test_glossy_surfaces_have_a_highlight_in_the_mirror_direction() -> None:
    light = Lighting((0.3, 0.3, 0.3), (0.3, 0.3, 0.3), (Lamp((1.0, 0.0, 1.0), (0.8, 0.8, 0.8), 0.1),))
    dull, shiny = (
        Stage(scene((sphere(detail=5), Paint((0.3, 0.3, 0.3), gloss))), light).render(camera()).image.astype(float)
        for gloss in (0.0, 0.5)
    )
    gain = (shiny - dull).mean(axis=-1)
    y, x = np.unravel_index(gain.argmax(), gain.shape)
    # The half vector between eye and lamp is 22.5 degrees to the right.
    expected = 64 + 200 * 0.5 * np.sin(np.pi / 8) / (3 - 0.5 * np.cos(np.pi / 8))
    assert abs(x + 0.5 - expected) < 2.5
    assert abs(y + 0.5 - 80) < 2.5
    assert gain.max() > 40


def test_visibility_is_one_from_the_same_camera(ball: Stage) -> None:
    view = camera()
    seen, mask = ball.visibility(view, view), ball.render(view).mask
    inside = mask == 1
    assert seen[inside].mean() > 0.99
    assert not seen[mask == 0].any()


def test_the_far_side_is_not_visible() -> None:
    """From the side, one half of a ball is visible to the front camera and the other is not."""
    stage = Stage(scene((sphere(), Paint())))
    seen = stage.visibility(camera((3.0, 1.0, 0.0)), camera())
    _, x = np.mgrid[:160, :128]
    towards_front = stage.render(camera((3.0, 1.0, 0.0))).mask == 1
    left = towards_front & (x < 56)
    right = towards_front & (x > 64)
    assert seen[left].mean() > 0.99, "seen from +x, +z lies on the left"
    assert seen[right].max() == 0


def test_occluded_and_out_of_frame_points_are_not_visible() -> None:
    wall, ball_ = (plate(0.0, 0.6), Paint()), (sphere(0.15, (0.0, 1.0, 1.0), 4), Paint())
    stage, above = Stage(scene(wall, ball_)), camera((0.0, 3.0, 3.0))
    depth = stage.render(above).depth
    seen = stage.visibility(above, camera())
    # World positions of the pixels on the wall, from their depth.
    eye = to_numpy_camera(above)
    y, x = np.nonzero(depth)
    pixels = np.stack([x, y], axis=1).astype(np.float32) + 0.5
    points = eye.position + eye.directions(pixels) * depth[y, x, None]
    on_wall = np.abs(points[:, 2]) < 0.005
    # The ball of radius 0.15, 2 m from the observer, hides a disc on the wall 3 m away.
    hidden = 3 * 0.15 / np.sqrt(2**2 - 0.15**2)
    r = np.hypot(points[:, 0], points[:, 1] - 1)
    found = seen[y, x]
    assert found[on_wall & (r < hidden - 0.03)].max() < 0.01
    assert found[on_wall & (r > hidden + 0.03) & (r < 0.55)].min() > 0.99
    narrow = stage.visibility(above, camera(size=(20, 128)))[y, x]
    assert narrow[on_wall & (np.abs(points[:, 1] - 1) > 0.17)].max() < 0.01, "outside the observer's frame"


def test_random_lighting_is_well_exposed() -> None:
    """The middle of a grey ball, seen from +z, is neither over- nor underexposed."""
    normals = np.array([[0, 0, 1], [0.5, 0.3, 0.8], [-0.5, 0.3, 0.8]], np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    one = np.ones(3, np.float32)
    for seed in range(60):
        light = random_lighting(np.random.default_rng(seed))
        eye = np.tile(np.array([0, 0, 1], np.float32), (3, 1))
        found = shade_samples(light, np.full((3, 3), 0.5, np.float32), normals, eye, one, one, 0 * one, one)
        assert 0.25 < found.mean() < 0.75
        assert found.std(axis=1).max() < 0.12, "colour casts are mild"
    assert random_lighting(np.random.default_rng(1)) == random_lighting(np.random.default_rng(1))


def test_black_bodies_have_the_colour_of_their_temperature() -> None:
    np.testing.assert_allclose(blackbody_colour(6500.0), (1.0, 1.0, 1.0))
    assert blackbody_colour(3000.0)[0] > blackbody_colour(3000.0)[1] > blackbody_colour(3000.0)[2]
    assert blackbody_colour(10000.0)[0] < blackbody_colour(10000.0)[2]
