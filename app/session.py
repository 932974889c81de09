"""One user's session: the latest photo's avatar, and files in a private folder. Free of widgets."""

import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from sherf.api.sources import obtain_avatar
from sherf.app.avatar_results import AvatarResults, Cancelled
from sherf.app.fitted_photo import FittedPhoto
from sherf.app.masks import Painting, edited_mask
from sherf.app.usage import Usage
from sherf.app.viewer import AvatarViewer
from sherf.errors import BadInput
from sherf.files.digest import file_sha256
from sherf.files.options import OutputOptions
from sherf.photo.options import PhotoOptions
from sherf.render.backend import Backend
from sherf.render.devices import choose_backend

MAX_AVATARS = 4
"""Avatars whose files a session keeps: those of its latest photos, persons and corrections."""
AVATAR_PREFIX = "person-"
"""Of the names of avatars' folders."""


@dataclass
class Session:
    """One browser's photo and results; the files lie in `folder` until it is closed."""

    backend: Backend = field(default_factory=lambda: choose_backend("auto"))
    """Where avatars are encoded, rendered and exported."""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    """A secret that gives access to everything here; sent to the user's own browser alone."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="sherf-session-")))
    usage: Usage = field(default_factory=Usage)
    avatar: AvatarResults | None = None
    """Of the latest photo; replaced as a whole by the next."""
    num_refits: int = 0
    _num_reads: int = 0
    _kept: list[Path] = field(default_factory=list)
    """Folders of the latest avatars, the latest last."""
    _written: list[Path] = field(default_factory=list)
    """Folders of avatars that are being written."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def num_bytes(self) -> int:
        """Size of all files in the folder."""
        return sum(_size(path) for path in self.folder.rglob("*"))

    def read(self, photo: Path, person: int | None = None, edit: Path | None = None) -> dict[str, Any]:
        """Reconstruct a photo's avatar, or take up the one made before. A bad fit is reported, not refused.

        Args:
            photo: image file; the session keeps a copy.
            person: number of the person in the photo, from 1; None takes the most prominent.
            edit: corrected fit.json; its avatar is separate from that of the uncorrected fit.

        Returns:
            The avatar's report.

        Raises:
            BadInput: the session has ended.
            Cancelled: another photo, person or correction was requested meanwhile.
            SherfError: the photo or the corrections cannot be used.
        """
        with self.usage.step():
            return self._read(self._next_number(), photo, person, edit)

    def refit(self, mask: Path | None, painting: Painting | None = None) -> dict[str, Any]:
        """Fit the photo again with the user's `corrections`.

        Args:
            mask: uploaded mask, white on black; it takes precedence over `painting`.
            painting: the mask editor's value, as painted and erased; None if it was not opened.

        Returns:
            The new avatar's report.

        Raises:
            BadInput: there is no photo yet.
            Cancelled: another photo, person or correction was requested meanwhile.
            SherfError: the corrections cannot be used.
        """
        with self.usage.step():
            avatar, number = self.require_avatar(), self._next_number()
            fitted, fit = avatar.fitted, avatar.fitted.fit
            previous = fit["edits"]["mask"]
            self.num_refits += 1
            edits = self.folder / "edits"
            edits.mkdir(exist_ok=True)
            painted = edited_mask(fitted.mask, painting) if mask is None else None
            if painted is not None:
                mask = edits / f"{self.num_refits}.png"
                Image.fromarray(painted).save(mask)
            elif mask is None and previous is not None:
                mask = fitted.folder / previous
            edit = avatar.corrections.write(fit, fitted.body, mask, edits / f"{self.num_refits}.json")
            return self._read(number, fitted.photo, fit["person"], edit)

    def require_avatar(self) -> AvatarResults:
        """Return the avatar and its results; counts as use of the session.

        Raises:
            BadInput: there is no photo yet.
        """
        avatar = self.avatar
        if avatar is None:
            raise BadInput("there is no photo yet. Upload one on the first tab, or choose an example.")
        self.usage.touch()
        return avatar

    def cancel(self) -> None:
        """Cancel all work in progress."""
        self._next_number()
        if self.avatar is not None:
            self.avatar.cancel()

    def release_memory(self) -> None:
        """Free what can be computed again, unless a step is in progress, which may need it."""
        if self.avatar is not None and not self.usage.is_busy:
            self.avatar.release_memory()

    def close(self) -> bool:
        """Delete all files and free all memory, unless a step is in progress. Returns whether that was done."""
        if not self.usage.end():
            return False
        self.avatar = None
        shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def _next_number(self) -> int:
        with self._lock:
            self._num_reads += 1
            return self._num_reads

    def _read(self, number: int, photo: Path, person: int | None, edit: Path | None) -> dict[str, Any]:
        """Read the photo as the request of this number.

        Returns:
            The avatar's report.

        Raises:
            Cancelled: there is a later request by then.
        """
        folder = self.folder / file_sha256(photo)[:16]
        copy = folder / "photo" / photo.name
        out = folder / (f"{AVATAR_PREFIX}{person or 0}" + ("" if edit is None else f"-fit-{edit.stem}"))
        options = PhotoOptions(person=person, allow_partial=True, edit=edit, force=True)
        with self._writing(out):
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(photo, copy)
            avatar, body = obtain_avatar(copy, OutputOptions(out), options, self.backend)
            with self._lock:
                if number != self._num_reads:
                    raise Cancelled("another photo or person was chosen meanwhile.")
                self._take(FittedPhoto(copy, avatar, body, out), is_corrected=edit is not None)
        return avatar.report

    def _take(self, fitted: FittedPhoto, is_corrected: bool) -> None:
        """Make an avatar the current one; if it is already, its results are kept."""
        self._kept = [*(folder for folder in self._kept if folder != fitted.folder), fitted.folder][-MAX_AVATARS:]
        current = None if self.avatar is None else (self.avatar.fitted.folder, self.avatar.fitted.report)
        if self.avatar is None or current != (fitted.folder, fitted.report):
            viewer = AvatarViewer(fitted.avatar, fitted.body, self.backend)
            self.avatar = AvatarResults(fitted, viewer, self.backend, self.usage, is_corrected)
        self.avatar.resume()

    @contextmanager
    def _writing(self, out: Path) -> Iterator[None]:
        """Keep an avatar's folder while it is written; afterwards delete all folders that are not kept."""
        with self._lock:
            self._written.append(out)
        try:
            yield
        finally:
            with self._lock:
                self._written.remove(out)
                self._delete_surplus()

    def _delete_surplus(self) -> None:
        """Delete all but the latest avatars, and photos without one."""
        needed = {*self._kept, *self._written}
        for avatar in self.folder.glob(f"*/{AVATAR_PREFIX}*"):
            if avatar not in needed:
                shutil.rmtree(avatar, ignore_errors=True)
        photos = {avatar.parent for avatar in needed}
        for copies in self.folder.glob("*/photo"):
            if copies.parent not in photos:
                shutil.rmtree(copies.parent, ignore_errors=True)


def _size(path: Path) -> int:
    """Return a file's size, bytes; 0 if it was deleted meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
