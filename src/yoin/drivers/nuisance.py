"""What the other columns say about the metric and about every concept, predicted for rows that were not looked at.

This is the first half of double machine learning (Chernozhukov et al., Econometrics Journal 21, 2018): the metric's and
the concepts' expected values given the other columns, cross-fitted. The folds, the columns' encoding and one
decomposition a fold serve the metric and all concepts together; each has its own penalty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from yoin.drivers.robust import Floats, Ints
from yoin.drivers.tokens import Bools
from yoin.features import FeatureEncoder

FOLDS = 5
STEPS = 100  # thresholds of a numeric column: an effect may jump where splines are smooth, and between coarse ones
FEW_STEPS = 15  # those that are multiplied by other columns
PRODUCTS = 400  # columns that say how one column's effect hangs on another's value, at most
# Penalties relative to a column's mean squared length; the last one predicts the mean.
PENALTIES = np.append(10.0 ** np.arange(-4.0, 3.1), np.inf)
LIGHTER = 1  # steps of the grid by which the penalty is lighter than the one that predicts best


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of each target, and how much of it comes from which row's metric.

    ``values`` has shape (rows, targets), the metric first. In every fold the metric's expected values are a linear
    function of the other folds' metric once the penalty is chosen; ``folds`` holds it.
    """

    values: Floats
    folds: tuple[_Origin, ...] = ()

    def handed_on(self, columns: Floats) -> Floats:
        """By how much the sum of ``columns`` times the metric's expected values grows with each row's metric.

        With H the matrix that makes the metric its expected values this is H' times ``columns``, shape (rows, columns).
        """
        found = np.zeros_like(columns)
        for fold in self.folds:
            found[~fold.held] += fold.back(columns[fold.held])
        return found


@dataclass(frozen=True, slots=True)
class _Origin:
    """Of one fold: the held-out rows in the directions of the ridge, and how the other rows' metric makes these."""

    held: Bools
    other: Floats  # (held-out rows, directions), each direction shrunk
    turn: Floats  # (columns of the design, directions)
    train: NDArray[np.float32]  # (other rows, columns of the design)
    root: Floats  # (other rows,)

    def back(self, columns: Floats) -> Floats:
        through = self.train @ (self.turn @ (self.other.T @ columns)).astype(np.float32)
        mean = self.root / (self.root @ self.root)
        return np.asarray(self.root[:, None] * (through + mean[:, None] * columns.sum(axis=0)))


def cross_fitted(
    columns: pd.DataFrame, targets: Floats, weight: Floats | None, clusters: Ints | None, seed: int
) -> Expected:
    """The expected value of each target given ``columns``, by models that saw no row of its fold.

    A ridge on splines, thresholds, levels and items of the columns, with or without products of two columns. Which of
    the two, and the penalty, is chosen for each target by the error on the other folds. The penalty used is a tenth of
    the one that predicts best: what is left of a confounder is a false driver, a little noise only widens the interval.

    Args:
        columns: the other columns, any kinds, shape (rows, columns).
        targets: the metric and the concepts, shape (rows, targets).
        weight: positive, shape (rows,); None for equal weights.
        clusters: numbers of the clusters, which no fold parts; None for independent rows.
        seed: of the folds.

    Returns:
        Values of shape (rows, targets); with fewer than two clusters the mean of each target.
    """
    w = np.ones(len(targets)) if weight is None else weight
    fold = _folds(len(targets), clusters, seed)
    expected = np.tile(np.average(targets, axis=0, weights=w), (len(targets), 1))
    if fold.max() == 0:
        return Expected(expected)
    origins = []
    fits = [_Fold(columns, targets, w, fold == number) for number in range(int(fold.max()) + 1)]
    errors = np.stack([fit.errors() for fit in fits])  # (folds, candidates, targets)
    for number, fit in enumerate(fits):
        rest = errors.sum(axis=0) - errors[number]
        # Of candidates that predict alike the plainer: the last one.
        best = len(rest) - 1 - np.argmin(rest[::-1], axis=0)
        place = best % len(PENALTIES)
        best -= np.where(place < len(PENALTIES) - 1, np.minimum(place, LIGHTER), 0)
        expected[fold == number] = fit.predict(best)
        origins.append(fit.origin(int(best[0])))
    return Expected(expected, tuple(origins))


def _folds(rows: int, clusters: Ints | None, seed: int) -> Ints:
    """The fold of each row; clusters whole, the largest first, each to the smallest fold."""
    random = np.random.default_rng(seed)
    if clusters is None:
        return np.asarray(random.permutation(np.arange(rows) % FOLDS), dtype=np.int64)
    size = np.bincount(clusters)
    shuffled = random.permutation(len(size))
    filled = np.zeros(min(FOLDS, len(size)))
    home = np.empty(len(size), dtype=np.int64)
    for cluster in shuffled[np.argsort(-size[shuffled], kind="stable")]:
        home[cluster] = int(np.argmin(filled))
        filled[home[cluster]] += size[cluster]
    return home[clusters]


