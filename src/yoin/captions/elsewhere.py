"""Captions from elsewhere: a file's, matched to the rows of the table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pandas as pd

from yoin.captions.stage import typed
from yoin.errors import UsageError
from yoin.values import Captions, CaptionStatus

_BY = ("media_id", "row_id")  # what may tell which row a caption belongs to, where the image's own column is not there


def brought(file: pd.DataFrame, rows: pd.DataFrame, *, image: str | None, name: str) -> Captions:
    """The captions of a file, one a row of the table; rows that it does not name are ``missing`` (no_caption).

    A caption belongs to the rows with the same cell in the column of images, where the file has that column; else to
    those with the same ``media_id``; else to the one of that ``row_id``. A study's ``captions.parquet`` is such a file.

    Args:
        file: texts, with the column ``caption``; ``status``, ``reason``, ``captioner``, ``model_version`` and
            ``prompt_id`` are taken over where they are there.
        rows: indexed by row_id, with ``media_id`` (NA without one) and, with ``image``, the cells as ``image``.
        image: the name of the table's column of images.
        name: the file's, for messages.

    Raises:
        UsageError: a column is missing, two captions contradict each other, or no row has a caption.
    """
    by, keys = _matching(file, rows, image, name)
    known: dict[str, tuple[str, ...]] = {}
    for row, (key, record) in enumerate(zip(keys, _records(file, name), strict=True)):
        if known.setdefault(key, record) != record and key:
            raise _wrong(f"{name} has two different captions for the {by} {key!r}", "leave one of them", row=row + 1)
    known.pop("", None)
    wanted = _cells(rows, "image" if by == image else by)
    nothing = ("", "missing", "no_caption", "given", "", "")
    found = [known.get(key, nothing) for key in wanted]
    if not any(status == "ok" for _, status, *_ in found):
        raise _wrong(f"no caption of {name} belongs to a row of the table", f"see that its {by} is that of the table")
    frame = typed(
        (row_id, media_id, *record)
        for row_id, media_id, record in zip(rows.index, rows["media_id"], found, strict=True)
    )
    unused = len(known.keys() - set(wanted))
    notes = (f"{unused:,} captions of {name} belong to no row of the table.",) if unused else ()
    return Captions(frame=frame, captioner="given", notes=notes)


def _matching(file: pd.DataFrame, rows: pd.DataFrame, image: str | None, name: str) -> tuple[str, list[str]]:
    """The column that tells which row a caption belongs to, and what it holds."""
    if "caption" not in file.columns:
        raise _wrong(f"{name} has no column 'caption'", "name the column of captions so")
    # Without images there is nothing that a media_id could be the same as.
    usable = [one for one in (image, *_BY) if one is not None and (one != "media_id" or rows["media_id"].notna().any())]
    for by in usable:
        if by in file.columns and file[by].notna().any():
            cells = _cells(file, by)
            return by, [_whole(cell, name, row) for row, cell in enumerate(cells, 1)] if by == "row_id" else cells
    listed = " or ".join(repr(one) for one in usable)
    raise _wrong(f"{name} does not tell which rows its captions belong to", f"give it the column {listed}")


def _cells(frame: pd.DataFrame, column: str) -> list[str]:
    if column == "row_id" and column not in frame.columns:
        return [str(row_id) for row_id in frame.index]
    return [str(cell) for cell in frame[column].fillna("")]


def _whole(cell: str, name: str, row: int) -> str:
    """A row_id as it is counted, however its file writes whole numbers."""
    if not cell:
        return ""
    try:
        return str(int(cell.removesuffix(".0")))
    except ValueError:
        raise _wrong(f"{name} has the row_id {cell!r}", "count the table's rows from 0", row=row) from None


def _records(file: pd.DataFrame, name: str) -> Iterator[tuple[str, ...]]:
    """Caption, status, reason, captioner, model_version and prompt_id of each row."""
    for row, cells in enumerate(file.fillna("").to_dict("records"), 1):
        text = str(cells["caption"])
        status = str(cells.get("status", "")) or "ok"
        if status not in get_args(CaptionStatus):
            raise _wrong(f"{name} has the unknown status {status!r}", "use ok, or leave the column out", row=row)
        reason = str(cells.get("reason", ""))
        if not text.strip() and status == "ok":
            status, reason = "missing", "no_caption"
        whence = [str(cells.get(column, "")) for column in ("captioner", "model_version", "prompt_id")]
        yield text if status in ("ok", "truncated") else "", status, reason, whence[0] or "given", *whence[1:]


def _wrong(problem: str, remedy: str, *, row: int | None = None) -> UsageError:
    return UsageError(problem, stage="captions", row=row, remedy=remedy)
