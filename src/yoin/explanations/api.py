"""Explain texts with any model."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from yoin.errors import UsageError
from yoin.explanations.game import Evaluator, Game, play
from yoin.explanations.result import Explanations, to_table
from yoin.explanations.shapley import MIN_BUDGET, Attribution, Cut, attribute_all, cut
from yoin.values import Predict, Progress, silent

# Captions are played together until they may ask for so many texts, or characters, at once.
GROUP_TEXTS = 4096
GROUP_CHARACTERS = 20_000_000


def explain(
    predict: Predict,
    texts: Sequence[str],
    *,
    budget: int | None = None,
    tolerance: float = 0.0,
    mask: str = "",
    seed: int = 0,
    progress: Progress = silent,
) -> Explanations:
    """Shapley values of the words and phrases of each text: what they add to the prediction.

    The value of a set of words is the prediction for the text with all other words left out; the base value
    is the prediction for the empty text.

    Args:
        predict: any function of n texts that returns n finite numbers, shape (n,).
        texts: what to explain; equal texts are explained once.
        budget: the most texts the model may be asked for to explain one text, at least 16; by default five for each
            of its phrases, at least 80 and at most 240. More give smaller standard errors and more phrases refined
            into words.
        tolerance: stop asking for a text once the standard errors of its phrases are all below this share of
            their largest absolute value; 0 to spend the budget.
        mask: put in the place of each word left out, such as "[MASK]"; the base value is then the prediction
            for the text with all words masked.
        seed: for the sampling; a text's explanation does not depend on the others.
        progress: told the texts done and all.

    Returns:
        The table of spans, in ``predict``'s unit; a text's values and base value add up to its prediction.
        Standard errors are 0 where the values are exact.

    Raises:
        UsageError: texts are not a list of valid str, the budget is too small, or predict returned something else.
    """
    given = _checked_texts(texts)
    if budget is not None and budget < MIN_BUDGET:
        raise UsageError(f"the budget is {budget}", stage="explain", remedy=f"give at least {MIN_BUDGET}")
    if not tolerance >= 0:
        raise UsageError(f"the tolerance is {tolerance}", stage="explain", remedy="give 0 or more")
    evaluate = Evaluator(predict)
    settings = Settings(budget=budget, tolerance=tolerance, mask=mask, seed=seed)
    table = explain_distinct(evaluate, given, settings, progress)
    return Explanations(table=table, texts=given, calls=evaluate.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How texts are explained; see `explain`."""

    budget: int | None
    tolerance: float
    mask: str
    seed: int


def explain_distinct(
    evaluate: Evaluator, texts: Sequence[str], settings: Settings, progress: Progress = silent
) -> pd.DataFrame:
    """The table of `explain`; equal texts are explained once."""
    places: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        places.setdefault(text, []).append(position)
    found: dict[int, Attribution] = {}
    for attribution in _attributions(evaluate, list(places), settings):
        found.update(dict.fromkeys(places[attribution.caption], attribution))
        progress(len(found), len(texts), "")
    return to_table(sorted(found.items(), key=_position))


def select_rows(metric: pd.Series, explain: int | Literal["all"], seed: int) -> list[int]:
    """Which rows to explain: ``explain`` row_ids, ascending, spread evenly over the metric's range.

    The rows are ranked by ``metric`` (indexed by row_id; equal values in random order) and cut into as many
    equal parts as rows are asked for; one row is drawn from each part.
    """
    row_ids = metric.index.to_numpy()
    if explain == "all" or explain >= len(row_ids):
        return sorted(int(row_id) for row_id in row_ids)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(row_ids))
    ranked = row_ids[shuffled[np.argsort(metric.to_numpy()[shuffled], kind="stable")]]
    edges = np.arange(explain + 1) * len(ranked) // max(explain, 1)
    return sorted(int(ranked[rng.integers(low, high)]) for low, high in itertools.pairwise(edges))


def _attributions(evaluate: Evaluator, captions: list[str], settings: Settings) -> Iterator[Attribution]:
    """The explanations of different captions, in their order; a group of them is held in memory at a time."""
    for group in _groups(cut(caption, settings.budget) for caption in captions):
        seeds = [_seed(settings.seed, caption.players.caption) for caption in group]
        plans = attribute_all(group, seeds=seeds, tolerance=settings.tolerance)
        yield from play([Game(caption.players, settings.mask) for caption in group], plans, evaluate)
        evaluate.forget()


def _groups(captions: Iterable[Cut]) -> Iterator[list[Cut]]:
    group: list[Cut] = []
    texts = characters = 0
    for caption in captions:
        cost = caption.budget * len(caption.players.caption)
        if group and (texts + caption.budget > GROUP_TEXTS or characters + cost > GROUP_CHARACTERS):
            yield group
            group, texts, characters = [], 0, 0
        group.append(caption)
        texts += caption.budget
        characters += cost
    if group:
        yield group


def _seed(seed: int, caption: str) -> int:
    """A seed for one caption, whatever else is explained with it."""
    digest = hashlib.sha256(f"{seed}\n{caption}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _position(item: tuple[int, Attribution]) -> int:
    return item[0]


def _checked_texts(texts: Sequence[str]) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise UsageError("texts is a single str", stage="explain", remedy="give a list of texts, such as [text]")
    given = tuple(texts)
    for position, text in enumerate(given):
        if not isinstance(text, str):
            raise UsageError(
                f"the text is a {type(text).__name__}, not a str", stage="explain", row=position + 1,
                remedy="leave the row out or give it a text",
            )  # fmt: skip
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise UsageError(
                "the text has half a surrogate pair", stage="explain", row=position + 1,
                remedy="read it again with the right encoding",
            )  # fmt: skip
    return given
