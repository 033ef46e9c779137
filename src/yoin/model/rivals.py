"""Several captions of the same rows: which of them say most about the metric?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from yoin import encoder
from yoin.errors import UsageError
from yoin.model.linear import cross_fit, remember
from yoin.model.signal import group_labels, r2_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What one set of captions says: R² out of fold, or with features its gain over them, with its 95% interval.

    ``behind`` is by how much the best set's R² is higher, with the interval of that difference on the same resamples;
    0 for the best set itself.
    """

    r2: float
    r2_low: float
    r2_high: float
    behind: float
    behind_low: float
    behind_high: float


def cheap_rung() -> str:
    """The rung that compares: the one of the verdict's permutation test."""
    return "frozen" if encoder.installed() else "tfidf"


def compare_captions(
    sets: Sequence[list[str]],
    metric: np.ndarray,
    folds: np.ndarray,
    *,
    features: pd.DataFrame | None = None,
    group: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    rung: str = "tfidf",
    bootstrap: int = 2000,
    seed: int = 42,
) -> tuple[Rival, ...]:
    """Judge each set of captions of the same rows in the same folds.

    The set with the highest R² was picked by these rows: its R², and by how much the others are behind, are too good
    to be true. Judge it again on rows that played no part.

    Args:
        sets: n texts each, in the rows' order.
        metric: (n,) finite.
        folds: (n,) the fold in which a row is held out.
        features: the user's other columns, n rows, or None.
        group: (n,) labels of rows that belong together, or None: resampled as a whole.
        weight: (n,) above zero, or None.
        rung: ``tfidf`` or ``frozen``.
        bootstrap: how many resamples.
        seed: of the resampling.

    Returns:
        one record a set, in their order.

    Raises:
        UsageError: the metric is the same in every row.
    """
    if np.ptp(metric) == 0:
        raise UsageError("the metric is the same in every row", stage="model", remedy="choose one that varies")
    labels = group_labels(group, len(metric))
    embed = remember(encoder.embed_depths) if rung == "frozen" else None
    alone, found = None, []
    for captions in sets:
        alone, predicted = cross_fit(
            captions, metric[:, None], folds, rung=rung, features=features, group=labels, weight=weight, embed=embed
        )
        found.append(predicted[:, 0])
    errors = [float(np.average((metric - predicted) ** 2, weights=weight)) for predicted in found]
    best = found[int(np.argmin(errors))]

    def interval(predicted: np.ndarray, baseline: np.ndarray | None) -> tuple[float, float, float]:
        return r2_interval(
            metric, predicted, baseline=baseline, group=labels, weight=weight, bootstrap=bootstrap, seed=seed
        )

    rivals = []
    for predicted in found:
        r2, low, high = interval(predicted, None if alone is None else alone[:, 0])
        behind = interval(best, predicted) if predicted is not best else (0.0, 0.0, 0.0)
        rivals.append(
            Rival(r2=r2, r2_low=low, r2_high=high, behind=behind[0], behind_low=behind[1], behind_high=behind[2])
        )
    return tuple(rivals)
