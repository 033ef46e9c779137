from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.conftest import make_captions, make_metric
from yoin.errors import UsageError
from yoin.features import FeatureEncoder
from yoin.model import assess_signal, fit
from yoin.model.base import outer_folds
from yoin.model.linear import TfidfRidge, predict_given
from yoin.model.signal import exchange, r2_interval
from yoin.options import FitOptions
from yoin.values import Signal


def out_of_fold(
    captions: list[str], metric: np.ndarray, folds: np.ndarray, features: pd.DataFrame | None = None,
    group: np.ndarray | None = None, weight: np.ndarray | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Out-of-fold predictions of tfidf, or with features of the features and both."""
    names = ["tfidf"] if features is None else ["features", "tfidf+features"]
    found = {name: np.empty(len(metric)) for name in names}
    for fold in np.unique(folds):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        inside = {
            name: None if value is None else value[train] for name, value in (("group", group), ("weight", weight))
        }
        texts, others = [captions[row] for row in train], [captions[row] for row in held]
        model = TfidfRidge()
        if features is None:
            model.fit(texts, metric[train], **inside)
            found["tfidf"][held] = model.predict(others)
            continue
        columns = FeatureEncoder().fit(features.iloc[train])
        given = columns.transform(features.iloc[train]), columns.transform(features.iloc[held])
        text = model.learn(texts), model.matrix(others)
        alone, both = predict_given(text, given, metric[train, None], **inside)
        found["features"][held], found["tfidf+features"][held] = alone[:, 0], both[:, 0]
    return found


def assess(
    captions: list[str], metric: np.ndarray, features: pd.DataFrame | None = None, group: np.ndarray | None = None,
    weight: np.ndarray | None = None, permutations: int = 99,
) -> Signal:  # fmt: skip
    folds = outer_folds(len(metric), group, 5, 0)
    return assess_signal(
        metric, out_of_fold(captions, metric, folds, features, group, weight), captions=captions, features=features,
        group=group, weight=weight, folds=folds, permutations=permutations, bootstrap=500,
    )  # fmt: skip


# --- R² and its interval -------------------------------------------------------------------------


def test_r2_is_the_textbooks() -> None:
    random = np.random.default_rng(0)
    metric = random.normal(size=80)
    prediction = 0.7 * metric + 0.3 * random.normal(size=80)
    r2, low, high = r2_interval(metric, prediction)
    assert r2 == pytest.approx(1 - np.sum((metric - prediction) ** 2) / np.sum((metric - metric.mean()) ** 2))
    assert low < r2 < high < 1


def test_a_weight_counts_as_copies_of_the_row() -> None:
    random = np.random.default_rng(0)
    metric, prediction, copies = random.normal(size=30), random.normal(size=30), random.integers(1, 4, 30)
    weighted = r2_interval(metric, prediction, weight=copies.astype(float))[0]
    assert weighted == pytest.approx(r2_interval(np.repeat(metric, copies), np.repeat(prediction, copies))[0])


def test_copied_rows_widen_the_interval_only_as_groups() -> None:
    random = np.random.default_rng(0)
    metric = random.normal(size=50)
    prediction = metric + random.normal(size=50)
    plain = r2_interval(metric, prediction)
    copied = np.repeat(metric, 4), np.repeat(prediction, 4)
    rows = r2_interval(*copied)
    groups = r2_interval(*copied, group=np.repeat(np.arange(50), 4))
    assert rows[2] - rows[1] < 0.7 * (plain[2] - plain[1])
    assert groups[2] - groups[1] == pytest.approx(plain[2] - plain[1], rel=1e-6)


def test_the_gain_is_paired() -> None:
    random = np.random.default_rng(0)
    metric = random.normal(size=200)
    baseline = metric + 2 * random.normal(size=200)
    gain, low, high = r2_interval(metric, 0.99 * baseline + 0.01 * metric, baseline=baseline)
    assert 0 < low < gain < high
    assert r2_interval(metric, baseline, baseline=baseline) == (0, 0, 0)


def test_the_interval_covers() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        truth = random.normal(size=150)
        metric = truth + random.normal(size=150)  # R² of the truth: 0.5
        _, low, high = r2_interval(metric, truth, bootstrap=400, seed=seed)
        covered += low <= 0.5 <= high
    assert covered >= 178  # 95% less three standard errors


# --- exchanging -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100), st.integers(1, 6), st.integers(2, 6))
def test_equal_groups_change_places_whole(seed: int, size: int, groups: int) -> None:
    random = np.random.default_rng(seed)
    unit = random.permutation(np.repeat(np.arange(groups), size))
    residual = random.normal(size=len(unit))
    blocks = {tuple(residual[unit == label]) for label in range(groups)}
    for column in exchange(residual, unit, 5, random).T:
        assert {tuple(column[unit == label]) for label in range(groups)} == blocks


def test_rows_without_groups_are_shuffled() -> None:
    residual = np.arange(10.0)
    found = exchange(residual, None, 20, np.random.default_rng(0))
    assert found.shape == (10, 20)
    np.testing.assert_array_equal(np.sort(found, axis=0), np.tile(residual[:, None], 20))
    assert len(np.unique(found, axis=1).T) == 20


def test_unequal_groups_exchange_means_and_deviations() -> None:
    unit = np.repeat([0, 1, 2], [1, 3, 6])
    residual = np.repeat([10.0, 20.0, 30.0], [1, 3, 6])  # no deviations: each group takes another's mean
    for column in exchange(residual, unit, 10, np.random.default_rng(0)).T:
        assert sorted(np.unique(column)) == [10, 20, 30]
        assert all(len(np.unique(column[unit == label])) == 1 for label in range(3))


# --- the verdict ------------------------------------------------------------------------------------


def test_a_planted_effect_is_signal() -> None:
    captions = make_captions(200)
    found = assess(captions, make_metric(captions, 0.5))
    assert (found.verdict, found.rung, found.quantity, found.test_rung) == ("signal", "tfidf", "r2", "tfidf")
    assert found.p == pytest.approx(0.01)
    assert 0 < found.r2_low < found.r2 < found.r2_high
    assert found.reason.startswith("The captions explain ")
    assert found.reason.endswith(": signal.")


def test_noise_is_none_and_says_so() -> None:
    found = assess(make_captions(200), np.random.default_rng(0).normal(size=200))
    assert found.verdict == "none"
    assert found.reason.endswith("no signal; do not read the drivers.")
    assert ("explain nothing" in found.reason) == (found.r2 <= 0)


def test_a_small_effect_in_many_rows_is_weak() -> None:
    captions = make_captions(6000, length=3)
    metric = 0.32 * np.array(["warm" in text for text in captions]) + np.random.default_rng(0).normal(size=6000)
    found = assess(captions, metric, permutations=39)
    assert found.verdict == "weak"
    assert 0 < found.r2_low < found.r2 < 0.02


def test_captions_that_only_echo_a_column_are_none_with_it_and_signal_without() -> None:
    random = np.random.default_rng(3)
    year = random.uniform(1950, 2020, 300)
    captions = [
        f"{text} {'grey' if year_ < 1985 else 'colour'}" for text, year_ in zip(make_captions(300), year, strict=True)
    ]
    metric = (year - 1985) / 20 + random.normal(size=300)
    assert assess(captions, metric).verdict == "signal"
    found = assess(captions, metric, features=pd.DataFrame({"year": year}))
    assert (found.verdict, found.quantity, found.test_rung) == ("none", "gain", "tfidf+features")
    assert found.r2 < 0
    assert found.reason.startswith("Beyond the other columns, the captions explain nothing further out of fold: R² ch")


def test_what_a_column_leaves_is_found_beside_it() -> None:
    captions = make_captions(300)
    year = np.random.default_rng(3).uniform(1950, 2020, 300)
    metric = make_metric(captions, 0.5) + (year - 1985) / 10
    found = assess(captions, metric, features=pd.DataFrame({"year": year}))
    assert (found.verdict, found.quantity, found.rung) == ("signal", "gain", "tfidf+features")
    assert found.reason.startswith("Beyond the other columns, the captions explain a further")


def test_group_effects_alone_are_none() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 8)
    theme = make_captions(30, length=3)
    captions = [
        f"{theme[label]} {extra}" for label, extra in zip(group, make_captions(240, seed=2, length=2), strict=True)
    ]
    metric = random.normal(size=30)[group] + 0.3 * random.normal(size=240)
    assert assess(captions, metric, group=group).verdict == "none"


def test_groups_of_one_row_are_no_groups() -> None:
    captions = make_captions(80)
    metric = make_metric(captions, 0.5)
    predictions = {"tfidf": metric - 0.1}
    given = {"captions": captions, "permutations": 19, "bootstrap": 100}
    alone = assess_signal(metric, predictions, group=[f"row {row}" for row in range(80)], **given)
    assert alone == assess_signal(metric, predictions, **given)


def test_the_best_rung_is_judged_and_constant_predictions_are_no_trouble() -> None:
    captions = make_captions(60)
    metric = make_metric(captions, 0.2)
    predictions = {"mean": np.full(60, metric.mean()), "constant": np.full(60, 1.0), "good": metric + 0.01}
    found = assess_signal(metric, predictions, captions=captions, permutations=19, bootstrap=100)
    assert found.rung == "good"


def test_a_rung_below_the_mean_is_none() -> None:
    captions = make_captions(60)
    metric = make_metric(captions, 0.2)
    found = assess_signal(metric, {"bad": np.zeros(60)}, captions=captions, permutations=39, bootstrap=100)
    assert found.verdict == "none"
    assert found.r2 < 0
    assert "explain nothing of the metric's variance out of fold: R² is −" in found.reason


def test_blank_and_equal_captions_are_none() -> None:
    metric = np.random.default_rng(0).normal(size=40)
    for captions in ([""] * 40, ["the same words"] * 40, [None] * 40):
        found = assess_signal(metric, {"any": metric}, captions=captions, permutations=19, bootstrap=100)
        assert found.verdict == "none"


def test_a_seed_repeats_and_ties_in_the_metric_are_no_trouble() -> None:
    captions = make_captions(100)
    metric = (make_metric(captions, 0.3) > 5.5).astype(int)
    assert assess(captions, metric) == assess(captions, metric)


def test_weights_are_honoured() -> None:
    captions = make_captions(300)
    random = np.random.default_rng(0)
    sure = random.random(300) < 0.3
    metric = make_metric(captions, 0.3) + np.where(sure, 0.0, 6.0) * random.normal(size=300)
    assert assess(captions, metric, weight=np.where(sure, 400.0, 1.0)).r2 > 0.3 > assess(captions, metric).r2


GOOD = {"metric": np.arange(20.0), "predictions": {"tfidf": np.arange(20.0)}, "captions": make_captions(20)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captions": None}, "needs the captions"),
        ({"captions": ["one"]}, "there are 1 captions for 20 metrics"),
        ({"metric": np.ones(20)}, "the metric is the same in every row"),
        ({"metric": [*range(19), np.nan]}, "row 20: the metric hold"),
        ({"metric": ["a"] * 20}, "cannot be read as numbers"),
        ({"predictions": {"tfidf": [np.nan, *range(19)]}}, "row 1: predictions of 'tfidf'"),
        ({"predictions": {"tfidf": [1.0]}}, "predictions of 'tfidf' should be 20 numbers"),
        ({"predictions": {"mean": np.zeros(20)}}, "no predictions from captions"),
        ({"predictions": {}}, "no predictions from captions"),
        ({"features": pd.DataFrame({"x": range(20)})}, "with features, predictions of the features alone"),
        ({"features": pd.DataFrame({"x": range(3)})}, "there are 3 feature rows"),
        ({"group": [1, 2]}, "there are 2 group labels for 20 rows"),
        ({"group": [1] * 20}, "one group"),
        ({"folds": [1] * 20}, "one fold"),
        ({"weight": [0.0] + [1.0] * 19}, "row 1: weights must be above zero"),
        ({"metric": [1.0, 2.0], "predictions": {"tfidf": [1.0, 2.0]}, "captions": ["a", "b"]}, "too few"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, object], message: str) -> None:
    given = {**GOOD, **change}
    with pytest.raises(UsageError, match=message):
        assess_signal(given.pop("metric"), given.pop("predictions"), **given)


# --- the level --------------------------------------------------------------------------------------


def plain_null(random: np.random.Generator, seed: int) -> dict[str, object]:
    return {"captions": make_captions(100, seed), "metric": random.standard_t(4, size=100)}


def equal_groups_null(random: np.random.Generator, seed: int) -> dict[str, object]:
    group = np.repeat(np.arange(25), 4)
    theme = make_captions(25, seed, length=4)
    metric = random.normal(size=25)[group] + 0.5 * random.normal(size=100)
    return {"captions": [theme[label] for label in group], "metric": metric, "group": group}


def unequal_groups_null(random: np.random.Generator, seed: int) -> dict[str, object]:
    group = random.integers(0, 25, 100)
    theme = make_captions(25, seed, length=4)
    metric = random.normal(size=25)[group] + 0.5 * random.normal(size=100)
    return {"captions": [theme[label] for label in group], "metric": metric, "group": group}


def confounded_null(random: np.random.Generator, seed: int) -> dict[str, object]:
    year, genre = random.uniform(-1, 1, 120), random.integers(0, 4, 120)
    words = np.array(["grey", "colour"])[(year + 0.3 * random.normal(size=120) > 0).astype(int)]
    scenes = np.array(["gun", "kiss", "smile", "ghost"])[genre]
    captions = [f"{a} {b} {c}" for a, b, c in zip(make_captions(120, seed, 3), words, scenes, strict=True)]
    metric = 1.5 * year**2 + year + np.array([0, 0.8, -0.5, 0.3])[genre] + random.normal(size=120)
    return {
        "captions": captions,
        "metric": metric,
        "features": pd.DataFrame({"year": year, "genre": scenes}),
    }


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [plain_null, equal_groups_null, unequal_groups_null, confounded_null])
def test_no_signal_passes_in_at_most_one_of_twenty_data_sets(
    scenario: Callable[[np.random.Generator, int], dict[str, object]],
) -> None:
    random = np.random.default_rng(0)
    passed = sum(assess(**scenario(random, seed)).verdict != "none" for seed in range(100))
    assert passed <= 11  # 5 expected at the nominal 5%, and three standard errors


def crossed_null(random: np.random.Generator, seed: int) -> dict[str, object]:
    """Captions echo an interaction of two columns, which a linear model of the columns does not know."""
    side, genre = random.integers(0, 2, 200), random.integers(0, 2, 200)
    crossed = side != genre
    echoed = np.where(random.random(200) < 0.9, crossed, ~crossed)
    captions = [
        f"{text} {'gun' if yes else 'kiss'}" for text, yes in zip(make_captions(200, seed, 3), echoed, strict=True)
    ]
    metric = 1.2 * crossed + random.normal(size=200)
    features = pd.DataFrame({"side": np.array(["left", "right"])[side], "genre": np.array(["a", "b"])[genre]})
    return {"captions": captions, "metric": metric, "features": features}


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [confounded_null, crossed_null])
def test_no_gain_of_a_fine_tuned_rung_passes_where_there_is_none(
    scenario: Callable[[np.random.Generator, int], dict[str, Any]], tiny_bert: Path, tmp_path: Path
) -> None:
    random, passed, above = np.random.default_rng(1), 0, 0
    model, times = f"bert:{tiny_bert}", 20
    for seed in range(times):
        made = scenario(random, seed)
        metric = made["metric"]
        found = fit(
            made["captions"], metric, outer_folds(len(metric), None, 3, seed), row_ids=np.arange(len(metric)),
            features=made["features"], group=None, weight=None, folder=tmp_path / str(seed),
            options=FitOptions(model=model, folds=3, permutations=39, bootstrap=300, max_epochs=2),
        )  # fmt: skip
        passed += found.signal.verdict != "none"
        by_rung = {name: rows["prediction"].to_numpy() for name, rows in found.predictions.groupby("model", sort=False)}
        above += r2_interval(metric, by_rung[model + "+features"], baseline=by_rung["features"], bootstrap=300)[1] > 0
    assert passed <= 3  # 1 expected at the nominal 5%, and three standard errors
    assert above <= 3
