from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from yoin.report.sizes import ab_tests, cautious_effect, next_test, per_arm


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


def drivers(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["concept", "lift", "adjusted", "q"])


def test_the_next_test_has_the_textbook_size() -> None:
    # Half an sd, 5% two-sided, 80% power: 63 an arm is the figure in every table.
    found = next_test(drivers(("a", 0.5, math.nan, 0.01)), 1.0)
    assert found is not None
    assert found.per_arm == 63


def test_the_next_test_prefers_the_smallest_q_then_the_largest_adjusted_effect() -> None:
    found = next_test(drivers(("a", 9.0, 0.1, 0.01), ("b", 0.2, -0.4, 0.01), ("c", 9.0, 9.0, 0.5)), 1.0)
    assert found is not None
    assert (found.concept, found.lift) == ("b", -0.4)


def test_what_is_set_apart_is_no_next_test() -> None:
    table = drivers(("woman", 0.9, math.nan, 0.001), ("barn", 0.2, math.nan, 0.2))
    found = next_test(table, 1.0, {"woman"})
    assert found is not None
    assert found.concept == "barn"
    assert ab_tests(table, 1.0, {"woman"}) == ()


def test_every_significant_driver_has_a_size_and_a_cautious_one() -> None:
    table = drivers(("a", 0.5, math.nan, 0.01), ("b", 0.9, -0.2, 0.04), ("c", 0.5, math.nan, 0.06))
    table = table.assign(lift_low=0.2, lift_high=0.8, adjusted_low=-0.5, adjusted_high=0.1)
    first, second = ab_tests(table, 1.0)
    assert (first.concept, first.per_arm, first.per_arm_90, first.cautious) == ("a", 63, 85, 393)
    assert (second.concept, second.lift, second.per_arm, second.cautious) == ("b", -0.2, 393, None)


@pytest.mark.parametrize(
    "table", [drivers(), drivers(("a", 0.5, math.nan, math.nan)), drivers(("a", 0.0, math.nan, 0.3))]
)
def test_without_a_tested_effect_there_is_no_next_test(table: pd.DataFrame) -> None:
    assert next_test(table, 1.0) is None
