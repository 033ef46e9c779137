"""The effect given all other concepts, against least squares and against what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Lasso

from tests.drivers.plain import estimate_drivers
from yoin.drivers.effects import Shared, share
from yoin.drivers.unique import nesting, selected, unique


def prepared(metric: np.ndarray, concepts: np.ndarray, clusters: np.ndarray | None = None) -> Shared:
    shared = share(metric, sparse.csc_array(concepts.astype(float)), None, None, clusters)
    assert isinstance(shared, Shared)
    return shared


def test_with_plenty_of_rows_it_is_least_squares_with_hc2() -> None:
    rng = np.random.default_rng(0)
    concepts = (rng.random((300, 5)) < 0.4).astype(float)
    metric = concepts @ [0.5, 0, -0.3, 0, 0.2] + rng.normal(size=300)
    found = unique(prepared(metric, concepts), np.zeros((5, 5), dtype=bool))
    x = np.column_stack([np.ones(300), concepts])
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ metric
    lever = np.einsum("ij,jk,ik->i", x, bread, x)
    cover = bread @ (x.T * ((metric - x @ beta) ** 2 / (1 - lever))) @ x @ bread
    np.testing.assert_allclose(found.value, beta[1:])
    np.testing.assert_allclose(found.error, np.sqrt(np.diag(cover))[1:])


def test_every_lasso_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=(100, 12)) + rng.normal(size=(100, 1))
    z /= np.linalg.norm(z, axis=0)
    y = 8 * z[:, 3] - 6 * z[:, 7] + rng.normal(size=100)
    barred = np.eye(12, dtype=bool)
    found = selected(z.T @ z, z.T @ y, float(y @ y), barred, 100)
    from scipy.stats import norm

    level, penalty = 1.1 * norm.isf(0.05 / 24), {}
    for k in range(12):
        controls = np.delete(np.arange(12), k)
        chosen = np.zeros(12, dtype=bool)
        for target in (y, z[:, k]):
            penalty = level * np.linalg.norm(target) / 10
            for _ in range(2):
                fitted = Lasso(penalty / 100, fit_intercept=False, tol=1e-10, max_iter=100_000)
                fitted.fit(z[:, controls], target)
                residual = target - fitted.predict(z[:, controls])
                penalty = level * np.linalg.norm(residual) / 10
            chosen[controls] |= fitted.coef_ != 0
        assert np.array_equal(found[k], chosen)


def test_what_stands_inside_a_phrase_is_no_control_of_it() -> None:
    found = nesting([("large face", "big face"), ("faces",), ("face",), ("large",), ("sky",)])
    assert found.tolist() == [
        [False, True, True, True, False], *([False] * 5 for _ in range(4)),
    ]  # fmt: skip


@pytest.mark.parametrize(("rows", "words"), [(400, 3), (300, 30)])
def test_correlated_concepts_get_the_effects_that_were_planted(rows: int, words: int) -> None:
    """Of 12 data sets, the intervals of a concept that only goes along with a driver, and of the driver, cover."""
    covered = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        concepts = rng.random((rows, words)) < 0.4
        concepts[:, 1] = rng.random(rows) < np.where(concepts[:, 0], 0.8, 0.2)
        metric = 0.8 * concepts[:, 0] + rng.normal(size=rows)
        captions = [". ".join(["x", *(f"wor{chr(97 + k % 26)}{chr(97 + k // 26)}" for k in np.flatnonzero(row))])
                    for row in concepts]  # fmt: skip
        table = estimate_drivers(captions, metric).table.set_index("concept")
        for name, truth in (("woraa", 0.8), ("worba", 0.0)):
            covered.append(table.loc[name, "unique_low"] <= truth <= table.loc[name, "unique_high"])
        assert table.loc["worba", "lift_low"] > 0
    assert np.mean(covered) >= 0.8


def test_one_of_three_in_every_caption_still_has_its_effect() -> None:
    rng = np.random.default_rng(4)
    kind = rng.integers(3, size=600)
    captions = [f"{('warm', 'cool', 'plain')[k]} palette. dog." for k in kind]
    table = estimate_drivers(captions, 1.0 * (kind == 0) + rng.normal(size=600)).table.set_index("concept")
    assert table.loc["warm palette", "unique_low"] > 0.6
    assert table.loc["cool palette", "unique_low"] < 0 < table.loc["cool palette", "unique_high"]
