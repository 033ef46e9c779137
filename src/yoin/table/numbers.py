"""Numbers the way a person writes them: one convention a column, and nothing guessed.

A cell such as ``3.5``, ``3,5`` or ``1,234,567`` has one reading only. A cell such as ``1,234`` or ``1.234``
has two; the unmistakable cells of its column decide, and where they do not, the cell is left unread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

_BLANKS = frozenset({"", "-", "–", "—", "n/a", "#n/a", "na", "<na>", "nan", "null", "none", "\\n"})
_BOOLEANS = {"true": 1.0, "false": 0.0}
_LONGEST = 64  # characters; no number a person writes is longer
_ONE_IN = 20  # one stray cell in this many does not change a column's convention

# Full-width characters (FF01 to FF5E) are ASCII ones moved up; other widths of blanks and signs follow.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord(odd): plain
    for odd, plain in {
        "\u3000": " ", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ",
        "\u2212": "-", "\uffe5": "¥", "\uffe1": "£", "\u2019": "'",
    }.items()
}  # fmt: skip

_CELL = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[+-]?)\s*(?P<before>[$€£¥円]?)\s*(?P<inner>[+-]?)\s*"
    r"(?P<body>[0-9.,](?:[0-9.,' ]*[0-9.,])?)(?P<exponent>[eE][+-]?[0-9]+)?\s*(?P<after>[$€£¥円%]?)\s*(?P<close>\))?"
)


def _convention(decimal: str, group: str) -> re.Pattern[str]:
    grouped = rf"[1-9][0-9]{{0,2}}(?P<group>[{group}' ])[0-9]{{3}}(?:(?P=group)[0-9]{{3}})*"
    return re.compile(rf"(?:{grouped}|[0-9]+)(?:{decimal}[0-9]*)?|{decimal}[0-9]+")


_POINT = _convention(r"\.", ",")  # 1,234.5
_COMMA = _convention(",", r"\.")  # 1.234,5


@dataclass(frozen=True, slots=True)
class _Cell:
    """One distinct cell: ``value`` where it is no matter of convention, else the parts of a number."""

    value: float | None = None  # NaN for a blank
    body: str = ""  # "" where the cell is no number
    negative: bool = False
    exponent: str = ""
    percent: bool = False
    currency: str = ""
    point: bool = False  # readable with a decimal point
    comma: bool = False  # readable with a decimal comma

    @property
    def is_number(self) -> bool:
        return self.value is not None or bool(self.body)

    @property
    def neutral(self) -> bool:
        """Whether both conventions read the same."""
        return "," not in self.body and "." not in self.body

    @property
    def strong_comma(self) -> bool:
        """Whether the cell shows that commas with three digits behind them are decimal ones too."""
        whole, _, behind = self.body.partition(",")
        return self.comma and not self.point and (not whole.isdigit() or len(whole) > 3 or len(behind) > 2)


def parse_numbers(cells: pd.Series) -> tuple[pd.Series, pd.Series, str]:
    """Read a column of text as numbers.

    Thousands separators (``28,744``, ``1 234``, ``1.234.567``), a decimal point or comma, percent signs, currency
    signs, full-width digits, accounting parentheses, exponents and true/false are understood. The column's
    unmistakable cells decide what its commas and points mean. Percent signs count as hundredths where most cells
    carry one. Suffixes such as ``1.2k`` and infinities are never guessed.

    Args:
        cells: text, NA where blank (numbers are taken as they are).

    Returns:
        The values, float64 with NaN where blank or unread; a bool mask of the cells that are neither blank nor
        readable; and a note on what signs were taken to mean ("" where there was nothing to decide). Both Series
        have the index of ``cells``.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        values = cells.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        infinite = np.isinf(values)
        return _series(np.where(infinite, np.nan, values), cells), _series(infinite, cells), ""
    codes, distinct = pd.factorize(cells)  # a blank has the code -1
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    parts = [_split(str(text)) for text in distinct]
    notes: list[str] = []
    kept = [part.is_number for part in parts]
    _settle_percent(parts, counts, kept, notes)
    _settle_currency(parts, counts, kept, notes)
    readings = _settle_convention(parts, counts, kept, notes)
    numbers = np.array([_value(part, reading) for part, reading in zip(parts, readings, strict=True)] + [np.nan])
    unread = np.array([not _is_blank(part) for part in parts] + [False]) & np.isnan(numbers)
    return _series(numbers[codes], cells), _series(unread[codes], cells), "; ".join(notes)


def _series(values: np.ndarray, like: pd.Series) -> pd.Series:
    return pd.Series(values, index=like.index, name=like.name)


def _is_blank(cell: _Cell) -> bool:
    return cell.value is not None and math.isnan(cell.value)


