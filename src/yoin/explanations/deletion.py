"""Deletion curves: words taken out in the order of their values move the prediction faster than in any order.

Source: Samek et al. (2017), "Evaluating the visualization of what a deep neural network has learned".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from yoin.explanations.game import Evaluator, Floats, Game
from yoin.explanations.players import split

STEPS = 10
RANDOM_ORDERS = 4


def delete(
    caption: str, spans: pd.DataFrame, evaluate: Evaluator, *, mask: str = "", seed: int = 0
) -> list[list[float]]:
    """Predictions (3, 11) as 0 to 100% of the spans are out: the highest first, the lowest first, at random.

    The last is the mean over random orders. ``spans`` are the caption's, with ``start``, ``end`` and ``value``.
    """
    players = split(caption)
    game = Game(players, mask)
    starts = np.array([start for start, _ in players.words], dtype=np.int64)
    span_of = np.searchsorted(spans["start"].to_numpy(), starts, side="right") - 1  # of each word
    values = spans["value"].to_numpy()
    rng = np.random.default_rng(seed)
    orders = [np.argsort(-values, kind="stable"), np.argsort(values, kind="stable")]
    orders += [rng.permutation(len(values)) for _ in range(RANDOM_ORDERS)]
    texts, exact = [], []
    for order in orders:
        for step in range(STEPS + 1):
            out = np.zeros(len(values), dtype=np.bool_)
            out[order[: round(step * len(values) / STEPS)]] = True
            kept = ~out[span_of] if len(starts) else np.zeros(0, dtype=np.bool_)
            texts.append(game.text(kept))
            exact.append(bool(kept.all() or not kept.any()))
    found = evaluate(texts, exact).reshape(len(orders), STEPS + 1)
    return [found[0].tolist(), found[1].tolist(), found[2:].mean(axis=0).tolist()]


@dataclass(frozen=True, slots=True)
class Deletion:
    """The mean over captions of their deletion curves, in the metric's unit.

    ``shares`` (11,) of the spans are out; ``highest_first``, ``lowest_first`` and ``random`` (11,) are the mean
    predictions. ``gap`` is the mean distance of ``random`` from the two others, above 0 where the values point the
    right way, with its 95% interval over captions (normal approximation).
    """

    captions: int
    shares: Floats
    highest_first: Floats
    lowest_first: Floats
    random: Floats
    gap: float
    gap_low: float
    gap_high: float

    @classmethod
    def of(cls, curves: Sequence[Sequence[Sequence[float]]]) -> Deletion:
        """From the curves (3, 11) of each of at least one caption."""
        every = np.array(curves, dtype=np.float64)  # (captions, 3, 11)
        middle = every.mean(axis=0)
        gaps = ((every[:, 2] - every[:, 0]).mean(axis=1) + (every[:, 1] - every[:, 2]).mean(axis=1)) / 2
        gap, error = float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else np.nan
        shares = np.linspace(0, 1, STEPS + 1)
        highest, lowest, random = middle
        return cls(len(every), shares, highest, lowest, random, gap, gap - 1.96 * error, gap + 1.96 * error)

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON can hold it; numbers that do not exist as None."""
        named = {name: getattr(self, name) for name in ("gap", "gap_low", "gap_high")}
        curves = {name: getattr(self, name).tolist() for name in ("shares", "highest_first", "lowest_first", "random")}
        told = {name: float(value) if np.isfinite(value) else None for name, value in named.items()}
        return {"captions": self.captions, **curves, **told}
