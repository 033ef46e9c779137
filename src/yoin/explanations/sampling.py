"""Shapley values of many players from some of their coalitions, drawn in pairs.

Sources: Lundberg and Lee (2017), "A unified approach to interpreting model predictions", theorem 2 (the
weighted least squares problem); Covert and Lee (2021), "Improving KernelSHAP" (paired sampling); Musco and
Witter (2025), "Provably accurate Shapley value estimation via leverage score sampling" (as many coalitions
of each size).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb

import numpy as np
from numpy.typing import NDArray

from yoin.explanations.game import Floats, Masks
from yoin.explanations.surrogate import fit

_ENUMERATE_UP_TO = 5000
_MAX_REDRAWS = 50


@dataclass(frozen=True, slots=True)
class Pairs:
    """Coalitions (m, k) to be valued together with their complements.

    ``weights`` (m,) are those of the least squares problem; ``unseen`` (m,) is the share of the coalitions
    of the same size that were not drawn, 0 where all were.
    """

    coalitions: Masks
    weights: Floats
    unseen: Floats

    @property
    def centred(self) -> Floats:
        """The design matrix (m, k): rows that add up to 0."""
        members: Floats = self.coalitions.astype(np.float64)
        centred: Floats = members - members.mean(axis=1, keepdims=True)
        return centred

    def first(self, share: float) -> NDArray[np.intp]:
        """Which pairs (n,) are the first ``share``, above 0 and up to 1, of those of each size, rounded up."""
        sizes = np.minimum(self.coalitions.sum(axis=1), (~self.coalitions).sum(axis=1))
        chosen = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
        return np.sort(np.concatenate([rows[: ceil(share * len(rows))] for rows in chosen]))

    def take(self, rows: NDArray[np.intp]) -> Pairs:
        """The pairs ``rows`` alone, as if no others had been drawn."""
        sizes = np.minimum(self.coalitions.sum(axis=1), (~self.coalitions).sum(axis=1))
        taken, before = np.bincount(sizes[rows], minlength=sizes.max() + 1), np.bincount(sizes)
        share = (taken / np.maximum(before, 1))[sizes[rows]]
        return Pairs(self.coalitions[rows], self.weights[rows] / share, 1 - (1 - self.unseen[rows]) * share)


def draw_pairs(players: int, count: int, rng: np.random.Generator, *, reach: float = 0.5) -> Pairs:
    """Draw ``count`` different pairs of a coalition and its complement.

    There are as many of each size as can be, and the pairs determine the values of an additive game
    (``count`` is at least ``players - 1``, and at most the number of pairs there are). The smaller coalition of a pair
    has at most three players or a share of ``reach`` of them, unless all such pairs are too few.
    """
    sizes = range(1, players // 2 + 1)
    there = [comb(players, size) // (2 if 2 * size == players else 1) for size in sizes]
    within = max(3, int(reach * players))
    if sum(there[:within]) >= count:
        there = there[:within]
    for _ in range(_MAX_REDRAWS):
        pairs = _draw(players, there, count, rng)
        if np.linalg.matrix_rank(pairs.centred) == players - 1:
            break
    return pairs


def _draw(players: int, there: list[int], count: int, rng: np.random.Generator) -> Pairs:
    """``there`` holds how many pairs there are of each size from 1 on."""
    rows, weights, unseen = [], [], []
    for size, (all_pairs, drawn) in enumerate(zip(there, _shares(there, count), strict=True), start=1):
        if not drawn:
            continue
        # The Shapley kernel's mass on all coalitions of this size and of the complements' size.
        mass = (players - 1) / (size * (players - size)) * (1 if 2 * size == players else 2)
        rows.append(_draw_size(players, size, all_pairs, drawn, rng))
        weights.append(np.full(drawn, mass / drawn))
        unseen.append(np.full(drawn, 1 - drawn / all_pairs))
    return Pairs(np.concatenate(rows), np.concatenate(weights), np.concatenate(unseen))


def _shares(there: list[int], count: int) -> list[int]:
    """``count`` spread evenly over sizes that hold ``there`` pairs each; small sizes first."""
    shares = [0] * len(there)
    while count:
        open_sizes = [i for i, most in enumerate(there) if shares[i] < most]
        if not open_sizes:
            break
        for i in open_sizes:
            more = min(max(count // len(open_sizes), 1), there[i] - shares[i], count)
            shares[i] += more
            count -= more
    return shares


def _draw_size(players: int, size: int, there: int, drawn: int, rng: np.random.Generator) -> Masks:
    """Different coalitions (drawn, players) of one size, no two of them complements."""
    halves = 2 * size == players  # of two complementary halves, the one with player 0 stands for both
    if there <= _ENUMERATE_UP_TO:
        sets = [members for members in combinations(range(players), size) if not halves or members[0] == 0]
        chosen = [sets[i] for i in rng.choice(there, size=drawn, replace=False)]
    else:
        seen: dict[tuple[int, ...], None] = {}
        while len(seen) < drawn:
            members = np.sort(rng.choice(players, size=size, replace=False))
            if halves and members[0] != 0:
                members = np.setdiff1d(np.arange(players), members)
            seen[tuple(members.tolist())] = None
        chosen = list(seen)
    masks = np.zeros((drawn, players), dtype=np.bool_)
    masks[np.arange(drawn)[:, None], np.array(chosen)] = True
    return masks


def estimate(pairs: Pairs, values: Floats, complements: Floats, total: float) -> tuple[Floats, Floats]:
    """Shapley values (k,) that add up to ``total``, and their standard errors (k,), 0 where they are exact.

    ``values`` and ``complements`` (m,) are the game's at the pairs, ``total`` its value for all players less
    that for none. Where all pairs were drawn, least squares is exact; else a smooth game is fitted, which on
    captions errs as little as least squares with half as many pairs again.
    """
    if not pairs.unseen.any():
        return solve(pairs, values, complements, total)
    return fit(pairs.coalitions, (values - complements) / 2, total)


def solve(pairs: Pairs, values: Floats, complements: Floats, total: float) -> tuple[Floats, Floats]:
    """Shapley values (k,) that add up to ``total``, and their standard errors (k,).

    ``values`` and ``complements`` (m,) are the game's at the pairs, ``total`` its value for all players less
    that for none. The constraint is held by solving for the distance from equal shares with rows that add
    up to 0. The errors are the heteroscedasticity-consistent ones (HC2, MacKinnon and White, 1985) of the
    regression, made smaller by the share of coalitions that left nothing unseen.
    """
    players = pairs.coalitions.shape[1]
    design = pairs.centred
    shares = pairs.coalitions.mean(axis=1)
    # A pair's half difference: what is even in the game, equal for a set and its complement, moves no value.
    goal = (values - complements - total * (2 * shares - 1)) / 2
    root = np.sqrt(pairs.weights)
    weighted = design * root[:, None]  # (m, k)
    inverse = np.linalg.pinv(weighted, rcond=1e-10)  # (k, m); one singular value is 0 but for rounding
    distance = inverse @ (root * goal)
    residuals = root * goal - weighted @ distance
    slack = 1 - np.einsum("mk,km->m", weighted, inverse)
    spread = np.where(slack > 1e-9, residuals**2 * pairs.unseen / np.maximum(slack, 1e-9), 0.0)
    return total / players + distance, np.sqrt(inverse**2 @ spread)
