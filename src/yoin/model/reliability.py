"""How far predictions can be trusted: intervals for new rows, and where predictions are off.

Intervals are split-conformal (Vovk et al. 2005; with out-of-fold residuals: Vovk 2015, cross-conformal): ten lines,
where a library would want to own the fits. Both ends are quantiles of signed residuals, for metrics are seldom
symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yoin.values import Fit, GroupResidual, MetricKind, Reliability, ReliabilityBin

LEVEL = 0.9
BINS = 10
FEWEST_IN_BIN = 5
FEWEST_IN_GROUP = 5
MOST_GROUPS = 12
LIMITS = {"rate": (0.0, 1.0), "binary": (0.0, 1.0), "count": (0.0, np.inf), "positive": (0.0, np.inf)}


def conformal(residual: np.ndarray, *, level: float = LEVEL, weight: np.ndarray | None = None) -> tuple[float, float]:
    """What to add to a new prediction for the two ends of its interval.

    Args:
        residual: (n,) metric less out-of-fold prediction.
        level: the share of new rows that the interval holds, at least, if they are like the old ones.
        weight: (n,) above zero, or None.

    Returns:
        the (1 - level)/2 quantile of the residuals, and the other one; with few rows the outermost residuals.
    """
    order = np.argsort(residual, kind="stable")
    # The new row counts as one more residual, infinitely far out on either side: the (n + 1)-th of conformal quantiles.
    share = np.ones(len(residual)) if weight is None else weight[order] / np.mean(weight)
    reached = np.cumsum(share) / (share.sum() + 1)
    tail = (1 - level) / 2
    high = min(int(np.searchsorted(reached, 1 - tail - 1e-12)), len(residual) - 1)
    from_above = np.cumsum(share[::-1]) / (share.sum() + 1)
    low = len(residual) - 1 - min(int(np.searchsorted(from_above, 1 - tail - 1e-12)), len(residual) - 1)
    return float(residual[order[low]]), float(residual[order[high]])


def interval(prediction: np.ndarray, ends: tuple[float, float], kind: MetricKind) -> tuple[np.ndarray, np.ndarray]:
    """The intervals of predictions (m,), kept to what a metric of the kind can be."""
    low, high = LIMITS.get(kind, (-np.inf, np.inf))
    return np.clip(prediction + ends[0], low, high), np.clip(prediction + ends[1], low, high)


def assess_reliability(
    name: str,
    metric: np.ndarray,
    prediction: np.ndarray,
    folds: np.ndarray,
    kind: MetricKind,
    *,
    group: Sequence[object] | None = None,
    weight: np.ndarray | None = None,
) -> Reliability:
    """Intervals from out-of-fold predictions (n,), how many rows they hold, and where predictions are off.

    The coverage is honest: each fold's rows are held against intervals from the other folds' residuals.
    """
    residual = metric - prediction
    weights = np.ones(len(metric)) if weight is None else weight
    inside = np.empty(len(metric), dtype=bool)
    for fold in np.unique(folds):
        held, rest = folds == fold, folds != fold
        low, high = interval(prediction[held], conformal(residual[rest], weight=weights[rest]), kind)
        inside[held] = (low <= metric[held]) & (metric[held] <= high)
    ends = conformal(residual, weight=weights)
    return Reliability(
        model=name,
        level=LEVEL,
        low=ends[0],
        high=ends[1],
        coverage=float(np.average(inside, weights=weights)),
        bins=_bins(metric, prediction, weights),
        groups=() if group is None else _groups(residual, np.asarray([str(one) for one in group]), weights),
    )


def reliability_of(fit: Fit, group: Sequence[object] | None, weight: np.ndarray | None) -> Reliability:
    """That of the model asked for."""
    own = fit.predictions[fit.predictions["model"] == fit.model]
    metric, prediction, folds = (own[name].to_numpy() for name in ("metric", "prediction", "fold"))
    return assess_reliability(fit.model, metric, prediction, folds, fit.metric_kind, group=group, weight=weight)


def _bins(metric: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> tuple[ReliabilityBin, ...]:
    """Mean metric against mean prediction, over ten equal shares of the rows by prediction."""
    found = []
    for rows in np.array_split(np.argsort(prediction, kind="stable"), BINS):
        if len(rows) < FEWEST_IN_BIN:
            continue
        w = weights[rows]
        mean = float(np.average(metric[rows], weights=w))
        error = float(np.sqrt(np.sum(w**2 * (metric[rows] - mean) ** 2)) / w.sum())
        said = float(np.average(prediction[rows], weights=w))
        found.append(ReliabilityBin(n=len(rows), predicted=said, observed=mean, std_error=error))
    return tuple(found)


def _groups(residual: np.ndarray, group: np.ndarray, weights: np.ndarray) -> tuple[GroupResidual, ...]:
    """The groups whose mean residual is largest beside its standard error."""
    found = []
    for name in np.unique(group):
        rows = group == name
        if rows.sum() < FEWEST_IN_GROUP:
            continue
        w = weights[rows]
        mean = float(np.average(residual[rows], weights=w))
        error = float(np.sqrt(np.sum(w**2 * (residual[rows] - mean) ** 2)) / w.sum())
        rmse = float(np.sqrt(np.average(residual[rows] ** 2, weights=w)))
        found.append(GroupResidual(group=name, n=int(rows.sum()), mean=mean, std_error=error, rmse=rmse))
    found.sort(key=lambda one: (-abs(one.mean) / (one.std_error or np.inf), one.group))
    return tuple(found[:MOST_GROUPS])
