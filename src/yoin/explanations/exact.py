"""Exact values from a table of all coalitions: the oracle, and the estimator for few players.

A table holds one value a coalition; bit i of its index says whether player i takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from yoin.explanations.game import Floats, Masks


@lru_cache(maxsize=32)
def coalitions(players: int) -> Masks:
    """All coalitions, (2**players, players) bool, in the order of a table. Read-only."""
    index = np.arange(2**players)[:, None]
    masks: NDArray[np.bool_] = (index >> np.arange(players)) & 1 == 1
    masks.flags.writeable = False
    return masks


def shapley_values(table: Floats) -> Floats:
    """Shapley values (..., k) of tables (..., 2**k).

    Source: Shapley (1953); the mean over all orders of joining of what a player adds.
    """
    players = table.shape[-1].bit_length() - 1
    masks = coalitions(players)
    sizes = masks.sum(axis=1)
    weights = np.array([1 / (players * comb(players - 1, size)) for size in range(players)])
    values = np.empty((*table.shape[:-1], players))
    for player in range(players):
        without = np.flatnonzero(~masks[:, player])
        gains = table[..., without | 1 << player] - table[..., without]
        values[..., player] = gains @ weights[sizes[without]]
    return values


def owen_values(table: Floats, groups: Sequence[Sequence[int]]) -> Floats:
    """Owen values (k,) of a table (2**k,) for disjoint groups of players that cover all k.

    Source: Owen (1977), "Values of games with a priori unions": a player's Shapley value within its group,
    in the mean over the coalitions of the other groups with their Shapley weights.
    """
    values = np.empty(table.shape[-1].bit_length() - 1)
    bits = [sum(1 << player for player in group) for group in groups]
    for number, group in enumerate(groups):
        others = np.array([bit for other, bit in enumerate(bits) if other != number], dtype=np.int64)
        around = coalitions(len(others))
        contexts = around.astype(np.int64) @ others if len(others) else np.zeros(1, dtype=np.int64)
        inside = coalitions(len(group)).astype(np.int64) @ (1 << np.array(group, dtype=np.int64))
        within = shapley_values(table[contexts[:, None] | inside])  # (contexts, words)
        values[list(group)] = context_weights(around) @ within
    return values


def context_weights(contexts: Masks) -> Floats:
    """Shapley weights (n,) of coalitions (n, k) of the k players other than the one looked at."""
    others = contexts.shape[1]
    weights = np.array([1 / ((others + 1) * comb(others, size)) for size in range(others + 1)])
    chosen: Floats = weights[contexts.sum(axis=1)]
    return chosen
