"""Whatever two requests of one user do at the same time: nothing is shown or kept with the wrong person.

Every handler runs once on photo a, and at each of its slow calls another handler runs as a whole. Slow calls are
replaced by quick ones whose results carry the number of the avatar they were made of.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sherf.app.avatar_results import AvatarResults
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.session import Session
from sherf.app.sessions import Sessions
from sherf.avatar.encoder import EncodedAvatar
from sherf.body.body_model import BodyModel
from sherf.camera.framing import CameraPath
from sherf.export.rigged import RiggedMesh
from sherf.export.still_mesh import StillMesh
from sherf.files.digest import file_sha256
from sherf.render.devices import choose_backend
from sherf.scene import Frame, Subject

gr = pytest.importorskip("gradio", reason="the page needs gradio: pip install 'sherf[app]'")

from sherf.app import avatar_callbacks, photo_callbacks  # noqa: E402

VIDEO: tuple[str, None, float, float, bool, bool, str, float, CameraPath] = (
    "walk", None, 4.0, 1.0, False, True, "white", 256.0, "still",
)  # fmt: skip


class Blocked(Exception):
    """A real thread would wait here until the other one is done."""


class WouldBlock:
    """A lock that one thread can test: whoever would wait for it is `Blocked`."""

    def __init__(self) -> None:
        self.is_held = False

    def __enter__(self) -> None:
        if self.is_held:
            raise Blocked
        self.is_held = True

    def __exit__(self, *_: object) -> None:
        self.is_held = False


class FakeRenderer:
    """Renders a plain grey whose level is the avatar's number."""

    is_parallel = False

    def __init__(self, world: "World", number: int) -> None:
        self.world, self.number = world, number

    def frame(self, camera: Any, pose: Any, vertices: Any = None) -> Frame:
        self.world.pause()
        grey, size = torch.full((3, *camera.size), 10 * self.number / 255), camera.size
        return Frame(grey, torch.ones(size), torch.ones(size), torch.ones(size))

    def outline(self, pose: Any) -> torch.Tensor:
        return self.world.body.pose(pose).vertices


class FakeMeshRenderer(FakeRenderer):
    """The same, of a mesh."""

    def __init__(self, mesh: Any) -> None:
        super().__init__(mesh.world, mesh.number)


class World:
    """A page with one user, and the photos a and b."""

    def __init__(self, folder: Path, body: BodyModel, subject: Subject) -> None:
        self.body, self.subject = body, subject
        self.sessions, self.backend = Sessions(60, choose_backend("cpu")), choose_backend("cpu")
        self.sessions.start = lambda: None
        self.photos = {name: folder / f"{name}.png" for name in "ab"}
        for name, photo in self.photos.items():
            photo.write_text(name)
        self.names = {file_sha256(photo)[:16]: name for name, photo in self.photos.items()}
        self.numbers: dict[str, int] = {}
        """Of each avatar, by the name of its fit."""
        self.interruption: Callable[[], None] | None = None
        self.countdown = 0
        self.session: Any = None
        self.deleted: list[Any] = []
        """Sessions."""

    @property
    def avatar(self) -> AvatarResults | None:
        return None if self.session is None else self.session.avatar

    @property
    def number(self) -> int:
        return 0 if self.avatar is None else self.numbers[self.avatar.fitted.name]

    def pause(self) -> None:
        """Let the other handler run, if it is time."""
        self.countdown -= 1
        if self.countdown < 0 and self.interruption is not None:
            interruption, self.interruption = self.interruption, None
            interruption()

    def run(self, name: str) -> str:
        """Run a handler as the page does, check what it shows, and return how it ended."""
        try:
            outputs = HANDLERS[name](self, self.session)
            for output in [outputs] if not isinstance(outputs, Iterator) else outputs:
                shown = output if isinstance(output, tuple) else (output,)
                self.session = next((value for value in shown if isinstance(value, Session)), self.session)
                for value in shown:
                    found = list(self.numbers_in(value))
                    assert all(self.number in fitting for fitting in found), (name, value, found, self.number)
        except gr.Error as error:
            return f"refused: {error}"
        return "done"

    def numbers_in(self, value: Any) -> Iterator[set[int]]:
        """Yield, for each sign of an avatar in something shown, the numbers of avatars that it fits."""
        if isinstance(value, np.ndarray):
            yield {round(float(value.mean()) / 10)}
        elif isinstance(value, dict):
            for part in value.values():
                yield from self.numbers_in(part)
        elif isinstance(value, list | tuple):
            for part in value:
                yield from self.numbers_in(part)
        elif isinstance(value, str):
            yield from ({int(number)} for number in re.findall(r"(?:[Aa]vatar number |shows )(\d+)", value))
            yield from ({self.numbers[name]} for name in re.findall(r"\w{16}/person-[\w-]+", value))
            photos = [self.names[name] for name in re.findall(r"(\w{16})/photo", value)]
            photos += re.findall(r"\b([ab])\.png", value)
            for photo in photos:
                yield {n for fit, n in self.numbers.items() if self.names[fit.partition("/")[0]] == photo}

    def check_kept(self) -> None:
        """Check that all that is kept with the avatar was made of it."""
        if self.avatar is None:
            return
        kept, number = self.avatar, self.number
        files = [str(path) for path in (*kept.videos, *kept.exports)]
        renderers = [kept.viewer.mesh_renderer, kept.viewer._field_renderer]
        assert all(number in known for known in self.numbers_in(files))
        assert {made.number for made in (kept.mesh, *renderers) if made is not None} <= {number}
        assert kept.seen_share in (None, number / 100)
        image = kept.viewer.last_image
        assert image is None or next(self.numbers_in(image)) == {number}
        assert not kept.corrections.landmarks or number == 1, "a landmark was moved on the first photo"


