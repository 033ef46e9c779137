"""Do the captions say anything about the metric? The verdict that stands before every driver.

Two things must agree: the lower end of the 95% bootstrap interval of the best rung's out-of-fold R² (with
features: of its gain over the features alone) is above zero, and a permutation test of one cheap rung, named in
advance, has p < 0.05. The permutation test holds the level: the rung is refitted on each exchanged metric, with
its penalty chosen anew inside each training fold, so no choice escapes the comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from yoin import encoder
from yoin.amounts import explained
from yoin.errors import UsageError
from yoin.features import FeatureEncoder
from yoin.model.base import outer_folds
from yoin.model.linear import cross_fit
from yoin.model.ridge import fit_ridge
from yoin.values import Embed, Signal, Verdict

LEVEL = 0.05
WEAK = 0.02
FEWEST_ROWS = 10
BASELINES = ("mean", "features")
PLUS = "+features"


def assess_signal(
    metric: Sequence[float] | np.ndarray | pd.Series,
    predictions: Mapping[str, Sequence[float] | np.ndarray | pd.Series],
    *,
    captions: Sequence[str] | None = None,
    features: pd.DataFrame | None = None,
    group: Sequence[object] | np.ndarray | pd.Series | None = None,
    weight: Sequence[float] | np.ndarray | pd.Series | None = None,
    folds: Sequence[int] | np.ndarray | pd.Series | None = None,
    permutations: int = 199,
    bootstrap: int = 2000,
    seed: int = 42,
    embed: Embed | None = None,
) -> Signal:
    """Judge whether captions say anything about a metric.

    Args:
        metric: n finite numbers, not all equal.
        predictions: out-of-fold predictions (n,) of each rung. Without ``features``, every rung but ``mean``
            competes; with ``features`` there must be ``features`` itself, and rungs named with ``+features`` compete
            by their gain over it.
        captions: the n captions; the permutation test refits a rung on them: ``frozen`` where it is among the
            predictions and the encoder is installed, else ``tfidf``.
        features: the other columns, n rows; the metric's residuals on them are exchanged (Freedman & Lane 1983).
        group: labels of rows that belong together; whole groups are exchanged, resampled and kept in one fold.
        weight: positive weights of the rows. Residuals are exchanged after scaling by the weight's square root:
            a weight says that a row's noise has a variance of its inverse.
        folds: the fold of each row in the predictions; made anew, with ``seed``, where not given.
        permutations: how many exchanged metrics; p is at least 1 / (permutations + 1).
        bootstrap: how many resamples.
        seed: of the exchange, the resampling and the folds.
        embed: the frozen encoder; the embedded one where not given.

    Returns:
        the verdict: ``signal``; ``weak`` where it passes with R² (or its gain) under 0.02; else ``none``.

    Raises:
        UsageError: lengths that differ, numbers that are not finite, a constant metric, fewer than 10 rows, rungs
            that are missing, or no captions: predictions alone cannot be tested, because those of one fold were
            learned from the metric of the others, and exchanging it against them finds signal in noise.
    """
    y = _vector(metric, "the metric")
    if len(y) < FEWEST_ROWS:
        raise UsageError(f"{len(y)} rows are too few to judge a signal", stage="signal", remedy="give at least 10")
    if np.ptp(y) == 0:
        raise UsageError("the metric is the same in every row", stage="signal")
    if captions is None:
        raise UsageError(
            "the verdict refits a model on exchanged metrics and needs the captions for it",
            stage="signal",
            remedy="pass captions=…",
        )
    rungs = {name: _vector(values, f"predictions of {name!r}", len(y)) for name, values in predictions.items()}
    w = None if weight is None else _vector(weight, "the weights", len(y))
    if w is not None and np.any(w <= 0):
        raise UsageError("weights must be above zero", stage="signal", row=int(np.flatnonzero(w <= 0)[0]) + 1)
    texts = ["" if pd.isna(text) else str(text) for text in captions]
    for what, length in (("captions", len(texts)), ("feature rows", len(y) if features is None else len(features))):
        if length != len(y):
            raise UsageError(f"there are {length} {what} for {len(y)} metrics", stage="signal")
    labels = group_labels(group, len(y))
    fold = (
        outer_folds(len(y), labels, 5, seed)
        if folds is None
        else np.unique(_vector(folds, "the folds", len(y)), return_inverse=True)[1]
    )
    if fold.max() == 0:
        raise UsageError("all rows are in one fold, so nothing can be judged", stage="signal")

    rung, (r2, low, high) = _best(y, rungs, features is not None, labels, w, bootstrap, seed)
    test_rung = "frozen" if {"frozen", "frozen" + PLUS} & set(rungs) and (embed or encoder.installed()) else "tfidf"
    p = permutation_p(
        y if features is None else y - rungs["features"], texts, test_rung,
        features=features, group=labels, weight=w, folds=fold, permutations=permutations, seed=seed, embed=embed,
    )  # fmt: skip
    verdict: Verdict = "none" if not (low > 0 and p < LEVEL) else "weak" if r2 < WEAK else "signal"
    return Signal(
        verdict=verdict,
        rung=rung,
        quantity="r2" if features is None else "gain",
        r2=r2,
        r2_low=low,
        r2_high=high,
        p=p,
        permutations=permutations,
        test_rung=test_rung if features is None else test_rung + PLUS,
        reason=_reason(verdict, r2, low, high, p, gain=features is not None),
    )


def r2_interval(
    metric: np.ndarray,
    prediction: np.ndarray,
    *,
    baseline: np.ndarray | None = None,
    group: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    bootstrap: int = 2000,
    seed: int = 42,
) -> tuple[float, float, float]:
    """R² with its 95% percentile bootstrap interval, over rows or over whole groups.

    R² = 1 - SSE / SST, with SST about the mean of the metric over all rows (not over each training fold), so the
    rung ``mean`` comes out a little below zero. With a ``baseline`` (n,), the difference R²(prediction) -
    R²(baseline) on the same resamples.

    Returns:
        the value, the lower and the upper end; each at most 1 (or a difference), without a lower bound.
    """
    w = np.ones(len(metric)) if weight is None else weight / np.mean(weight)
    centred = metric - np.average(metric, weights=w)  # the same R², with less rounding
    gained = w * (metric - prediction) ** 2
    if baseline is not None:
        gained = gained - w * (metric - baseline) ** 2
    sums = np.stack([gained, w, w * centred, w * centred**2])  # (4, n)
    if group is not None:
        _, unit = np.unique(group, return_inverse=True)
        sums = np.stack([np.bincount(unit, weights=row) for row in sums])

    def value(total: np.ndarray) -> np.ndarray:
        spread = total[3] - total[2] ** 2 / total[1]
        # A resample of one value has no spread: it can say nothing, and says 0.
        share = np.divide(total[0], spread, out=np.zeros_like(spread), where=spread > 1e-12 * sums[3].sum())
        return np.asarray((0.0 if baseline is not None else 1.0) - share)

    units = sums.shape[1]
    random = np.random.default_rng(seed)
    drawn = np.empty(bootstrap)
    step = max(1, 4_000_000 // units)
    for start in range(0, bootstrap, step):
        size = min(step, bootstrap - start)
        picks = random.integers(0, units, size=(size, units)) + units * np.arange(size)[:, None]
        counts = np.bincount(picks.ravel(), minlength=size * units).reshape(size, units)
        drawn[start : start + size] = value(sums @ counts.T)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(value(sums.sum(axis=1, keepdims=True))[0]), float(low), float(high)


def permutation_p(
    metric: np.ndarray,
    captions: list[str],
    rung: str,
    *,
    features: pd.DataFrame | None,
    group: np.ndarray | None,
    weight: np.ndarray | None,
    folds: np.ndarray,
    permutations: int,
    seed: int,
    embed: Embed | None = None,
) -> float:
    """How rarely an exchanged metric gives the rung as good an out-of-fold R² (with features: gain).

    With features, ``metric`` is what the rung of the features leaves out of fold: steps and interactions of the columns
    that the linear model here does not know must not pass for captions that echo them.

    The p value is (1 + number of exchanged metrics that do at least as well) / (1 + permutations)
    (Phipson & Smyth 2010).
    """
    random = np.random.default_rng(seed)
    root = np.ones(len(metric)) if weight is None else np.sqrt(weight / np.mean(weight))
    if features is None:
        expected = np.full(len(metric), np.average(metric, weights=weight))
    else:
        design = FeatureEncoder().fit_transform(features)
        expected = fit_ridge(design, metric[:, None], weight=weight, group=group).predict(design)[:, 0]
    exchanged = exchange((metric - expected) * root, group, permutations, random) / root[:, None]
    metrics = np.hstack([metric[:, None], expected[:, None] + exchanged])  # (n, 1 + permutations)

    alone, with_text = cross_fit(
        captions, metrics, folds, rung=rung, features=features, group=group, weight=weight, embed=embed
    )
    counted = root[:, None] ** 2
    error = np.sum(counted * (metrics - with_text) ** 2, axis=0)
    if alone is not None:
        error = error - np.sum(counted * (metrics - alone) ** 2, axis=0)
    spread = np.sum(counted * (metrics - np.average(metrics, axis=0, weights=root**2)) ** 2, axis=0)
    found = -error / spread  # R² (less 1), or its gain
    # Equal up to rounding counts as "at least as well".
    return float((1 + np.sum(found[1:] >= found[0] - 1e-12)) / (1 + permutations))


def exchange(residual: np.ndarray, group: np.ndarray | None, times: int, random: np.random.Generator) -> np.ndarray:
    """``times`` exchanges of ``residual`` (n,) that keep what belongs to a group together: (n, times).

    Rows without groups, or in groups of one row, are shuffled. Groups of equal size change places as whole blocks, in
    the rows' order. Groups of unequal size exchange their means, and the rows' deviations from them are shuffled.
    """
    rows = len(residual)
    _, unit, counts = np.unique(np.arange(rows) if group is None else group, return_inverse=True, return_counts=True)
    order = random.permuted(np.tile(np.arange(len(counts)), (times, 1)), axis=1)  # (times, groups)
    if np.all(counts == counts[0]):
        members = np.argsort(unit, kind="stable").reshape(len(counts), counts[0])
        result = np.empty((rows, times))
        result[members] = residual[members][order].transpose(1, 2, 0)
        return result
    means = np.bincount(unit, weights=residual) / counts
    deviations = random.permuted(np.tile(residual - means[unit], (times, 1)), axis=1)
    return np.asarray((means[order][:, unit] + deviations).T)


def group_labels(group: Sequence[object] | np.ndarray | pd.Series | None, rows: int) -> np.ndarray | None:
    """Groups as integer codes (n,); None where there are none or every row is its own."""
    if group is None:
        return None
    if len(group) != rows:
        raise UsageError(f"there are {len(group)} group labels for {rows} rows", stage="signal")
    codes, found = pd.factorize(pd.Series(list(group), dtype=object), use_na_sentinel=False)
    return None if len(found) == rows else codes


def _best(
    metric: np.ndarray,
    rungs: Mapping[str, np.ndarray],
    with_features: bool,
    group: np.ndarray | None,
    weight: np.ndarray | None,
    bootstrap: int,
    seed: int,
) -> tuple[str, tuple[float, float, float]]:
    """The rung with the highest R² (or gain), and that with its interval."""
    if with_features:
        names = [name for name in rungs if name.endswith(PLUS)]
        if "features" not in rungs or not names:
            raise UsageError(
                "with features, predictions of the features alone and of at least one rung with them are needed",
                stage="signal",
                remedy='pass predictions named "features" and, for example, "tfidf+features"',
            )
    else:
        names = [name for name in rungs if name not in BASELINES and not name.endswith(PLUS)]
        if not names:
            raise UsageError("there are no predictions from captions", stage="signal", remedy='pass {"tfidf": …}')
    baseline = rungs["features"] if with_features else None
    errors = {name: np.average((metric - rungs[name]) ** 2, weights=weight) for name in names}
    best = min(names, key=lambda name: float(errors[name]))
    interval = r2_interval(
        metric, rungs[best], baseline=baseline, group=group, weight=weight, bootstrap=bootstrap, seed=seed
    )
    return best, interval


def _reason(verdict: Verdict, r2: float, low: float, high: float, p: float, *, gain: bool) -> str:
    subject = "Beyond the other columns, the captions" if gain else "The captions"
    found = f"{subject} {explained(r2, low, high, gain=gain, also=f'; permutation test p = {p:.3g}')}"
    if verdict == "signal":
        return f"{found}: signal."
    if verdict == "weak":
        return f"{found}: a weak signal; read the drivers with caution."
    return f"{found}: no signal; do not read the drivers."


def _vector(values: Sequence[float] | np.ndarray | pd.Series, what: str, rows: int | None = None) -> np.ndarray:
    """A finite float64 vector, of ``rows`` rows where given."""
    try:
        vector = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} cannot be read as numbers", stage="signal") from error
    if vector.ndim != 1 or (rows is not None and len(vector) != rows):
        wanted = "one number a row" if rows is None else f"{rows} numbers"
        raise UsageError(f"{what} should be {wanted}, and have the shape {vector.shape}", stage="signal")
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        raise UsageError(
            f"{what} hold a value that is missing or infinite", stage="signal", row=int(bad[0]) + 1,
            remedy="leave such rows out of all inputs",
        )  # fmt: skip
    return vector
