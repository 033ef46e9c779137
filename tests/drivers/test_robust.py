"""CR2 and Satterthwaite's degrees of freedom against plain matrices; HC2 and Welch against the textbook."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from scipy import sparse

from yoin.drivers.effects import adjusted, intervals, lifts, q_values, shared_basis
from yoin.drivers.robust import Estimates, Regression, inverse_root_rule


def inverse_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    roots = np.where(values > 1e-9, 1 / np.sqrt(np.maximum(values, 1e-9)), 0.0)
    return (vectors * roots) @ vectors.T


def brute_force(y, regressors, clusters, weight):
    """CR2 of the last coefficient with n × n matrices: value, standard error, degrees of freedom.

    In units in which the regression is an ordinary one; the working errors have equal variance in the metric.
    """
    root = np.sqrt(weight)
    x, outcome = root[:, None] * regressors, root * y
    bread = np.linalg.pinv(x.T @ x)
    maker = np.eye(len(y)) - x @ bread @ x.T
    value = (bread @ x.T @ outcome)[-1]
    row = (bread @ x.T)[-1]
    residual = maker @ outcome
    scores, forms = [], []
    for cluster in np.unique(clusters):
        at = np.flatnonzero(clusters == cluster)
        block = maker[np.ix_(at, at)]
        if len(at) == 1 and np.ptp(weight) > 0:
            # a single row's residual variance under equal variances, in the row's own units
            block = (maker @ np.diag(weight) @ maker)[np.ix_(at, at)] / weight[at]
        corrected = inverse_root(block) @ row[at]
        scores.append(corrected @ residual[at])
        forms.append(maker[:, at] @ corrected)
    forms = np.array(forms)
    covariance = forms @ np.diag(weight) @ forms.T
    df = np.trace(covariance) ** 2 / np.sum(covariance**2)
    return value, np.sqrt(np.sum(np.square(scores))), df


def data(seed, n=60, groups=12, columns=3, weighted=False):
    rng = np.random.default_rng(seed)
    clusters = np.unique(rng.integers(groups, size=n), return_inverse=True)[1]
    features = rng.normal(size=(n, columns)) + rng.normal(size=(groups, columns))[clusters]
    concepts = (rng.random((n, 4)) < [0.2, 0.4, 0.5, 0.7]).astype(float)
    concepts[:, 3] = rng.integers(2, size=groups)[clusters]  # varies only between the groups
    y = rng.normal(size=n) * (1 + concepts[:, 0]) + rng.normal(size=groups)[clusters] + features[:, 0]
    weight = rng.uniform(0.3, 3.0, size=n) if weighted else np.ones(n)
    return y, concepts, features, clusters, weight / weight.mean()


def test_the_rule_is_the_inverse_square_root():
    shifts, weights = inverse_root_rule()
    x = np.logspace(-8, 0, 50)
    np.testing.assert_allclose((weights / (x[:, None] + shifts)).sum(axis=1), x**-0.5, rtol=2e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("groups", [5, 12, 40, 60])
def test_adjusted_agrees_with_plain_matrices(groups, weighted):
    y, concepts, features, clusters, weight = data(groups, groups=groups, weighted=weighted)
    got = adjusted(y, sparse.csc_array(concepts), features, weight if weighted else None, clusters)
    assert isinstance(got, Estimates)
    for k in range(concepts.shape[1]):
        regressors = np.column_stack([np.ones(len(y)), features, concepts[:, k]])
        value, error, df = brute_force(y, regressors, clusters, weight)
        np.testing.assert_allclose([got.value[k], got.error[k], got.df[k]], [value, error, df], rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("groups", [5, 12, 40])
def test_clustered_lift_agrees_with_plain_matrices(groups, weighted):
    y, concepts, _, clusters, weight = data(groups, groups=groups, weighted=weighted)
    got = lifts(y, sparse.csc_array(concepts), weight if weighted else None, clusters)
    for k in range(concepts.shape[1]):
        expected = brute_force(y, np.column_stack([np.ones(len(y)), concepts[:, k]]), clusters, weight)
        np.testing.assert_allclose([got.value[k], got.error[k], got.df[k]], expected, rtol=1e-6)


def test_lift_is_welchs_interval():
    y, concepts, *_ = data(3, n=80)
    got = intervals(lifts(y, sparse.csc_array(concepts), None, None), 1.0)
    for k in range(concepts.shape[1]):
        has = concepts[:, k] > 0
        oracle = scipy.stats.ttest_ind(y[has], y[~has], equal_var=False)
        interval = oracle.confidence_interval(0.95)
        np.testing.assert_allclose(
            [got.value[k], got.low[k], got.high[k], got.p[k], got.df[k]],
            [y[has].mean() - y[~has].mean(), interval.low, interval.high, oracle.pvalue, oracle.df],
            rtol=1e-9,
        )


def test_weighted_lift_is_unbiased_for_the_variance_and_its_freedom_follows_the_quadratic_form():
    y, concepts, _, _, weight = data(5, weighted=True)
    got = lifts(y, sparse.csc_array(concepts), weight, None)
    for k in range(concepts.shape[1]):
        variances, freedoms, means = [], [], []
        for side in (1, 0):
            at = concepts[:, k] == side
            h = weight[at] / weight[at].sum()
            maker = np.eye(at.sum()) - np.outer(np.ones(at.sum()), h)
            share = np.diag(maker @ maker.T)
            form = maker.T @ np.diag(h**2 / share) @ maker
            assert np.trace(form) == pytest.approx(np.sum(h**2))  # E[variance] under equal variances
            variances.append(y[at] @ form @ y[at])
            freedoms.append(np.trace(form) ** 2 / np.trace(form @ form))
            means.append(h @ y[at])
        df = sum(variances) ** 2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
        np.testing.assert_allclose(
            [got.value[k], got.error[k], got.df[k]], [means[0] - means[1], np.sqrt(sum(variances)), df], rtol=1e-9
        )


def test_adjusted_is_least_squares_with_hc2():
    y, concepts, features, *_ = data(7)
    got = adjusted(y, sparse.csc_array(concepts), features, None, None)
    assert isinstance(got, Estimates)
    for k in range(concepts.shape[1]):
        x = np.column_stack([np.ones(len(y)), concepts[:, k], features])
        coefficients, *_ = np.linalg.lstsq(x, y, rcond=None)
        bread = np.linalg.inv(x.T @ x)
        lever = np.einsum("ij,jk,ik->i", x, bread, x)
        meat = x.T @ (((y - x @ coefficients) ** 2 / (1 - lever))[:, None] * x)
        error = np.sqrt((bread @ meat @ bread)[1, 1])
        np.testing.assert_allclose([got.value[k], got.error[k]], [coefficients[1], error], rtol=1e-9)
        assert 4 < got.df[k] < len(y) - 5


def test_equal_weights_change_nothing():
    y, concepts, features, clusters, _ = data(11)
    present, equal = sparse.csc_array(concepts), np.ones(len(y))
    for one, other in (
        (lifts(y, present, None, None), lifts(y, present, equal, None)),
        (lifts(y, present, None, clusters), lifts(y, present, equal, clusters)),
        (adjusted(y, present, features, None, clusters), adjusted(y, present, features, equal, clusters)),
    ):
        assert isinstance(one, Estimates)
        assert isinstance(other, Estimates)
        for name in ("value", "error", "df"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-7)


def test_a_concept_that_the_columns_determine_has_no_estimate():
    y, concepts, features, *_ = data(13)
    features = np.column_stack([features, 2 * concepts[:, 1] - features[:, 0]])
    got = adjusted(y, sparse.csc_array(concepts), features, None, None)
    assert isinstance(got, Estimates)
    assert np.isnan(got.value[1])
    assert np.isfinite(got.value[[0, 2, 3]]).all()


def test_a_column_that_determines_the_metric_is_said():
    y, concepts, features, *_ = data(17)
    assert "determine" in str(adjusted(y, sparse.csc_array(concepts), np.column_stack([features, 3 * y]), None, None))
    wide = np.random.default_rng(0).normal(size=(len(y), 50))
    assert "too many" in str(adjusted(y, sparse.csc_array(concepts), wide, None, None))


def test_a_cluster_that_a_column_fills_is_left_to_it():
    y, concepts, features, clusters, _ = data(19, groups=8)
    features = np.column_stack([features, clusters == 2, clusters == 3])
    got = adjusted(y, sparse.csc_array(concepts), features, None, clusters)
    assert isinstance(got, Estimates)
    value, error, df = brute_force(
        y, np.column_stack([np.ones(len(y)), features, concepts[:, 0]]), clusters, np.ones(len(y))
    )
    np.testing.assert_allclose([got.value[0], got.error[0], got.df[0]], [value, error, df], rtol=1e-5)


def test_the_basis_is_safe_in_rank():
    rng = np.random.default_rng(23)
    x = rng.normal(size=(50, 3))
    basis = shared_basis(np.column_stack([x, x[:, 0] + x[:, 1], np.full(50, 7.0), 1e9 + x[:, 2]]), np.ones(50))
    assert basis.shape[1] in (4, 5)  # the last column's digits are lost at 1e9
    np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-9)


def test_few_degrees_of_freedom_give_no_p():
    found = intervals(Estimates(np.ones(2), np.ones(2), np.array([3.9, 4.1])), 1.0)
    assert np.isnan(found.p[0])
    assert np.isnan(found.low[0])
    assert np.isfinite(found.p[1])


def test_constant_sides_have_an_exact_difference():
    y = np.repeat([1.0, 3.0], 20)
    found = intervals(lifts(y, sparse.csc_array((y == 3.0)[:, None].astype(float)), None, None), 1.0)
    assert (found.value[0], found.low[0], found.high[0], found.p[0]) == (2.0, 2.0, 2.0, 0.0)


def test_q_is_benjamini_and_hochberg():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.2])
    np.testing.assert_allclose(q_values(p)[[0, 2, 3, 4]], scipy.stats.false_discovery_control([0.01, 0.04, 0.03, 0.2]))
    assert np.isnan(q_values(p)[1])


def test_single_rows_need_no_blocks():
    basis = np.full((4, 1), 0.5)
    assert Regression(basis, np.arange(4)).all_single
    assert not Regression(basis, np.array([0, 0, 1, 2])).all_single
