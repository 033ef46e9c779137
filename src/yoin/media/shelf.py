"""The content-addressed store: one file a medium, named by the SHA-256 of its bytes, never half-written.

What is made of a medium lies beside it: ``<hash>.frames-…/`` with the frames of a video, ``<hash>.side-….jpg``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Self

from yoin.images import SUFFIXES
from yoin.ledger import disk_errors
from yoin.media.reasons import Unusable

HEAD = 64  # bytes that tell what a file is
_INCOMING = ".incoming-"
_VIDEO_SUFFIXES = {"video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm"}


class Incoming:
    """A file on its way into the store, hashed and counted while it is written; a context manager.

    Args:
        store: the folder of the store.
        limit: the most bytes it may have.
        name: what to call it in a sentence.
    """

    def __init__(self, store: Path, limit: int, name: str) -> None:
        self._store, self._limit, self._name = store, limit, name
        with disk_errors("media"):
            handle, path = tempfile.mkstemp(prefix=_INCOMING, dir=store)
        self.path = Path(path)
        self._stream = os.fdopen(handle, "wb", buffering=0)
        self.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def restart(self) -> None:
        """Forget what was written: the next attempt begins."""
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.head = b""
        self._stream.seek(0)
        self._stream.truncate()

    def write(self, chunk: bytes) -> None:
        """Add a piece.

        Raises:
            Unusable: there are more bytes than the limit.
            StudyError: the disk is full.
        """
        self.bytes += len(chunk)
        if self.bytes > self._limit:
            raise Unusable("too_large", f"{self._name} has more than {self._limit:,} bytes.")
        self._hash.update(chunk)
        if len(self.head) < HEAD:
            self.head = (self.head + chunk)[:HEAD]
        with disk_errors("media"):
            self._stream.write(chunk)

    def keep(self, mime: str) -> str:
        """Move the file into its place, unless its bytes are there already; return its media_id.

        Raises:
            StudyError: the disk is full.
        """
        media_id = self._hash.hexdigest()
        path = place(self._store, media_id, mime)
        if not holds(path, self.bytes):
            with disk_errors("media"):
                os.fsync(self._stream.fileno())
                path.parent.mkdir(parents=True, exist_ok=True)
                self.path.replace(path)
        self.drop()
        return media_id

    def drop(self) -> None:
        """Close and remove what is left of it; a second call does nothing."""
        self._stream.close()
        self.path.unlink(missing_ok=True)


def place(store: Path, media_id: str, mime: str) -> Path:
    """Where the medium lies, or will lie."""
    return store / media_id[:2] / f"{media_id}{SUFFIXES.get(mime) or _VIDEO_SUFFIXES[mime]}"


def holds(path: Path, size: int) -> bool:
    """Whether ``path`` is there with ``size`` bytes."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def make(path: Path, write: Callable[[Path], None]) -> None:
    """Make a file or a folder in one step: ``write`` fills it elsewhere, and then it is moved to ``path``.

    Raises:
        StudyError: the disk is full.
    """
    if path.exists():
        return
    with disk_errors("media"), tempfile.TemporaryDirectory(prefix=_INCOMING, dir=path.parent.parent) as folder:
        made = Path(folder) / path.name
        write(made)
        made.replace(path)


def prepare(store: Path) -> None:
    """Make the folder, and clear what a killed run left in it.

    Raises:
        StudyError: the disk is full.
    """
    with disk_errors("media"):
        store.mkdir(parents=True, exist_ok=True)
        for left in store.glob(f"{_INCOMING}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
