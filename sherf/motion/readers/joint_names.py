"""Match the joints of a skeleton to SMPL's by their usual names.

Supported: SMPL's own, CMU's and Mixamo's BVH, MakeHuman, Blender's Rigify, 3ds Max' Biped, Daz, Unreal, the humanoid
bones of VRM, and VRoid's.
"""

import re
from collections.abc import Sequence

PREFIXES = ("mixamorig", "bip001", "bip01", "bip", "character1", "ccbase", "def", "org")
GLUED_PREFIX = re.compile(r"^(?:mixamorig\d*[_. -]*|j_bip_(?:c_)?)")
"""Mixamo's, which some exporters number or write without a colon, and VRoid's, whose C means centre."""
SIDED = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("lowerleg", "lowleg", "shin", "calf", "tibia", "knee", "leg"),
    "ankle": ("ankle", "foot"),
    "foot": ("toebase", "toes", "toe", "ball", "foot"),
    "collar": ("clavicle", "collar", "clav", "shoulder"),
    "shoulder": ("upperarm", "uparm", "shldr", "humerus", "arm", "shoulder"),
    "elbow": ("forearm", "lowerarm", "lowarm", "radius", "elbow"),
    "wrist": ("wrist", "hand"),
}
"""SMPL joint -> aliases, the least ambiguous first. Each alias matches one joint of a side: a shoulder is SMPL's
shoulder if there is no upper arm, else the collar."""
MAX_NAME_LENGTH = 100
"""Only the last characters of a name are matched: the patterns below take quadratic time."""
MATCHING_ORDER = ("hip", "knee", "ankle", "foot", "shoulder", "collar", "elbow", "wrist")
CENTRAL = {"pelvis": ("hips", "pelvis", "hip", "root", "cog"), "neck": ("neck", "lowerneck"), "head": ("head",)}
RIGIFY_SPINE = re.compile(r"^(?:def|org)?[_. -]*spine(?:[_. -]?(\d{3}))?$")
RIGIFY_NECK = 4
"""Number of the first neck bone; Rigify names all bones from the pelvis to the head `spine`, with numbers."""
SIDE_PATTERN = re.compile(r"^(left|right|[lr](?=[_. -]))[_. -]*(.+)$|^(.+?)[_. -]*(left|right|(?<=[_. -])[lr])$")


def split_side(name: str) -> tuple[str, str]:
    """Split a joint's name into its side ("left", "right" or "") and the rest, in lower-case letters only."""
    plain = re.split(r"[:|]", name)[-1].strip().lower()[-MAX_NAME_LENGTH:]
    plain = GLUED_PREFIX.sub("", plain)
    for prefix in PREFIXES:
        plain = re.sub(rf"^{prefix}[_. -]+", "", plain)
    match = SIDE_PATTERN.match(plain)
    side, rest = "", plain
    if match is not None:
        side, rest = (match[1], match[2]) if match[1] else (match[4], match[3])
    letters = re.sub(r"[^a-z]", "", rest)
    known = {alias for aliases in SIDED.values() for alias in aliases}
    if not side and letters[:1] in ("l", "r") and letters[1:] in known:
        side, letters = letters[0], letters[1:]
    return {"l": "left", "r": "right"}.get(side, side), letters


def match_joints(names: Sequence[str], parents: Sequence[int]) -> dict[str, int]:
    """Match a skeleton's joints to SMPL's.

    The spine is the chain between pelvis and neck; of joints with the same name the first counts.

    Args:
        names: of the skeleton's joints.
        parents: of each joint, -1 for a root; parents come first.

    Returns:
        SMPL joint name -> index of the skeleton's joint, for those that were found.
    """
    indices: dict[tuple[str, str], int] = {}
    for i, name in enumerate(names):
        indices.setdefault(split_side(name), i)
    found: dict[str, int] = {}
    for joint, aliases in CENTRAL.items():
        index = next((indices["", alias] for alias in aliases if ("", alias) in indices), None)
        if index is not None:
            found[joint] = index
    if not {"neck", "head"} & found.keys():
        found |= _match_rigify(names)
    for side in ("left", "right"):
        found |= _match_side(side, indices)
    if "pelvis" not in found and {"left_hip", "right_hip"} <= found.keys():
        shared = _chain_to_root(found["left_hip"], parents)
        found["pelvis"] = next((i for i in _chain_to_root(found["right_hip"], parents) if i in shared), 0)
    return found | _match_spine(found, parents)


def _match_side(side: str, indices: dict[tuple[str, str], int]) -> dict[str, int]:
    """Match the limbs of one side by their aliases, each of which is used once."""
    found: dict[str, int] = {}
    used: set[str] = set()
    for joint in MATCHING_ORDER:
        alias = next((a for a in SIDED[joint] if (side, a) in indices and a not in used), None)
        if alias is not None:
            used.add(alias)
            found[f"{side}_{joint}"] = indices[side, alias]
    return found


def _match_rigify(names: Sequence[str]) -> dict[str, int]:
    """Match pelvis, neck and head of a Rigify skeleton by their numbers; empty for other skeletons."""
    indices: dict[int, int] = {}
    for i, name in enumerate(names):
        match = RIGIFY_SPINE.match(re.split(r"[:|]", name)[-1].strip().lower()[-MAX_NAME_LENGTH:])
        if match is not None:
            indices.setdefault(int(match[1] or 0), i)
    neck_and_head = [number for number in sorted(indices) if number >= RIGIFY_NECK]
    if not set(range(RIGIFY_NECK + 1)) <= indices.keys():
        return {}
    head = {"head": indices[neck_and_head[-1]]} if len(neck_and_head) > 1 else {}
    return {"pelvis": indices[0], "neck": indices[RIGIFY_NECK]} | head


def _match_spine(found: dict[str, int], parents: Sequence[int]) -> dict[str, int]:
    """Spread SMPL's three spine joints over the chain between the pelvis and the neck, head or shoulders."""
    top = next((found[joint] for joint in ("neck", "head", "left_collar", "left_shoulder") if joint in found), None)
    if top is None or "pelvis" not in found:
        return {}
    ancestors = _chain_to_root(top, parents)[1:]
    if found["pelvis"] not in ancestors:
        return {}
    chain = ancestors[: ancestors.index(found["pelvis"])][::-1]
    match len(chain):
        case 0:
            return {}
        case 1:
            return {"spine2": chain[0]}
        case 2:
            return {"spine1": chain[0], "spine3": chain[1]}
    return {"spine1": chain[0], "spine2": chain[len(chain) // 2], "spine3": chain[-1]}


def _chain_to_root(joint: int, parents: Sequence[int]) -> list[int]:
    """Return the joint, its parent, and so on up to the root."""
    chain = [joint]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    return chain
