from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yoin.report import charts
from yoin.report.summary import Bin, ModelSummary

finite = st.floats(-1e6, 1e6)


def rung(name: str, r2: float | None, low: float | None = None, high: float | None = None) -> ModelSummary:
    return ModelSummary(name=name, rmse=1, r2=r2, r2_low=low, r2_high=high, spearman=None, seconds=0)


def test_a_scale_maps_its_ends_and_its_middle() -> None:
    scale = charts.Scale(-1, 3, 10, 210)
    assert [scale(-1), scale(0), scale(1), scale(3)] == [10, 60, 110, 210]


def test_beyond_its_ends_a_scale_sticks() -> None:
    scale = charts.Scale(0, 1, 10, 20)
    assert (scale(-5), scale(5)) == (10, 20)


@given(st.lists(finite, min_size=1, max_size=20))
def test_a_scale_holds_zero_and_every_value_in_order(values: list[float]) -> None:
    scale = charts.scale_over(values, left=0, right=300)
    assert scale.low <= min(0, *values) <= max(0, *values) <= scale.high
    places = [scale(value) for value in sorted([0.0, *values])]
    assert places == sorted(places)
    assert all(0 <= place <= 300 for place in places)


@given(st.lists(finite, max_size=6), st.floats(1e-6, 1e6))
@example([1.0, -270372.0], 740742.0)
def test_ticks_are_inside_and_at_their_own_value(values: list[float], floor: float) -> None:
    scale = charts.scale_over(values, left=0, right=300, floor=floor)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 6
    assert [tick.x for tick in ticks] == sorted(tick.x for tick in ticks)
    for tick in ticks:
        assert tick.x == pytest.approx(scale(float(tick.label.replace("−", "-"))), abs=0.2)


def test_zero_is_a_plain_zero_on_the_axis() -> None:
    assert "0.0" in [tick.label for tick in charts.Scale(-0.13, 0.42, 0, 100).ticks()]


def test_an_interval_without_ends_is_a_dot() -> None:
    scale = charts.Scale(0, 1, 0, 100)
    assert charts.interval(scale, 0.5, None, None) == charts.Interval(50, 50, 50, False, False)
    assert charts.interval(scale, None, 0.1, 0.2) is None
    assert charts.interval(scale, math.nan, 0.1, 0.2) is None


def test_an_end_beyond_the_scale_is_cut_and_marked() -> None:
    found = charts.interval(charts.Scale(0, 1, 0, 100), 0.5, -3, 0.7)
    assert found == charts.Interval(0, 50, 70, True, False)


def test_one_wide_interval_does_not_press_the_others_together() -> None:
    scale = charts.robust_scale([0.5, 0.4], [0.3, 0.7, -90, 90], left=0, right=100)
    assert scale(0.5) - scale(0.3) > 5
    found = charts.interval(scale, 0.4, -90, 90)
    assert found is not None
    assert (found.cut_low, found.cut_high) == (True, True)


def test_drivers_without_numbers_still_have_a_scale() -> None:
    assert 0 < charts.robust_scale([None], [None, math.nan], left=0, right=100)(0.0) < 100


def test_the_ladder_has_a_line_a_rung_from_top_to_bottom() -> None:
    chart = charts.ladder_chart([rung("mean", 0.0), rung("tfidf", 0.2, 0.1, 0.3), rung("odd", None)])
    assert [row.model.name for row in chart.rows] == ["mean", "tfidf", "odd"]
    assert [row.y for row in chart.rows] == sorted(row.y for row in chart.rows)
    assert chart.rows[-1].y < chart.bottom < chart.height
    mean, tfidf, odd = (row.mark for row in chart.rows)
    assert mean is not None
    assert tfidf is not None
    assert mean.middle == chart.zero
    assert chart.zero < tfidf.low < tfidf.middle < tfidf.high
    assert odd is None


def test_a_rung_that_fell_apart_does_not_flatten_the_rest() -> None:
    chart = charts.ladder_chart([rung("broken", -40.0, -60, -20), rung("good", 0.2, 0.15, 0.25)])
    broken, good = (row.mark for row in chart.rows)
    assert broken is not None
    assert good is not None
    assert broken.cut_low
    assert good.high - good.low > 40


def test_bars_stand_on_the_ground_and_the_tallest_fills_the_chart() -> None:
    drawn = charts.bars(
        [Bin(low=0, high=1, count=2), Bin(low=1, high=2, count=0), Bin(low=2, high=3, count=8)], height=40
    )
    assert [bar.height for bar in drawn] == [10, 0, 40]
    assert all(bar.y + bar.height == 40 for bar in drawn)
    assert charts.bars([]) == ()
