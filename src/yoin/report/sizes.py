"""How large an A/B test must be to find an effect."""

from __future__ import annotations

import math
from statistics import NormalDist

LEVEL = 0.05


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
