"""Hair on heads: styles of character-factory's wig maker, fitted with lowered arms; and beards with volume."""

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from character_factory.hair.wig import presets, style
from character_factory.hair.wig.density import Density
from character_factory.hair.wig.head import Head
from jaxtyping import Float32

from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.face import Face
from sherf.datasets.openpeople.look import Look, hair_colour
from sherf.datasets.openpeople.mesh import loop_matrix, vertex_normals
from sherf.datasets.openpeople.noise import smoothstep, value_noise
from sherf.datasets.openpeople.part import Part, SurfaceSamples
from sherf.datasets.openpeople.posing import skinned, transforms
from sherf.datasets.openpeople.skin import beard_zone

LOWERED_RADIANS = 1.2
"""Arms hang while hair is fitted, so that long hair falls on shoulders and not on raised arms."""
STYLES: dict[str, tuple[str, ...]] = {
    "masculine": (
        "buzz",
        "crop",
        "curls_short",
        "afro",
        "side_part",
        "undercut",
        "mohawk",
        "locs",
        "twists_short",
        "cornrows",
        "fade",
        "taper_waves",
        "slick_back",
        "comb_over",
        "pompadour",
        "receding",
        "bald_crown",
        "man_bun",
        "mullet",
        "bowl_cut",
        "shag",
        "flat_top",
        "top_knot",
    ),
    "feminine": (
        "curls_short",
        "afro",
        "pixie",
        "bob",
        "bob_bangs",
        "long_straight",
        "side_part",
        "ponytail",
        "top_knot",
        "low_bun",
        "box_braids",
        "locs",
        "cornrows",
        "braid_ponytail",
        "pigtails",
        "space_buns",
        "shag",
        "wolf_cut",
        "beehive",
        "afro_puffs",
        "knotless_braids",
        "fulani_braids",
        "crop",
        "pixie",
    ),
}
"""Who mostly wears which style."""
TEST_STYLES = ("hime", "curtain_bangs", "half_up", "bantu_knots", "senegalese_twists", "faux_locs", "liberty_spikes")
"""For the people of the test split only; under hats they wear short hair as all others do."""
SHORT = ("buzz", "crop", "fade", "taper_waves", "cornrows", "pixie", "twists_short")
"""Styles that fit under a hat."""
BEARD_LENGTH = {"moustache": 0.006, "goatee": 0.009, "short": 0.005, "full": 0.016}
DENSITY = Density(cap_u=112, cap_v=40, wisp_scale=0.0)


@dataclass(frozen=True)
class HairMaterial:
    """Strands along the wig's own coordinates."""

    look: Look
    gloss: float = 0.10
    sharpness: float = 20.0

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light."""
        uv = samples.uv
        along = np.stack([uv[:, 0] * 260, uv[:, 1] * 3, np.zeros(len(uv), np.float32)], axis=1)
        seed = self.look.seed
        strands = 0.7 * value_noise(along, seed + 7)
        strands += 0.5 * value_noise(along * np.array([0.25, 1, 1], np.float32), seed + 8)
        strands += 0.3 * value_noise(along * np.array([3, 1, 1], np.float32), seed + 11)
        return hair_colour(self.look, strands)


@dataclass(frozen=True)
class BeardMaterial:
    """Short hair in space."""

    look: Look
    gloss: float = 0.05
    sharpness: float = 16.0

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light."""
        p = samples.rest * np.array([900, 250, 900], np.float32)
        return hair_colour(self.look, 0.9 * value_noise(p, self.look.seed + 21)) * np.float32(0.9)


def hair_part(figure: Figure, face: Face, look: Look, name: str, rng: np.random.Generator) -> Part:
    """Grow a style on this head.

    Raises:
        KeyError: no such style.
    """
    lowered = np.zeros((24, 3))
    lowered[16, 2], lowered[17, 2] = -LOWERED_RADIANS, LOWERED_RADIANS
    T = transforms(figure, lowered)
    body = skinned(figure.vertices[:NUM_SKIN], base_mesh().weights[:NUM_SKIN], T)
    head = _fitted(body, float(face.left_eye[1]))
    chosen, _ = copy.deepcopy(presets.PRESETS[name])
    if chosen.cap is not None:
        chosen.cap.seed = int(rng.integers(1 << 30))
        chosen.cap.volume *= rng.uniform(0.85, 1.2)
        chosen.cap.wisps = 0
    wig = style.generate(head, chosen, DENSITY)
    vertices = np.asarray(wig.vertices, float) / 100
    # Hair moves with the head; what hangs below it, with the chest.
    weights = np.zeros((len(vertices), 24))
    neck = figure.joints[15, 1] - 0.02
    low = smoothstep(vertices[:, 1], neck - 0.02, neck - 0.14)
    weights[:, 15], weights[:, 9] = 1 - low, low
    uv = np.asarray(wig.vertex_attributes["chart_uv"], float)
    return Part("hair", vertices, np.asarray(wig.faces), weights, HairMaterial(look), vertices, uv)


def beard_part(figure: Figure, face: Face, look: Look, skin: np.ndarray) -> Part | None:
    """A beard that stands off the (expressive) skin; None for shaved faces and stubble."""
    length = BEARD_LENGTH.get(look.beard)
    if length is None:
        return None
    base = base_mesh()
    points = figure.vertices[:NUM_SKIN]
    near = (points[:, 1] > face.chin_y - 0.05) & (points[:, 1] < face.ear[1] + 0.02) & (points[:, 2] > face.ear[2])
    faces = base.skin_faces[near[base.skin_faces].all(axis=1)]
    ids, numbered = np.unique(faces, return_inverse=True)
    matrix, fine = loop_matrix(numbered.reshape(-1, 3), len(ids))
    chart, surface, weights = matrix @ points[ids], matrix @ skin[ids], matrix @ base.weights[ids]
    zone = beard_zone(face, chart, look.beard)
    fine = fine[(zone[fine] > 0.12).any(axis=1)]
    used, numbered = np.unique(fine, return_inverse=True)
    fine = numbered.reshape(-1, 3)
    chart, surface, weights, zone = chart[used], surface[used], weights[used], zone[used]
    normals = vertex_normals(surface, fine)
    ruffled = 1 + 0.35 * value_noise((chart * 160).astype(np.float32), look.seed).astype(float)
    grown = surface + normals * (zone * length * ruffled - 0.002 * (1 - zone))[:, None]
    grown[:, 1] -= 0.7 * length * zone * smoothstep(chart[:, 1], face.mouth[1] - 0.01, face.chin_y)
    weights /= weights.sum(axis=1, keepdims=True)
    return Part("beard", grown, fine, weights, BeardMaterial(look), chart)


def _fitted(body: np.ndarray, eye_level: float) -> Head:
    """The wig maker's chart of this head; it reads files, in centimetres."""
    faces = base_mesh().skin_faces
    used, numbered = np.unique(faces, return_inverse=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body.obj"
        trimesh.Trimesh(body[used] * 100, numbered.reshape(-1, 3), process=False).export(path)
        return Head.from_file(str(path), forward=np.array([0.0, 0.0, 1.0]), eye_level=eye_level * 100)
