"""Which joint of somebody's skeleton is which of ours, by their usual names.

Known: SMPL's own, CMU's and Mixamo's BVH, MakeHuman, Blender's Rigify, 3ds Max' Biped, Daz, Unreal, VRM.
"""

import re
from collections.abc import Sequence

PREFIXES = ("mixamorig", "bip001", "bip01", "bip", "character1", "ccbase", "def", "org")
GLUED_PREFIX = re.compile(r"^(?:mixamorig\d*[_. -]*|j_bip_(?:c_)?)")
"""Mixamo's, which some exporters number or leave no colon after, and VRoid's, whose C is the middle, not a side."""
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
"""Our joint -> their names, the surest first. A name serves once: where there is no upper arm, the shoulder is it."""
LONGEST_NAME = 100
"""Characters that are looked at, from the end: the patterns below take the square of them."""
ORDER = ("hip", "knee", "ankle", "foot", "shoulder", "collar", "elbow", "wrist")
CENTRAL = {"pelvis": ("hips", "pelvis", "hip", "root", "cog"), "neck": ("neck", "lowerneck"), "head": ("head",)}
RIGIFY_SPINE = re.compile(r"^(?:def|org)?[_. -]*spine(?:[_. -]?(\d{3}))?$")
RIGIFY_NECK = 4
"""Number of the first neck bone; Rigify calls all from the pelvis to the head spine, and numbers them."""
SIDE_PATTERN = re.compile(r"^(left|right|[lr](?=[_. -]))[_. -]*(.+)$|^(.+?)[_. -]*(left|right|(?<=[_. -])[lr])$")


def split_side(name: str) -> tuple[str, str]:
    """Side ("left", "right" or "") and the rest of a joint's name, in small letters alone."""
    plain = re.split(r"[:|]", name)[-1].strip().lower()[-LONGEST_NAME:]
    plain = GLUED_PREFIX.sub("", plain)
    for prefix in PREFIXES:
        plain = re.sub(rf"^{prefix}[_. -]+", "", plain)
    found = SIDE_PATTERN.match(plain)
    side, rest = "", plain
    if found is not None:
        side, rest = (found[1], found[2]) if found[1] else (found[4], found[3])
    letters = re.sub(r"[^a-z]", "", rest)
    known = {alias for aliases in SIDED.values() for alias in aliases}
    if not side and letters[:1] in ("l", "r") and letters[1:] in known:
        side, letters = letters[0], letters[1:]
    return {"l": "left", "r": "right"}.get(side, side), letters


def matched(names: Sequence[str], parents: Sequence[int]) -> dict[str, int]:
    """For those of our joints that the skeleton has: the index of its joint.

    The spine is what lies between pelvis and neck; of several joints of one name the first counts.

    Args:
        parents: of each joint, -1 for a root; parents come first.
    """
    places: dict[tuple[str, str], int] = {}
    for i, name in enumerate(names):
        places.setdefault(split_side(name), i)
    ours: dict[str, int] = {}
    for joint, aliases in CENTRAL.items():
        at = next((places["", alias] for alias in aliases if ("", alias) in places), None)
        if at is not None:
            ours[joint] = at
    if not {"neck", "head"} & ours.keys():
        ours |= _rigify(names)
    for side in ("left", "right"):
        used: set[str] = set()
        for joint in ORDER:
            alias = next((a for a in SIDED[joint] if (side, a) in places and a not in used), None)
            if alias is not None:
                used.add(alias)
                ours[f"{side}_{joint}"] = places[side, alias]
    if "pelvis" not in ours and {"left_hip", "right_hip"} <= ours.keys():
        shared = _ancestors(ours["left_hip"], parents)
        ours["pelvis"] = next((i for i in _ancestors(ours["right_hip"], parents) if i in shared), 0)
    return ours | _spine(ours, parents)


def _rigify(names: Sequence[str]) -> dict[str, int]:
    """Pelvis, neck and head of a Rigify skeleton, by their numbers; nothing of another one."""
    places: dict[int, int] = {}
    for i, name in enumerate(names):
        found = RIGIFY_SPINE.match(re.split(r"[:|]", name)[-1].strip().lower()[-LONGEST_NAME:])
        if found is not None:
            places.setdefault(int(found[1] or 0), i)
    above = [number for number in sorted(places) if number >= RIGIFY_NECK]
    if not set(range(RIGIFY_NECK + 1)) <= places.keys():
        return {}
    head = {"head": places[above[-1]]} if len(above) > 1 else {}
    return {"pelvis": places[0], "neck": places[RIGIFY_NECK]} | head


def _spine(ours: dict[str, int], parents: Sequence[int]) -> dict[str, int]:
    top = next((ours[joint] for joint in ("neck", "head", "left_collar", "left_shoulder") if joint in ours), None)
    if top is None or "pelvis" not in ours:
        return {}
    above = _ancestors(top, parents)[1:]
    if ours["pelvis"] not in above:
        return {}
    chain = above[: above.index(ours["pelvis"])][::-1]
    match len(chain):
        case 0:
            return {}
        case 1:
            return {"spine2": chain[0]}
        case 2:
            return {"spine1": chain[0], "spine3": chain[1]}
    return {"spine1": chain[0], "spine2": chain[len(chain) // 2], "spine3": chain[-1]}


def _ancestors(joint: int, parents: Sequence[int]) -> list[int]:
    """The joint, its parent, and so on up to the root."""
    way = [joint]
    while parents[way[-1]] >= 0:
        way.append(parents[way[-1]])
    return way
