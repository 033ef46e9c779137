"""The linear rungs: TF-IDF with an exact ridge; the features alone; both together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from yoin.features import FeatureEncoder
from yoin.model.base import HeldOut, Regressor
from yoin.model.kernel import FrozenRidge
from yoin.model.ridge import Ridge, fit_ridge, least_squares
from yoin.options import FitOptions
from yoin.values import Embed, Progress, silent

# The exact ridge takes the smaller of rows and terms cubed: with many rows the terms must be fewer.
MOST_TERMS = 5000
MOST_TERMS_OF_MANY_ROWS = 2500
CJK_SHARE = 0.2


class TextRidge(Regressor, Protocol):
    """A regression that can also make a matrix of the captions."""

    def learn(self, captions: list[str]) -> np.ndarray:
        """Learn how captions become columns, from the training captions; their matrix (n, p)."""

    def matrix(self, captions: list[str]) -> np.ndarray:
        """The matrix (m, p) of any captions."""


class TfidfRidge:
    """TF-IDF of words and word pairs (of runs of one to three characters in Chinese and Japanese text) and a ridge.

    Terms seen in one training caption only are left out; the vocabulary is the most frequent 5,000 terms
    (2,500 where there are more than 2,500 rows).
    """

    def __init__(self, argument: str = "", *, options: FitOptions | None = None) -> None:
        self.notes: tuple[str, ...] = ()
        self.held_out: HeldOut | None = None
        self._ridge = Ridge(np.zeros((0, 1)), np.zeros(1), np.zeros(1))
        self._vectorizer: TfidfVectorizer | None = None
        self._characters = False

    def learn(self, captions: list[str]) -> np.ndarray:
        """Choose the vocabulary on the training captions; their matrix (n, terms)."""
        self._characters = _cjk_share(captions) > CJK_SHARE
        most = MOST_TERMS if len(captions) <= MOST_TERMS_OF_MANY_ROWS else MOST_TERMS_OF_MANY_ROWS
        for fewest in (2, 1):
            vectorizer = _vectorizer(self._characters, min_df=fewest, max_features=most)
            try:
                matrix = vectorizer.fit_transform(captions)
            except ValueError:  # no term is that frequent
                continue
            self._vectorizer = vectorizer
            return np.asarray(matrix.toarray())
        self._vectorizer = None
        return np.zeros((len(captions), 0))

    def matrix(self, captions: list[str]) -> np.ndarray:
        """The matrix (m, terms) of any captions."""
        if self._vectorizer is None:
            return np.zeros((len(captions), 0))
        return np.asarray(self._vectorizer.transform(captions).toarray())

    def fit(
        self,
        captions: list[str],
        metric: np.ndarray,
        *,
        group: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        progress: Progress = silent,
    ) -> None:
        """Learn the vocabulary and the ridge."""
        self._ridge = fit_ridge(self.learn(captions), metric[:, None], weight=weight, group=group)

    def predict(self, captions: list[str]) -> np.ndarray:
        """Predictions (n,) in the metric's unit."""
        return self._ridge.predict(self.matrix(captions))[:, 0]

    def save(self, folder: Path) -> None:
        """Write ``ridge.json``."""
        known = self._vectorizer
        state = {
            "coefficients": self._ridge.coefficients[:, 0].tolist(),
            "intercept": float(self._ridge.intercepts[0]),
            "characters": self._characters,
            "terms": [] if known is None else known.get_feature_names_out().tolist(),
            "idf": [] if known is None else known.idf_.tolist(),
        }
        (folder / "ridge.json").write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``ridge.json``."""
        state = json.loads((folder / "ridge.json").read_text(encoding="utf-8"))
        model = cls()
        coefficients = np.array(state["coefficients"], dtype=float)
        model._ridge = Ridge(coefficients[:, None], np.array([state["intercept"]]), np.zeros(1))
        model._characters = bool(state["characters"])
        if state["terms"]:
            model._vectorizer = _vectorizer(model._characters, vocabulary=state["terms"])
            model._vectorizer.idf_ = np.array(state["idf"])
        return model


def predict_given(
    text: tuple[np.ndarray, np.ndarray],
    given: tuple[np.ndarray, np.ndarray],
    metrics: np.ndarray,
    *,
    weight: np.ndarray | None,
    group: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict from the features alone, and from the features and the text.

    The features go first: the text's columns and the metric are both rid of what the features say by least
    squares, and the rest of the metric is regressed on the rest of the text by a ridge (Frisch-Waugh-Lovell). So
    the text competes for what the features leave, with a penalty of its own that may be infinite: the pair is
    hardly ever worse than the features alone, which a joint ridge with one penalty is when one block is wide and
    idle. Least squares, not a ridge, because shrinking leaves a rest of the features in the metric and in the
    text, and a text that merely echoes a feature would pass for a gain. The features' own prediction is a ridge.

    Args:
        text: matrices of the training (n, p) and the other (m, p) rows.
        given: design matrices of the features, (n, q) and (m, q).
        metrics: (n, t).
        weight: (n,).
        group: (n,).

    Returns:
        two arrays (m, t): from the features; from the features and the text.
    """
    alone = fit_ridge(given[0], metrics, weight=weight, group=group).predict(given[1])
    in_text = least_squares(given[0], text[0], weight=weight)
    in_metric = least_squares(given[0], metrics, weight=weight)
    rest = fit_ridge(
        text[0] - in_text.predict(given[0]),
        metrics - in_metric.predict(given[0]),
        weight=weight,
        group=group,
        spent=given[0],
    )
    other = text[1] - in_text.predict(given[1])
    return alone, alone + rest.predict(other)


