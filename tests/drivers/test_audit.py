from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from yoin.drivers import missingness
from yoin.drivers.audit import FEWEST_ROWS, holm, missingness_by_reason
from yoin.errors import UsageError

# Sides of a comparison: large enough that their degrees of freedom are trusted, unequal in size and spread.
sides = st.lists(st.integers(-1000, 1000).map(lambda number: number / 8), min_size=FEWEST_ROWS, max_size=60)


def oracle(missing: np.ndarray, present: np.ndarray) -> tuple[float, float, float, float]:
    """Welch's test as scipy has it."""
    found = scipy.stats.ttest_ind(missing, present, equal_var=False)
    interval = found.confidence_interval(0.95)
    return float(missing.mean() - present.mean()), float(interval.low), float(interval.high), float(found.pvalue)


def test_missing_rows_against_the_rest():
    rng = np.random.default_rng(0)
    missing = rng.random(200) < 0.3
    metric = rng.normal(size=200) - 1.5 * missing
    found = missingness(metric, missing)
    assert (found.n_missing, found.n_present) == (missing.sum(), (~missing).sum())
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(
        oracle(metric[missing], metric[~missing])
    )
    assert found.p_adjusted == found.p
    assert "lower" in found.sentence
    assert "have no caption" in found.sentence
    assert "not a fair picture" in found.sentence


@given(sides, sides, sides)
def test_every_comparison_is_welchs_test(present: list[float], first: list[float], second: list[float]):
    groups = [np.array(side) for side in (present, first, second)]
    assume(all(np.ptp(group) > 0 for group in groups))
    metric = np.concatenate(groups)
    reasons = ["", "a", "b"]
    of_row = [reason for reason, group in zip(reasons, groups, strict=True) for _ in group]
    found = missingness_by_reason(metric, of_row)
    assert set(found) == {"a", "b"}
    for reason, group in zip(reasons[1:], groups[1:], strict=True):
        mine = found[reason]
        assert (mine.n_missing, mine.n_present) == (len(group), len(present))
        assert (mine.mean_missing, mine.mean_present) == pytest.approx((group.mean(), groups[0].mean()), abs=1e-9)
        assert (mine.difference, mine.low, mine.high, mine.p) == pytest.approx(oracle(group, groups[0]), abs=1e-9)
    whole = missingness(metric, np.array(of_row) != "")
    rest = np.concatenate(groups[1:])
    assert (whole.difference, whole.low, whole.high, whole.p) == pytest.approx(oracle(rest, groups[0]), abs=1e-9)


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.999))
def test_holms_adjusted_p_rejects_what_holms_procedure_rejects(p: list[float], level: float):
    # The procedure itself: from the smallest p on, reject while p is at most level / (hypotheses left).
    rejected = 0
    for left, value in zip(range(len(p), 0, -1), sorted(p), strict=True):
        assume(abs(left * value - level) > 1e-9)
        if left * value > level:
            break
        rejected += 1
    adjusted = holm(np.array(p))
    assert (adjusted <= level).sum() == rejected
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= 1).all()


def test_what_was_not_tested_does_not_count_against_the_rest():
    assert holm(np.array([0.01, np.nan, 0.04])) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert len(holm(np.array([]))) == 0


def test_several_reasons_are_held_to_more_than_one_would_be():
    # Each of five reasons differs a little, at p of about 0.02: one alone would be clear, five together are not.
    metric = np.tile([-1.0, 1.0], 100)
    gap = 0.55
    of_row = [""] * 100 + [reason for reason in "abcde" for _ in range(20)]
    metric[100:] += gap
    together = missingness_by_reason(metric, of_row)
    assert all(each.p < 0.05 < each.p_adjusted for each in together.values())
    assert all("does not differ clearly" in each.sentence for each in together.values())
    alone = missingness_by_reason(metric[:120], of_row[:120])["a"]
    assert alone.p_adjusted == alone.p == pytest.approx(together["a"].p)
    assert "20 rows: their metric is 0.55 higher" in alone.sentence
    assert "than that of the 100 rows with a usable image" in alone.sentence