class _Fold:
    """One fold's models: every target, with and without products, under every penalty."""

    def __init__(self, columns: pd.DataFrame, targets: Floats, weight: Floats, held: Bools) -> None:
        self.held, self.root = held, np.sqrt(weight[~held])
        self.middle = np.average(targets[~held], axis=0, weights=weight[~held])
        self.outcome, self.weight = targets[held] - self.middle, weight[held]
        centred = self.root[:, None] * (targets[~held] - self.middle)
        # With products first, so that of equals the plainer comes last.
        self.designs = [
            _Decomposed(train, other, self.root, centred) for train, other in _designs(columns[~held], columns[held])
        ]

    def errors(self) -> Floats:
        """The held-out squared error of each candidate and target, shape (candidates, targets)."""
        return np.stack([self.weight @ (self.outcome - guess) ** 2 for guess in self._guesses()])

    def predict(self, best: Ints) -> Floats:
        """Predictions of the held-out rows with the candidate chosen for each target, shape (rows, targets)."""
        found = np.tile(self.middle, (len(self.outcome), 1))
        design, penalty = best // len(PENALTIES), PENALTIES[best % len(PENALTIES)]
        for number, decomposed in enumerate(self.designs):
            mine = design == number
            found[:, mine] += decomposed.guess(penalty[mine], mine)
        return found

    def origin(self, candidate: int) -> _Origin:
        """Where a target's predictions come from under the candidate chosen for it."""
        design = self.designs[candidate // len(PENALTIES)]
        shrunk = design.other / (design.rows * (design.squares + PENALTIES[candidate % len(PENALTIES)]))
        return _Origin(self.held, shrunk, design.vectors, design.train, self.root)

    def _guesses(self) -> Iterator[Floats]:
        for design in self.designs:
            for penalty in PENALTIES:
                yield design.guess(penalty)


class _Decomposed:
    """A ridge in the directions of its design: one decomposition for all penalties and targets."""

    def __init__(self, train: Floats, other: Floats, root: Floats, centred: Floats) -> None:
        share = root**2 / (root @ root)
        mean = share @ train
        spread = np.sqrt(share @ (train - mean) ** 2)
        spread[spread == 0] = 1.0
        x = root[:, None] * (train - mean) / spread
        x -= root[:, None] * (root @ x) / (root @ root)
        squares, vectors = np.linalg.eigh(x.T @ x)
        kept = squares > 1e-12 * squares.max(initial=0.0)
        self.vectors, self.train = vectors[:, kept], x.astype(np.float32)  # half the memory, and digits enough
        self.scores = self.vectors.T @ (x.T @ centred)
        self.squares = squares[kept] / len(train)
        self.rows = len(train)
        self.other = ((other - mean) / spread) @ self.vectors

    def guess(self, penalty: float | Floats, targets: Bools | slice = slice(None)) -> Floats:
        """What ``targets`` are above their means, shape (held-out rows, targets); ``penalty`` is one or one each."""
        shrunk = self.scores[:, targets] / (self.rows * (self.squares[:, None] + penalty))
        return np.asarray(self.other @ shrunk)


def _designs(train: pd.DataFrame, other: pd.DataFrame) -> list[tuple[Floats, Floats]]:
    """The columns as numbers for training and held-out rows: with products, where there are any, and without."""
    encoder = FeatureEncoder().fit(train)
    sides = (encoder.transform(train), encoder.transform(other))
    names = encoder.names
    lines = [place for place, name in enumerate(names) if encoder.kinds.get(name) in ("number", "date")]
    plain = [np.hstack([side, _steps(sides[0], side, lines, STEPS)]) for side in sides]
    # What is multiplied: a few thresholds of each number, and the levels and items of the others.
    levels = [place for place, name in enumerate(names) if "~" not in name and place not in lines]
    factors = [np.hstack([_steps(sides[0], side, lines, FEW_STEPS), side[:, levels]]) for side in sides]
    owner = [place for place in lines for _ in _thresholds(sides[0][:, place], FEW_STEPS)]
    owner += [-1 - _table_column(names[place], encoder) for place in levels]
    varying = factors[0].var(axis=0)
    pairs = [(a, b) for a, b in combinations(range(len(owner)), 2) if owner[a] != owner[b]]
    pairs = sorted(pairs, key=lambda pair: -varying[pair[0]] * varying[pair[1]])[:PRODUCTS]
    if not pairs:
        return [(plain[0], plain[1])]
    a, b = np.array(pairs).T
    whole = [np.hstack([grown, side[:, a] * side[:, b]]) for grown, side in zip(plain, factors, strict=True)]
    return [(whole[0], whole[1]), (plain[0], plain[1])]


def _table_column(name: str, encoder: FeatureEncoder) -> int:
    """The number of the table's column from which the encoder made ``name``."""
    known = list(encoder.kinds)
    return known.index(max((column for column in known if name.startswith(column)), key=len))


def _thresholds(values: Floats, count: int) -> Floats:
    return np.unique(np.quantile(values, np.linspace(0, 1, count + 2)[1:-1]))


def _steps(train: Floats, side: Floats, places: list[int], count: int) -> Floats:
    """Whether ``side`` is above each of the thresholds that part ``train`` evenly, for the columns ``places``."""
    above = [(side[:, at, None] > _thresholds(train[:, at], count)).astype(np.float64) for at in places]
    return np.hstack([np.empty((len(side), 0)), *above])
