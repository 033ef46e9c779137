from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions, make_metric
from yoin.model.linear import TfidfRidge, predict_given, remember
from yoin.model.ridge import fit_ridge


def letters(texts: list[str]) -> np.ndarray:
    """A stand-in for the encoder: counts of the letters."""
    counts = np.array(
        [[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], dtype=np.float32
    )
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)


def r2(metric: np.ndarray, prediction: np.ndarray) -> float:
    return 1 - float(np.sum((metric - prediction) ** 2) / np.sum((metric - metric.mean()) ** 2))


def test_tfidf_learns_words() -> None:
    captions, others = make_captions(300), make_captions(100, seed=7)
    model = TfidfRidge()
    model.fit(captions, make_metric(captions, 0.3))
    assert r2(make_metric(others, 0), model.predict(others)) > 0.8


@pytest.mark.parametrize(
    "captions", [make_captions(60), ["暖かい赤い背景", "暗い青い背景"] * 30, ["one", "of", "each"], [""] * 9]
)
def test_a_saved_tfidf_predicts_the_same(captions: list[str], tmp_path: Path) -> None:
    model = TfidfRidge()
    model.fit(captions, np.random.default_rng(0).normal(size=len(captions)))
    model.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ridge.json"]
    others = [*captions[:5], "unseen", "赤"]
    np.testing.assert_array_equal(TfidfRidge.load(tmp_path).predict(others), model.predict(others))


def test_japanese_is_read_by_characters() -> None:
    warm = ["暖かい赤い背景に大きな顔", "赤い背景と文字"] * 20
    cool = ["冷たい青い背景に小さな顔", "青い背景と文字"] * 20
    model = TfidfRidge()
    model.fit(warm + cool, np.repeat([1.0, 0.0], 40))
    red, blue = model.predict(["背景が赤い", "背景が青い"])
    assert red > blue + 0.3


def test_an_encoder_that_remembers_embeds_a_text_once() -> None:
    asked: list[str] = []

    def embed(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return letters(texts)

    memory = remember(embed)
    memory(["a", "b", "a"])
    np.testing.assert_array_equal(memory(["b", "c"]), letters(["b", "c"]))
    assert asked == ["a", "b", "c"]


def planted(rows: int, idle: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Text columns that echo a feature, the feature, and a metric that depends on it and on one text column."""
    random = np.random.default_rng(seed)
    feature = random.normal(size=(rows, 1))
    text = np.column_stack([feature[:, 0] + 0.5 * random.normal(size=rows), random.normal(size=(rows, idle))])
    return text, feature, random.normal(size=rows) + feature[:, 0]


def test_text_beside_features_finds_what_they_leave() -> None:
    text, feature, metric = planted(400, 3, 0)
    metric = metric + text[:, 0]  # correlated with the feature, so plain stacking would shrink it
    alone, both = predict_given(
        (text[:300], text[300:]), (feature[:300], feature[300:]), metric[:300, None], weight=None, group=None
    )
    truth = feature[300:, 0] + text[300:, 0]
    assert r2(truth, both[:, 0]) > 0.95 > r2(truth, alone[:, 0])


def test_idle_text_hardly_hurts_beside_features() -> None:
    losses = []
    for seed in range(30):
        text, feature, metric = planted(200, 200, seed)
        alone, both = predict_given(
            (text[:150], text[150:]), (feature[:150], feature[150:]), metric[:150, None], weight=None, group=None
        )
        losses.append(r2(metric[150:], alone[:, 0]) - r2(metric[150:], both[:, 0]))
    assert np.mean(losses) < 0.02


def test_the_features_alone_are_their_ridge() -> None:
    text, feature, metric = planted(60, 2, 0)
    alone, _ = predict_given((text, text), (feature, feature), metric[:, None], weight=None, group=None)
    np.testing.assert_allclose(alone, fit_ridge(feature, metric[:, None]).predict(feature))
