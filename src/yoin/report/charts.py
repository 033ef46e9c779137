"""The geometry of the report's charts: numbers to pixels. The templates draw what is computed here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from yoin.report.explained import DeletionSummary
from yoin.report.summary import Bin, ModelSummary


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its place in pixels and what is written there."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from [low, high] to [left, right] in pixels; values beyond the ends stick to them."""

    low: float
    high: float
    left: float
    right: float

    def __call__(self, value: float) -> float:
        """The position of ``value``, rounded to a tenth of a pixel."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.left + share * (self.right - self.left), 1)

    def ticks(self, about: int = 4) -> list[Tick]:
        """Round values inside the range, near ``about`` of them, one, two or five times a power of ten apart."""
        raw = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(raw))
        # The coarsest step near the wanted number that still leaves two ticks: zero alone is no axis.
        wanted = next(times for times in (1, 2, 5, 10) if times * power >= raw * 0.999999)
        for step in (times * power for times in (10, 5, 2, 1, 0.5) if times <= wanted):
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            if last > first:
                break
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [
            Tick(self(number * step), f"{number * step:.{decimals}f}".replace("-", "−"))
            for number in range(first, last + 1)
        ]


def scale_over(values: Iterable[float | None], *, left: float, right: float, floor: float = 1e-12) -> Scale:
    """A scale that holds zero and every finite value, with 4% air at both ends.

    Args:
        values: what must fit; ``None`` and what is not finite are passed over.
        left: the left end in pixels.
        right: the right end in pixels.
        floor: the least distance between the ends, in the unit of the values.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = max(high - low, floor)
    if low < 0 == high:
        low = -span
    else:
        high = low + span
    return Scale(low - 0.04 * span, high + 0.04 * span, left, right)


@dataclass(frozen=True, slots=True)
class Interval:
    """A dot with its interval, in pixels; an end that the scale cut off is drawn as an arrow."""

    low: float
    middle: float
    high: float
    cut_low: bool
    cut_high: bool


def interval(scale: Scale, middle: float | None, low: float | None, high: float | None) -> Interval | None:
    """Where the dot and its interval stand; ``None`` without a middle. Without ends only the dot is left."""
    if middle is None or not math.isfinite(middle):
        return None
    ends = [middle if end is None or math.isnan(end) else end for end in (low, high)]
    return Interval(
        low=scale(ends[0]),
        middle=scale(middle),
        high=scale(ends[1]),
        cut_low=ends[0] < scale.low,
        cut_high=ends[1] > scale.high,
    )


def robust_scale(middles: Sequence[float | None], ends: Sequence[float | None], *, left: float, right: float) -> Scale:
    """A scale for many lifts: it holds zero and every dot, and interval ends up to twice the largest dot.

    One concept with little support has an interval wide enough to press all others together; its ends are
    cut instead, and marked.
    """
    known = [abs(value) for value in middles if value is not None and math.isfinite(value)]
    reach = 2 * max(known, default=0.0)
    kept = [min(max(end, -reach), reach) for end in ends if end is not None and math.isfinite(end)]
    return scale_over([*middles, *kept], left=left, right=right)


@dataclass(frozen=True, slots=True)
class LadderRow:
    """One rung's line of the ladder chart; ``y`` is the line's height in pixels."""

    model: ModelSummary
    y: float
    mark: Interval | None


@dataclass(frozen=True, slots=True)
class LadderChart:
    """R² of every rung as a dot with its interval, on one axis."""

    width: float
    height: float
    top: float
    bottom: float
    zero: float
    ticks: tuple[Tick, ...]
    rows: tuple[LadderRow, ...]


def ladder_chart(models: Sequence[ModelSummary], *, width: float = 460, line: float = 42) -> LadderChart:
    """Lay the rungs out from top to bottom; the label of each stands above its line."""
    middles = [model.r2 for model in models]
    # A rung that fell apart (R² of -3) must not flatten the rest: below -0.2 of the best the scale ends.
    reach = max([0.02, *(abs(value) for value in middles if value is not None and value > 0)])
    ends = [end for model in models for end in (model.r2_low, model.r2_high)]
    kept = [max(value, -reach) for value in [*middles, *ends] if value is not None]
    scale = scale_over(kept, left=8, right=width - 8, floor=0.02)
    top, bottom = 6.0, 6 + line * len(models)
    rows = tuple(
        LadderRow(model, round(top + line * (place + 0.72), 1), interval(scale, model.r2, model.r2_low, model.r2_high))
        for place, model in enumerate(models)
    )
    return LadderChart(width, bottom + 22, top, bottom, scale(0.0), tuple(scale.ticks()), rows)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram, in pixels."""

    x: float
    y: float
    width: float
    height: float


def bars(histogram: Sequence[Bin], *, width: float = 220, height: float = 44) -> tuple[Bar, ...]:
    """Bars side by side, the tallest as high as the chart; a bin that holds anything is at least a pixel high."""
    tallest = max((each.count for each in histogram), default=0)
    if not tallest:
        return ()
    step = width / len(histogram)
    drawn = []
    for place, each in enumerate(histogram):
        tall = round(max(height * each.count / tallest, 1.0 if each.count else 0.0), 1)
        drawn.append(Bar(round(place * step, 2), round(height - tall, 1), round(max(step - 1, 0.5), 2), tall))
    return tuple(drawn)


@dataclass(frozen=True, slots=True)
class DeletionChart:
    """Three lines from left (nothing is out) to right (everything is), as points of SVG polylines.

    ``ticks`` are of the height, in the metric's unit: `Tick.x` holds their place from the top.
    """

    width: float
    height: float
    left: float
    bottom: float
    ticks: tuple[Tick, ...]
    highest_first: str
    lowest_first: str
    random: str


def deletion_chart(deletion: DeletionSummary, *, width: float = 460, height: float = 180) -> DeletionChart:
    """Lay the deletion curves out."""
    lines = (deletion.highest_first, deletion.lowest_first, deletion.random)
    low, high = min(map(min, lines)), max(map(max, lines))
    air = 0.06 * (high - low) or max(abs(high), 1.0) * 0.01
    left, bottom = 52.0, height - 34
    across, up = Scale(0, 1, left, width - 8), Scale(low - air, high + air, bottom, 8)
    drawn = [
        " ".join(f"{across(share)},{up(value)}" for share, value in zip(deletion.shares, line, strict=True))
        for line in lines
    ]
    return DeletionChart(width, height, left, bottom, tuple(up.ticks()), *drawn)
