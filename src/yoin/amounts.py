"""Amounts of money, and shares of a metric's variance, as a reader should see them."""

from __future__ import annotations

import math


def dollars(amount: float) -> str:
    """US dollars, in cents; what is less than a cent with two digits that count.

    >>> dollars(1234.5), dollars(0.0042), dollars(0.00000013), dollars(0)
    ('$1,234.50', '$0.0042', '$0.00000013', '$0.00')
    """
    decimals = 2
    if 0 < amount < 0.01:
        decimals = min(1 - math.floor(math.log10(amount)), 12)
    return f"${amount:,.{decimals}f}"


def percent(share: float, sign: str = "%") -> str:
    """A share (0 to 1) in percent, with one place: no minus before a zero, and a dash where there is no number.

    >>> percent(0.0127), percent(-0.0031, ""), percent(-0.0001), percent(float("nan"))
    ('1.3%', '−0.3', '0.0%', '–')
    """
    if not math.isfinite(share):
        return "–"
    shown = f"{100 * share:.1f}"
    return ("0.0" if float(shown) == 0 else shown.replace("-", "−")) + sign


def explained(r2: float, low: float, high: float, *, gain: bool, also: str = "") -> str:
    """What captions explain of a metric out of fold, to stand after their name; where it is nothing, it says so.

    Args:
        r2: R² or, with ``gain``, by how much it is higher than that of the other columns alone.
        low: the lower end of its 95% interval.
        high: the upper end.
        gain: which of the two.
        also: what else to say in the parentheses.

    >>> explained(0.013, 0.002, 0.024, gain=True)
    "explain a further 1.3% of the metric's variance out of fold (95% interval 0.2% to 2.4%)"
    >>> explained(-0.003, -0.009, 0.002, gain=True)
    'explain nothing further out of fold: R² changes by −0.3 points (95% interval −0.9 to 0.2)'
    >>> explained(-0.003, -0.009, 0.002, gain=False)
    "explain nothing of the metric's variance out of fold: R² is −0.3% (95% interval −0.9% to 0.2%)"
    """
    if r2 > 0:
        less, size = ("less than ", "0.1%") if r2 < 0.0005 else ("", percent(r2))
        found, sign = f"explain {less}{'a further ' if gain else ''}{size} of the metric's variance out of fold", "%"
    elif gain:
        found, sign = f"explain nothing further out of fold: R² changes by {percent(r2, '')} points", ""
    else:
        found, sign = f"explain nothing of the metric's variance out of fold: R² is {percent(r2)}", "%"
    return f"{found} (95% interval {percent(low, sign)} to {percent(high, sign)}{also})"