def _split(text: str) -> _Cell:
    """The parts of one cell; a `_Cell` that is no number where it does not look like one."""
    if len(text) > _LONGEST:
        return _Cell() if text.strip() else _Cell(value=math.nan)
    plain = (text if text.isascii() else text.translate(_PLAIN)).strip()
    word = plain.casefold()
    if word in _BLANKS:
        return _Cell(value=math.nan)
    if word in _BOOLEANS:
        return _Cell(value=_BOOLEANS[word])
    match = _CELL.fullmatch(plain)
    if not match:
        return _Cell()
    before, after, sign = match["before"], match["after"], match["sign"] + match["inner"]
    enclosed = match["open"] is not None
    if enclosed != (match["close"] is not None) or len(sign) + enclosed > 1 or (before and after):
        return _Cell()
    body = match["body"]
    point, comma = bool(_POINT.fullmatch(body)), bool(_COMMA.fullmatch(body))
    if not point and not comma:
        return _Cell()
    currency = before or after.replace("%", "")
    return _Cell(
        body=body,
        negative=enclosed or sign == "-",
        exponent=match["exponent"] or "",
        percent=after == "%",
        currency="¥" if currency == "円" else currency,
        point=point,
        comma=comma,
    )


def _settle_percent(parts: Sequence[_Cell], counts: np.ndarray, kept: list[bool], notes: list[str]) -> None:
    """Keep the cells with a percent sign, or those without, whichever are more."""
    with_sign = np.array([part.percent for part in parts], dtype=bool)
    without = np.array([bool(part.body) and not part.percent for part in parts], dtype=bool)
    n_with, n_without = int(counts[with_sign].sum()), int(counts[without].sum())
    if not n_with:
        return
    percent_wins = n_with > n_without
    for place in np.flatnonzero(without if percent_wins else with_sign):
        kept[place] = False
    notes.append("a percent sign means hundredths" if percent_wins else "cells with a percent sign were not read")
    if percent_wins and n_without:
        notes.append("cells without a percent sign were not read")


def _settle_currency(parts: Sequence[_Cell], counts: np.ndarray, kept: list[bool], notes: list[str]) -> None:
    """Keep one currency: amounts in two cannot be compared."""
    totals: dict[str, int] = {}
    for part, count in zip(parts, counts, strict=True):
        if part.currency:
            totals[part.currency] = totals.get(part.currency, 0) + int(count)
    if len(totals) < 2:
        return
    most = max(totals.values())
    winners = [sign for sign, total in totals.items() if total == most]
    winner = winners[0] if len(winners) == 1 else ""
    for place, part in enumerate(parts):
        if part.currency and part.currency != winner:
            kept[place] = False
    notes.append(f"amounts in {' and '.join(sign for sign in totals if sign != winner)} were not read")


def _settle_convention(
    parts: Sequence[_Cell], counts: np.ndarray, kept: Sequence[bool], notes: list[str]
) -> list[re.Pattern[str] | None]:
    """The convention each cell is read by; None where it is not read.

    ``1,234`` is thousands and ``1.234`` a decimal unless unmistakable cells of the column say otherwise.
    """
    only_point = only_comma = either_comma = either_point = 0
    strong_comma = False
    for part, count, keep in zip(parts, counts, kept, strict=True):
        if not keep or not part.body or part.neutral:
            continue
        if part.point and part.comma:
            either_comma += int(count) * ("," in part.body)
            either_point += int(count) * ("." in part.body)
        elif part.point:
            only_point += int(count)
        else:
            only_comma += int(count)
            strong_comma = strong_comma or part.strong_comma
    certain = True  # whether the cells with two readings are read too
    convention: re.Pattern[str] | None = _POINT
    if not only_comma:
        certain = bool(only_point) or not (either_comma and either_point)
    elif only_point + either_comma >= _ONE_IN * only_comma:
        certain = True
    elif not only_point and (strong_comma or not (either_comma or either_point)):
        convention = _COMMA
    else:
        certain = False
        convention = _POINT if only_point > only_comma else _COMMA if only_comma > only_point else None
    if convention is _COMMA:
        notes.append("a comma is the decimal sign")
    elif convention is _POINT and (either_comma or only_comma):
        notes.append("a comma separates thousands")
    if not certain and (either_comma or either_point):
        notes.append("cells such as 1,234 or 1.234 could be read in two ways and were not read")
    if convention is None:
        notes.append("decimal points and decimal commas are mixed and were not read")

    def reading(part: _Cell) -> re.Pattern[str] | None:
        if part.neutral:
            return _POINT
        if convention is None or not (part.point if convention is _POINT else part.comma):
            return None
        return convention if certain or not (part.point and part.comma) else None

    return [reading(part) if keep else None for part, keep in zip(parts, kept, strict=True)]


def _value(part: _Cell, reading: re.Pattern[str] | None) -> float:
    """The number, NaN where the cell is blank or not read."""
    if part.value is not None:
        return part.value
    if reading is None or not part.body:
        return math.nan
    bare = part.body.replace("'", "").replace(" ", "")
    bare = bare.replace(",", "") if reading is _POINT else bare.replace(".", "").replace(",", ".")
    number = float(bare + part.exponent)
    if math.isinf(number):
        return math.nan
    return (-number if part.negative else number) / (100.0 if part.percent else 1.0)
