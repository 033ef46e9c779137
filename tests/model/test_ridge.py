import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge as SklearnRidge

from yoin.model.ridge import RELATIVE_PENALTIES, fit_ridge, least_squares


def data(rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, columns))
    metrics = np.column_stack([matrix[:, 0] + random.normal(size=rows), random.normal(size=rows)])
    return matrix, metrics, random.uniform(0.2, 3, rows)


@pytest.mark.parametrize("shape", [(40, 5), (20, 60), (30, 30)])
def test_coefficients_are_those_of_a_weighted_ridge(shape: tuple[int, int]) -> None:
    matrix, metrics, weight = data(*shape)
    ours = fit_ridge(matrix, metrics, weight=weight)
    for column in range(2):
        if np.isinf(ours.penalties[column]):
            expected = np.full(len(matrix), np.average(metrics[:, column], weights=weight))
        else:
            theirs = SklearnRidge(alpha=ours.penalties[column])
            theirs.fit(matrix, metrics[:, column], sample_weight=weight / weight.mean())
            expected = theirs.predict(matrix)
        np.testing.assert_allclose(ours.predict(matrix)[:, column], expected, atol=1e-8)


def weighted_ridge(
    matrix: np.ndarray, metrics: np.ndarray, weight: np.ndarray, penalty: float, other: np.ndarray
) -> np.ndarray:
    """The textbook's normal equations, with an unpenalised intercept."""
    design = np.column_stack([np.ones(len(matrix)), matrix])
    shrink = penalty * np.diag([0.0] + [1.0] * matrix.shape[1])
    found = np.linalg.solve(design.T @ (weight[:, None] * design) + shrink, design.T @ (weight[:, None] * metrics))
    return np.column_stack([np.ones(len(other)), other]) @ found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 25), st.booleans(), st.booleans())
def test_the_penalty_is_the_one_that_leaving_groups_out_by_hand_prefers(
    seed: int, columns: int, grouped: bool, weighted: bool
) -> None:
    matrix, metrics, weight = data(18, columns, seed)
    group = np.random.default_rng(seed).integers(0, 6, 18) if grouped else np.arange(18)
    if len(np.unique(group)) < 3:
        group = np.arange(18)
    weight = weight if weighted else np.ones(18)
    ours = fit_ridge(matrix, metrics, group=group, weight=weight)
    middle = np.average(matrix, axis=0, weights=weight)
    scale = np.sum((weight / weight.mean())[:, None] * (matrix - middle) ** 2) / 18
    errors = np.zeros((len(RELATIVE_PENALTIES), 2))
    for index, penalty in enumerate(RELATIVE_PENALTIES * scale):
        for label in np.unique(group):
            held = group == label
            if np.isinf(penalty):
                guess = np.average(metrics[~held], axis=0, weights=weight[~held])
            else:
                guess = weighted_ridge(
                    matrix[~held], metrics[~held], (weight / weight.mean())[~held], penalty, matrix[held]
                )
            errors[index] += np.sum(weight[held, None] * (metrics[held] - guess) ** 2, axis=0)
    best = errors.min(axis=0)
    chosen = [errors[np.flatnonzero(np.isclose(RELATIVE_PENALTIES * scale, ours.penalties[t]))[0], t] for t in range(2)]
    np.testing.assert_allclose(chosen, best, rtol=1e-5)


def test_noise_is_shrunk_to_the_mean() -> None:
    random = np.random.default_rng(1)
    matrix, metrics = random.normal(size=(200, 30)), random.normal(size=(200, 50))
    spread = fit_ridge(matrix, metrics).predict(matrix).std(axis=0)
    assert np.median(spread) < 0.1


def test_repeated_rows_mislead_leaving_out_rows_but_not_groups() -> None:
    random = np.random.default_rng(2)
    matrix = np.repeat(random.normal(size=(30, 60)), 4, axis=0)
    group = np.repeat(np.arange(30), 4)
    metric = np.repeat(random.normal(size=30), 4)[:, None]
    assert fit_ridge(matrix, metric).penalties[0] < fit_ridge(matrix, metric, group=group).penalties[0]


def test_no_columns_predict_the_mean() -> None:
    _, metrics, weight = data(20, 2)
    model = fit_ridge(np.zeros((20, 0)), metrics, weight=weight)
    np.testing.assert_allclose(
        model.predict(np.zeros((3, 0))), np.tile(np.average(metrics, axis=0, weights=weight), (3, 1))
    )


def test_least_squares_are_the_textbooks() -> None:
    matrix, metrics, weight = data(40, 5)
    design, root = np.column_stack([np.ones(40), matrix]), np.sqrt(weight)[:, None]
    expected = np.linalg.lstsq(root * design, root * metrics)[0]
    found = least_squares(matrix, metrics, weight=weight)
    np.testing.assert_allclose(np.vstack([found.intercepts, found.coefficients]), expected, atol=1e-10)


@pytest.mark.parametrize("grouped", [False, True])
def test_columns_spent_before_count_when_rows_are_left_out(grouped: bool) -> None:
    matrix, metrics, weight = data(30, 40)
    random = np.random.default_rng(1)
    given, group = random.normal(size=(30, 3)), np.arange(30) // 3 if grouped else np.arange(30)

    def rest(columns: np.ndarray, of: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return columns - least_squares(given[rows], of[rows], weight=weight[rows]).predict(given)

    every = np.arange(30)
    ours = fit_ridge(
        rest(matrix, matrix, every), rest(metrics, metrics, every), weight=weight, group=group, spent=given
    )
    # By hand: without the held rows, regress both on the given columns, then ridge the rest on the rest.
    middle_free = rest(matrix, matrix, every) * np.sqrt(weight / weight.mean())[:, None]
    penalties = RELATIVE_PENALTIES * np.sum(middle_free**2) / 30
    errors = np.zeros((len(penalties), 2))
    for index, penalty in enumerate(penalties):
        for label in np.unique(group):
            rows, held = np.flatnonzero(group != label), group == label
            x, y = rest(matrix, matrix, rows), rest(metrics, metrics, rows)
            w = (weight / weight.mean())[rows, None]
            gram = x[rows].T @ (w * x[rows])
            found = (
                np.zeros((40, 2))
                if np.isinf(penalty)
                else np.linalg.solve(gram + penalty * np.eye(40), x[rows].T @ (w * y[rows]))
            )
            errors[index] += np.sum(weight[held, None] * (y[held] - x[held] @ found) ** 2, axis=0)
    chosen = [np.flatnonzero(np.isclose(penalties, ours.penalties[column]))[0] for column in range(2)]
    np.testing.assert_allclose(errors[chosen, [0, 1]], errors.min(axis=0), rtol=1e-6)
