"""Amounts of money as a reader should see them."""

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
