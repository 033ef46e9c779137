"""How near a model's quicker way comes to its exact one, on texts such as explanations ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yoin.explanations.game import Floats, Game, checked
from yoin.explanations.players import split
from yoin.values import QuickPredict

MIN_RANK_CORRELATION = 0.99
_TEXTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What the quicker way costs in accuracy.

    ``kind`` is what makes it quicker, such as "int8"; ``texts`` were predicted both ways. ``largest_error`` and
    ``mean_error`` (absolute) are in the prediction's unit, ``spread`` is the standard deviation of the exact
    predictions, ``rank_correlation`` Spearman's. ``used`` says whether the explanations rely on it: only where
    the rank correlation is at least 0.99, or there is no difference at all.
    """

    kind: str
    texts: int
    largest_error: float
    mean_error: float
    spread: float
    rank_correlation: float
    used: bool


def measure(predict: QuickPredict, captions: Sequence[str], *, seed: int, mask: str = "") -> Precision:
    """Compare the ways of ``predict``, at least one, on parts of ``captions`` (at least one): half of their words.

    The quickest way that is near enough is returned, or the last, not ``used``, where none is.
    """
    rng = np.random.default_rng(seed)
    texts = []
    for number in range(_TEXTS):
        players = split(captions[number * len(captions) // _TEXTS])
        texts.append(Game(players, mask).text(rng.random(len(players.words)) < 0.5))
    exact = checked(predict(texts), texts)
    for way in predict.ways:
        found = _compared(way, exact, checked(predict.quickly(texts, way), texts))
        if found.used:
            break
    return found


def _compared(way: str, exact: Floats, quick: Floats) -> Precision:
    errors = np.abs(exact - quick)
    correlation = _rank_correlation(exact, quick)
    return Precision(
        kind=way,
        texts=len(exact),
        largest_error=float(errors.max()),
        mean_error=float(errors.mean()),
        spread=float(exact.std()),
        rank_correlation=correlation,
        used=correlation >= MIN_RANK_CORRELATION or not errors.any(),
    )


def _rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's, with the mean rank of equal values; 0 where one side is constant, 1 where both are the same."""
    if np.array_equal(one, other):
        return 1.0
    if not np.ptp(one) or not np.ptp(other):
        return 0.0
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middles[inverse]