def test_reasons_with_few_rows_are_not_compared_and_the_most_frequent_come_first():
    of_row = [""] * 50 + ["rare"] * (FEWEST_ROWS - 1) + ["b"] * FEWEST_ROWS + ["a"] * FEWEST_ROWS + ["many"] * 30
    metric = np.random.default_rng(2).normal(size=len(of_row))
    assert list(missingness_by_reason(metric, of_row)) == ["many", "a", "b"]
    assert missingness_by_reason(metric, pd.Series(of_row, index=range(7, 7 + len(of_row))))["a"].n_present == 50
    few_left = np.array(of_row) != ""
    few_left[: FEWEST_ROWS - 1] = True
    assert missingness_by_reason(metric[few_left], np.array(of_row)[few_left].tolist()) == {}
    assert missingness_by_reason(metric[:50], of_row[:50]) == {}
    assert missingness_by_reason([], []) == {}


def test_no_clear_difference():
    found = missingness(np.arange(100.0), np.arange(100) % 2 == 0)
    assert found.p > 0.5
    assert "does not differ clearly" in found.sentence


@pytest.mark.parametrize(("missing", "says"), [(0, "Every row"), (4, "No row"), (1, "too few")])
def test_one_side_is_empty_or_too_small(missing, says):
    found = missingness([1.0, 2.0, 3.0, 4.0], np.arange(4) < missing, what="usable image")
    assert np.isnan(found.p)
    assert np.isnan(found.p_adjusted)
    assert says in found.sentence
    assert "usable image" in found.sentence


def test_groups_and_weights():
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(20), 10)
    missing = group % 2 == 0
    metric = rng.normal(size=20)[group] + rng.normal(0, 0.1, size=200)
    plain, grouped = missingness(metric, missing), missingness(metric, missing, group=group.tolist())
    assert grouped.high - grouped.low > 2 * (plain.high - plain.low)
    weight = rng.uniform(1, 2, size=200)
    weighted = missingness(metric, missing, weight=weight)
    assert weighted.mean_missing == pytest.approx(np.average(metric[missing], weights=weight[missing]))
    # A reason's comparison is the same one, over the rows it concerns.
    reasons = np.where(missing, np.where(group < 10, "a", "b"), "")
    for reason in "ab":
        rows = (reasons == "") | (reasons == reason)
        both = missingness_by_reason(metric, reasons.tolist(), group=group.tolist(), weight=weight)[reason]
        alone = missingness(metric[rows], missing[rows], group=group[rows].tolist(), weight=weight[rows])
        assert (both.low, both.high, both.p) == (alone.low, alone.high, alone.p)


def test_groups_of_one_row_are_no_groups():
    rng = np.random.default_rng(3)
    metric, reasons = rng.normal(size=90), [""] * 60 + ["a"] * 30
    assert missingness_by_reason(metric, reasons, group=list(range(90))) == missingness_by_reason(metric, reasons)


def test_a_reason_within_one_group_cannot_be_told_from_that_group():
    metric = np.random.default_rng(4).normal(size=90)
    found = missingness_by_reason(metric, [""] * 60 + ["a"] * 30, group=[*range(60), *["host"] * 30])["a"]
    assert np.isnan(found.p)
    assert found.n_missing == 30
    assert "too few independent ones" in found.sentence
    whole = missingness_by_reason(metric, [""] * 60 + ["a"] * 30, group=["one"] * 90)["a"]
    assert np.isnan(whole.p)


def test_bad_input():
    with pytest.raises(UsageError, match="missing has 2 entries"):
        missingness([1.0, 2.0, 3.0], [True, False])
    with pytest.raises(UsageError, match="row 2: the metric is missing"):
        missingness([1.0, np.nan], [True, False])
    with pytest.raises(UsageError, match="reasons has 2 entries"):
        missingness_by_reason([1.0, 2.0, 3.0], ["", "a"])
    with pytest.raises(UsageError, match="row 1: the weight is negative"):
        missingness_by_reason([1.0, 2.0], ["", "a"], weight=[-1.0, 1.0])
