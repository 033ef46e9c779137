"""The user's other columns as a design matrix: what a linear model needs to know about genre, year or price.

`FeatureEncoder` learns everything (kinds, levels, medians, knots) from the rows it is fitted on and never
looks at the metric, so it can be fitted inside a training fold and applied to any other row.

| a column of | becomes |
| --- | --- |
| numbers, dates | the standardised value, a spline basis (indicators of few values), an indicator of missing cells |
| categories | one column a level but the most common one; rare levels pooled; missing cells are a level |
| lists ("Drama, Crime") | one column an item; rare items pooled; an indicator of missing cells |
| mostly distinct texts | nothing, with a note |
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from sklearn.preprocessing import SplineTransformer

from yoin.errors import UsageError

Kind = Literal["number", "date", "category", "list", "ignored"]
Cells: TypeAlias = "list[str | None]"

MOST_LEVELS = 50
FEWEST_ROWS = 5  # a level seen in fewer training rows is pooled with the other rare ones
FEW_VALUES = 10  # numbers with fewer different values may be codes
READ_SHARE = 0.9  # share of the cells that must read as numbers (or dates) for the column to be one

_SEPARATOR = re.compile(r"\s*[,;|、，；]\s*")
_THOUSANDS = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*%?$", re.IGNORECASE)
_DATE = re.compile(r"^\d{4}[-/.年]\d{1,2}([-/.月]\d{1,2}日?)?([T ]\d{1,2}:\d{2}.*)?$")
_BLANK = frozenset({"", "nan", "na", "n/a", "none", "null", "<na>", "nat"})


@dataclass(frozen=True, slots=True)
class Part:
    """What rows of a column have in common: a level, an item of a list, the upper half of its numbers or dates."""

    column: str
    name: str
    rows: np.ndarray  # bool (m,)


@dataclass(frozen=True, slots=True)
class _Column:
    """What was learned about one column: how its cells are read, and how they become columns."""

    name: str
    names: list[str]
    transform: Callable[[pd.Series], np.ndarray]  # m cells → (m, len(names))


class FeatureEncoder:
    """Turn feature columns into a float64 design matrix without an intercept.

    Args:
        most_levels: at most so many levels of a category, or items of a list, get a column of their own.
        fewest_rows: nor do levels and items seen in fewer training rows; both kinds are pooled.

    After `fit`, ``names`` are the names of the matrix's columns, ``kinds`` the kind each column of the table
    was taken for, and ``notes`` say in plain sentences what was pooled or ignored.
    """

    def __init__(self, *, most_levels: int = MOST_LEVELS, fewest_rows: int = FEWEST_ROWS) -> None:
        self.most_levels = most_levels
        self.fewest_rows = fewest_rows
        self.names: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.kinds: dict[str, Kind] = {}
        self._columns: list[_Column] = []
        self._kept = np.empty(0, dtype=int)

    def fit(self, frame: pd.DataFrame) -> Self:
        """Learn from the training rows ``frame``, one column of the table a column, any dtype."""
        if len(frame) == 0:
            raise UsageError("there are no rows to learn the features from", stage="features")
        notes: list[str] = []
        self.kinds, self._columns = {}, []
        for position, label in enumerate(frame.columns):
            name, cells = str(label), frame.iloc[:, position]
            kind = self.kinds[name] = _kind(cells, name, notes)
            if kind in ("number", "date"):
                self._columns.append(_fit_number(name, cells, kind))
            elif kind == "category":
                self._columns.append(self._fit_levels(name, cells, notes))
            elif kind == "list":
                self._columns.append(self._fit_items(name, cells, notes))
        matrix = self._all_columns(frame)
        # Constant columns say nothing; equal ones (two columns blank in the same rows) say it twice.
        varying = np.flatnonzero(np.ptp(matrix, axis=0) > 0)
        _, first = np.unique(matrix[:, varying], axis=1, return_index=True)
        self._kept = varying[np.sort(first)]
        every = [name for column in self._columns for name in column.names]
        self.names = tuple(every[index] for index in self._kept)
        notes += [
            f"{column.name}: adds nothing (the same in every row, or a copy of another column)"
            for column in self._columns
            if not set(column.names) & set(self.names)
        ]
        self.notes = tuple(notes)
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """The design matrix of any rows, shape (rows, ``len(names)``), always finite.

        Numbers outside the training range are taken as its nearer end. A level that was not seen joins the
        pooled rare ones, or the most common level where nothing was pooled.

        Raises:
            UsageError: ``frame`` lacks the columns that were fitted.
        """
        if not self.kinds:
            raise UsageError("the feature encoder has not been fitted", stage="features", remedy="call fit first")
        present = [str(label) for label in frame.columns]
        absent = [name for name in self.kinds if name not in present]
        if absent:
            raise UsageError(f"the feature columns lack {', '.join(map(repr, absent))}", stage="features")
        return self._all_columns(frame)[:, self._kept]

    def fit_transform(self, frame: pd.DataFrame) -> np.ndarray:
        """`fit`, then the design matrix of the same rows."""
        return self.fit(frame).transform(frame)

    def parts(self, frame: pd.DataFrame) -> list[Part]:
        """``frame`` cut into parts by each column that was fitted; blank cells are in none.

        Of a category with two levels one part says it all: the rarer one.
        """
        found: list[Part] = []
        for position, label in enumerate(frame.columns):
            name, cells = str(label), frame.iloc[:, position]
            kind = self.kinds[name]
            if kind in ("number", "date"):
                found.extend(_upper_half(name, _numbers(cells, kind), kind))
            elif kind in ("category", "list"):
                held = [[] if text is None else _items(text) if kind == "list" else [text] for text in _texts(cells)]
                counts = Counter(level for row in held for level in row)
                kept = self._keep(name, counts, "", [])
                for level in kept[1:] if kind == "category" and len(counts) == 2 else kept:
                    rows = np.fromiter((level in row for row in held), dtype=bool, count=len(held))
                    found.append(Part(name, f"{name} {'=' if kind == 'category' else 'has'} {level[:60]}", rows))
        return found

    def _all_columns(self, frame: pd.DataFrame) -> np.ndarray:
        where = {str(label): position for position, label in enumerate(frame.columns)}
        blocks = [column.transform(frame.iloc[:, where[column.name]]) for column in self._columns]
        return np.hstack([np.empty((len(frame), 0)), *blocks])

    def _fit_levels(self, name: str, cells: pd.Series, notes: list[str]) -> _Column:
        counts = Counter(_levels(cells))
        kept = self._keep(name, counts, "levels", notes)
        pooled = len(kept) < len(counts)
        # The most common level is the reference: with an intercept its column would be redundant.
        shown, rest = kept[1:], "" if not pooled else f"{name}=(other)"
        index = {level: position for position, level in enumerate(shown)}
        reference = kept[0] if kept else None

        def transform(cells: pd.Series) -> np.ndarray:
            matrix = np.zeros((len(cells), len(shown) + pooled))
            for row, level in enumerate(_levels(cells)):
                if level in index:
                    matrix[row, index[level]] = 1
                elif pooled and level != reference:
                    matrix[row, -1] = 1
            return matrix

        return _Column(name, [f"{name}={level}" for level in shown] + [rest] * pooled, transform)

    def _fit_items(self, name: str, cells: pd.Series, notes: list[str]) -> _Column:
        counts = Counter(item for text in _texts(cells) if text is not None for item in _items(text))
        shown = self._keep(name, counts, "items", notes)
        pooled = len(shown) < len(counts)
        index = {item: position for position, item in enumerate(shown)}

        def transform(cells: pd.Series) -> np.ndarray:
            matrix = np.zeros((len(cells), len(shown) + pooled + 1))
            for row, text in enumerate(_texts(cells)):
                if text is None:
                    matrix[row, -1] = 1
                    continue
                for item in _items(text):
                    if item in index:
                        matrix[row, index[item]] = 1
                    elif pooled:
                        matrix[row, -2] = 1
            return matrix

        names = [f"{name}:{item}" for item in shown] + [f"{name}:(other)"] * pooled + [f"{name}=(missing)"]
        return _Column(name, names, transform)

    def _keep(self, name: str, counts: Counter[str], what: str, notes: list[str]) -> list[str]:
        """The levels that get a column, most common first, ties by name."""
        ranked = sorted(counts, key=lambda level: (-counts[level], level))
        kept = [level for level in ranked[: self.most_levels] if counts[level] >= self.fewest_rows]
        if len(kept) < len(ranked):
            notes.append(f"{name}: {len(ranked) - len(kept)} rare {what} of {len(ranked)} pooled into (other)")
        return kept


def _kind(cells: pd.Series, name: str, notes: list[str]) -> Kind:
    if pd.api.types.is_bool_dtype(cells):
        return "category"
    if pd.api.types.is_datetime64_any_dtype(cells):
        return "date"
    if pd.api.types.is_numeric_dtype(cells) or pd.api.types.is_timedelta64_dtype(cells):
        return "number"
    texts = [text for text in _texts(cells) if text is not None]
    if not texts:
        notes.append(f"{name}: ignored (no cell has a value)")
        return "ignored"
    distinct = set(texts)
    for kind, read in (("number", _number), ("date", _date)):
        readable = {text: read(text) is not None for text in distinct}
        unread = sum(not readable[text] for text in texts)
        if unread <= (1 - READ_SHARE) * len(texts):
            if unread:
                notes.append(f"{name}: {unread} cells could not be read as a {kind} and count as missing")
            return "number" if kind == "number" else "date"
    if _is_list(texts, distinct):
        return "list"
    if len(distinct) > max(20, 0.8 * len(texts)):
        notes.append(f"{name}: ignored ({len(distinct)} different texts in {len(texts)} rows)")
        return "ignored"
    return "category"


def _is_list(texts: list[str], distinct: Collection[str]) -> bool:
    """Whether cells hold several short values that recur: splitting them must make fewer, not more, values."""
    split = [_items(text) for text in texts]
    if sum(len(items) > 1 for items in split) < 0.05 * len(texts):
        return False
    items = Counter(item for cell in split for item in cell)
    short = sum(count for item, count in items.items() if len(item.split()) <= 4)
    return short >= 0.9 * items.total() and len(items) < max(2, min(len(distinct), 0.5 * items.total()))


def _fit_number(name: str, cells: pd.Series, kind: Kind) -> _Column:
    values = _numbers(cells, kind)
    known = values[np.isfinite(values)]
    if known.size == 0:
        known = np.zeros(1)
    median, low, high = float(np.median(known)), float(known.min()), float(known.max())
    filled = np.where(np.isfinite(values), values, median)
    # Dividing by the range first keeps the squares of huge numbers finite.
    span = max(abs(low), abs(high)) or 1.0
    mean, sd = float(np.mean(filled / span)) * span, float(np.std(filled / span)) * span or 1.0
    curve = _curve((known - mean) / sd)

    def transform(cells: pd.Series) -> np.ndarray:
        values = _numbers(cells, kind)
        missing = ~np.isfinite(values)
        clipped = np.clip(np.where(missing, median, values), low, high)
        line = (clipped - mean) / sd
        return np.hstack([line[:, None], curve(line), missing[:, None]])

    curves = curve(np.zeros(1)).shape[1]
    return _Column(name, [name, *(f"{name}~{i + 1}" for i in range(curves)), f"{name}=(missing)"], transform)


def _upper_half(name: str, values: np.ndarray, kind: Kind) -> list[Part]:
    """The numbers from the one on that parts them most evenly."""
    known = np.sort(values[np.isfinite(values)])
    if not known.size or known[0] == known[-1]:
        return []
    middle = known[len(known) // 2]
    above = known[np.searchsorted(known, middle, side="right") :]
    starts = [start for start in (middle, *above[:1]) if start > known[0]]
    start = min(starts, key=lambda value: abs(float(np.mean(known >= value)) - 0.5))
    shown = f"{start:.6g}" if kind == "number" else f"{pd.Timestamp('1970-01-01') + pd.Timedelta(days=start):%Y-%m-%d}"
    return [Part(name, f"{name} from {shown}", np.nan_to_num(values, nan=-np.inf) >= start)]


def _curve(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What a line misses, as columns that are independent of it and of an intercept.

    Of few different values an indicator of each but the ends, for a number may be the code of a category; else cubic
    splines with knots at the quartiles, a parabola where quartiles coincide.
    """
    distinct, counts = np.unique(known, return_counts=True)
    if len(distinct) < FEW_VALUES:
        inner = distinct[1:-1][counts[1:-1] >= FEWEST_ROWS]
        return lambda line: (np.abs(line[:, None] - inner) < 1e-9).astype(float)
    knots, degree = np.unique(np.quantile(known, np.linspace(0, 1, 5))), 3
    if len(knots) < 4 or np.min(np.diff(knots)) < 1e-6 * np.ptp(knots):
        knots, degree = distinct[[0, -1]], 2
    spline = SplineTransformer(degree=degree, knots=knots[:, None]).fit(knots[:, None])
    # All splines together add up to an intercept and hold the line: without the first and last they do not.
    return lambda line: np.asarray(spline.transform(line[:, None])[:, 1:-1])


