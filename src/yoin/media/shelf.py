"""The content-addressed store: one file an image, named by the SHA-256 of its bytes, never half-written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from yoin.images import SUFFIXES
from yoin.ledger import disk_errors

_INCOMING = ".incoming-"


def place(store: Path, media_id: str, mime: str) -> Path:
    """Where the image lies, or will lie."""
    return store / media_id[:2] / f"{media_id}{SUFFIXES[mime]}"


def holds(path: Path, size: int) -> bool:
    """Whether ``path`` is there with ``size`` bytes."""
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def put(store: Path, path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` in one step, unless it is there already.

    Raises:
        StudyError: the disk is full.
    """
    if holds(path, len(data)):
        return
    with disk_errors("media"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_INCOMING, dir=store)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def prepare(store: Path) -> None:
    """Make the folder, and clear what a killed run left in it.

    Raises:
        StudyError: the disk is full.
    """
    with disk_errors("media"):
        store.mkdir(parents=True, exist_ok=True)
        for left in store.glob(f"{_INCOMING}*"):
            left.unlink(missing_ok=True)
