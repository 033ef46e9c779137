"""Small p that are right for skewed metrics too.

Student's t trusts the far tail of a distribution that it does not know: with an exponential metric and 30 of 300
captions, p = 0.001 is really about 0.002, and among many concepts the smallest p decide. The metric's residuals are
therefore permuted (Freedman and Lane, Journal of Business & Economic Statistics 1, 1983), and the same studentised
statistic taken, which is exact where rows are exchangeable and right in large samples where variances differ
(Janssen, Statistics & Probability Letters 36, 1997). Where the permutations are too few for so small a p, their tail
is continued.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import t

from yoin.drivers.effects import Shared
from yoin.drivers.robust import Estimates, Floats, Ints, Regression

LOOK = 0.2  # larger p stay as they are
TAIL = 0.05  # share of the permutations that the tail is learned from
ENOUGH = 10  # permutations beyond the statistic, with which their share is p
MOST, FEWEST = 9999, 999
_CELLS = 10_000_000  # rows times permutations
_BLOCK, _NEAR, _AT_ONCE = 1_000_000, 100_000, 128  # of them at a time: at most, what a processor keeps near; columns


def calibrated(shared: Shared, estimates: Estimates, p: Floats, seed: int) -> Floats:
    """``p`` with its small entries replaced by those of studentised permutations.

    Args:
        shared: the rows, as the estimates were made of them; with clusters nothing is changed.
        estimates: whose p these are.
        p: two-sided, by Student's t, NaN where there is none, shape (concepts,).
        seed: of the permutations.
    """
    found = p.copy()
    places = np.flatnonzero((p < LOOK) & (p > 0))
    if shared.clusters is not None or not len(places):
        return found
    statistics = _Statistics(shared, places)
    times = int(np.clip(_CELLS // len(shared.y), FEWEST, MOST))
    random = np.random.default_rng(seed)
    # In the metric's own unit, in which errors are exchangeable; `root` weighs them.
    residual = shared.metric() / shared.root
    drawn = np.empty((len(places), times), dtype=np.float32)
    rows = len(residual)
    step = max(1, min(_BLOCK // rows, max(_NEAR // rows, _AT_ONCE)))
    for start in range(0, times, step):
        count = min(step, times - start)
        shuffled = random.permuted(np.tile(residual, (count, 1)), axis=1).T
        drawn[:, start : start + count] = statistics.of(shuffled * shared.root[:, None])
    observed = np.abs(estimates.value[places]) / estimates.error[places]
    for row, place in enumerate(places):
        found[place] = _tail(drawn[row].astype(np.float64), float(observed[row]), float(estimates.df[place]))
    return found


class _Statistics:
    """|t| of each concept for many metrics at once; the numbers that need no metric are made once."""

    def __init__(self, shared: Shared, places: Ints) -> None:
        self.basis = shared.basis
        z = shared.concepts(places)
        z = z / np.linalg.norm(z, axis=0)
        regression = Regression(shared.basis, shared.one_each(), shared.weight)
        squared = np.column_stack([regression.corrected(column) for column in z.T]) ** 2
        self.z, self.squared, self.crossed = z.T, squared.T, (squared * z).T
        self.own = np.sum(squared * z * z, axis=0)[:, None]

    def of(self, metrics: Floats) -> Floats:
        """Shape (concepts, metrics); 0 where the metric has no spread left. ``metrics`` is (rows, metrics)."""
        net = metrics - self.basis @ (
            self.basis.T @ metrics
        )  # once: these metrics have no large mean to lose digits to
        slope = self.z @ net
        variance = self.squared @ net**2 - 2.0 * slope * (self.crossed @ net) + slope**2 * self.own
        floor = 1e-20 * np.sum(net**2, axis=0)
        error = np.sqrt(np.maximum(variance, floor))
        return np.asarray(np.divide(np.abs(slope), error, out=np.zeros_like(slope), where=variance > floor))


def _tail(drawn: Floats, observed: float, df: float) -> float:
    """The chance of a statistic as large as ``observed`` where ``drawn`` are as likely.

    On the scale of -log p a tail that Student's t knows is exponential with mean 1, and one that it underrates is
    nearly exponential with a larger mean: that mean continues it.
    """
    beyond = int(np.sum(drawn >= observed * (1 - 1e-6)))
    if beyond >= ENOUGH:
        return (1 + beyond) / (1 + len(drawn))
    count = int(TAIL * len(drawn))
    top = -t.logsf(np.sort(drawn)[-count - 1 :], df)
    excess = float(np.mean(top[1:] - top[0]))
    beyond_start = max(float(-t.logsf(observed, df)) - top[0], 0.0)
    return float(count / len(drawn) * np.exp(-beyond_start / excess)) if excess > 0 else (1 + beyond) / (1 + len(drawn))
