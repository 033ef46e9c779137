"""The content-addressed store: one file a medium, named by the SHA-256 of its bytes, never half-written.

What is made of a medium lies beside it: ``<hash>.frames-…/`` with the frames of a video, ``<hash>.side-….jpg``.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Self

from yoin.images import SUFFIXES
from yoin.ledger import disk_errors
from yoin.media.reasons import Unusable

SPILL = 1 << 20  # bytes
_INCOMING = ".incoming-"
_VIDEO_SUFFIXES = {"video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm"}


class Incoming:
    """A file on its way into the store, counted while it comes; a context manager.

    Up to `SPILL` bytes are held in memory; a larger file goes to the disk, and is hashed, as it comes. So whoever
    receives many small files at once is not held up by the disk, and no more memory is taken for large ones.

    Args:
        store: the folder of the store.
        limit: the most bytes it may have.
        name: what to call it in a sentence.
    """

    def __init__(self, store: Path, limit: int, name: str) -> None:
        self._store, self._limit, self._name = store, limit, name
        self._pieces: list[bytes] = []
        self._held = 0
        self._hash = hashlib.sha256()
        self._path: Path | None = None
        self._stream: FileIO | None = None
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def write(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            Unusable: there are more bytes than the limit.
            StudyError: the disk is full.
        """
        self.bytes += len(piece)
        if self.bytes > self._limit:
            raise Unusable("too_large", f"{self._name} has more than {self._limit:,} bytes.")
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > SPILL:
            self._spill()

    def _spill(self) -> FileIO:
        """Hash what is held, and move it to the disk."""
        with disk_errors("media"):
            if self._stream is None:
                handle, path = tempfile.mkstemp(prefix=_INCOMING, dir=self._store)
                self._path, self._stream = Path(path), FileIO(handle, "wb")
            held = b"".join(self._pieces)
            self._hash.update(held)
            self._stream.write(held)
        self._pieces.clear()
        self._held = 0
        return self._stream

    def path(self) -> Path:
        """The file with all that has come so far, for those who cannot read a stream.

        Raises:
            StudyError: the disk is full.
        """
        self._spill()
        if self._path is None:
            raise ValueError("dropped")
        return self._path

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """All that has come so far, to be read."""
        if self._path is None:
            yield io.BytesIO(b"".join(self._pieces))
        else:
            with self.path().open("rb") as stream:
                yield stream

    def keep(self, mime: str) -> str:
        """Move the file into its place, unless its bytes are there already; return its media_id.

        Raises:
            StudyError: the disk is full.
        """
        stream = self._spill()
        media_id = self._hash.hexdigest()
        path = place(self._store, media_id, mime)
        if not holds(path, self.bytes):
            with disk_errors("media"):
                os.fsync(stream.fileno())
                path.parent.mkdir(parents=True, exist_ok=True)
                self.path().replace(path)
            self._path = None
        self.drop()
        return media_id

    def drop(self) -> None:
        """Close and remove what is left of it; a second call does nothing."""
        self._pieces.clear()
        if self._stream is not None:
            self._stream.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._stream = self._path = None


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
