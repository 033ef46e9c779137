import numpy as np
import pytest

from yoin.model.reliability import assess_reliability, conformal, interval


@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_intervals_hold_nine_new_rows_in_ten(draw: str) -> None:
    random = np.random.default_rng(0)
    held = []
    for _ in range(300):
        old, new = getattr(random, draw)(size=60), getattr(random, draw)(size=40)
        low, high = conformal(old)
        held.append(np.mean((low <= new) & (new <= high)))
    assert 0.89 < np.mean(held) < 0.94  # at least 90%, and at most 2/61 more; three standard errors


def test_few_residuals_give_the_outermost_and_weights_count_like_copies() -> None:
    assert conformal(np.array([3.0, -1.0, 2.0])) == (-1.0, 3.0)
    random = np.random.default_rng(1)
    residual, copies = random.normal(size=200), random.integers(1, 4, 200)
    weighted = conformal(residual, weight=copies.astype(float))
    assert weighted == pytest.approx(conformal(np.repeat(residual, copies)), abs=0.15)


def test_an_interval_stays_where_the_metric_can_be() -> None:
    prediction = np.array([0.1, 0.5, 0.95])
    low, high = interval(prediction, (-0.3, 0.3), "rate")
    np.testing.assert_allclose([low, high], [[0, 0.2, 0.65], [0.4, 0.8, 1]])
    assert interval(prediction, (-0.3, 0.3), "real")[0].min() < 0


def test_reliability_shows_what_is_off() -> None:
    random = np.random.default_rng(2)
    truth = random.normal(size=400)
    group = np.array([f"g{row % 8}" for row in range(400)])
    metric = truth + 0.5 * random.normal(size=400) + 2.0 * (group == "g3")
    found = assess_reliability("m", metric, truth / 2, np.arange(400) % 5, "real", group=group)
    assert 0.87 < found.coverage < 0.94
    assert sum(one.n for one in found.bins) == 400
    slope = np.polyfit([one.predicted for one in found.bins], [one.observed for one in found.bins], 1)[0]
    assert slope == pytest.approx(2, abs=0.3)
    assert found.groups[0].group == "g3"
    assert found.groups[0].mean == pytest.approx(2, abs=0.5)
    assert len(found.groups) == 8