def _texts(cells: pd.Series) -> Cells:
    """Cells as stripped text; None where blank. Lists and arrays are joined as "a|b"."""
    found: Cells = []
    for cell in cells.tolist():
        if isinstance(cell, (list, tuple, set, frozenset, np.ndarray)):
            text = "|".join(
                str(item) for item in (sorted(cell, key=str) if isinstance(cell, (set, frozenset)) else cell)
            )
        else:
            text = "" if cell is None or cell is pd.NA or cell is pd.NaT else str(cell).strip()
        found.append(None if text.lower() in _BLANK else text)
    return found


def _levels(cells: pd.Series) -> list[str]:
    return ["(missing)" if text is None else text for text in _texts(cells)]


def _items(text: str) -> list[str]:
    return [item for item in dict.fromkeys(_SEPARATOR.split(text.strip("[](){} "))) if item]


def _numbers(cells: pd.Series, kind: Kind) -> np.ndarray:
    """Cells as float64; NaN where missing, infinite or unreadable."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        stamps = pd.to_datetime(cells, utc=True)
        values = ((stamps - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)).to_numpy(dtype=float)
    elif pd.api.types.is_timedelta64_dtype(cells):
        values = cells.to_numpy(dtype="timedelta64[s]") / np.timedelta64(1, "D")
    elif pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_complex_dtype(cells):
        values = cells.to_numpy(dtype=float, na_value=np.nan)
    else:
        read = _number if kind == "number" else _date
        parsed = (None if text is None else read(text) for text in _texts(cells))
        values = np.array([np.nan if value is None else value for value in parsed], dtype=float)
    return np.where(np.isfinite(values), values, np.nan)


def _number(text: str) -> float | None:
    if _THOUSANDS.match(text):
        text = text.replace(",", "")
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return float("inf")
    return float(text.rstrip("% ")) if _NUMBER.match(text) else None


def _date(text: str) -> float | None:
    """Days since 1970 of a year-first date."""
    if not _DATE.match(text):
        return None
    plain = re.sub(r"[/.年月]", "-", text[:10].replace("日", "")).rstrip("-")
    stamp = pd.to_datetime(plain.split("T")[0].split(" ")[0], errors="coerce", format="mixed", utc=True)
    return None if pd.isna(stamp) else (stamp - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
