from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from yoin.brief.score import score


def study(rows: int, seed: int) -> tuple[dict, pd.DataFrame, np.ndarray, np.ndarray]:
    """Fold models (of one number in the text), their out-of-fold predictions, and 40 new rows."""
    random = np.random.default_rng(seed)
    x, new = random.normal(size=rows), random.normal(size=40)
    noise = random.standard_t(5, size=rows + 40)
    y, y_new = 2 * x + noise[:rows], 2 * new + noise[rows:]
    fold = np.arange(rows) % 5
    slope = {k: float(np.polyfit(x[fold != k], y[fold != k], 1)[0]) for k in range(5)}
    predictors = {k: (lambda texts, b=b: b * np.array([float(text) for text in texts])) for k, b in slope.items()}
    out_of_fold = np.array([slope[k] for k in fold]) * x
    frame = pd.DataFrame(
        {"row_id": range(rows), "model": "m", "fold": fold, "metric": y, "prediction": out_of_fold}
    )  # fmt: skip
    return predictors, frame, new, y_new


def test_the_interval_covers_new_rows() -> None:
    covered = []
    for seed in range(50):
        predictors, frame, new, y = study(120, seed)
        found = score([str(value) for value in new], predictors, frame)
        covered += [low <= value <= high for (_, low, high), value in zip(found, y, strict=True)]
    assert 0.93 <= np.mean(covered) <= 0.975


def test_the_prediction_is_the_median_of_the_folds_models() -> None:
    predictors, frame, *_ = study(60, 0)
    ((prediction, low, high),) = score(["1.5"], predictors, frame)
    assert prediction == pytest.approx(np.median([predict(["1.5"])[0] for predict in predictors.values()]))
    assert low < prediction < high


def test_with_too_few_rows_the_interval_is_open() -> None:
    predictors, frame, *_ = study(10, 0)
    ((_, low, high),) = score(["0"], predictors, frame)
    assert (low, high) == (-math.inf, math.inf)
