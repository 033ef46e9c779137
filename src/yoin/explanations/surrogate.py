"""Shapley values of many players from some pairs of coalitions, by a smooth game that passes near what was seen.

A pair of a coalition and its complement tells the odd part of a game, and Shapley values depend on nothing else
(Covert and Lee, 2021): every interaction of two players is in the even part. What is left of a text model's odd
part is mostly additive, with some interactions of three players and a rest. So it is taken for a draw from a
Gaussian process with just these parts (Rasmussen and Williams, 2006, chapters 2 and 5): over the signs z of a
coalition, +1 in and -1 out, of k players, it has the covariance

    c(z, z') = (z·z')/k + cubic (z·z')³/k³ + rest [z = z']

times a scale. The Shapley values of its mean given the pairs are in closed form, and so is their spread. The full
coalition is held to have no rest, so that the values add up exactly. With little data the values lean towards equal
shares less than least squares leans towards noise; with more they come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from yoin.explanations.game import Floats, Masks

# Shares of the cubic part and of the rest that are tried; the likeliest pair is taken.
CUBIC = (0.0, 0.03, 0.1, 0.3)
REST = (1e-9, 0.02, 0.05, 0.1, 0.2)
_JITTER = 1e-10
_CHOSEN_BY = 200  # of many pairs so many are enough to choose by
_ADDITIVE = 1e-9  # of the spread: what is left where a game is additive but for rounding


@dataclass(frozen=True, slots=True)
class _Fit:
    values: Floats
    errors: Floats
    unlikelihood: float


def fit(coalitions: Masks, halves: Floats, total: float) -> tuple[Floats, Floats]:
    """Shapley values (k,) that add up to ``total``, and their standard errors (k,), for k ≥ 2 players.

    Args:
        coalitions: (m, k), no two of them complements of each other.
        halves: (m,) half the game's value of each less that of its complement.
        total: the game's value for all players less that for none.
    """
    count, players = coalitions.shape
    signs = np.vstack([np.where(coalitions, 1.0, -1.0), np.ones(players)])  # (m + 1, k); the last is all players
    seen = np.append(halves, total / 2)
    additive, *_ = np.linalg.lstsq(signs, seen, rcond=None)
    scale = float(np.abs(seen).max())
    if not scale:
        return np.zeros(players), np.zeros(players)
    if np.abs(signs @ additive - seen).max() <= _ADDITIVE * scale and np.linalg.matrix_rank(signs) == players:
        return 2 * additive, np.zeros(players)  # f(z) = additive · z; joining moves z by 2
    some = np.unique(np.linspace(0, count, min(count + 1, _CHOSEN_BY)).round().astype(int))  # all players among them
    process = _Process.over(signs[some])
    choices = [(cubic, rest) for cubic in CUBIC for rest in REST]
    fits = [_posterior(process, cubic, rest, seen[some] / scale) for cubic, rest in choices]
    place = min(range(len(fits)), key=lambda number: fits[number].unlikelihood)
    best = fits[place]
    if len(some) <= count:
        best = _posterior(_Process.over(signs), *choices[place], seen / scale)
    values = best.values * scale
    return values + (total - values.sum()) / players, best.errors * scale


@dataclass(frozen=True, slots=True)
class _Process:
    """What the linear and the cubic part say of coalitions (n, k) as ``signs``.

    ``likeness`` (n, n) is z·z'/k. ``linear`` and ``cubic`` (n, k) are the Shapley values of each part's covariance
    with a coalition, ``linear_spread`` and ``cubic_spread`` their variances before anything is seen.
    """

    likeness: Floats
    linear: Floats
    cubic: Floats
    linear_spread: float
    cubic_spread: float

    @classmethod
    def over(cls, signs: Floats) -> _Process:
        """Of the coalitions ``signs``; the Shapley value of the product of three signs is 2/3 for each."""
        players = signs.shape[1]
        others = signs.sum(axis=1, keepdims=True) - signs
        triples = 2 * signs * (others**2 - (players - 1))
        return cls(
            likeness=signs @ signs.T / players,
            linear=2 * signs / players,
            cubic=(2 * (3 * players - 2) * signs + triples) / players**3,
            linear_spread=4 / players,
            cubic_spread=(4 * (3 * players - 2) + (8 / 3) * comb(players - 1, 2)) / players**3,
        )


def _posterior(process: _Process, cubic: float, rest: float, seen: Floats) -> _Fit:
    """The Shapley values given ``seen`` (n,), their standard errors, and minus the log marginal likelihood."""
    noise = np.full(len(seen), rest + _JITTER)
    noise[-1] = _JITTER  # all players: to be met exactly
    factor = np.linalg.cholesky(process.likeness + cubic * process.likeness**3 + np.diag(noise))
    inverse = np.linalg.inv(factor)
    white, projected = inverse @ seen, inverse @ (process.linear + cubic * process.cubic)
    scale = float(white @ white) / len(seen)  # of the process, at its likeliest
    before = process.linear_spread + cubic * process.cubic_spread
    variances = np.maximum(before - np.einsum("nk,nk->k", projected, projected), 0.0)
    unlikelihood = 0.5 * len(seen) * np.log(max(scale, 1e-300)) + float(np.log(np.diag(factor)).sum())
    return _Fit(projected.T @ white, np.sqrt(scale * variances), unlikelihood)
