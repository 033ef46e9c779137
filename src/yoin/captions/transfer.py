"""The ledger's captions as a Parquet file, out and in: what one study paid for, another need not."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import get_args

import pandas as pd

from yoin.errors import UsageError
from yoin.files import put
from yoin.ledger import ROW_COLUMNS, Ledger, disk_errors
from yoin.values import CaptionStatus

_TYPES = {"tokens_in": "int64", "tokens_out": "int64", "attempts": "int64", "cost_usd": "float64", "seconds": "float64"}
_HASH = re.compile("[0-9a-f]{64}")


def export_captions(ledger: Ledger, path: Path) -> int:
    """Write every caption on record to a Parquet file, a row each; returns how many.

    Columns: the call's ``key``, ``media_id``, ``captioner``, ``prompt_id``, ``text``, ``status``, ``reason``,
    ``model_version``, ``tokens_in``, ``tokens_out``, ``cost_usd``, ``seconds``, ``attempts`` and ``at`` (UTC).

    Raises:
        UsageError: the file cannot be written.
    """
    columns, rows = ledger.caption_rows()
    frame = pd.DataFrame.from_records(rows, columns=list(columns))
    frame = frame.astype({name: _TYPES.get(name, "string") for name in columns})
    try:
        with disk_errors("captions"):
            put(path, lambda place: frame.to_parquet(place, index=False))
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} cannot be written ({error.strerror})", stage="captions", remedy="name another file"
        ) from error
    return len(frame)


def import_captions(ledger: Ledger, path: Path) -> int:
    """Take over the captions of a file that `export_captions` wrote; returns how many were taken.

    All or none: a file with a single wrong row changes nothing. A caption on record gives way only where it is not ok
    and the new one is.

    Raises:
        UsageError: the file cannot be read or is not such a file.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # a damaged file is a ValueError too
        raise _wrong(path, "cannot be read as Parquet") from error
    missing = [name for name in ROW_COLUMNS if name not in frame.columns]
    if missing:
        raise _wrong(path, f"has no column {missing[0]}")
    rows = list(frame[list(ROW_COLUMNS)].astype(object).itertuples(index=False, name=None))
    for number, row in enumerate(rows, 1):
        problem = _problem(dict(zip(ROW_COLUMNS, row, strict=True)))
        if problem:
            raise _wrong(path, problem, row=number)
    return ledger.add_caption_rows(rows)


def _problem(cells: dict[str, object]) -> str:
    """What is wrong with a row, "" where nothing is."""
    for name, cell in cells.items():
        if name in _TYPES:
            number = float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else math.nan
            if not (math.isfinite(number) and number >= 0 and (_TYPES[name] == "float64" or isinstance(cell, int))):
                return f"has no usable {name}"
        elif not isinstance(cell, str):
            return f"has no {name}"
    if not all(_HASH.fullmatch(str(cells[name])) for name in ("key", "media_id")):
        return "has a key or a media_id that is no hash"
    if cells["status"] not in get_args(CaptionStatus):
        return "has an unknown status"
    if cells["status"] == "ok" and not str(cells["text"]).strip():
        return "is ok without a text"
    return ""


def _wrong(path: Path, problem: str, *, row: int | None = None) -> UsageError:
    return UsageError(
        f"{path.name} {problem}" if row is None else f"a caption of {path.name} {problem}",
        stage="captions",
        row=row,
        remedy="use a file that an export of captions wrote",
    )