def cross_fit(
    captions: list[str],
    metrics: np.ndarray,
    folds: np.ndarray,
    *,
    rung: str,
    features: pd.DataFrame | None,
    group: np.ndarray | None,
    weight: np.ndarray | None,
    embed: Embed | None = None,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Out-of-fold predictions of a linear rung for several metrics of the same captions.

    Args:
        captions: n texts.
        metrics: (n, t).
        folds: (n,) the fold in which a row is held out.
        rung: ``tfidf`` or ``frozen``.
        features: the user's other columns, n rows, or None.
        group: (n,) labels of rows that belong together, or None.
        weight: (n,) above zero, or None.
        embed: the frozen encoder; the embedded one where not given.

    Returns:
        two arrays (n, t): predictions from the features alone (None without features), and from the captions or, with
        features, from both.
    """
    alone, with_text = np.zeros_like(metrics), np.zeros_like(metrics)
    for fold in np.unique(folds):
        train, other = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        w, g = None if weight is None else weight[train], None if group is None else group[train]
        model = text_ridge(rung, embed)
        text = model.learn([captions[row] for row in train]), model.matrix([captions[row] for row in other])
        if features is None:
            with_text[other] = fit_ridge(text[0], metrics[train], weight=w, group=g).predict(text[1])
            continue
        columns = FeatureEncoder().fit(features.iloc[train])
        given = columns.transform(features.iloc[train]), columns.transform(features.iloc[other])
        alone[other], with_text[other] = predict_given(text, given, metrics[train], weight=w, group=g)
    return None if features is None else alone, with_text


def remember(embed: Embed) -> Embed:
    """``embed`` that embeds a text once in its life."""
    known: dict[str, np.ndarray] = {}

    def remembered(texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embed(new), strict=True))
        return np.array([known[text] for text in texts])

    return remembered


def text_ridge(rung: str, embed: Embed | None) -> TextRidge:
    """The unfitted model of a linear rung: ``tfidf`` or ``frozen``."""
    return FrozenRidge(embed=embed) if rung == "frozen" else TfidfRidge()


def _vectorizer(characters: bool, **settings: object) -> TfidfVectorizer:
    pieces = {"analyzer": "char", "ngram_range": (1, 3)} if characters else {"ngram_range": (1, 2)}
    return TfidfVectorizer(sublinear_tf=True, **pieces, **settings)


def _cjk_share(captions: list[str]) -> float:
    """Share of kana, ideographs and hangul-free CJK among the letters of (a sample of) the captions."""
    letters = [letter for caption in captions[:500] for letter in caption if letter.isalpha()]
    cjk = sum("\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" for letter in letters)
    return cjk / max(1, len(letters))
