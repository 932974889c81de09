"""Hair: styles of character-factory's wig generator, fitted to the head; and beards with volume."""

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from character_factory.hair.wig import presets, style
from character_factory.hair.wig.density import Density
from character_factory.hair.wig.head import Head
from jaxtyping import Float, Float32

from sherf.datasets.openpeople.body import NUM_SKIN, Figure, base_mesh
from sherf.datasets.openpeople.face import Face
from sherf.datasets.openpeople.look import Look, hair_colour
from sherf.datasets.openpeople.mesh import loop_matrix, vertex_normals
from sherf.datasets.openpeople.noise import smoothstep, value_noise
from sherf.datasets.openpeople.part import Part, SurfaceSamples
from sherf.datasets.openpeople.posing import pose_transforms, skin_vertices
from sherf.datasets.openpeople.skin import beard_zone

LOWERED_RADIANS = 1.2
"""How far arms are lowered while hair is fitted, so that long hair falls on shoulders and not on raised arms."""
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
"""Hairstyles of each wardrobe."""
TEST_STYLES = ("hime", "curtain_bangs", "half_up", "bantu_knots", "senegalese_twists", "faux_locs", "liberty_spikes")
"""Hairstyles of the test split only; under hats its people wear short hair like all others."""
SHORT = ("buzz", "crop", "fade", "taper_waves", "cornrows", "pixie", "twists_short")
"""Hairstyles that fit under a hat."""
BEARD_LENGTH = {"moustache": 0.006, "goatee": 0.009, "short": 0.005, "full": 0.016}
"""Length of the hair of beards with volume, metres."""
DENSITY = Density(cap_u=112, cap_v=40, wisp_scale=0.0)
"""Mesh resolution of wigs."""


@dataclass(frozen=True)
class HairMaterial:
    """The material of hair: strands along the wig's texture coordinates."""

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
    """The material of beards: short strands in rest space."""

    look: Look
    gloss: float = 0.05
    sharpness: float = 16.0

    def albedo(self, samples: SurfaceSamples) -> Float32[np.ndarray, "sample 3"]:
        """Return diffuse sRGB colour in [0, 1] before light."""
        p = samples.rest * np.array([900, 250, 900], np.float32)
        return hair_colour(self.look, 0.9 * value_noise(p, self.look.seed + 21)) * np.float32(0.9)


def make_hair(figure: Figure, face: Face, look: Look, name: str, rng: np.random.Generator) -> Part:
    """Build the hair of a person.

    Args:
        figure: the body shape.
        face: its landmarks.
        look: hair colour.
        name: a style of character-factory, as in `STYLES`.
        rng: random numbers for the style's variations.

    Returns:
        The part "hair".

    Raises:
        KeyError: unknown style.
    """
    lowered = np.zeros((24, 3))
    lowered[16, 2], lowered[17, 2] = -LOWERED_RADIANS, LOWERED_RADIANS
    T = pose_transforms(figure, lowered)
    body = skin_vertices(figure.vertices[:NUM_SKIN], base_mesh().weights[:NUM_SKIN], T)
    head = _fit_head(body, float(face.left_eye[1]))
    chosen, _ = copy.deepcopy(presets.PRESETS[name])
    if chosen.cap is not None:
        chosen.cap.seed = int(rng.integers(1 << 30))
        chosen.cap.volume *= rng.uniform(0.85, 1.2)
        chosen.cap.wisps = 0
    wig = style.generate(head, chosen, DENSITY)
    vertices = np.asarray(wig.vertices, float) / 100
    # Hair follows the head; below the neck it follows the chest.
    weights = np.zeros((len(vertices), 24))
    neck = figure.joints[15, 1] - 0.02
    low = smoothstep(vertices[:, 1], neck - 0.02, neck - 0.14)
    weights[:, 15], weights[:, 9] = 1 - low, low
    uv = np.asarray(wig.vertex_attributes["chart_uv"], float)
    return Part("hair", vertices, np.asarray(wig.faces), weights, HairMaterial(look), vertices, uv)


def make_beard(figure: Figure, face: Face, look: Look, skin: Float[np.ndarray, "13380 3"]) -> Part | None:
    """Build a beard with volume.

    Args:
        figure: the body shape.
        face: its landmarks.
        look: the beard's style and colour.
        skin: the skin vertices with the expression, rest pose.

    Returns:
        The part "beard"; None for shaved faces and stubble, which is painted on the skin.
    """
    length = BEARD_LENGTH.get(look.beard)
    if length is None:
        return None
    base = base_mesh()
    points = figure.vertices[:NUM_SKIN]
    near = (points[:, 1] > face.chin_y - 0.05) & (points[:, 1] < face.ear[1] + 0.02) & (points[:, 2] > face.ear[2])
    faces = base.skin_faces[near[base.skin_faces].all(axis=1)]
    ids, numbered = np.unique(faces, return_inverse=True)
    matrix, fine = loop_matrix(numbered.reshape(-1, 3), len(ids))
    reference, surface, weights = matrix @ points[ids], matrix @ skin[ids], matrix @ base.weights[ids]
    zone = beard_zone(face, reference, look.beard)
    fine = fine[(zone[fine] > 0.12).any(axis=1)]
    used, numbered = np.unique(fine, return_inverse=True)
    fine = numbered.reshape(-1, 3)
    reference, surface, weights, zone = reference[used], surface[used], weights[used], zone[used]
    normals = vertex_normals(surface, fine)
    ruffled = 1 + 0.35 * value_noise((reference * 160).astype(np.float32), look.seed).astype(float)
    grown = surface + normals * (zone * length * ruffled - 0.002 * (1 - zone))[:, None]
    grown[:, 1] -= 0.7 * length * zone * smoothstep(reference[:, 1], face.mouth[1] - 0.01, face.chin_y)
    weights /= weights.sum(axis=1, keepdims=True)
    return Part("beard", grown, fine, weights, BeardMaterial(look), reference)


def _fit_head(body: Float[np.ndarray, "13380 3"], eye_level: float) -> Head:
    """Return the wig generator's model of this head, which it reads from a file in centimetres."""
    faces = base_mesh().skin_faces
    used, numbered = np.unique(faces, return_inverse=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body.obj"
        trimesh.Trimesh(body[used] * 100, numbered.reshape(-1, 3), process=False).export(path)
        return Head.from_file(str(path), forward=np.array([0.0, 0.0, 1.0]), eye_level=eye_level * 100)
