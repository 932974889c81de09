"""BVH files (Biovision hierarchy): a skeleton in words, then one line of numbers a frame."""

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.errors import BadInput
from sherf.motion.npz import MAX_FRAMES, frame_rate
from sherf.motion.readers.retarget import MOST_PLACES, SkeletonClip

MOST_JOINTS = 500
MOST_WORDS = 60 * MOST_JOINTS
"""Before the frames."""
LONGEST_NAME = 200
WORD = re.compile(r"\S+")
CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[str] = field(default_factory=list)


class _Words:
    """The file, word by word."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text, self.at, self.passed = path, text, 0, 0

    def next(self) -> str:
        found = WORD.search(self.text, self.at)
        if found is None:
            raise BadInput(f"{self.path} ends too early. Is it complete? Export it again as BVH.")
        if self.passed >= MOST_WORDS:
            raise BadInput(f"{self.path} has more than {MOST_WORDS} words before its frames: that is no person.")
        self.at, self.passed = found.end(), self.passed + 1
        return found[0]

    def rest(self) -> Float[np.ndarray, " number"]:
        """All that follows, as numbers."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy stops at the first word that is no number, and only warns
                return np.fromstring(self.text[self.at :], sep=" ")
        except (ValueError, Warning) as error:
            raise BadInput(f"{self.path}: a word stands where a number belongs ({error}).") from error

    def expect(self, *wanted: str) -> str:
        word = self.next()
        if word.upper().rstrip(":") not in wanted:
            raise BadInput(
                f"{self.path}: {word[:40]!r} stands where {' or '.join(wanted)} belongs (word {self.passed}).\n"
                "Export it again as BVH."
            )
        return word.upper().rstrip(":")

    def number(self) -> float:
        word = self.next()
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise BadInput(f"{self.path}: {word[:40]!r} stands where a number belongs (word {self.passed}).")
        return value

    def count(self, most: int, what: str) -> int:
        value = self.number()
        if value != int(value) or not 0 <= value <= most:
            raise BadInput(f"{self.path}: {value:g} {what}; 0 to {most} are possible.")
        return int(value)


def is_bvh(head: bytes) -> bool:
    """Whether a file begins as BVH does."""
    return head.lstrip()[:9].upper() == b"HIERARCHY"


def read_bvh(path: Path, text: str) -> SkeletonClip:
    """The skeleton and its movement.

    Rotations are intrinsic, in the order of their channels, degrees. Places of joints other than the root stay as the
    hierarchy says.

    Raises:
        BadInput: the hierarchy is broken, or numbers are missing or are none.
    """
    words = _Words(path, text)
    words.expect("HIERARCHY")
    joints = _hierarchy(words)
    words.expect("MOTION")
    words.expect("FRAMES")
    frames = words.count(MAX_FRAMES, "frames")
    if frames == 0:
        raise BadInput(f"{path} has no frames. Export it again.")
    words.expect("FRAME")
    words.expect("TIME")
    seconds = words.number()
    width = sum(len(joint.channels) for joint in joints)
    if frames * len(joints) > MOST_PLACES:
        raise BadInput(f"{path} has {frames} frames of {len(joints)} joints: too many. Cut it into shorter pieces.")
    numbers = words.rest()
    if len(numbers) != frames * width:
        raise BadInput(
            f"{path}: {frames} frames of {width} channels are {frames * width} numbers, and there are {len(numbers)}.\n"
            "Is it complete? Export it again as BVH."
        )
    numbers = numbers.reshape(frames, width)
    if not np.isfinite(numbers).all():
        raise BadInput(f"{path}: some numbers are not finite. Export it again.")
    return _clip(joints, numbers, frame_rate(path, 1 / seconds if seconds > 0 else float("nan")))


def _hierarchy(words: _Words) -> list[_Joint]:
    joints: list[_Joint] = []
    open_joints: list[int] = []
    words.expect("ROOT")
    while True:
        joints.append(_Joint(_name(words), open_joints[-1] if open_joints else -1))
        if len(joints) > MOST_JOINTS:
            raise BadInput(f"{words.path} has more than {MOST_JOINTS} joints: that is no person.")
        open_joints.append(len(joints) - 1)
        while open_joints:
            word = words.expect("{", "OFFSET", "CHANNELS", "JOINT", "END", "}")
            joint = joints[open_joints[-1]]
            if word == "OFFSET":
                joint.offset = (words.number(), words.number(), words.number())
            elif word == "CHANNELS":
                joint.channels = [_channel(words) for _ in range(words.count(6, "channels"))]
            elif word == "END":
                while words.next() != "}":
                    pass
            elif word == "}":
                open_joints.pop()
            elif word == "JOINT":
                break
        if not open_joints:
            return joints


def _name(words: _Words) -> str:
    """All words up to the brace: names may hold blanks."""
    name = ""
    while (word := words.next()) != "{":
        name += f" {word}"
        if len(name) > LONGEST_NAME:
            raise BadInput(f"{words.path}: a joint has a name of more than {LONGEST_NAME} letters.")
    return name.strip()


def _channel(words: _Words) -> str:
    word = words.next()
    plain = word[:1].upper() + word[1:].lower()
    if plain not in CHANNELS:
        raise BadInput(f"{words.path}: there is no channel {word[:40]!r}, only Xposition ... Zrotation.")
    return plain


def _clip(joints: list[_Joint], numbers: Float[np.ndarray, "frame channel"], fps: float) -> SkeletonClip:
    frames, count = len(numbers), len(joints)
    turns, places = np.zeros((frames, count, 3, 3)), np.zeros((frames, count, 3))
    rest = np.zeros((count, 3))
    first = 0
    for i, joint in enumerate(joints):
        own = {name: numbers[:, first + k] for k, name in enumerate(joint.channels)}
        first += len(joint.channels)
        order = [name[0] for name in joint.channels if name.endswith("rotation")]
        local = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for axis in order:
            local = local @ Rotation.from_euler(axis.lower(), own[f"{axis}rotation"][:, None], degrees=True).as_matrix()
        offset = np.broadcast_to(joint.offset, (frames, 3))
        if joint.parent < 0:
            moved = [own.get(f"{axis}position", np.zeros(frames)) for axis in "XYZ"]
            turns[:, i], places[:, i], rest[i] = local, offset + np.stack(moved, axis=1), joint.offset
            continue
        above = joint.parent
        turns[:, i] = turns[:, above] @ local
        places[:, i] = places[:, above] + np.einsum("fij,fj->fi", turns[:, above], offset)
        rest[i] = rest[above] + joint.offset
    return SkeletonClip(
        names=tuple(joint.name for joint in joints),
        parents=tuple(joint.parent for joint in joints),
        rest_places=rest,
        rest_turns=np.broadcast_to(np.eye(3), (count, 3, 3)).copy(),
        places=places,
        turns=turns,
        fps=fps,
    )
