"""Small p from studentised permutations, against permutations one by one and against the truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from scipy import sparse

from yoin.drivers import calibrate
from yoin.drivers.calibrate import calibrated
from yoin.drivers.effects import Shared, adjusted_of, intervals, lifts, share


def prepared(metric: np.ndarray, concepts: np.ndarray, features: np.ndarray | None = None, **given) -> Shared:
    shared = share(
        metric, sparse.csc_array(concepts.astype(float)), features, given.get("weight"), given.get("clusters")
    )
    assert isinstance(shared, Shared)
    return shared


def test_the_statistic_is_welchs() -> None:
    rng = np.random.default_rng(0)
    concepts, metrics = rng.random((80, 3)) < [0.2, 0.5, 0.7], rng.exponential(size=(80, 4))
    found = calibrate._Statistics(prepared(metrics[:, 0], concepts), np.arange(3)).of(metrics)
    for k, has in enumerate(concepts.T):
        for m, metric in enumerate(metrics.T):
            oracle = abs(scipy.stats.ttest_ind(metric[has], metric[~has], equal_var=False).statistic)
            assert found[k, m] == pytest.approx(oracle)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_statistic_is_the_adjusted_one(weighted: bool) -> None:
    rng = np.random.default_rng(1)
    concepts, features = rng.random((90, 3)) < 0.4, rng.normal(size=(90, 4))
    metric, weight = rng.normal(size=90), rng.uniform(0.5, 2, 90) if weighted else None
    shared = prepared(metric, concepts, features, weight=weight)
    estimates = adjusted_of(shared)
    found = calibrate._Statistics(shared, np.arange(3)).of(shared.metric()[:, None])[:, 0]
    np.testing.assert_allclose(found, np.abs(estimates.value) / estimates.error, rtol=1e-9)


def test_a_p_in_reach_is_the_share_of_permutations() -> None:
    drawn = np.abs(np.random.default_rng(0).normal(size=9999))
    assert calibrate._tail(drawn, 1.96, np.inf) == pytest.approx((1 + np.sum(drawn >= 1.96)) / 10_000)


@pytest.mark.parametrize("df", [8.0, 50.0, 1e6])
def test_a_tail_that_students_t_knows_goes_on_as_it_does(df: float) -> None:
    drawn = np.abs(scipy.stats.t.rvs(df, size=9999, random_state=1))
    for p in (1e-4, 1e-5):
        assert calibrate._tail(drawn, scipy.stats.t.isf(p / 2, df), df) == pytest.approx(p, rel=0.6)


def test_a_skewed_metrics_p_is_no_longer_too_small() -> None:
    """Of 1,500 concepts without effect: p under 0.01 in about 1%, where Student's t gives more."""
    rng = np.random.default_rng(2)
    plain, right = [], []
    for seed in range(25):
        concepts = rng.random((200, 60)) < 0.12
        shared = prepared(rng.lognormal(0, 1.2, size=200), concepts)
        estimates = lifts(shared.y, shared.present, None, None)
        plain.append(intervals(estimates, 1.0).p)
        right.append(calibrated(shared, estimates, plain[-1], seed))
    assert np.mean(np.array(plain) < 0.01) > 0.018
    assert 0.002 < np.mean(np.array(right) < 0.01) < 0.016
    assert 0.03 < np.mean(np.array(right) < 0.05) < 0.07


def test_what_is_not_calibrated() -> None:
    rng = np.random.default_rng(3)
    concepts, metric = rng.random((100, 3)) < 0.4, rng.normal(size=100)
    clusters = np.repeat(np.arange(50), 2)
    shared = prepared(metric, concepts, clusters=clusters)
    estimates = lifts(metric, shared.present, None, clusters)
    p = np.array([0.01, np.nan, 0.5])
    np.testing.assert_array_equal(calibrated(shared, estimates, p, 0), p)
    alone = prepared(metric, concepts)
    found = calibrated(alone, lifts(metric, alone.present, None, None), p, 0)
    assert found[2] == 0.5
    assert np.isnan(found[1])
    np.testing.assert_array_equal(found, calibrated(alone, lifts(metric, alone.present, None, None), p, 0))
