"""Lifts corrected for what captions get wrong about a concept, by the answers of people who looked at some images.

People answer for a sample of known chances, and the captions are there for every row. For each concept the rows are
cut in two by what their caption says; inside each, the share m of images that show it and how the answers go with the
metric are estimated from the sample, and everything else from all rows. With W the answer and a the inverse chances,
scaled so that they add up to the rows of their side,

    rows with it = Σ m,    sum of their metric = Σ m y + Σ_sample a (W - m) y,

and the corrected lift is the mean metric of the rows with it less that of the others. Nothing is assumed about the
captioner's errors, which may go with the metric. This is design-based supervised learning (Egami, Hinck, Stewart and
Wei, NeurIPS 2023) with the calibrated prediction m, a difference estimator of survey sampling (Särndal, Swensson and
Wretman 1992, chapter 6); prediction-powered inference (Angelopoulos et al., Science 382, 2023) is the same idea.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from yoin.drivers.robust import Floats, Ints
from yoin.drivers.tokens import Bools

FEWEST_ANSWERS = 5  # with yes, with no, and on either side of the captions
FEWEST_GROUPS = 10
_BLIND = 3.0
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Corrected:
    """One concept: the corrected lift with its 95% interval, and how the captions fare against the answers.

    ``yes`` and ``no`` count the answers. ``sensitivity`` is the share of the rows with it whose caption says so,
    ``specificity`` the share of those without it whose caption does not, ``kappa`` Cohen's; all are estimates for all
    rows, NaN where there are too few answers. ``reason`` says why there is no corrected lift, "" where there is one.
    """

    yes: int
    no: int
    sensitivity: float = float("nan")
    specificity: float = float("nan")
    kappa: float = float("nan")
    lift: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    reason: str = ""


def correct(
    y: Floats,
    said: Floats,
    answer: Floats,
    chance: Floats,
    *,
    weight: Floats | None = None,
    units: Ints | None = None,
    min_rows: int = 20,
) -> Corrected:
    """The lift of one concept, corrected by the answers.

    Args:
        y: the metric, shape (rows,).
        said: 1 where the caption says it, else 0, shape (rows,).
        answer: 1 for yes, 0 for no, NaN where nobody answered, shape (rows,).
        chance: the chance with which the row came into the sample, above 0 and up to 1; read where there is an answer.
        weight: positive, shape (rows,); None for equal weights.
        units: numbers of the clusters (which keep together what was sampled together); None for independent rows.
        min_rows: the least rows that show it by the estimate, and that do not.

    Returns:
        The correction; a side of the captions of which a few answers are blank counts as if these were so by chance.
    """
    w = np.ones(len(y)) if weight is None else weight
    asked = np.isfinite(answer)
    yes, no = int((answer == 1).sum()), int((answer == 0).sum())
    sides = [said == side for side in (0.0, 1.0)]
    if min(yes, no) < FEWEST_ANSWERS:
        which = "yes" if yes <= no else "no"
        return Corrected(yes, no, reason=f"only {min(yes, no)} answers are {which}")
    if units is not None and len(np.unique(units[asked])) < FEWEST_GROUPS:
        return Corrected(yes, no, reason="the answers are for too few independent groups")
    for side, word in zip(sides, ("do not name it", "name it"), strict=True):
        if side.any() and (side & asked).sum() < FEWEST_ANSWERS:
            return Corrected(yes, no, reason=f"only {(side & asked).sum()} answers are for captions that {word}")

    share = np.zeros(len(y))  # m
    scaled = np.zeros(len(y))  # a, times the weight
    for side in sides:
        here = side & asked
        if side.any():
            raw = w[here] / chance[here]
            scaled[here] = raw * (w[side].sum() / raw.sum())
            share[side] = float(scaled[here] @ answer[here]) / w[side].sum()
    miss = np.where(asked, answer - share, 0.0)
    total, with_it = float(w.sum()), float(w @ share)
    rate = with_it / total
    fewer, what = min((rate, "show it"), (1 - rate, "do not show it"))
    if fewer * len(y) < min_rows:
        return Corrected(yes, no, reason=f"only about {fewer * len(y):.0f} rows {what}")
    sum_with = float((w * share) @ y + (scaled * miss) @ y)
    mean_with, mean_without = sum_with / with_it, (float(w @ y) - sum_with) / (total - with_it)
    error = _error(y, share, scaled, miss, sides, (mean_with, mean_without, rate), w, units)
    labelled = int(asked.sum()) if units is None else len(np.unique(units[asked]))
    margin = float(t.ppf(0.975, labelled - 2)) * error
    named = float(w @ (said * share))
    sensitivity = named / with_it
    specificity = float(w @ ((1 - said) * (1 - share))) / (total - with_it)
    says = float(w @ said) / total
    chance_agrees = rate * says + (1 - rate) * (1 - says)
    agrees = rate * sensitivity + (1 - rate) * specificity
    return Corrected(
        yes,
        no,
        sensitivity=min(sensitivity, 1.0),  # but for rounding
        specificity=min(specificity, 1.0),
        kappa=(agrees - chance_agrees) / (1 - chance_agrees),
        lift=mean_with - mean_without,
        low=mean_with - mean_without - margin,
        high=mean_with - mean_without + margin,
    )


def _error(
    y: Floats,
    share: Floats,
    scaled: Floats,
    miss: Floats,
    sides: Sequence[Bools],
    means: tuple[float, float, float],
    w: Floats,
    units: Ints | None,
) -> float:
    """The corrected lift's standard error: robust, from the influence of each row, the labelled ones as in a jackknife.

    Most of it hangs on the few answers that contradict captions, too few to tell how large it is where the metric is
    skewed. So each side's part is drawn towards what it would be if errors were blind to the metric, for which every
    row of the side tells: as if `_BLIND` further answers that contradict said so.
    """
    with_it, without, rate = means
    gain = (y - with_it) / rate + (y - without) / (1 - rate)  # what a row more with it does to the lift
    influence = w * (share * (y - with_it) / rate - (1 - share) * (y - without) / (1 - rate))
    drawn = 0.0
    for side in sides:
        here = side & (scaled > 0)
        if not here.any():
            continue
        lever = scaled[here] / w[side].sum()
        level = gain[here] - lever @ gain[here] + float(np.average(gain[side], weights=w[side]))
        tilt = float(lever @ (miss[here] * level))  # how the answers go with the metric, beyond their share
        left = scaled[here] / np.maximum(1 - lever, _TINY)
        own = left * (miss[here] * level - tilt)
        influence[side] += w[side] * tilt
        influence[here] += own
        m, contradict = float(share[side][0]), min((miss[here] > 0).sum(), (miss[here] < 0).sum())
        blind = m * (1 - m) * float(np.average(gain[side] ** 2, weights=w[side])) * float(left @ left)
        drawn += _BLIND / (contradict + _BLIND) * (blind - float(own @ own))
    squares = (influence if units is None else np.bincount(units, influence)) ** 2
    total = float(squares.sum())
    total = max(total + drawn, total / 2)  # what rows of a cluster share may be negative, and is not drawn
    return float(np.sqrt(total * len(squares) / (len(squares) - 1))) / float(w.sum())
