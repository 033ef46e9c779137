"""Whether the rows that could not be captioned differ from the rest."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from yoin.drivers.effects import intervals, lifts
from yoin.drivers.inputs import cluster_numbers, finite_column, labels_of
from yoin.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Missingness:
    """Rows without a caption against the rest, on the metric.

    ``difference`` is the mean without a caption less the mean with one, in the metric's unit, with its 95% interval
    (``low``, ``high``) and ``p``; NaN where a side has too few rows. ``sentence`` says it in plain words.
    """

    n_missing: int
    n_present: int
    mean_missing: float
    mean_present: float
    difference: float
    low: float
    high: float
    p: float
    sentence: str


def missingness(
    metric: ArrayLike,
    missing: ArrayLike,
    *,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: ArrayLike | None = None,
) -> Missingness:
    """Compare the metric of rows that have no caption with that of the rest.

    Args:
        metric: shape (rows,).
        missing: whether the row has no caption, shape (rows,).
        group: labels of rows that belong together; they are counted as dependent.
        weight: positive weights of the rows.

    Returns:
        The difference with Welch's interval; with groups a cluster-robust one.

    Raises:
        UsageError: the lengths differ, or a metric or weight is not a number.
    """
    y = finite_column("metric", metric)
    absent = np.asarray(missing, dtype=bool)
    if absent.shape != y.shape:
        raise UsageError(f"missing has {absent.size} entries and metric {y.size}", stage="drivers")
    w = None if weight is None else finite_column("weight", weight, rows=len(y), positive=True)
    clusters = None if group is None else cluster_numbers(len(y), [labels_of("group", group, len(y))])
    n_missing, n_present = int(absent.sum()), int((~absent).sum())
    means = [
        float(np.average(y[rows], weights=None if w is None else w[rows])) if rows.any() else float("nan")
        for rows in (absent, ~absent)
    ]
    found = intervals(
        lifts(y, sparse.csc_array(absent[:, None].astype(np.float64)), w, clusters), float(np.std(y)) or 1.0
    )
    low, high, p = (float(part[0]) for part in (found.low, found.high, found.p))
    difference = means[0] - means[1]
    return Missingness(
        n_missing=n_missing,
        n_present=n_present,
        mean_missing=means[0],
        mean_present=means[1],
        difference=difference,
        low=low,
        high=high,
        p=p,
        sentence=_sentence(n_missing, n_present, means, difference, low, high, p),
    )


def _sentence(
    n_missing: int, n_present: int, means: list[float], difference: float, low: float, high: float, p: float
) -> str:
    rows = f"{n_missing} of {n_missing + n_present} rows have no caption"
    if n_missing == 0:
        return "Every row has a caption."
    if n_present == 0:
        return "No row has a caption."
    if np.isnan(p):
        return f"{rows}: too few to compare with the rest."
    gap = f"{abs(difference):.3g} {'lower' if difference < 0 else 'higher'} (95% interval {low:.3g} to {high:.3g})"
    if p < 0.05:
        return (
            f"{rows}, and their metric is {gap} than that of the rest on average ({means[0]:.4g} against "
            f"{means[1]:.4g}): what is analysed is not a fair picture of the whole table."
        )
    return f"{rows}; their metric does not differ clearly from the rest: {gap} on average."
