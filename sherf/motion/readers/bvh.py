"""Read BVH files (Biovision Hierarchy): a skeleton in words, then one line of numbers per frame.

The format has no published standard; its usual description is Meredith and Maddock, "Motion Capture File Formats
Explained", University of Sheffield, 2001.
"""

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sherf.errors import BadInput
from sherf.motion.checked_arrays import MAX_FRAMES, check_frame_rate
from sherf.motion.readers.retarget import MAX_JOINT_FRAMES, SkeletonClip

MAX_JOINTS = 500
MAX_HEADER_TOKENS = 60 * MAX_JOINTS
"""Words and numbers before the frames."""
MAX_NAME_LENGTH = 200
TOKEN = re.compile(r"\S+")
CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[str] = field(default_factory=list)


class _Tokens:
    """The file's text, read token by token; all methods raise BadInput on what does not belong."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text, self.position, self.count = path, text, 0, 0

    def next(self) -> str:
        """Return the next token.

        Raises:
            BadInput: the file ends, or its header is too long.
        """
        match = TOKEN.search(self.text, self.position)
        if match is None:
            raise BadInput(f"{self.path} ends too early. Is it complete? Export it again as BVH.")
        if self.count >= MAX_HEADER_TOKENS:
            raise BadInput(
                f"{self.path} has more than {MAX_HEADER_TOKENS} words before its frames: not the skeleton of a person."
            )
        self.position, self.count = match.end(), self.count + 1
        return match[0]

    def remaining_numbers(self) -> Float[np.ndarray, " number"]:
        """Return the rest of the file, parsed as numbers.

        Raises:
            BadInput: it holds anything else.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy stops at the first word, and only warns
                return np.fromstring(self.text[self.position :], sep=" ")
        except (ValueError, Warning) as error:
            raise BadInput(
                f"{self.path}: expected only numbers after the frame time ({error}). Export it again as BVH."
            ) from error

    def expect(self, *keywords: str) -> str:
        """Return the next token, in capitals, which has to be one of the keywords.

        Raises:
            BadInput: it is another.
        """
        token = self.next()
        if token.upper().rstrip(":") not in keywords:
            raise BadInput(
                f"{self.path}: expected {' or '.join(keywords)}, found {token[:40]!r} (word {self.count}).\n"
                "Export it again as BVH."
            )
        return token.upper().rstrip(":")

    def number(self) -> float:
        """Return the next token as a finite number.

        Raises:
            BadInput: it is not one.
        """
        token = self.next()
        try:
            value = float(token)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise BadInput(
                f"{self.path}: expected a number, found {token[:40]!r} (word {self.count}).\nExport it again as BVH."
            )
        return value

    def whole_number(self, most: int, what: str) -> int:
        """Return the next token as a whole number from 0 to `most`.

        Raises:
            BadInput: it is not one.
        """
        value = self.number()
        if value != int(value) or not 0 <= value <= most:
            raise BadInput(f"{self.path}: {value:g} {what}; expected 0 to {most}.")
        return int(value)


def is_bvh(head: bytes) -> bool:
    """Return whether a file's first bytes are those of BVH."""
    return head.lstrip()[:9].upper() == b"HIERARCHY"


def read_bvh(path: Path, text: str) -> SkeletonClip:
    """Parse a BVH file.

    Rotations are intrinsic, in the order of their channels, in degrees. Position channels are used for the root only.

    Args:
        path: the file, for messages.
        text: its content.

    Returns:
        The skeleton and its movement, in the file's axes and unit; the rest pose has all rotations zero.

    Raises:
        BadInput: the hierarchy is malformed or too large, or numbers are missing or not finite.
    """
    tokens = _Tokens(path, text)
    tokens.expect("HIERARCHY")
    joints = _parse_hierarchy(tokens)
    tokens.expect("MOTION")
    tokens.expect("FRAMES")
    frames = tokens.whole_number(MAX_FRAMES, "frames")
    if frames == 0:
        raise BadInput(f"{path} has no frames. Export it again.")
    tokens.expect("FRAME")
    tokens.expect("TIME")
    frame_time = tokens.number()
    channels = sum(len(joint.channels) for joint in joints)
    if frames * len(joints) > MAX_JOINT_FRAMES:
        raise BadInput(f"{path} has {frames} frames of {len(joints)} joints: too many. Cut it into shorter pieces.")
    numbers = tokens.remaining_numbers()
    if len(numbers) != frames * channels:
        raise BadInput(
            f"{path}: {frames} frames of {channels} channels need {frames * channels} numbers, found {len(numbers)}.\n"
            "Is it complete? Export it again as BVH."
        )
    numbers = numbers.reshape(frames, channels)
    if not np.isfinite(numbers).all():
        raise BadInput(f"{path}: some numbers are not finite. Export it again.")
    return _pose_skeleton(joints, numbers, check_frame_rate(path, 1 / frame_time if frame_time > 0 else float("nan")))


