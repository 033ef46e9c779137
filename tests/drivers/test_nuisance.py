"""What the other columns say, against plain refits; and the whole against the DoubleML package."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from yoin.drivers import nuisance
from yoin.drivers.effects import Shared, adjusted, share
from yoin.drivers.nuisance import Expected, cross_fitted
from yoin.drivers.robust import Estimates
from yoin.features import FeatureEncoder


def table(seed: int, rows: int = 200, blank: float = 0.05) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns of several kinds with blanks, and a metric and two concepts that follow them."""
    rng = np.random.default_rng(seed)
    year = rng.integers(1930, 2021, rows).astype(float)
    genre = rng.choice(["Drama", "Drama, Crime", "Comedy", "Horror"], rows)
    wave = np.sin((year - 1930) / 10) + 0.8 * (genre == "Horror")
    concepts = rng.random((rows, 2)) < 0.5 + 0.2 * wave[:, None] * [1, -1]
    year[rng.random(rows) < blank] = np.nan
    return pd.DataFrame({"year": year, "genre": genre}), np.column_stack([wave + rng.normal(size=rows), concepts])


@pytest.mark.parametrize("weighted", [False, True])
def test_a_guess_is_the_ridge_of_scikit_learn(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    train, other, targets = rng.normal(size=(60, 5)), rng.normal(size=(7, 5)), rng.normal(size=(60, 3))
    weight = rng.uniform(0.5, 2, 60) if weighted else np.ones(60)
    middle = np.average(targets, axis=0, weights=weight)
    found = nuisance._Decomposed(train, other, np.sqrt(weight), np.sqrt(weight)[:, None] * (targets - middle))
    mean = np.average(train, axis=0, weights=weight)
    spread = np.sqrt(np.average((train - mean) ** 2, axis=0, weights=weight))
    for penalty in (0.01, 1.0, np.inf):
        oracle = Ridge(alpha=60 * min(penalty, 1e12)).fit((train - mean) / spread, targets, sample_weight=weight)
        expected = oracle.predict((other - mean) / spread)
        np.testing.assert_allclose(found.guess(penalty) + middle, expected, rtol=1e-6, atol=1e-8)


def test_a_row_has_no_part_in_what_is_expected_of_it() -> None:
    columns, targets = table(1)
    before = cross_fitted(columns, targets, None, None, 0).values
    moved = targets.copy()
    moved[17] += 1e-7  # too little to change a penalty
    after = cross_fitted(columns, moved, None, None, 0).values
    assert np.all(before[17] == after[17])
    assert not np.all(before == after)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_what_a_row_hands_on_is_what_the_others_expect_more(weighted: bool, clustered: bool) -> None:
    columns, targets = table(1)
    rng = np.random.default_rng(2)
    weight = rng.uniform(0.5, 2, 200) if weighted else None
    clusters = np.unique(rng.integers(0, 30, 200), return_inverse=True)[1] if clustered else None
    expected, sums = cross_fitted(columns, targets, weight, clusters, 0), rng.normal(size=(200, 2))
    handed_on = expected.handed_on(sums)
    for row in (0, 17, 99):
        moved = targets.copy()
        moved[row, 0] += 1e-4  # too little to change a penalty
        more = cross_fitted(columns, moved, weight, clusters, 0).values[:, 0] - expected.values[:, 0]
        np.testing.assert_allclose(handed_on[row], 1e4 * more @ sums, atol=1e-5)


def test_clusters_are_never_parted() -> None:
    clusters = np.random.default_rng(0).integers(0, 12, 100)
    fold = nuisance._folds(100, clusters, 3)
    assert all(len(set(fold[clusters == cluster])) == 1 for cluster in range(12))
    assert len(set(fold)) == nuisance.FOLDS
    assert len(set(nuisance._folds(100, np.repeat([0, 1], 50), 0))) == 2
    columns, targets = table(2, 100)
    whole = cross_fitted(columns, targets, None, np.zeros(100, dtype=np.int64), 0)
    np.testing.assert_allclose(whole.values, np.tile(targets.mean(axis=0), (100, 1)))
    assert not whole.handed_on(targets).any()


def test_it_predicts_rows_it_has_not_seen() -> None:
    columns, targets = table(3, 600)
    expected = cross_fitted(columns, targets, None, None, 0).values
    for of_target, of_guess in zip(targets.T, expected.T, strict=True):
        assert np.corrcoef(of_target, of_guess)[0, 1] > 0.15
    noise = np.random.default_rng(0).normal(size=(600, 3))
    nothing = cross_fitted(columns, noise, None, None, 0).values
    assert np.mean((noise - nothing) ** 2) < 1.03 * np.var(noise)


def estimate(columns: pd.DataFrame, targets: np.ndarray, *, handing_on: bool = True) -> Estimates:
    design = FeatureEncoder().fit_transform(columns)
    expected = cross_fitted(columns, targets, None, None, 0)
    if not handing_on:
        expected = Expected(expected.values)
    found = adjusted(targets[:, 0], sparse.csc_array(targets[:, 1:]), design, None, None, expected)
    assert isinstance(found, Estimates)
    return found


def test_what_a_line_misses_is_taken_out() -> None:
    rng = np.random.default_rng(5)
    year = rng.integers(1930, 2021, 1500)
    old = np.sin((year - 1930) / 4)
    concept = rng.random(1500) < 0.5 + 0.4 * old
    metric = 1.5 * old + rng.normal(size=1500)
    columns, targets = pd.DataFrame({"year": year}), np.column_stack([metric, concept])
    linear = adjusted(metric, sparse.csc_array(targets[:, 1:]), FeatureEncoder().fit_transform(columns), None, None)
    assert isinstance(linear, Estimates)
    found = estimate(columns, targets)
    assert linear.value[0] > 10 * linear.error[0]
    assert abs(found.value[0]) < 2.5 * found.error[0]


def behind_both(rng: np.random.Generator, kind: str, rows: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """A column that drives a concept and the metric, both; and the metric's expected values."""
    year = rng.integers(1930, 2021, rows)
    wave = np.sin((year - 1930) / 9) if kind == "curve" else np.where(year < 1967, 1.0, -1.0)
    concept = rng.random(rows) < 0.4 + 0.3 * wave
    columns = pd.DataFrame({"year": year, "kind": rng.choice(["Drama", "Drama, Crime", "Comedy"], rows)})
    return columns, np.column_stack([0.6 * wave + rng.normal(size=rows), concept]), 0.6 * wave


def against_the_truth(kind: str, rows: int, seed: int) -> tuple[float, float, float]:
    """The error over the estimate's true spread, without and with what rows hand on; and the chance of p < 0.05.

    With columns and concept as they are, the estimate is a sum of the metric's errors (variance 1) with known shares.
    """
    columns, targets, mean = behind_both(np.random.default_rng([seed, rows]), kind, rows)
    design, concept = FeatureEncoder().fit_transform(columns), sparse.csc_array(targets[:, 1:])
    expected = cross_fitted(columns, targets, None, None, seed)
    shared = share(targets[:, 0], concept, design, None, None, expected)
    assert isinstance(shared, Shared)
    net = shared.concepts(np.arange(1))
    handed_on = shared.handed_on(net)
    assert handed_on is not None
    shares = (net - handed_on)[:, 0] / float(net[:, 0] @ net[:, 0])
    spread, bias = np.linalg.norm(shares), shares @ mean
    plain, whole = (
        adjusted(targets[:, 0], concept, design, None, None, known) for known in (Expected(expected.values), expected)
    )
    assert isinstance(plain, Estimates)
    assert isinstance(whole, Estimates)
    limit = scipy.stats.t.ppf(0.975, whole.df[0]) * whole.error[0]
    chance = scipy.stats.norm.cdf((-limit - bias) / spread) + scipy.stats.norm.cdf((-limit + bias) / spread)
    return plain.error[0] / spread, whole.error[0] / spread, chance


@pytest.mark.parametrize(
    ("kind", "rows", "sets"),
    [
        ("jump", 300, 12),
        *(pytest.param(kind, rows, 60, marks=pytest.mark.slow) for kind in ("jump", "curve") for rows in (300, 1000)),
    ],
)
def test_the_error_counts_what_the_nuisances_get_wrong(kind: str, rows: int, sets: int) -> None:
    plain, whole, chance = np.transpose([against_the_truth(kind, rows, seed) for seed in range(sets)])
    assert plain.mean() < 0.97 * whole.mean()  # what the correction is for
    assert 0.97 < whole.mean() < 1.15
    assert chance.mean() < 0.05 + 3 * chance.std() / np.sqrt(sets)


@pytest.mark.slow  # the package alone takes two seconds to import
def test_it_agrees_with_the_doubleml_package() -> None:
    """Its partially linear model, with plain learners, on three data sets: no further apart than its own splits."""
    doubleml = pytest.importorskip("doubleml")
    apart = []
    for seed in range(3):
        columns, targets = table(20 + seed, 1000, blank=0.0)
        targets[:, 0] += 0.6 * targets[:, 1]
        found = estimate(columns, targets)
        # The package's error leaves out what the nuisances get wrong, which ours counts.
        plain = estimate(columns, targets, handing_on=False)
        design = make_pipeline(
            make_column_transformer((SplineTransformer(8), ["year"]), (OneHotEncoder(sparse_output=False), ["genre"]))
        ).fit_transform(columns)
        data = doubleml.DoubleMLData.from_arrays(design, targets[:, 0], targets[:, 1])
        np.random.seed(seed)  # noqa: NPY002 - the package splits with the global generator
        model = doubleml.DoubleMLPLR(data, Ridge(0.1), Ridge(0.1), n_folds=5, n_rep=3).fit()
        apart.append((found.value[0] - model.coef[0]) / model.se[0])
        assert plain.error[0] == pytest.approx(model.se[0], rel=0.1)
        assert plain.error[0] < found.error[0] < 1.15 * model.se[0]
    assert np.abs(apart).max() < 0.5
    assert abs(np.mean(apart)) < 0.3
