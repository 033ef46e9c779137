"""Small text models with known Shapley values."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from yoin.language import words

WEIGHTS = {"dog": 1.0, "red": -0.5, "text": 0.3, "大": 0.7, "犬": -1.1}


@cache
def word_weight(word: str) -> float:
    """A fixed weight for any word: known ones by name, others by their letters."""
    return WEIGHTS.get(word, sum(map(ord, word)) % 13 / 10 - 0.6)


def additive(texts: list[str]) -> np.ndarray:
    """2 plus the weights of all words."""
    return np.array([2 + sum(word_weight(word.text) for word in words(text.lower())) for text in texts])


def bumpy(texts: list[str]) -> np.ndarray:
    """An arbitrary function of the text with interactions of every order between words."""
    sums = additive(texts)
    return np.sin(3 * sums) + 0.1 * sums + np.array([len(text) for text in texts]) / 50


class Counting:
    """A model that remembers what it was asked."""

    def __init__(self, predict: Callable[[list[str]], np.ndarray]) -> None:
        self.predict = predict
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.batches.append(list(texts))
        return self.predict(texts)

    @property
    def calls(self) -> int:
        return sum(map(len, self.batches))
