from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions
from yoin.model import kernel
from yoin.model.kernel import FrozenRidge, gaussian

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letters(texts: list[str]) -> np.ndarray:
    """A stand-in for the encoder: counts of the letters."""
    return np.array([[text.count(letter) for letter in LETTERS] for text in texts], dtype=np.float32)


def strings(rows: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return ["".join(random.choice(list("abcd"), 6)) + str(row) for row in range(rows)]


def r2(metric: np.ndarray, prediction: np.ndarray) -> float:
    return 1 - float(np.sum((metric - prediction) ** 2) / np.sum((metric - metric.mean()) ** 2))


def test_it_learns_what_is_not_linear_in_the_embeddings() -> None:
    captions = make_captions(200)
    count = letters(captions)[:, 3].astype(float)
    metric = np.abs(count - np.median(count))
    model = FrozenRidge(embed=letters)
    model.fit(captions[:150], metric[:150])
    assert r2(metric[150:], model.predict(captions[150:])) > 0.5


def test_features_of_enough_landmarks_give_the_kernel() -> None:
    captions = strings(60)
    model = FrozenRidge(embed=letters)
    features = model.learn(captions)
    points = model._space.points(letters(captions))
    np.testing.assert_allclose(features @ features.T, gaussian(points, points), atol=1e-5)
    np.testing.assert_allclose(model.matrix(captions[:5]), features[:5], atol=1e-12)


def test_distances_are_relative_to_the_captions() -> None:
    captions = strings(200)
    points = kernel.Space.of(letters(captions)).points(letters(captions))
    assert np.mean(np.sum((points[:, None] - points[None]) ** 2, axis=2)) == pytest.approx(2, rel=1e-4)


def test_what_it_solves_is_the_ridge_with_a_free_mean() -> None:
    captions, random = strings(80), np.random.default_rng(1)
    metric, weight = random.normal(size=80) + letters(captions)[:, 0], random.uniform(0.5, 2, 80)
    model = FrozenRidge(embed=letters)
    model.fit(captions, metric, weight=weight)
    # In the best fit the weighted rest is the penalty times the kernels' weights, which then sum to nothing.
    rest = (weight / weight.mean()) * (metric - model.predict(captions))
    penalty = rest @ model._weights / (model._weights @ model._weights)
    assert penalty > 0
    np.testing.assert_allclose(rest, penalty * model._weights, atol=1e-8)
    assert model._weights.sum() == pytest.approx(0, abs=1e-8)


def test_with_many_rows_it_stays_on_the_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    captions = strings(120)
    metric = letters(captions)[:, :4] @ np.array([1.0, -1.0, 0.5, 0.0])
    exact = FrozenRidge(embed=letters)
    exact.fit(captions, metric)
    monkeypatch.setattr(kernel, "MOST_ROWS", 100)
    rough = FrozenRidge(embed=letters)
    rough.fit(captions, metric)
    np.testing.assert_allclose(rough.predict(captions), exact.predict(captions), atol=1e-3)
    monkeypatch.setattr(kernel, "LANDMARKS", 40)
    rough.fit(captions, metric)
    assert r2(metric, rough.predict(captions)) > 0.8


def test_captions_that_say_nothing_give_the_mean() -> None:
    metric = np.random.default_rng(0).normal(3, 1, 40)
    model = FrozenRidge(embed=letters)
    model.fit(["the same"] * 40, metric)
    np.testing.assert_allclose(model.predict(["the same", "another"]), metric.mean())


def test_a_saved_one_predicts_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions = strings(50)
    model = FrozenRidge(embed=letters)
    model.fit(captions, letters(captions)[:, 1].astype(float))
    model.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kernel.safetensors"]
    monkeypatch.setattr(kernel.encoder, "model_path", lambda: tmp_path)
    monkeypatch.setattr(kernel.encoder, "embed_depths", letters)
    others = [*captions[:5], "unseen", ""]
    np.testing.assert_array_equal(FrozenRidge.load(tmp_path).predict(others), model.predict(others))
