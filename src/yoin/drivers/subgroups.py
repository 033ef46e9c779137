"""Whether a model errs on some groups of rows more than on others, and to one side."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from yoin.drivers.audit import FEWEST_ROWS, holm, missingness
from yoin.drivers.inputs import finite_column
from yoin.drivers.robust import Floats

MOST_GROUPS = 12
BLANK, OTHER = "(blank)", "(other)"


def grouped(column: pd.Series) -> pd.Series:
    """A column as at most a dozen groups: quarters of many numbers, the most frequent values of anything else."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > MOST_GROUPS:
        quarters = pd.qcut(column, 4, duplicates="drop")
        named = quarters.map(lambda part: f"{part.left:.4g} to {part.right:.4g}")
        return named.astype(object).where(column.notna(), BLANK)
    text = column.map(lambda cell: f"{cell:.12g}" if isinstance(cell, float) else str(cell)).astype(object)
    text = text.where(column.notna(), BLANK)
    common = text.value_counts().index[:MOST_GROUPS]
    return text.where(text.isin(common), OTHER)


def subgroup_errors(
    metric: ArrayLike,
    prediction: ArrayLike,
    columns: pd.DataFrame,
    *,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """How out-of-fold predictions err on each group of each column.

    Args:
        metric: (n,) numbers.
        prediction: (n,) out of fold.
        columns: n rows; each column is cut into groups by `grouped`.
        group: labels of rows that belong together; they are counted as dependent.
        weight: positive weights of the rows.

    Returns:
        A row a group: ``column, group, n, mean`` of the metric, ``rmse``, ``residual`` (mean of metric less
        prediction, less that of all other rows) with its 95% interval ``low, high``, and ``p_adjusted``, Holm's over
        all groups of all columns. No interval and no p under `FEWEST_ROWS` rows on a side.

    Raises:
        UsageError: lengths differ, or something is not a number.
    """
    y = finite_column("metric", metric, rows=len(columns))
    off = y - finite_column("prediction", prediction, rows=len(columns))
    w = np.ones(len(y)) if weight is None else finite_column("weight", weight, rows=len(columns), positive=True)
    found: list[dict[str, object]] = []
    p: list[float] = []
    for name in columns.columns:
        named = grouped(columns[name].reset_index(drop=True))
        for value in sorted(named.unique(), key=lambda value: (-int((named == value).sum()), str(value))):
            inside = (named == value).to_numpy()
            found.append(
                {"column": str(name), "group": str(value), "n": int(inside.sum()), **_errors(y, off, w, inside)}
            )
            p.append(float("nan"))
            if min(inside.sum(), (~inside).sum()) >= FEWEST_ROWS:
                compared = missingness(off, inside, group=group, weight=weight)
                found[-1].update(residual=compared.difference, low=compared.low, high=compared.high)
                p[-1] = compared.p
    names = ["column", "group", "n", "mean", "rmse", "residual", "low", "high"]
    return pd.DataFrame(found, columns=names).assign(p_adjusted=holm(np.array(p, dtype=np.float64)))


def _errors(y: Floats, off: Floats, w: Floats, inside: np.ndarray) -> dict[str, float]:
    rest = float(np.average(off[~inside], weights=w[~inside])) if (~inside).any() else float("nan")
    return {
        "mean": float(np.average(y[inside], weights=w[inside])),
        "rmse": float(np.sqrt(np.average(off[inside] ** 2, weights=w[inside]))),
        "residual": float(np.average(off[inside], weights=w[inside])) - rest,
        "low": float("nan"),
        "high": float("nan"),
    }


def read_dates(column: pd.Series) -> pd.Series:
    """The days of a column of dates as text, year first or last; NaT for what is none.

    Where the year is last the day is taken to come first if any cell can only be read so, else the month.
    """
    text = column.astype("string").str.strip()
    first = text.str.extract(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})")
    last = text.str.extract(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
    day_first = bool((pd.to_numeric(last[0]) > 12).any())
    order = [2, 1, 0] if day_first else [2, 0, 1]
    parts = first.fillna(last[order].set_axis([0, 1, 2], axis=1))
    joined = parts[0] + "-" + parts[1].str.zfill(2) + "-" + parts[2].str.zfill(2)
    return pd.to_datetime(joined, format="%Y-%m-%d", errors="coerce")


def drift(
    name: str,
    dates: pd.Series,
    metric: ArrayLike,
    residual: ArrayLike,
    *,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: ArrayLike | None = None,
) -> str:
    """A sentence where the later half of the rows has another metric than the earlier one; "" where it has not.

    Args:
        name: the column of dates.
        dates: n dates, NaT where there is none; such rows are left out.
        metric: (n,) numbers.
        residual: (n,) metric less out-of-fold prediction: whether the captions account for the change.
        group: labels of rows that belong together.
        weight: positive weights of the rows.
    """
    known = dates.notna().to_numpy()
    y, off = np.asarray(metric, dtype=float)[known], np.asarray(residual, dtype=float)[known]
    when = dates[known].reset_index(drop=True)
    middle = when.median() if len(when) else None
    later = (when > middle).to_numpy() if middle is not None else np.zeros(0, dtype=bool)
    if min(later.sum(), (~later).sum()) < FEWEST_ROWS:
        return ""
    labels = None if group is None else pd.Series(list(group), dtype=object)[known].tolist()
    weights = None if weight is None else np.asarray(weight, dtype=float)[known]
    raw, left = (missingness(values, later, group=labels, weight=weights) for values in (y, off))
    if not raw.p < 0.05:
        return ""
    side = "higher" if raw.difference > 0 else "lower"
    rest = "the captions do not account for it" if left.p < 0.05 else "the captions may account for it"
    return (
        f"By {name}, the metric of the later half of the rows is {abs(raw.difference):.3g} {side} (95% interval "
        f"{raw.low:.3g} to {raw.high:.3g}), and {rest}: a fashion of the time can look like a driver. Adjust for the "
        "date with --features."
    )
