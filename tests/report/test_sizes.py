from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from yoin.report.sizes import cautious_effect, per_arm


@pytest.mark.parametrize(("effect", "size"), [(0.2, 393), (0.5, 63), (-0.5, 63), (0.8, 25)])
def test_the_sizes_in_every_table(effect: float, size: int) -> None:
    assert per_arm(effect, 1.0) == size


@pytest.mark.parametrize("power", [0.5, 0.8, 0.9, 0.99])
def test_the_size_has_the_power_asked_for_and_one_less_has_not(power: float) -> None:
    def reached(n: int) -> float:
        return float(norm.sf(norm.isf(0.025) - 0.3 / (2.0 * np.sqrt(2 / n))))

    size = per_arm(0.3, 2.0, power=power)
    assert size is not None
    assert reached(size) >= power > reached(size - 1)


@pytest.mark.parametrize(("effect", "sd"), [(0, 1), (math.nan, 1), (1, 0), (1, -1), (1, math.inf), (1e-300, 1)])
def test_where_there_is_no_such_test(effect: float, sd: float) -> None:
    assert per_arm(effect, sd) is None


def test_the_near_end_of_an_interval() -> None:
    assert cautious_effect(0.2, 0.9) == 0.2
    assert cautious_effect(-0.9, -0.2) == -0.2
    assert math.isnan(cautious_effect(-0.1, 0.9))
    assert math.isnan(cautious_effect(math.nan, math.nan))
