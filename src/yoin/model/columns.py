"""The other columns alone: a ridge and gradient-boosted trees, mixed in the share that predicts best.

The ridge knows lines, curves and levels, the trees know steps and interactions. How many trees there are and how much
they count is chosen inside the training rows, down to none: on few rows or additive columns the ridge is left.
scikit-learn's histogram trees are a dependency already, and tables of this size need no other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold

from yoin.features import FeatureEncoder
from yoin.model.ridge import Ridge, fit_ridge, least_squares

RATE = 0.08
MOST_TREES = 120
LEAVES = 8
FEWEST_IN_LEAF = 20
INNER_FOLDS = 4
FEWEST_ROWS = 80  # with fewer, leaves of 20 rows have nothing to split


@dataclass(frozen=True, slots=True)
class Columns:
    """A fitted model of the columns alone.

    ``left_out`` (n,) predicts each training row by what was learned without its inner fold: what it leaves of the
    metric is honest. ``share`` of the trees, from 0 to 1.
    """

    encoder: FeatureEncoder
    ridge: Ridge
    trees: HistGradientBoostingRegressor | None
    share: float
    left_out: np.ndarray

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Predictions (m,) in the metric's unit."""
        design = self.encoder.transform(features)
        found = self.ridge.predict(design)[:, 0]
        if self.trees is not None:
            found = found + self.share * (self.trees.predict(_for_trees(self.encoder, design)) - found)
        return np.asarray(found)


def fit_columns(
    features: pd.DataFrame,
    metric: np.ndarray,
    *,
    weight: np.ndarray | None,
    group: np.ndarray | None,
    seed: int,
) -> Columns:
    """Learn from n rows; categories and lists ("Drama, Crime") are columns of levels and items to both models.

    The trees' share is the one that fits best on inner held-out rows (groups whole), less its standard error, because
    their number was chosen on the same rows.
    """
    encoder = FeatureEncoder().fit(features)
    design = encoder.transform(features)
    plain = _for_trees(encoder, design)
    weights = np.ones(len(metric)) if weight is None else weight / np.mean(weight)
    label = np.arange(len(metric)) if group is None else group
    with_trees = len(metric) >= FEWEST_ROWS and plain.shape[1] > 0
    left_out = np.full(len(metric), np.average(metric, weights=weights))
    staged = np.zeros((MOST_TREES, len(metric)))
    folds = min(INNER_FOLDS, len(np.unique(label)))
    if folds > 1:
        for learned, held in GroupKFold(folds, shuffle=True, random_state=seed).split(label, groups=label):
            inner = fit_ridge(design[learned], metric[learned, None], weight=weights[learned], group=label[learned])
            left_out[held] = inner.predict(design[held])[:, 0]
            if with_trees:
                model = _boosting(MOST_TREES, seed).fit(plain[learned], metric[learned], sample_weight=weights[learned])
                staged[:, held] = list(model.staged_predict(plain[held]))
    trees, share = None, 0.0
    if folds > 1 and with_trees:
        best = int(np.argmin((staged - metric) ** 2 @ weights))
        share = _sure_share(staged[best] - left_out, metric - left_out, weights, label)
        if share > 0:
            trees = _boosting(best + 1, seed).fit(plain, metric, sample_weight=weights)
            left_out = left_out + share * (staged[best] - left_out)
    return Columns(encoder, fit_ridge(design, metric[:, None], weight=weight, group=group), trees, share, left_out)


def predict_beside(
    columns: Columns,
    text: tuple[np.ndarray, np.ndarray],
    features: tuple[pd.DataFrame, pd.DataFrame],
    metric: np.ndarray,
    *,
    weight: np.ndarray | None,
    group: np.ndarray | None,
) -> np.ndarray:
    """Predict from the columns and the text: the columns first, the text for what they leave.

    What the columns leave of the metric, predicted out of the inner folds, and the text are both rid of what is linear
    in the columns, and the one is regressed on the other by a ridge, whose penalty may be infinite (as in
    `yoin.model.linear.predict_given`): a text that merely echoes a column gains nothing.

    Args:
        columns: fitted on the training rows.
        text: matrices of the training (n, p) and the other (m, p) rows.
        features: of the training (n) and the other (m) rows.
        metric: (n,).
        weight: (n,).
        group: (n,).

    Returns:
        predictions (m,).
    """
    given = columns.encoder.transform(features[0]), columns.encoder.transform(features[1])
    left = (metric - columns.left_out)[:, None]
    in_text, in_rest = (least_squares(given[0], part, weight=weight) for part in (text[0], left))
    rest = fit_ridge(
        text[0] - in_text.predict(given[0]),
        left - in_rest.predict(given[0]),
        weight=weight,
        group=group,
        spent=given[0],
    )
    beyond: np.ndarray = rest.predict(text[1] - in_text.predict(given[1]))[:, 0]
    return np.asarray(columns.predict(features[1]) + beyond)


def _sure_share(gap: np.ndarray, rest: np.ndarray, weights: np.ndarray, label: np.ndarray) -> float:
    """The least-squares share of ``gap`` in ``rest``, less its standard error over whole groups, from 0 to 1."""
    spread = float(np.sum(weights * gap**2))
    if spread == 0:
        return 0.0
    share = float(np.sum(weights * gap * rest)) / spread
    _, unit = np.unique(label, return_inverse=True)
    scores = np.bincount(unit, weights=weights * gap * (rest - share * gap))
    return float(np.clip(share - np.sqrt(np.sum(scores**2)) / spread, 0.0, 1.0))


def _for_trees(encoder: FeatureEncoder, design: np.ndarray) -> np.ndarray:
    """The design without the curves: trees make their own steps of a number."""
    places = [place for place, name in enumerate(encoder.names) if "~" not in name]
    kept: np.ndarray = design[:, places]
    return kept


def _boosting(trees: int, seed: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        learning_rate=RATE,
        max_iter=trees,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=FEWEST_IN_LEAF,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
