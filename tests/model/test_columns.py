import numpy as np
import pandas as pd
import pytest

from yoin.model.columns import fit_columns, predict_beside


def table(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "year": random.integers(1950, 2020, rows),
            "kind": random.choice(["film", "series"], rows),
            "genres": [", ".join(random.choice(["Drama", "Crime", "War"], 2, replace=False)) for _ in range(rows)],
        }
    )


def crossed(features: pd.DataFrame) -> np.ndarray:
    """A metric in which an item of a list counts only in old films."""
    old = (features["year"] < 1985) & (features["kind"] == "film")
    return np.where(old & features["genres"].str.contains("War"), 2.0, 0.0) + features["year"].to_numpy() / 100


def r2(metric: np.ndarray, prediction: np.ndarray) -> float:
    return 1 - float(np.sum((metric - prediction) ** 2) / np.sum((metric - metric.mean()) ** 2))


def fitted(rows: int, noise: float = 0.3, **told: np.ndarray):  # type: ignore[no-untyped-def]
    features = table(rows, 0)
    metric = crossed(features) + noise * np.random.default_rng(1).normal(size=rows)
    return fit_columns(features, metric, weight=told.get("weight"), group=told.get("group"), seed=0), metric


def test_trees_learn_what_lines_and_levels_cannot() -> None:
    model, metric = fitted(600)
    others = table(400, 5)
    assert model.share > 0.5
    linear = model.ridge.predict(model.encoder.transform(others))[:, 0]
    assert r2(crossed(others), model.predict(others)) > r2(crossed(others), linear) + 0.1
    assert r2(metric, model.left_out) < r2(metric, model.predict(table(600, 0)))  # honest: no row helps predict itself


def test_few_rows_and_noise_are_left_to_the_ridge() -> None:
    model, metric = fitted(60)
    assert model.trees is None
    assert model.left_out.shape == metric.shape
    features = table(300, 0)
    noise = np.random.default_rng(2).normal(size=300)
    found = fit_columns(features, noise, weight=None, group=None, seed=0).predict(table(300, 5))
    assert found.std() < 0.3


def test_the_same_seed_gives_the_same_and_groups_are_kept_whole() -> None:
    group = np.repeat(np.arange(75), 4)
    by_heart = np.random.default_rng(3).normal(size=75)[group]
    features = pd.DataFrame({"where": group.astype(float)})
    first, again = (fit_columns(features, by_heart, weight=None, group=group, seed=0) for _ in range(2))
    np.testing.assert_array_equal(first.predict(features), again.predict(features))
    assert r2(by_heart, first.left_out) < 0.1  # whole groups are held out, so a group's level cannot be known


def test_a_weight_of_almost_nothing_leaves_a_row_out() -> None:
    features = pd.DataFrame({"kind": ["a", "b"] * 60})
    metric = np.where(features["kind"] == "a", 1.0, 0.0)
    wrong = np.arange(120) < 40
    model = fit_columns(features, np.where(wrong, 1 - metric, metric), weight=np.where(wrong, 1e-6, 1.0), group=None,
                        seed=0)  # fmt: skip
    assert model.predict(features.iloc[:2]) == pytest.approx([1.0, 0.0], abs=0.05)


def test_text_gains_what_the_columns_leave_and_nothing_for_an_echo() -> None:
    features, others = table(600, 0), table(400, 5)
    random = np.random.default_rng(1)
    text, more = random.normal(size=(600, 5)), random.normal(size=(400, 5))
    metric = crossed(features) + text[:, 0] + 0.3 * random.normal(size=600)
    model = fit_columns(features, metric, weight=None, group=None, seed=0)
    both = predict_beside(model, (text, more), (features, others), metric, weight=None, group=None)
    truth = crossed(others) + more[:, 0]
    assert r2(truth, both) > r2(truth, model.predict(others)) + 0.3
    echo = features[["year"]].to_numpy() / 10.0, others[["year"]].to_numpy() / 10.0
    same = predict_beside(model, echo, (features, others), metric, weight=None, group=None)
    np.testing.assert_allclose(same, model.predict(others), atol=0.02)
