"""What kind of number a metric is, and on which scale the fine-tuned model learns it.

Only the fine-tuned model works on a scale of its own. The ridges and the trees stay with squared error in the metric's
unit whatever the kind: R² in that unit is what every rung is judged by, the exact left-out errors and the permutation
test need least squares, and a mean that is off at the ends costs them little where effects are small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yoin.errors import UsageError
from yoin.values import MetricKind

MOST_LEVELS = 10  # whole numbers with so few values are grades, not counts
WIDE = 10.0  # so many times the 2.5% quantile is the 97.5% quantile of a metric that is told in times, not in steps
EDGE = 1e-4
MOST = 30.0  # on a log scale: beyond it numbers overflow, and no prediction goes there

WHY = {
    "real": "learned as it is",
    "positive": "learned on the log scale",
    "rate": "learned on the logit scale",
    "count": "learned as a Poisson mean",
    "binary": "learned as a probability",
}


def guess_kind(metric: np.ndarray) -> MetricKind:
    """The kind of a finite metric (n,): binary, rate, count, positive, else real.

    Binary holds 0 and 1 alone. A rate lies from 0 to 1. A count is whole, not below 0, has more than ten values and
    varies more than its mean. What is above 0 and spans an order of magnitude is positive.
    """
    distinct = np.unique(metric)
    if set(distinct.tolist()) <= {0.0, 1.0}:
        return "binary"
    if distinct[0] >= 0 and distinct[-1] <= 1:
        return "rate"
    low, high = np.quantile(metric, [0.025, 0.975])
    wide = distinct[0] > 0 and high >= WIDE * low
    whole = bool(np.all(distinct == np.round(distinct)))
    # Whole prices are told in times too: a count has values so small that the steps of one matter.
    counted = whole and distinct[0] >= 0 and len(distinct) > MOST_LEVELS and np.median(metric) < 1000
    if counted and np.var(metric) > np.mean(metric):
        return "count"
    return "positive" if wide else "real"


def check_kind(metric: np.ndarray, kind: MetricKind) -> None:
    """Refuse a kind that the metric cannot be.

    Raises:
        UsageError: it names the first row that does not fit.
    """
    wrong = {
        "real": np.zeros(len(metric), dtype=bool),
        "positive": metric <= 0,
        "rate": (metric < 0) | (metric > 1),
        "count": metric < 0,
        "binary": (metric != 0) & (metric != 1),
    }[kind]
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"the metric cannot be of the kind {kind}: it holds {metric[row]:g}",
            stage="model",
            row=row + 1,
            remedy="choose another --metric-kind, or leave it out to have it guessed",
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """How a network's output u becomes a prediction: the inverse link of middle + spread · u.

    The output's unit is about one sd of the metric whatever the kind, so that learning rates mean the same. ``smear``
    turns the mean of logarithms into the mean of a positive metric (Duan 1983). ``most`` is the largest prediction of
    a metric without an upper bound.
    """

    kind: MetricKind
    middle: float
    spread: float
    smear: float = 1.0
    most: float = np.inf

    @classmethod
    def of(cls, metric: np.ndarray, weight: np.ndarray, kind: MetricKind) -> Scale:
        """The scale of a training metric (n,)."""
        told = np.log(metric) if kind == "positive" else metric
        mean = float(np.average(told, weights=weight))
        sd = float(np.sqrt(np.average((told - mean) ** 2, weights=weight))) or 1.0
        if kind == "positive":
            return cls(kind, mean, sd, most=2 * float(metric.max()))
        if kind in ("rate", "binary"):
            mean = min(max(mean, EDGE), 1 - EDGE)
            return cls(kind, float(np.log(mean / (1 - mean))), sd / (mean * (1 - mean)))
        if kind == "count":
            mean = max(mean, EDGE)
            return cls(kind, float(np.log(mean)), sd / mean, most=2 * max(float(metric.max()), mean))
        return cls(kind, mean, sd)

    def prediction(self, output: np.ndarray) -> np.ndarray:
        """Predictions in the metric's unit from the network's outputs."""
        linear = self.middle + self.spread * output
        if self.kind == "real":
            return np.asarray(linear)
        if self.kind in ("rate", "binary"):
            return np.asarray(1 / (1 + np.exp(-np.clip(linear, -MOST, MOST))))
        return np.asarray(np.minimum(self.smear * np.exp(np.clip(linear, -np.inf, 700)), self.most))

    def smeared(self, metric: np.ndarray, output: np.ndarray, weight: np.ndarray) -> Scale:
        """This scale with the smearing factor that held-out rows show; of another kind the same."""
        if self.kind != "positive":
            return self
        gap = np.log(metric) - self.middle - self.spread * output
        smear = float(np.average(np.exp(np.clip(gap, -MOST, MOST)), weights=weight))
        return Scale(self.kind, self.middle, self.spread, smear, self.most)
