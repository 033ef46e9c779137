"""The game: what the model predicts when only some words of a caption are kept.

Many captions are played at once: every round, the texts that all of them ask for are deduplicated and
sent to the model together.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from yoin.errors import UsageError
from yoin.explanations.players import Players
from yoin.explanations.unspaced import is_unspaced
from yoin.language import words
from yoin.values import Predict

Floats: TypeAlias = NDArray[np.float64]
Masks: TypeAlias = NDArray[np.bool_]
Outcome = TypeVar("Outcome")
Plan: TypeAlias = Generator[Masks, Floats, Outcome]
"""Asks for the values of sets of kept words, (sets, words) bool, is sent (sets,) float64, returns an outcome."""

MAX_CALL_TEXTS = 8192
_DANGLING = " ,;:–—-、，；：([{（「『【“‘"


class Game:
    """Texts for sets of kept words of one caption.

    All words give the caption itself, untouched, and none the empty text. With a ``mask``, that stands in the
    place of each word left out instead, and all else stays as it is.
    """

    def __init__(self, players: Players, mask: str = "") -> None:
        self._mask = mask
        self._caption = players.caption
        self._words = players.words
        gaps = [left[1] < right[0] for left, right in itertools.pairwise(players.words)]
        self._blanks = np.cumsum([0, *gaps])  # blanks before each word
        self._glues: dict[tuple[int, int], str] = {}

    def text(self, kept: Masks) -> str:
        """The caption with only the ``kept`` words, (words,) bool.

        Neighbouring words stay as they are. Where something is left out between two words there is one
        blank if there was one in the caption, or if they would otherwise become one word. A comma, colon,
        dash or opening bracket does not stay behind at the end.
        """
        count = int(kept.sum())
        if count == len(kept):
            return self._caption
        if self._mask:
            return self._masked(kept)
        if not count:
            return ""
        edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False])).astype(np.int8)))
        runs = edges.reshape(-1, 2).tolist()  # half-open ranges of kept words
        pieces = [self._slice(*runs[0])]
        for (_, left), (right, end) in itertools.pairwise(runs):
            pieces.append(self._glue(left - 1, right))
            pieces.append(self._slice(right, end))
        text = "".join(pieces)
        return text if kept[-1] else text.rstrip(_DANGLING) or text

    def _masked(self, kept: Masks) -> str:
        pieces, at = [], 0
        for (start, end), keep in zip(self._words, kept.tolist(), strict=True):
            pieces += [self._caption[at:start], self._caption[start:end] if keep else self._mask]
            at = end
        return "".join([*pieces, self._caption[at:]])

    def _slice(self, first: int, last: int) -> str:
        return self._caption[self._words[first][0] : self._words[last - 1][1]]

    def _glue(self, left: int, right: int) -> str:
        if self._blanks[right] > self._blanks[left]:
            return " "
        if (left, right) not in self._glues:
            before, after = self._slice(left, left + 1), self._slice(right, right + 1)
            merges = len(words(before + after)) < len(words(before)) + len(words(after))
            merges |= is_unspaced(before[-1]) and is_unspaced(after[0])
            self._glues[left, right] = " " if merges else ""
        return self._glues[left, right]


class Evaluator:
    """The model behind a memory of the texts it has seen.

    Args:
        predict: the model.
        quickly: a quicker way to about the same values, for the texts that need not be exact.

    ``calls`` counts the texts sent to the model so far.
    """

    def __init__(self, predict: Predict, quickly: Predict | None = None) -> None:
        self._predict = predict
        self._quickly = quickly
        self._memory: dict[str, float] = {}
        self._quick_memory: dict[str, float] = {}
        self.calls = 0

    def __call__(self, texts: Sequence[str], exact: Sequence[bool] | None = None) -> Floats:
        """The model's values (n,) of n texts, all of them or those marked as ``exact`` not by the quicker way.

        Equal texts are sent once.

        Raises:
            UsageError: the model returned anything but one finite number a text.
        """
        marks = [True] * len(texts) if self._quickly is None or exact is None else exact
        self._learn(self._predict, self._memory, [text for text, mark in zip(texts, marks, strict=True) if mark])
        if self._quickly is not None:
            rest = [text for text, mark in zip(texts, marks, strict=True) if not mark]
            self._learn(self._quickly, self._quick_memory, rest)
        known, about = self._memory, self._quick_memory
        values = [known[text] if mark else about[text] for text, mark in zip(texts, marks, strict=True)]
        return np.array(values, dtype=np.float64)

    def _learn(self, model: Predict, memory: dict[str, float], texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in memory]
        for start in range(0, len(new), MAX_CALL_TEXTS):
            batch = new[start : start + MAX_CALL_TEXTS]
            self.calls += len(batch)
            memory.update(zip(batch, checked(model(list(batch)), batch).tolist(), strict=True))

    def forget(self) -> None:
        """Drop the memory of all texts but the empty one, which every caption needs."""
        self._memory = {text: value for text, value in self._memory.items() if not text}
        self._quick_memory.clear()


def checked(returned: object, texts: Sequence[str]) -> Floats:
    """What ``predict`` returned for ``texts``, as float64 (n,).

    Raises:
        UsageError: it is not one finite number a text; the sentence says what came back.
    """
    remedy = "let predict take a list of n texts and return n finite numbers, shape (n,)"
    try:
        array = np.asarray(returned)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"predict returned a {type(returned).__name__} that is not an array ({error})",
            stage="explain", remedy=remedy,
        ) from error  # fmt: skip
    if array.dtype.kind not in "biuf":
        came = type(returned).__name__
        if array.ndim:
            came += " of text" if array.dtype.kind in "US" else f" of {array.dtype}"
        raise UsageError(f"predict returned a {came}, not numbers", stage="explain", remedy=remedy)
    if array.shape != (len(texts),):
        raise UsageError(f"predict returned shape {array.shape} for {len(texts)} texts", stage="explain", remedy=remedy)
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        wrong = int(np.flatnonzero(~np.isfinite(values))[0])
        raise UsageError(
            f"predict returned {values[wrong]} for the text {texts[wrong][:60]!r}", stage="explain", remedy=remedy
        )
    return values


def play(games: Sequence[Game], plans: Sequence[Plan[Outcome]], evaluate: Evaluator) -> list[Outcome]:
    """Run the plans side by side to their outcomes, one pooled evaluation a round."""
    outcomes: dict[int, Outcome] = {}
    answers: dict[int, Floats | None] = dict.fromkeys(range(len(plans)))
    while answers:
        asked: dict[int, int] = {}
        texts: list[str] = []
        exact: list[bool] = []  # what values must add up to: the whole caption and the empty one
        for number, answer in answers.items():
            try:
                masks = next(plans[number]) if answer is None else plans[number].send(answer)
            except StopIteration as stop:
                outcomes[number] = stop.value
                continue
            asked[number] = len(masks)
            texts += [games[number].text(mask) for mask in masks]
            exact += [bool(mask.all() or not mask.any()) for mask in masks]
        values = evaluate(texts, exact) if texts else np.empty(0)
        answers, start = {}, 0
        for number, count in asked.items():
            answers[number] = values[start : start + count]
            start += count
    return [outcomes[number] for number in range(len(plans))]
