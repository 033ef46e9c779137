import pytest

from yoin.amounts import dollars, explained, percent


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (0.00000013, "$0.00000013"),
        (0.0042, "$0.0042"),
        (0.0099, "$0.0099"),
        (0.01, "$0.01"),
        (0.999, "$1.00"),
        (1234.5, "$1,234.50"),
        (1e-300, "$0.000000000000"),
    ],
)
def test_what_is_less_than_a_cent_is_not_nothing(amount, shown):
    assert dollars(amount) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0127, "1.3%"), (1, "100.0%"), (-0.0031, "−0.3%"), (-0.0001, "0.0%"), (-0.0, "0.0%"), (float("nan"), "–")],
)
def test_a_share_has_no_minus_before_a_zero_and_no_nan(share, shown):
    assert percent(share) == shown


@pytest.mark.parametrize("gain", [False, True])
@pytest.mark.parametrize(
    ("r2", "said"),
    [
        (0.0127, ("explain 1.3% of the metric's variance", "explain a further 1.3% of the metric's variance")),
        (0.0003, ("explain less than 0.1% of the metric's", "explain less than a further 0.1% of the metric's")),
        (0.0, ("explain nothing of the metric's variance", "explain nothing further")),
        (-0.003, ("nothing of the metric's variance out of fold: R² is −0.3%", "R² changes by −0.3 points")),
        (-1e-9, ("R² is 0.0%", "R² changes by 0.0 points")),
    ],
)
def test_what_is_nothing_is_not_said_to_explain(r2, said, gain):
    found = explained(r2, -0.009, 0.02, gain=gain, also="; p = 1")
    assert said[gain] in found
    assert ("nothing" in found) == (r2 <= 0)
    interval = "−0.9 to 2.0" if gain and r2 <= 0 else "−0.9% to 2.0%"
    assert found.endswith(f" (95% interval {interval}; p = 1)")
