"""What each column of the table holds: its kind, range, blanks and what could not be read."""

from __future__ import annotations

import re
from itertools import islice
from statistics import median
from typing import Final

import pandas as pd

from yoin.table.numbers import parse_numbers
from yoin.values import ColumnProfile

_MOST: Final = 0.9  # the share of its cells that makes a column a number, a date, an image or a URL
_CATEGORIES: Final = 50
_CATEGORY_LENGTH: Final = 60  # characters
_LIST_SAMPLE: Final = 2000  # cells
_LIST_SEPARATORS: Final = ("|", ";", "、", ",", "/")
_EXAMPLES: Final = 3
_EXAMPLE_LENGTH: Final = 80

_CODE = re.compile(r"\s*0\d+\s*")  # a leading zero: a code, not a quantity
_URL = re.compile(r"\s*https?://\S+\s*", re.IGNORECASE)
_IMAGE = re.compile(r".*\.(?:jpe?g|png|webp|gif|bmp|tiff?)\s*", re.IGNORECASE)
_TIME = r"(?:[T ]\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = re.compile(rf"\s*(\d{{4}})[-/.年](\d{{1,2}})[-/.月](\d{{1,2}})日?{_TIME}\s*")
_DATE = re.compile(rf"{_YEAR_FIRST.pattern}|\s*\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}{_TIME}\s*")
_SHAPES: Final = {"date": _DATE, "url": _URL, "image": _IMAGE}


def profile(column: pd.Series, *, number: bool = False) -> ColumnProfile:
    """Describe a text column (dtype string, NA where blank); ``number`` says it is used as one whatever it holds."""
    filled = column.dropna()
    cells: list[str] = filled.to_list()
    values, unread, _ = parse_numbers(column)
    kind = "number" if number else _kind(cells, int(values.notna().sum()), int(unread.sum()))
    blanks, bad, (low, high) = len(column) - len(cells), list[str](), ("", "")
    if kind == "number":
        blanks, bad = int((values.isna() & ~unread).sum()), column[unread].to_list()
        if values.notna().any():
            low, high = show(float(values.min())), show(float(values.max()))
    elif kind in _SHAPES:
        bad = [cell for cell in cells if not _SHAPES[kind].fullmatch(cell)]
    if kind == "date":
        low, high = _date_range(cells)
    return ColumnProfile(
        name=str(column.name),
        kind=kind,
        blanks=blanks,
        distinct=len(set(cells)),
        low=low,
        high=high,
        unread=len(bad),
        unread_example=shorten(bad[0]) if bad else "",
        examples=tuple(map(shorten, islice(dict.fromkeys(cells), _EXAMPLES))),
    )


def show(value: float) -> str:
    """A number as text, without a needless fraction or exponent."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"


def shorten(text: str) -> str:
    """``text`` on one line and cut to what fits in a table cell."""
    line = " ".join(text.split())
    return line if len(line) <= _EXAMPLE_LENGTH else line[: _EXAMPLE_LENGTH - 1] + "…"


def _kind(cells: list[str], numbers: int, others: int) -> str:
    if not cells:
        return "empty"
    if numbers and numbers >= _MOST * (numbers + others) and not any(map(_CODE.fullmatch, cells)):
        return "number"
    for kind, shape in _SHAPES.items():
        if sum(map(bool, map(shape.fullmatch, cells))) >= _MOST * len(cells):
            return kind
    if _is_list(cells[:_LIST_SAMPLE]):
        return "list"
    short = sum(map(len, cells)) <= _CATEGORY_LENGTH * len(cells)
    return "category" if short and len(set(cells)) <= min(_CATEGORIES, len(cells) / 2) else "text"


def _is_list(cells: list[str]) -> bool:
    """Whether many cells hold several short values that come again in other cells."""
    for separator in _LIST_SEPARATORS:
        several = sum(separator in cell for cell in cells)
        if several < max(2, 0.2 * len(cells)):
            continue
        values = [value.strip() for cell in cells for value in cell.split(separator)]
        short = median(len(value.split()) for value in values) <= 3 and max(map(len, values)) <= _CATEGORY_LENGTH
        if short and len(values) >= 1.5 * len(set(values)):
            return True
    return False


def _date_range(cells: list[str]) -> tuple[str, str]:
    """The first and last day, from the cells that say which number is the month."""
    days = []
    for match in filter(None, map(_YEAR_FIRST.fullmatch, cells)):
        year, month, day = map(int, match.groups())
        if 1 <= month <= 12 and 1 <= day <= 31:
            days.append(f"{year:04d}-{month:02d}-{day:02d}")
    return (min(days), max(days)) if days else ("", "")
