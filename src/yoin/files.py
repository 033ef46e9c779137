"""Files that are whole or not there, and what tells one from another."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from yoin.ledger import disk_errors

if TYPE_CHECKING:
    import pandas as pd

MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
HASHED_BYTES = 64 * 2**20  # larger artefacts are known by their size alone


def neutralise(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of ``frame`` whose text cells no spreadsheet takes for formulas: those get a leading apostrophe."""
    from pandas.api.types import is_numeric_dtype

    safe = frame.copy()
    for column in safe.columns[[not is_numeric_dtype(dtype) for dtype in safe.dtypes]]:
        text = safe[column]
        risky = text.map(
            lambda cell: isinstance(cell, str) and cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r")
        )
        safe[column] = text.where(~risky.astype(bool), "'" + text.astype(str))
    return safe


def digest(*parts: object) -> str:
    """The SHA-256 (hex) of ``parts``, which JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def digest_file(path: Path) -> str:
    """The SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_given(*names: str | Path | None) -> list[str]:
    """The SHA-256 (hex) of each of ``names`` that is a file; "" for what is not, such as the name of a built-in."""
    found = ["" for _ in names]
    for at, name in enumerate(names):
        with suppress(OSError, ValueError):  # not there, or no possible path
            found[at] = digest_file(Path(name or ""))
    return found


def digest_model(source: str) -> str:
    """The SHA-256 (hex) of the weights, settings and words of a model of Hugging Face's format; "" if not a folder."""
    folder = Path(source).expanduser()
    known = [file for ending in MODEL_FILES for file in folder.glob(ending)] if source and folder.is_dir() else []
    return digest([(file.name, digest_file(file)) for file in sorted(known)]) if known else ""


def digest_code(*names: str) -> str:
    """The SHA-256 (hex) of the sources of Yoin's modules and packages ``names``: the code version of a stage."""
    root = Path(__file__).parent
    files = [file for name in names for file in ((root / name).rglob("*") if (root / name).is_dir() else [root / name])]
    sources = sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts)
    return digest([(str(file.relative_to(root)), digest_file(file)) for file in sources])


def mark_of(path: Path) -> str:
    """What tells an artefact from another: its size, and its hash unless it is large; "" where it is not there."""
    if path.is_dir():
        return digest(
            [(str(item.relative_to(path)), mark_of(item)) for item in sorted(path.rglob("*")) if item.is_file()]
        )
    if not path.is_file():
        return ""
    size = path.stat().st_size
    return f"{size}:{digest_file(path) if size <= HASHED_BYTES else 'large'}"


def put(place: Path, make: Callable[[Path], object]) -> None:
    """Put the file that ``make`` writes at ``place``, whole or not at all.

    Raises:
        StudyError: the disk is full.
    """
    temporary = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
    try:
        with disk_errors("study"):
            make(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(place)
            _sync_folder(place.parent)
    finally:
        temporary.unlink(missing_ok=True)


def is_unfinished(item: Path) -> bool:
    """Whether a file is what `put` was writing when it was killed."""
    return re.fullmatch(r"\..+\.[0-9a-f]{32}", item.name) is not None and item.is_file()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere folders cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
