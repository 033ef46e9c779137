"""Shapley values of many players from some pairs of coalitions, by a smooth game that passes near what was seen.

A pair of a coalition and its complement tells the odd part of a game, and Shapley values depend on nothing else
(Covert and Lee, 2021): every interaction of two players is in the even part. What is left of a text model's odd
part is mostly additive, with some interactions of three players and a rest; and as texts are read by the mean over
their tokens, some of it is a mean: a player adds more to few others than to many. So it is taken for a draw from a
Gaussian process with just these parts (Rasmussen and Williams, 2006, chapters 2 and 5): over the signs z of a
coalition, +1 in and -1 out, of k players, and the odd part x of the shares that its members have in its mean, where
they are never alone (a text's first and last token stay), it has the covariance

    c(z, z') = (z·z')/k + mean (x·x')/s + cubic (z·z')³/k³ + rest [z = z']

times a scale, where s is the mean of x·x over the coalitions seen. The Shapley values of its mean given the pairs are
in closed form, and so is their spread. The full coalition is held to have no rest, so that the values add up exactly.
With little data the values lean towards equal shares less than least squares leans towards noise; with more they come
to the same.

How sure the values will be hangs on which coalitions are seen, not on what is seen there. So those to ask for can be
chosen beforehand, one after the other, each such that the values' variances fall the most.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from yoin.explanations.game import Floats, Masks

# Shares of the parts that are tried, beside the additive one's 1; the likeliest are taken.
MEAN = (0.0, 1.0, 3.0, 10.0)
CUBIC = (0.0, 0.03, 0.1, 0.3)
REST = (1e-9, 0.02, 0.05, 0.1, 0.2)
_CHOICES = np.array(list(itertools.product(MEAN, CUBIC, REST)))
_USUAL = (3.0, 0.1, 0.05)  # of mean, cubic part and rest: what captions mostly take
_JITTER = 1e-10
_FAR = 1e30  # a variance that no data reach
_CHOSEN_BY = 200  # of many pairs so many are enough to choose by
_ADDITIVE = 1e-9  # of the spread: what is left where a game is additive but for rounding


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
    seen = seen / scale
    choice = process.likeliest(seen[some])
    if len(some) <= count:
        process = _Process.over(signs)
    values, errors = process.posterior(choice, seen)
    values *= scale
    return values + (total - values.sum()) / players, errors * scale


def plan(coalitions: Masks, count: int) -> NDArray[np.intp]:
    """Which ``count`` of coalitions (m, k), each with its complement, tell most of the Shapley values: the best first.

    After each of them the next is the one after which the variances of the values add up to the least, for a process
    as captions usually have it; what all players give is known.
    """
    signs = np.vstack([np.where(coalitions, 1.0, -1.0), np.ones(coalitions.shape[1])])
    process, weights = _Process.over(signs), np.array([1.0, *_USUAL[:2]])
    noise = np.append(np.full(len(coalitions), _USUAL[2]), _JITTER)
    likeness = np.tensordot(weights, process.likeness, 1)  # (m + 1, m + 1)
    left = np.diag(likeness) + noise  # variance of each coalition's value given those chosen
    shared = np.tensordot(weights, process.projected, 1)  # (m + 1, k), its covariance with the Shapley values, likewise
    factor = np.empty((count + 1, len(signs)))  # rows of the pivoted Cholesky factor
    chosen = np.full(count + 1, len(coalitions))
    for step in range(count + 1):
        if step:
            gains = np.square(shared).sum(axis=1) / np.maximum(left, _JITTER)
            gains[chosen[:step]] = -1.0
            chosen[step] = gains.argmax()
        pivot = chosen[step]
        root = np.sqrt(max(float(left[pivot]), _JITTER))
        row = (likeness[pivot] - factor[:step, pivot] @ factor[:step]) / root
        row[pivot] = root
        factor[step] = row
        left = left - row**2
        shared = shared - np.outer(row, shared[pivot] / root)
    return chosen[1:]


@dataclass(frozen=True, slots=True)
class _Process:
    """What each part says of coalitions (n, k): the additive one, the mean and the cubic one, in this order.

    ``likeness`` (3, n, n) is the parts' covariance, ``projected`` (3, n, k) that of the coalitions with the Shapley
    values of a part, ``spread`` (3,) the variance of such a value before anything is seen.
    """

    likeness: Floats
    projected: Floats
    spread: Floats

    @classmethod
    def over(cls, signs: Floats) -> _Process:
        """Of the coalitions ``signs``, the last of them all players.

        The Shapley value of the product of three signs is 2/3 for each. Of one player's share in the mean,
        1/(|S| + 1) in a coalition S with it and 0 else, it is H/k for the player, where H is 1/2 + ... + 1/(k + 1), and
        for the others what is then left of 1/(k + 1), the same for each.
        """
        players = signs.shape[1]
        additive = signs @ signs.T / players
        others = signs.sum(axis=1, keepdims=True) - signs
        triples = 2 * signs * (others**2 - (players - 1))
        members, outside = signs > 0, signs < 0
        shares = members / (members.sum(axis=1, keepdims=True) + 1) - outside / (outside.sum(axis=1, keepdims=True) + 1)
        shares /= 2
        size = np.square(shares[:-1]).sum(axis=1).mean()
        own = float((1 / np.arange(2, players + 2)).mean())
        other = (1 / (players + 1) - own) / (players - 1)
        values = other * shares.sum(axis=1, keepdims=True) + (own - other) * shares
        cubic = (2 * (3 * players - 2) * signs + triples) / players**3
        cubic_spread = (4 * (3 * players - 2) + (8 / 3) * comb(players - 1, 2)) / players**3
        return cls(
            likeness=np.stack([additive, shares @ shares.T / size, additive**3]),
            projected=np.stack([2 * signs / players, values / size, cubic]),
            spread=np.array([4 / players, (own**2 + (players - 1) * other**2) / size, cubic_spread]),
        )

    def likeliest(self, seen: Floats) -> Floats:
        """The shares of mean, cubic part and rest, of those that are tried, under which ``seen`` (n,) is likeliest."""
        count = len(seen)
        bordered = np.empty((len(_CHOICES), count + 1, count + 1))
        bordered[:, :count, :count] = self._covariances(_CHOICES)
        bordered[:, count, :count] = bordered[:, :count, count] = seen
        bordered[:, count, count] = _FAR  # so that this row of the triangle is what the others make of seen
        factors = np.linalg.cholesky(bordered)
        scales = np.square(factors[:, count, :count]).mean(axis=1)  # of the process, at its likeliest
        logs = np.log(np.diagonal(factors, axis1=1, axis2=2)[:, :count]).sum(axis=1)
        choice: Floats = _CHOICES[(count / 2 * np.log(np.maximum(scales, 1e-300)) + logs).argmin()]
        return choice

    def posterior(self, parts: Floats, seen: Floats) -> tuple[Floats, Floats]:
        """The Shapley values (k,) given ``seen`` (n,), and their standard errors (k,)."""
        weights = np.append(1.0, parts[:2])
        told = np.column_stack([seen, np.tensordot(weights, self.projected, 1)])
        factor = np.linalg.cholesky(self._covariances(parts[None])[0])
        told = solve_triangular(factor, told, lower=True, check_finite=False)
        white, projected = told[:, 0], told[:, 1:]
        scale = float(white @ white) / len(seen)
        variances = np.maximum(weights @ self.spread - np.einsum("nk,nk->k", projected, projected), 0.0)
        return projected.T @ white, np.sqrt(scale * variances)

    def _covariances(self, parts: Floats) -> Floats:
        """(c, n, n) for some shares (c, 3) of mean, cubic part and rest."""
        covariances: Floats = np.tensordot(np.insert(parts[:, :2], 0, 1.0, axis=1), self.likeness, 1)
        rest = np.repeat(parts[:, 2:] + _JITTER, covariances.shape[1], axis=1)
        rest[:, -1] = _JITTER  # all players: to be met exactly
        np.einsum("cnn->cn", covariances)[...] += rest
        return covariances
