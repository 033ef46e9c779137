"""What the study's models say of a new caption, with an interval from how far they were off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from yoin.values import Predict

if TYPE_CHECKING:
    import pandas as pd


def score(
    texts: Sequence[str], predictors: Mapping[int, Predict], predictions: pd.DataFrame, *, level: float = 0.95
) -> list[tuple[float, float, float]]:
    """The middle one of the predictions of the folds' models for each text, and an interval for its metric (CV+).

    With R the size of each row's out-of-fold error and f the model of its fold, the ends are quantiles over the rows of
    f(text) - R and f(text) + R (Barber, Candès, Ramdas and Tibshirani, Annals of Statistics 49, 2021). It covers about
    ``level`` of new rows that are like the study's; a text that is unlike its captions may lie outside more often.

    Args:
        texts: captions.
        predictors: the model of each fold.
        predictions: the out-of-fold predictions of these models, with `yoin.values.PREDICTION_COLUMNS`.
        level: the share of new rows to cover.

    Returns:
        (prediction, low, high) for each text, in the metric's unit; infinite ends with too few rows.
    """
    by_fold = {fold: np.asarray(predict(list(texts)), dtype=float) for fold, predict in predictors.items()}
    error = (predictions["metric"] - predictions["prediction"]).abs().to_numpy(dtype=float)
    fold = predictions["fold"].to_numpy()
    found = []
    for place in range(len(texts)):
        centre = np.array([by_fold[int(number)][place] for number in fold])
        low, high = np.sort(centre - error), np.sort(centre + error)
        rows = len(error)
        upper = math.ceil(level * (rows + 1))
        inside = upper <= rows
        found.append(
            (
                float(np.median([values[place] for values in by_fold.values()])),
                float(low[rows - upper]) if inside else -math.inf,
                float(high[upper - 1]) if inside else math.inf,
            )
        )
    return found
