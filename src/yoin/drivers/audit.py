"""Whether the rows that could not be used differ from the rest on the metric: missing is seldom random."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from yoin.drivers.effects import intervals, lifts
from yoin.drivers.inputs import cluster_numbers, finite_column, labels_of
from yoin.drivers.robust import Floats
from yoin.errors import UsageError

FEWEST_ROWS = 20  # on each side, for a reason to be compared: as many as a concept needs
CLEAR = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Missingness:
    """Rows that miss something against the rest, on the metric.

    ``mean_missing`` and ``mean_present`` are (weighted) means; ``difference`` is the first less the second, in the
    metric's unit, with its 95% interval (``low``, ``high``) and ``p``; NaN where a side has too few rows.
    ``p_adjusted`` accounts for all reasons compared together, and is ``p`` where there was one comparison; the
    interval does not. ``sentence`` says it in plain words and goes by ``p_adjusted``.
    """

    n_missing: int
    n_present: int
    mean_missing: float
    mean_present: float
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    sentence: str


def missingness(
    metric: ArrayLike,
    missing: ArrayLike,
    *,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: ArrayLike | None = None,
    what: str = "caption",
) -> Missingness:
    """Compare the metric of rows that miss something with that of the rest.

    Args:
        metric: shape (rows,).
        missing: whether the row misses it, shape (rows,).
        group: labels of rows that belong together; they are counted as dependent.
        weight: positive weights of the rows.
        what: what is missing, for the sentence.

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
    labels = None if group is None else labels_of("group", group, len(y))
    found = _compare(y, absent, labels, w)
    return replace(found, sentence=_sentence(found, what))


def missingness_by_reason(
    metric: ArrayLike,
    reasons: Sequence[str] | pd.Series,
    *,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: ArrayLike | None = None,
    what: str = "a usable image",
) -> dict[str, Missingness]:
    """Compare the rows lost for each reason with the rows that were not lost.

    Several reasons are looked at together, so that one of them differs by chance more often than one alone would:
    ``p_adjusted`` is Holm's (1979), which holds the chance of any false difference at 5%.

    Args:
        metric: shape (rows,).
        reasons: why each row was lost, "" for a row that was not, shape (rows,).
        group: labels of rows that belong together; they are counted as dependent.
        weight: positive weights of the rows.
        what: what the other rows have, for the sentences.

    Returns:
        A comparison for every reason with at least `FEWEST_ROWS` rows, most rows first; none where fewer rows than
        that were not lost.

    Raises:
        UsageError: the lengths differ, or a metric or weight is not a number.
    """
    y = finite_column("metric", metric)
    why = pd.Series(list(reasons), dtype=object)
    if len(why) != len(y):
        raise UsageError(f"reasons has {len(why)} entries and metric {y.size}", stage="drivers")
    w = None if weight is None else finite_column("weight", weight, rows=len(y), positive=True)
    labels = None if group is None else labels_of("group", group, len(y))
    present = (why == "").to_numpy()
    if present.sum() < FEWEST_ROWS:
        return {}
    counts = why[~present].value_counts()
    compared = {}
    for reason in sorted(counts[counts >= FEWEST_ROWS].index, key=lambda reason: (-counts[reason], reason)):
        rows = present | (why == reason).to_numpy()
        compared[str(reason)] = _compare(
            y[rows], ~present[rows], None if labels is None else labels[rows], None if w is None else w[rows]
        )
    adjusted = holm(np.array([found.p for found in compared.values()]))
    whole = {
        reason: replace(found, p_adjusted=float(p))
        for (reason, found), p in zip(compared.items(), adjusted, strict=True)
    }
    return {reason: replace(found, sentence=_sentence_of_reason(found, what)) for reason, found in whole.items()}


def holm(p: Floats) -> Floats:
    """Holm's adjusted p, over the entries that are not NaN; the others stay NaN."""
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * p[order]), 1.0)
    return adjusted


def _compare(y: Floats, absent: np.ndarray, labels: pd.Series | None, w: Floats | None) -> Missingness:
    """The comparison, without its sentence."""
    clusters = None if labels is None else cluster_numbers(len(y), [labels])
    means = [
        float(np.average(y[rows], weights=None if w is None else w[rows])) if rows.any() else float("nan")
        for rows in (absent, ~absent)
    ]
    found = intervals(
        lifts(y, sparse.csc_array(absent[:, None].astype(np.float64)), w, clusters), float(np.std(y)) or 1.0
    )
    low, high, p = (float(part[0]) for part in (found.low, found.high, found.p))
    return Missingness(
        n_missing=int(absent.sum()),
        n_present=int((~absent).sum()),
        mean_missing=means[0],
        mean_present=means[1],
        difference=means[0] - means[1],
        low=low,
        high=high,
        p=p,
        p_adjusted=p,
        sentence="",
    )


def _sentence(found: Missingness, what: str) -> str:
    rows = f"{found.n_missing} of {found.n_missing + found.n_present} rows have no {what}"
    if found.n_missing == 0:
        return f"Every row has a {what}."
    if found.n_present == 0:
        return f"No row has a {what}."
    if np.isnan(found.p):
        return f"{rows}: too few to compare with the rest."
    if found.p_adjusted < CLEAR:
        return (
            f"{rows}, and their metric is {_gap(found)} than that of the rest on average ({_means(found)}): "
            "what is analysed is not a fair picture of the whole table."
        )
    return f"{rows}; their metric does not differ clearly from the rest: {_gap(found)} on average."


def _sentence_of_reason(found: Missingness, what: str) -> str:
    others = f"that of the {found.n_present} rows with {what}"
    if np.isnan(found.p):
        return f"{found.n_missing} rows: too few independent ones to compare with the rest."
    if found.p_adjusted < CLEAR:
        return f"{found.n_missing} rows: their metric is {_gap(found)} than {others} on average ({_means(found)})."
    return f"{found.n_missing} rows: their metric does not differ clearly from {others}: {_gap(found)} on average."


def _gap(found: Missingness) -> str:
    side = "lower" if found.difference < 0 else "higher"
    return f"{abs(found.difference):.3g} {side} (95% interval {found.low:.3g} to {found.high:.3g})"


def _means(found: Missingness) -> str:
    return f"{found.mean_missing:.4g} against {found.mean_present:.4g}"