def _parse_hierarchy(tokens: _Tokens) -> list[_Joint]:
    """Return the joints, parents first.

    Raises:
        BadInput: the hierarchy is malformed or has too many joints.
    """
    joints: list[_Joint] = []
    open_joints: list[int] = []
    tokens.expect("ROOT")
    while True:
        joints.append(_Joint(_parse_name(tokens), open_joints[-1] if open_joints else -1))
        if len(joints) > MAX_JOINTS:
            raise BadInput(f"{tokens.path} has more than {MAX_JOINTS} joints: not the skeleton of a person.")
        open_joints.append(len(joints) - 1)
        while open_joints:
            keyword = tokens.expect("{", "OFFSET", "CHANNELS", "JOINT", "END", "}")
            joint = joints[open_joints[-1]]
            if keyword == "OFFSET":
                joint.offset = (tokens.number(), tokens.number(), tokens.number())
            elif keyword == "CHANNELS":
                joint.channels = [_parse_channel(tokens) for _ in range(tokens.whole_number(6, "channels"))]
            elif keyword == "END":
                while tokens.next() != "}":
                    pass
            elif keyword == "}":
                open_joints.pop()
            elif keyword == "JOINT":
                break
        if not open_joints:
            return joints


def _parse_name(tokens: _Tokens) -> str:
    """Return all tokens up to the brace: names may contain spaces.

    Raises:
        BadInput: the name is too long.
    """
    name = ""
    while (token := tokens.next()) != "{":
        name += f" {token}"
        if len(name) > MAX_NAME_LENGTH:
            raise BadInput(f"{tokens.path}: a joint's name has more than {MAX_NAME_LENGTH} characters. Shorten it.")
    return name.strip()


def _parse_channel(tokens: _Tokens) -> str:
    """Return a channel's name in its usual capitalisation.

    Raises:
        BadInput: there is no such channel.
    """
    token = tokens.next()
    channel = token[:1].upper() + token[1:].lower()
    if channel not in CHANNELS:
        raise BadInput(
            f"{tokens.path}: unknown channel {token[:40]!r}; expected Xposition ... Zrotation. Export it again as BVH."
        )
    return channel


def _pose_skeleton(joints: list[_Joint], numbers: Float[np.ndarray, "frame channel"], fps: float) -> SkeletonClip:
    """Return world positions and rotations by forward kinematics."""
    frames, count = len(numbers), len(joints)
    rotations, positions = np.zeros((frames, count, 3, 3)), np.zeros((frames, count, 3))
    rest = np.zeros((count, 3))
    first = 0
    for i, joint in enumerate(joints):
        channels = {name: numbers[:, first + k] for k, name in enumerate(joint.channels)}
        first += len(joint.channels)
        local = _local_rotation(joint, channels, frames)
        offset = np.broadcast_to(joint.offset, (frames, 3))
        parent = joint.parent
        if parent < 0:
            moved = np.stack([channels.get(f"{axis}position", np.zeros(frames)) for axis in "XYZ"], axis=1)
            rotations[:, i], positions[:, i], rest[i] = local, offset + moved, joint.offset
            continue
        rotations[:, i] = rotations[:, parent] @ local
        positions[:, i] = positions[:, parent] + np.einsum("fij,fj->fi", rotations[:, parent], offset)
        rest[i] = rest[parent] + joint.offset
    return SkeletonClip(
        names=tuple(joint.name for joint in joints),
        parents=tuple(joint.parent for joint in joints),
        rest_positions=rest,
        rest_rotations=np.broadcast_to(np.eye(3), (count, 3, 3)).copy(),
        positions=positions,
        rotations=rotations,
        fps=fps,
    )


def _local_rotation(
    joint: _Joint, channels: dict[str, Float[np.ndarray, " frame"]], frames: int
) -> Float[np.ndarray, "frame 3 3"]:
    """Return parent-relative rotations: one factor per rotation channel, in the channels' order."""
    local = np.broadcast_to(np.eye(3), (frames, 3, 3))
    for axis in [name[0] for name in joint.channels if name.endswith("rotation")]:
        angles = channels[f"{axis}rotation"][:, None]
        local = local @ Rotation.from_euler(axis.lower(), angles, degrees=True).as_matrix()
    return local