def landmark(world: World, session: Any) -> str:
    """Move a landmark of the first avatar."""
    message = {"fit": next(iter(world.numbers)), "name": "nose", "position": [1, 1]}
    return photo_callbacks.move_landmark(session, gr.EventData(None, message))


def refit(world: World, session: Any) -> tuple:
    return photo_callbacks.refit(world.sessions, next(iter(world.numbers)), False, 1.0, 170.0, None, None, session)


def create(world: World, session: Any, photo: str = "a", person: float = 1.0) -> tuple:
    return photo_callbacks.create(world.sessions, str(world.photos[photo]), session, person)


def delete(world: World, session: Any) -> None:
    world.deleted.append(session)
    avatar_callbacks.delete(world.sessions, session.key)


HANDLERS: dict[str, Callable[[World, Any], Any]] = {
    "create": create,
    "create the other": partial(create, photo="b"),
    "create another person": lambda w, s: photo_callbacks.create_selected(w.sessions, str(w.photos["a"]), s, 2.0),
    "reconstruct": lambda w, s: photo_callbacks.reconstruct(w.sessions, str(w.photos["b"]), 1.0, s),
    "refit": refit,
    "cancel": lambda w, s: photo_callbacks.reset(s),
    "correct": lambda w, s: photo_callbacks.show_corrections(s),
    "move landmark": landmark,
    "edit mask": lambda w, s: photo_callbacks.open_mask_editor(s),
    "preview": lambda w, s: avatar_callbacks.preview(s),
    "build": lambda w, s: avatar_callbacks.build(s),
    "turn": lambda w, s: avatar_callbacks.turn(s),
    "rest": lambda w, s: avatar_callbacks.show_rest(s, gr.EventData(None, VIEW | {"name": next(iter(w.numbers))})),
    "look": lambda w, s: avatar_callbacks.look(90.0, 0.0, 1.0, "colours", s),
    "animate": lambda w, s: avatar_callbacks.animate(*VIDEO, s),
    "command": lambda w, s: avatar_callbacks.update_command(*VIDEO, s),
    "export": lambda w, s: avatar_callbacks.export("walk", None, s),
    "restore": lambda w, s: avatar_callbacks.restore(w.sessions, s.key),
    "resume": lambda w, s: avatar_callbacks.resume(s),
    "sweep": lambda w, s: w.sessions.sweep(),
    "delete": delete,
}
VIEW = {"view": 1, "theta": 0.0, "phi": 1.5, "radius": 3.0, "fov": 30.0, "target": [0.0, 0.0, 0.0], "aspect": 1.0}
READS = ("create", "create the other", "create another person", "reconstruct", "refit")


@pytest.fixture
def new_world(
    body: BodyModel, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], World]:
    """Return a function that opens a page with an avatar of photo a, whose slow calls can be interrupted."""
    worlds: list[World] = []
    numbers = count()

    def open_world() -> World:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        worlds.append(World(folder, body, subject))
        worlds[-1].run("create")
        avatar = worlds[-1].avatar
        avatar._building, avatar._rendering = WouldBlock(), WouldBlock()
        return worlds[-1]

    stand_ins(lambda: worlds[-1], body, subject, monkeypatch)
    return open_world


