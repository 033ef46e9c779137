"""A file to a frame of text: every format, every cell as it stands.

Nothing is interpreted here: each column is of dtype string, NA where a cell is blank, so that "007" and "NA" stay
what they are. Each way a file can be wrong is one `TableError`.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
import sys
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import pandas as pd

from yoin.errors import TableError
from yoin.table.encodings import decode

_DELIMITED: Final = {".csv", ".tsv", ".tab", ".txt"}
_JSON: Final = {".jsonl", ".ndjson", ".json"}
_PARQUET: Final = {".parquet", ".pq"}
_EXCEL: Final = {".xlsx", ".xlsm"}
_FORMATS: Final = "CSV, TSV, Parquet, JSON lines or Excel (.xlsx)"
_DELIMITERS: Final = ",;\t|"
_DELIMITER_HINT: Final = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # some spreadsheets write it as the first line
_SNIFFED_ROWS: Final = 50
_END: Final = "\0end of table\0"  # fed after the last line: swallowed where a quote is still open
# Everything openpyxl is known to raise for a file that is not a sound workbook.
_BAD_WORKBOOK: Final = (
    BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError, OSError, ParseError, zlib.error,
)  # fmt: skip


def load(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read ``path`` as a frame of text columns (dtype string, NA where blank), rows counted from 0.

    Args:
        path: the file; its suffix says the format.
        sheet: for Excel, the sheet's name; the first one where None.

    Raises:
        TableError: the file is missing, empty, damaged, undecodable, ragged or of an unknown format.
    """
    suffix = path.suffix.lower()
    try:
        _check_file(path)
        if sheet is not None and suffix not in _EXCEL:
            raise _error(path, "is not an Excel file, so it has no sheets", "leave the sheet out")
        if suffix in _PARQUET:
            frame = _load_parquet(path)
        elif suffix in _EXCEL:
            frame = _load_excel(path, sheet)
        elif suffix in _JSON:
            frame = _load_json(path)
        elif suffix in _DELIMITED:
            frame = _load_delimited(path)
        else:
            raise _error(path, "is of a format that Yoin does not read", f"save it as {_FORMATS}")
    except OSError as error:
        raise _error(
            path, f"cannot be read ({error.strerror or error})", "check the file and its permissions"
        ) from error
    if frame.empty:
        raise _error(path, "has no rows", "give a table with a header and at least 30 rows")
    return frame


def _error(path: Path, problem: str, remedy: str, row: int | None = None) -> TableError:
    return TableError(f"{path.name} {problem}", stage="table", row=row, remedy=remedy)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise _error(path, "is a folder, not a table", "name the file inside it")
    if not path.exists():
        raise TableError(f"there is no file {path}", stage="table", remedy=_nearest_files(path))
    if not path.stat().st_size:
        raise _error(path, "is empty (zero bytes)", "give a table with a header and at least 30 rows")


def _nearest_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"check the path: there is no folder {folder}"
    names = {name.casefold(): name for name in sorted(entry.name for entry in folder.iterdir())}
    near = difflib.get_close_matches(path.name.casefold(), names, n=3)
    return f"use {' or '.join(names[name] for name in near)}" if near else "check the name"


