"""The geometry of the report's two small charts on the model: how training went, and predicted against observed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from yoin.report.charts import Scale, Tick
from yoin.report.trust import EpochSummary, ReliabilityBinSummary

LEFT, RIGHT, TOP, BOTTOM = 40.0, 330.0, 8.0, 172.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its SVG path, and which kind of line it is."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A dot, with the ends of its upright interval."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Plane:
    """A chart with two axes; ticks of the upright one hold their height in ``x``."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]


def training_plane(rounds: Sequence[EpochSummary]) -> Plane | None:
    """Training and inner loss of every fold and seed over the rounds; dots where the kept weights are."""
    known = [loss for one in rounds for loss in (one.train_loss, one.inner_loss) if loss is not None]
    last = max((one.epoch for one in rounds), default=0)
    if not known or not last:
        return None
    across = Scale(0, last, LEFT, RIGHT)
    up = _scale(known)
    lines, dots = [], []
    for key in dict.fromkeys((one.fold, one.seed) for one in rounds):
        own = [one for one in rounds if (one.fold, one.seed) == key]
        for kind, points in (
            ("train", [(one.epoch, one.train_loss) for one in own]),
            ("inner", [(one.epoch, one.inner_loss) for one in own]),
        ):
            drawn = [f"{across(x)} {up(y)}" for x, y in points if y is not None]
            if len(drawn) > 1:
                lines.append(Line("M" + "L".join(drawn), kind))
        heights = [(across(one.epoch), up(one.inner_loss)) for one in own if one.kept and one.inner_loss is not None]
        dots += [Dot(x, y, y, y) for x, y in heights]
    step = max(1, math.ceil(last / 8))
    marks = tuple(Tick(across(epoch), str(epoch)) for epoch in range(0, last + 1, step))
    return Plane(marks, tuple(up.ticks()), tuple(lines), tuple(dots))


def reliability_plane(bins: Sequence[ReliabilityBinSummary]) -> Plane | None:
    """Mean metric, with its 95% interval, against mean prediction; the line is where they are equal."""
    drawn = [
        (one.predicted, one.observed, one.std_error or 0.0)
        for one in bins
        if one.predicted is not None and one.observed is not None
    ]
    if len(drawn) < 3 or max(said for said, *_ in drawn) - min(said for said, *_ in drawn) <= 0:
        return None
    said = [one for one, *_ in drawn]
    seen = [end for _, middle, error in drawn for end in (middle - 1.96 * error, middle + 1.96 * error)]
    across, up = _scale(said, LEFT, RIGHT), _scale([*said, *seen])
    low, high = min(said), max(said)
    dots = tuple(Dot(across(x), up(y), up(y - 1.96 * e), up(y + 1.96 * e)) for x, y, e in drawn)
    diagonal = Line(f"M{across(low)} {up(low)}L{across(high)} {up(high)}", "equal")
    return Plane(tuple(across.ticks()), tuple(up.ticks()), (diagonal,), dots)


def _scale(values: Sequence[float], left: float = BOTTOM, right: float = TOP) -> Scale:
    low, high = min(values), max(values)
    air = 0.04 * (high - low) or max(abs(high), 1.0) * 0.04
    return Scale(low - air, high + air, left, right)