def stand_ins(the: Callable[[], World], body: BodyModel, subject: Subject, patch: pytest.MonkeyPatch) -> None:
    """Replace everything slow."""

    def obtain_avatar(photo: Path, output: Any, *_: Any) -> tuple:
        world, out = the(), output.out
        number = world.numbers.setdefault(f"{out.parent.name}/{out.name}", len(world.numbers) + 1)
        world.pause()
        out.mkdir(parents=True, exist_ok=True)
        made = object.__new__(EncodedAvatar)
        about = {"photo": photo.name, "person": 1, "options": {"person": None}, "not_seen": {}, "verdict": "good"}
        vars(made).update(
            bank=SimpleNamespace(subject=subject), report=about | {"warnings": [f"avatar number {number}"]}
        )
        return made, body

    def build(avatar: Any, *_: Any, watch: Callable[[], None]) -> RiggedMesh:
        watch()
        the().pause()
        watch()
        made, number = object.__new__(RiggedMesh), number_of(avatar)
        vars(made).update(world=the(), number=number, visible_share=number / 100)
        return made

    def number_of(avatar: Any) -> int:
        return int(avatar.report["warnings"][0].split()[-1])

    def videos(renderer: FakeRenderer, clip: Any, avatar: Any, body: Any, path: Any, output: Any, *_: Any) -> list:
        the().pause()
        assert renderer.number == number_of(avatar), "a mesh of one person, moved as another"
        output.out.mkdir(parents=True, exist_ok=True)
        return [output.out / "video.mp4"]

    def glb(mesh: Any, *_: Any) -> bytes:
        the().pause()
        return b"%d" % mesh.number

    def still(*_: Any) -> StillMesh:
        the().pause()
        flat = np.zeros((1, 1, 3), np.float32)
        return StillMesh(
            np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]), flat[0, :, :2].repeat(3, 0), flat, flat[..., 0]
        )

    def write_fit(corrections: Any, fit: Any, body: Any, mask: Any, path: Path) -> Path:
        the().pause()
        return path

    def paused(result: Any) -> Any:
        the().pause()
        return result

    clip = SimpleNamespace(name="walk")
    results, viewer = "sherf.app.avatar_results", "sherf.app.viewer"
    for name, stand_in in {
        "sherf.app.session.obtain_avatar": obtain_avatar,
        "sherf.app.session.edited_mask": lambda *_: paused(None),
        f"{results}.build_rigged_mesh": build,
        f"{results}.MeshRenderer": FakeMeshRenderer,
        f"{results}.quick_mesh": still,
        f"{results}.StillMesh.of": still,
        f"{results}.render_videos": videos,
        f"{results}.choose_motion": lambda *_: paused(clip),
        f"{results}.resample": lambda clip, fps: clip,
        f"{results}.ground_motion": lambda clip, *_: clip,
        f"{results}.encode_glb": glb,
        f"{results}.provenance": lambda *_: {},
        f"{results}.AvatarResults._read_motion": lambda *_: paused(clip),
        f"{viewer}.MeshRenderer": FakeMeshRenderer,
        f"{viewer}.VIEW_SIZE": 8,
        f"{viewer}.COARSE_SIZE": 8,
        f"{viewer}.FieldRenderer": lambda avatar, *_: FakeRenderer(the(), number_of(avatar)),
        "sherf.app.fit_corrections.FitCorrections.write": write_fit,
        "sherf.app.fit_corrections.FitCorrections.editable_landmarks": lambda *_: [],
        "sherf.app.fitted_photo.FittedPhoto.write_preview": lambda fitted: paused(fitted.folder / "small.jpg"),
        "sherf.app.fitted_photo.FittedPhoto.make_painting": lambda fitted: paused(
            {"background": np.full((2, 2), 10 * number_of(fitted.avatar)), "layers": [], "composite": None}
        ),
    }.items():
        patch.setattr(name, stand_in)
    fit = {"size": [9, 9], "landmarks": {}, "person": 1, "edits": {"mask": None}}
    patch.setattr(FittedPhoto, "fit", property(lambda fitted: fit))
    patch.setattr(FittedPhoto, "mask", property(lambda fitted: np.zeros((9, 9), bool)))


@pytest.mark.parametrize("has_mesh", [False, True])
@pytest.mark.parametrize("first", HANDLERS)
def test_nothing_is_shown_or_kept_with_the_wrong_person(
    new_world: Callable[[], World], first: str, has_mesh: bool
) -> None:
    for second in HANDLERS:
        for num_calls in count():
            world = new_world()
            if has_mesh:
                world.run("build")
            if not interrupted(world, first, second, num_calls):
                break


def interrupted(world: World, first: str, second: str, num_calls: int) -> bool:
    """Run two handlers, the second at a slow call of the first; return whether there was one after `num_calls`."""
    ends: list[str] = []

    def interrupt() -> None:
        try:
            ends.append(world.run(second))
        except Blocked:
            ends.append("blocked")

    world.interruption, world.countdown = interrupt, num_calls
    world.run(first)
    was_interrupted, world.interruption = bool(ends), None
    if ends in ([], ["blocked"]):
        ends = [world.run(second)]
    world.check_kept()
    if second in READS and ends == ["done"]:
        photo = "b" if second in ("create the other", "reconstruct") else "a"
        assert world.names[world.avatar.fitted.folder.parent.name] == photo, "the last request counts"
    world.sessions.sweep()
    assert not any(session.folder.exists() for session in world.deleted), "nothing of a deleted session remains"
    return was_interrupted
