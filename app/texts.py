"""What the page says: verdicts, mistakes without a word about command lines, and the command line itself."""

import re
import shlex
from dataclasses import fields
from typing import Any

from sherf.app.fix_fit import spoken
from sherf.camera.framing import CameraPath
from sherf.motion.options import MotionOptions
from sherf.render.options import RenderOptions

WELCOME = """# One photo in, a moving person out
Drop a photo of a whole person below, or click an example. It stays on this machine."""
ABOUT = """**Privacy.** Photos are read on this machine and go nowhere. What you upload, and what is made of it, lies in
a private folder and is deleted {minutes} minutes after you last used it, and when this program ends. Until then the
same tab shows it again after a refresh; no other tab and nobody else can reach it.

**What is real and what is invented.** The photo shows one side. The rest is made up by a network that has seen drawn
people only: the map *seen / invented* shows which is which. It is no likeness to prove anything by.

**Model card and licence**: `checkpoints/sherf-small/README.md`; the weights, the body model and the motions are CC0.
Of files that you make, `provenance` says which photo and model they come from."""
FIX = """Drag the points to where they really are, or choose one and click there; arrow keys move it too. Left and right
are the person's own. Blue: as found; green: as you placed it; hollow: cannot be seen. Then *Fit again*."""
AS_FOUND = "All points are as they were found."
MASK = """What is tinted is taken for the person: paint what is missing, erase what is too much. Or bring a mask of your
own below, white on black."""
MOTION = """Choose a motion, or bring one: a video of somebody, or a file of BVH, AMASS, AIST++, SMPL or GLB."""
VERDICTS = {
    "good": "The body fits the photo well.",
    "usable": "The body fits roughly: look at the picture.",
    "poor": "The body does not fit well: mend it under *Fix the fit*, or try another photo.",
}
COARSE = "A coarse preview. The sharp avatar is being made: about half a minute. You can look around already."
LATER = "A coarse preview. The sharp avatar is made as soon as you let it move."
DRAWN = "Mask, skeleton and body will be drawn over your photo."
INSTEAD = {
    "--mask": "Paint the mask under *Fix the fit*.",
    "--edit": "Put it right under *Fix the fit*.",
    "--person": "Type another number at *Which person*, or click the person.",
    "--speed": "Choose another speed.",
}
"""What the page offers where a message of the library names an option of the command line."""
OPTION, COMMAND = (
    re.compile(r"(?<![\w-])--[a-z][a-z-]*"),
    re.compile(r"`sherf [^`]*`|\b(overlay|report)\.png|fit\.json"),
)
REMARK = re.compile(r"\s*\([^()]*--[a-z][^()]*\)|,? (?:and|or) pass --[a-z][^.;:]*")
FOLDERS = re.compile(r"(?<![\w/.:])/(?:[^\s/:;,'\"]+/)+(?=[^\s/])")
WRAPPED = re.compile(r"(?<![.;:!?])\n(?=[a-z])")
"""Within a sentence."""
SENTENCE = re.compile(r"(?<=[.;:!?])\s+(?=\S)|\n")


def on_page(message: str) -> str:
    """A message as it is told on the page: no folders of the machine, no options; what the page offers instead."""
    text = FOLDERS.sub("", REMARK.sub("", WRAPPED.sub(" ", message)))
    told = []
    for sentence in SENTENCE.split(text):
        named = OPTION.findall(sentence)
        if not named and not COMMAND.search(sentence):
            told.append(sentence)
            continue
        told += [INSTEAD[option] for option in named if option in INSTEAD and INSTEAD[option] not in told][:1]
    return " ".join(part.strip() for part in told if part.strip()) or "That is not possible here."


def verdict(report: dict[str, Any]) -> str:
    """How well the body fits, why, and what to know, as Markdown."""
    lines = [f"**{VERDICTS.get(report.get('verdict', ''), 'Body and mask are drawn over the photo.')}**"]
    lines += [f"- {on_page(reason)}" for reason in report.get("reasons", []) + report.get("warnings", [])]
    people = report.get("people", [])
    if len(people) > 1:
        lines.append(f"- {len(people)} people: click another in the photo, or type 1 to {len(people)}.")
    return "\n".join(lines)


def corrections(landmarks: dict[str, list[float] | None]) -> str:
    """Which landmarks the visitor has placed, and which cannot be seen."""
    placed = [spoken(name) for name, place in landmarks.items() if place is not None]
    unseen = [spoken(name) for name, place in landmarks.items() if place is None]
    said = [("Placed", placed), ("Cannot be seen", unseen)]
    return " ".join(f"**{what}:** {', '.join(names)}." for what, names in said if names) or AS_FOUND


def command_lines(
    report: dict[str, Any],
    corrected: bool,
    motion: str,
    moving: MotionOptions,
    options: RenderOptions,
    path: CameraPath,
) -> str:
    """What to type for the same film and the same 3D file.

    Args:
        corrected: the fit was mended on the page: its avatar file is what to go on with.
        motion: a built-in one's name, or the name of a file.
    """
    source = "avatar.safetensors" if corrected else shlex.quote(report["photo"])
    reading = [] if corrected else _reading(report)
    moved = ["--motion", motion, *changed(moving)]
    camera = [] if path == "still" else ["--path", path]
    film = ["sherf animate", source, *reading, *moved, *camera, *changed(options), "--out", "out"]
    model = ["sherf export", source, *reading, "--motion", motion, "--out", "me.glb"]
    note = "# avatar.safetensors is among the files of the tab 3D and files\n" if corrected else ""
    return note + "\n".join(" ".join([line[0], line[1], *map(shlex.quote, line[2:])]) for line in (film, model))


def changed(options: MotionOptions | RenderOptions) -> list[str]:
    """The arguments that say what differs from the defaults."""
    arguments = []
    for field in fields(options):
        value = getattr(options, field.name)
        if value == field.default:
            continue
        name = field.name.replace("_", "-")
        arguments += (
            [f"--{name}" if value else f"--no-{name}"] if isinstance(value, bool) else [f"--{name}", str(value)]
        )
    return arguments


def _reading(report: dict[str, Any]) -> list[str]:
    person = ["--person", str(report["person"])] if report["options"]["person"] is not None else []
    partial = ["--allow-partial"] if report["not_seen"] else []
    return person + partial + (["--force"] if report["verdict"] == "poor" else [])