def _frame(path: Path, header: Sequence[str | None], columns: Iterable[Iterable[str | None]]) -> pd.DataFrame:
    """A frame of named text columns; a column without a name is called by its position."""
    names = [name if name and name.strip() else f"column {place}" for place, name in enumerate(header, start=1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise _error(path, f"has more than one column named {twice[0]!r}", "give each column its own name")
    series = {}
    for name, cells in zip(names, columns, strict=True):
        column = pd.Series(list(cells), dtype="string")
        series[name] = column.mask(column.str.strip() == "")
    return pd.DataFrame(series)


# --- CSV and TSV ---


def _load_delimited(path: Path) -> pd.DataFrame:
    text = decode(path)
    declared = ""
    if hint := _DELIMITER_HINT.match(text):
        declared, text = hint[1], text[hint.end() :]
    delimiter = declared or _sniff(text, prefer="\t" if path.suffix.lower() in {".tsv", ".tab"} else ",")
    limit = csv.field_size_limit(sys.maxsize)  # cells with whole articles are fine
    try:
        lines = io.StringIO(text, newline="")
        records = [cells for cells in csv.reader(chain(lines, [_END]), delimiter=delimiter) if cells]
    except csv.Error as error:
        raise _error(path, f"is not a well-formed table ({error})", "save it again as CSV") from error
    finally:
        csv.field_size_limit(limit)
    if records.pop() != [_END]:
        raise _error(path, "ends inside a quoted cell", 'close the quote, or double the quotes inside cells ("")')
    if not records:
        raise _error(path, "has no rows", "give a table with a header and at least 30 rows")
    header, rows = records[0], records[1:]
    width = len(header)
    for number, cells in enumerate(rows, start=1):
        if len(cells) != width:
            if len(cells) < width or any(cell.strip() for cell in cells[width:]):
                raise _error(
                    path,
                    f"has {len(cells)} cells in this row and {width} in its header",
                    "put quotes around cells that hold a delimiter, a quote or a new line",
                    row=number,
                )
            del cells[width:]
    return _frame(path, header, zip(*rows, strict=True) if rows else [()] * width)


def _sniff(text: str, prefer: str) -> str:
    """The delimiter under which the first rows most often have the width of the header, then the widest one."""
    best, chosen = (0.0, 0, False), ","
    for delimiter in _DELIMITERS:
        records = csv.reader(io.StringIO(text[:500_000], newline=""), delimiter=delimiter)
        try:
            head = list(islice(filter(None, records), _SNIFFED_ROWS))
        except csv.Error:
            continue
        width = len(head[0]) if head else 0
        if width < 2:
            continue
        even = sum(len(cells) == width for cells in head) / len(head)
        if (even, width, delimiter == prefer) > best:
            best, chosen = (even, width, delimiter == prefer), delimiter
    return chosen


# --- JSON ---


def _load_json(path: Path) -> pd.DataFrame:
    text = decode(path)
    remedy = "write one JSON object a line, or an array of objects"
    records: list[object] = []
    try:
        if text.lstrip().startswith("["):
            records = json.loads(text, object_pairs_hook=_unique_keys)
        else:
            for line in text.split("\n"):  # not splitlines: U+2028 may stand inside a string
                if line.strip():
                    records.append(json.loads(line, object_pairs_hook=_unique_keys))
    except _RepeatedKeyError as error:
        row = None if text.lstrip().startswith("[") else len(records) + 1
        raise _error(path, f"has more than one value named {error}", "give each column its own name", row) from error
    except (ValueError, RecursionError) as error:
        row = None if text.lstrip().startswith("[") else len(records) + 1
        raise _error(path, f"is not valid JSON ({error})".replace("\n", " "), remedy, row=row) from error
    names: dict[str, None] = {}
    rows: list[dict[str, object]] = []
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise _error(path, "holds something that is not an object", remedy, row=number)
        rows.append(record)
        names.update(dict.fromkeys(record))
    return _frame(path, list(names), ([_as_text(row.get(name)) for row in rows] for name in names))


class _RepeatedKeyError(Exception):
    """A JSON object names a value twice."""


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _RepeatedKeyError(repr(twice))
    return record


# --- Parquet ---


def _load_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa  # only tables in this format pay for it
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, ValueError) as error:
        raise _error(path, "is not a sound Parquet file", "write it again, or give another format") from error
    kept = [place for place, name in enumerate(table.column_names) if not name.startswith("__index_level_")]
    columns = ([_as_text(cell) for cell in table.column(place).to_pylist()] for place in kept)
    return _frame(path, [table.column_names[place] for place in kept], columns)


# --- Excel ---


def _load_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions it leaves out
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                names = [page.title for page in book.worksheets]
                name = _choose_sheet(path, names, sheet)
                page = book[name]
                page.reset_dimensions()  # some writers declare a wrong size
                records = [cells for cells in page.iter_rows(values_only=True) if any(map(_filled, cells))]
            finally:
                book.close()
    except _BAD_WORKBOOK as error:
        raise _error(path, "is not a sound Excel workbook", "open it in a spreadsheet and save it as .xlsx") from error
    if not records:
        raise _error(path, f"has no rows in sheet {name!r}", "give a table with a header and at least 30 rows")
    columns = [list(cells) for cells in zip_longest(*records)]
    columns = [cells for cells in columns if any(map(_filled, cells))]
    header = [_as_text(cells[0]) for cells in columns]
    return _frame(path, header, ([_as_text(cell) for cell in cells[1:]] for cells in columns))


def _choose_sheet(path: Path, names: Sequence[str], sheet: str | None) -> str:
    if not names:
        raise _error(path, "has no sheet with cells", "give a workbook with a table")
    if sheet is None:
        return names[0]
    if sheet not in names:
        raise _error(path, f"has no sheet named {sheet!r}", f"use one of: {', '.join(names)}")
    return sheet


def _filled(cell: object) -> bool:
    return cell is not None and cell != ""


def _as_text(cell: object) -> str | None:
    """A typed cell as a person would write it; None where blank."""
    if cell is None:
        return None
    if isinstance(cell, str):
        return cell if cell.isascii() else cell.encode("utf-8", "replace").decode()  # half a surrogate pair is no text
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, list | tuple):
        return ", ".join(text for text in map(_as_text, cell) if text is not None)
    if isinstance(cell, dict):
        return json.dumps(cell, ensure_ascii=False, default=_as_text)
    if isinstance(cell, bytes):
        return f"({len(cell)} bytes)"
    return None if cell is pd.NaT else str(cell)
