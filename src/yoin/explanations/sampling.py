"""Shapley values of many players from some of their coalitions, drawn in pairs.

Sources: Lundberg and Lee (2017), "A unified approach to interpreting model predictions", theorem 2 (the
weighted least squares problem); Covert and Lee (2021), "Improving KernelSHAP" (paired sampling); Musco and
Witter (2025), "Provably accurate Shapley value estimation via leverage score sampling" (as many coalitions
of each size). Which pairs are asked for is planned where they are few; see `yoin.explanations.surrogate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import ceil, comb

import numpy as np

from yoin.explanations.game import Floats, Masks
from yoin.explanations.surrogate import fit, plan

_MAX_REDRAWS = 50
_MOST_PLANNED = 200  # pairs; with more it matters less which
_POOL = 6  # times as many pairs are there to choose from


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

    @classmethod
    def of(cls, coalitions: Masks) -> Pairs:
        """Of coalitions (m, k), as if they were drawn by chance from all of their sizes."""
        players = coalitions.shape[1]
        sizes = coalitions.sum(axis=1)
        sizes = np.minimum(sizes, players - sizes)
        drawn = np.bincount(sizes)[sizes]
        halves = np.where(2 * sizes == players, 2, 1)  # two complementary halves are one pair
        there = np.array([float(comb(players, int(size))) for size in sizes]) / halves
        # The Shapley kernel's mass on all coalitions of this size and of the complements' size.
        mass = (players - 1) / (sizes * (players - sizes)) * 2 / halves
        return cls(coalitions, mass / drawn, 1 - drawn / there)

    def first(self, share: float) -> Pairs:
        """The first ``share``, above 0 and up to 1, of the pairs, rounded up, as if no others had been drawn."""
        return Pairs.of(self.coalitions[: ceil(share * len(self.coalitions))])


def draw_pairs(players: int, count: int, rng: np.random.Generator) -> Pairs:
    """Draw ``count`` different pairs of a coalition and its complement.

    They determine the values of an additive game (``count`` is at least ``players - 1``, and at most the number of
    pairs there are). A small number is a design that tells much of the Shapley values, the first pairs most, with the
    players in random places; of a large one there are as many of each size as can be, in random order.
    """
    if count < sum(_there(players)) and count <= _MOST_PLANNED:
        return Pairs.of(_design(players, count)[:, rng.permutation(players)])
    for _ in range(_MAX_REDRAWS):
        pairs = Pairs.of(rng.permutation(_draw(players, count, rng)))
        if np.linalg.matrix_rank(pairs.centred) == players - 1:
            break
    return pairs


def _there(players: int) -> list[int]:
    """How many pairs there are of each size from 1 on."""
    return [comb(players, size) // (2 if 2 * size == players else 1) for size in range(1, players // 2 + 1)]


@lru_cache(maxsize=64)
def _design(players: int, count: int) -> Masks:
    """The best (count, players) of several times as many."""
    pool = _draw(players, min(_POOL * count, sum(_there(players))), np.random.default_rng(0))
    return pool[plan(pool, count)]


def _draw(players: int, count: int, rng: np.random.Generator) -> Masks:
    """Coalitions (count, players), as many of each size as can be."""
    there = _there(players)
    shares = enumerate(zip(there, _shares(there, count), strict=True), start=1)
    rows = [_draw_size(players, size, all_pairs, drawn, rng) for size, (all_pairs, drawn) in shares if drawn]
    return np.concatenate(rows)


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
    if 2 * drawn > there:
        sets = [members for members in combinations(range(players), size) if not halves or members[0] == 0]
        masks = np.zeros((drawn, players), dtype=np.bool_)
        masks[np.arange(drawn)[:, None], np.array(sets)[rng.choice(there, size=drawn, replace=False)]] = True
        return masks
    masks = np.empty((0, players), dtype=np.bool_)
    while len(masks) < drawn:
        more = rng.random((2 * drawn, players)).argsort(axis=1) < size
        masks = np.concatenate([masks, ~more if halves else more])
        if halves:
            masks = np.where(masks[:, :1], masks, ~masks)
        masks = masks[np.sort(np.unique(np.packbits(masks, axis=1), axis=0, return_index=True)[1])]
    return masks[:drawn]


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
