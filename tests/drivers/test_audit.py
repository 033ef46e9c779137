from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from yoin.drivers import missingness
from yoin.errors import UsageError


def test_missing_rows_against_the_rest():
    rng = np.random.default_rng(0)
    missing = rng.random(200) < 0.3
    metric = rng.normal(size=200) - 1.5 * missing
    found = missingness(metric, missing)
    oracle = scipy.stats.ttest_ind(metric[missing], metric[~missing], equal_var=False)
    interval = oracle.confidence_interval(0.95)
    assert (found.n_missing, found.n_present) == (missing.sum(), (~missing).sum())
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(
        (metric[missing].mean() - metric[~missing].mean(), interval.low, interval.high, oracle.pvalue)
    )
    assert "lower" in found.sentence
    assert "not a fair picture" in found.sentence


def test_no_clear_difference():
    found = missingness(np.arange(100.0), np.arange(100) % 2 == 0)
    assert found.p > 0.5
    assert "does not differ clearly" in found.sentence


@pytest.mark.parametrize(("missing", "says"), [(0, "Every row"), (4, "No row"), (1, "too few")])
def test_one_side_is_empty_or_too_small(missing, says):
    found = missingness([1.0, 2.0, 3.0, 4.0], np.arange(4) < missing)
    assert np.isnan(found.p)
    assert says in found.sentence


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


def test_bad_input():
    with pytest.raises(UsageError, match="missing has 2 entries"):
        missingness([1.0, 2.0, 3.0], [True, False])
    with pytest.raises(UsageError, match="row 2: the metric is missing"):
        missingness([1.0, np.nan], [True, False])
