"""How large an A/B test must be to find an effect."""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import NormalDist

import pandas as pd

from yoin.report.record import Count, Record

SIGNIFICANT = 0.05
LEVEL = 0.05
_EFFECTS = frozenset(f"{name}{end}" for name in ("lift", "adjusted") for end in ("", "_low", "_high"))


class NextTest(Record):
    """The A/B test that could say whether a driver's lift is an effect: images in each of two arms.

    ``per_arm`` finds an effect of the size of ``lift`` (``adjusted`` where there are features) in 80% of tests,
    ``per_arm_90`` in 90%; ``cautious`` is ``per_arm`` for the end of the 95% interval nearer to zero, ``None`` where
    the interval holds zero.
    """

    concept: str
    lift: float
    per_arm: Count
    per_arm_90: Count | None = None
    cautious: Count | None = None


def per_arm(effect: float, sd: float, *, power: float = 0.8) -> int | None:
    """Images (or views, where single views are measured) in each of two arms of equal size.

    n = 2 (z.975 + z_power)² sd² / effect², the textbook size for comparing two means, two-sided at the 5% level.

    Args:
        effect: the difference to find, in the metric's unit.
        sd: the standard deviation of single measurements.
        power: how often a difference of this size is to be found, between 0 and 1.

    Returns:
        At least 2; ``None`` where there is no such test: no effect, no spread, or something that is no number.
    """
    if not (math.isfinite(effect) and math.isfinite(sd)) or effect == 0 or sd <= 0:
        return None
    normal = NormalDist()
    root = (normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(power)) * (sd / abs(effect))
    return max(2, math.ceil(2 * root * root)) if root < 1e100 else None


def cautious_effect(low: float, high: float) -> float:
    """The end of an interval that is nearer to zero, NaN where the interval holds zero."""
    if not low * high > 0:
        return math.nan
    return low if low > 0 else high


def next_test(drivers: pd.DataFrame, sd: float, apart: Collection[str] = ()) -> NextTest | None:
    """The size of an A/B test for the top driver, or ``None`` where no concept has a p.

    The top driver has the smallest q, then the largest effect (``adjusted`` where there is one, else ``lift``). Size:
    see `per_arm`.

    Args:
        drivers: a table with `yoin.values.DRIVER_COLUMNS`.
        sd: the metric's standard deviation.
        apart: concepts that are never offered as advice.
    """
    found = _sized(drivers[drivers["q"].notna()], sd, apart)
    ranked = sorted(found, key=lambda pair: (pair[0], -abs(pair[1].lift)))
    return ranked[0][1] if ranked else None


def ab_tests(drivers: pd.DataFrame, sd: float, apart: Collection[str] = ()) -> tuple[NextTest, ...]:
    """The size of an A/B test for every significant driver, in the table's order; arguments as for `next_test`."""
    return tuple(test for _, test in _sized(drivers[drivers["q"].astype(float) < SIGNIFICANT], sd, apart))


def _sized(drivers: pd.DataFrame, sd: float, apart: Collection[str]) -> list[tuple[float, NextTest]]:
    """The q and the test of each concept that has one."""
    found = []
    for row in drivers.to_dict("records"):
        numbers = {name: float("nan" if pd.isna(value) else value) for name, value in row.items() if name in _EFFECTS}
        net = "adjusted" if math.isfinite(numbers["adjusted"]) else "lift"
        effect = numbers[net]
        size = per_arm(effect, sd)
        if size is None or row["concept"] in apart:
            continue
        near = cautious_effect(numbers.get(f"{net}_low", math.nan), numbers.get(f"{net}_high", math.nan))
        test = NextTest(
            concept=str(row["concept"]),
            lift=effect,
            per_arm=size,
            per_arm_90=per_arm(effect, sd, power=0.9),
            cautious=per_arm(near, sd),
        )
        found.append((float(row["q"]), test))
    return found
