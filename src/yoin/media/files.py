"""Image cells that are paths."""

from __future__ import annotations

import errno
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from yoin.media.addresses import shown
from yoin.media.reasons import Unusable
from yoin.media.shelf import Incoming
from yoin.options import MediaOptions

_PIECE = 1 << 20  # bytes read at a time
_NO_SUCH_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A regular file: the cell that names it, its resolved path, and a stamp (size and time) that changes with it."""

    cell: str
    path: Path
    stamp: str


def locate(cell: str, options: MediaOptions) -> LocalFile:
    """The file an image cell names, relative to ``options.base``; only its directory entry is looked at.

    Raises:
        Unusable: it is absolute or leaves the base folder and that is not allowed, is not there, or is not a file
            of an acceptable size.
    """
    path, name = resolve(cell, options), shown(cell)
    if not options.allow_anywhere and (
        Path(cell.strip()).is_absolute() or not path.is_relative_to(options.base.resolve())
    ):
        raise Unusable("outside_folder", f"{name} is absolute or leaves the table's folder.")
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in _NO_SUCH_FILE:
            raise Unusable("not_found", f"There is no file {name}.") from error
        raise Unusable("unreadable", f"{name} cannot be read ({error.strerror}).") from error
    if stat.S_ISDIR(status.st_mode):
        raise Unusable("is_directory", f"{name} is a folder.")
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("unreadable", f"{name} is not a regular file.")  # reading a pipe would never end
    if not status.st_size:
        raise Unusable("empty_file", f"{name} has zero bytes.")
    if status.st_size > options.max_bytes:
        raise Unusable("too_large", f"{name} has {status.st_size:,} bytes; the limit is {options.max_bytes:,}.")
    return LocalFile(cell=name, path=path, stamp=f"{status.st_size}:{status.st_mtime_ns}")


def resolve(cell: str, options: MediaOptions) -> Path:
    """The absolute path that ``cell`` stands for, links followed.

    Raises:
        Unusable: no path can be made of it.
    """
    try:
        path = (options.base / cell).resolve()
        # blanks around a cell are seldom part of the name
        return path if cell == cell.strip() or path.exists() else (options.base / cell.strip()).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a ring of links, a NUL, a name too long
        raise Unusable("not_found", f"{shown(cell)} is not a path to a file.") from error


def read(file: LocalFile, incoming: Incoming) -> None:
    """Copy the file into ``incoming``.

    Raises:
        Unusable: it cannot be read, or has grown over the limit.
        StudyError: the disk is full.
    """
    try:
        stream = file.path.open("rb")
    except FileNotFoundError as error:
        raise Unusable("not_found", f"There is no file {file.cell}.") from error
    except OSError as error:
        raise Unusable("unreadable", f"{file.cell} cannot be read ({error.strerror}).") from error
    with stream:
        while piece := _piece(stream, file):
            incoming.write(piece)


def _piece(stream: BinaryIO, file: LocalFile) -> bytes:
    try:
        return stream.read(_PIECE)
    except OSError as error:
        raise Unusable("unreadable", f"{file.cell} cannot be read ({error.strerror}).") from error
