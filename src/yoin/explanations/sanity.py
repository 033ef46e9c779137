"""Whether explanations depend on what the model has learned.

Source: Adebayo et al. (2018), "Sanity checks for saliency maps", the data randomization test: a model that learned
from shuffled labels must be explained differently.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd

from yoin.explanations.api import Settings, explain_distinct
from yoin.explanations.game import Evaluator, Floats
from yoin.explanations.interactions import phrase_totals
from yoin.explanations.players import split
from yoin.options import ExplainOptions


class Model(Protocol):
    """A fitted model; one that knows a mask token has it as ``mask_token``."""

    def predict(self, captions: list[str]) -> np.ndarray:
        """Predictions (n,)."""


MOST_CAPTIONS = 20
MAX_CORRELATION = 0.5


def compare(
    captions: pd.DataFrame, explained: pd.DataFrame, shuffled: Model, *, options: ExplainOptions
) -> dict[str, Any]:
    """How alike the explanations of a model and of one with a shuffled metric are.

    Args:
        captions: ``row_id`` and ``caption`` of at least one explained caption; at most 20 are used.
        explained: the explanations of the real model, with `EXPLANATION_COLUMNS`.
        shuffled: the model that learned from the shuffled metric.
        options: how the real model was explained.

    Returns:
        ``captions``; ``correlation`` of the two models' values of phrases, in the mean over captions (0 where one
        model moves nothing); ``size``, the shuffled model's mean absolute value over the real one's (None where
        that is 0); ``passed``, whether the correlation is below 0.5.
    """
    chosen = captions.iloc[:MOST_CAPTIONS]
    mask = "" if options.mask == "remove" else str(getattr(shuffled, "mask_token", ""))
    settings = Settings(budget=options.budget, tolerance=options.tolerance, mask=mask, seed=options.seed)
    other = explain_distinct(Evaluator(shuffled.predict), chosen["caption"].tolist(), settings)
    real = dict(tuple(explained.groupby("row_id")))
    fake = dict(tuple(other.groupby("row_id")))
    correlations, sizes = [], []
    for number, (row_id, caption) in enumerate(zip(chosen["row_id"], chosen["caption"], strict=True)):
        one, two = _by_phrase(caption, real[row_id]), _by_phrase(caption, fake[number])
        correlations.append(_correlation(one, two))
        sizes.append((float(np.abs(one).mean()), float(np.abs(two).mean())))
    real_size, fake_size = np.mean(sizes, axis=0).tolist()
    correlation = float(np.mean(correlations))
    return {
        "captions": len(chosen),
        "correlation": correlation,
        "size": fake_size / real_size if real_size > 0 else None,
        "passed": correlation < MAX_CORRELATION,
    }


def _by_phrase(caption: str, table: pd.DataFrame) -> Floats:
    spans = list(zip(table["start"].tolist(), table["end"].tolist(), strict=True))
    return phrase_totals(split(caption), spans, table["value"].to_numpy()) if caption else np.zeros(1)


def _correlation(one: Floats, other: Floats) -> float:
    if len(one) < 2 or not np.ptp(one) or not np.ptp(other):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
