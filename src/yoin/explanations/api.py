"""Explain texts with any model, and the captions of a study with the models that never saw them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from yoin.errors import UsageError
from yoin.explanations.game import Evaluator, Game, play
from yoin.explanations.result import Explanations, to_table
from yoin.explanations.shapley import MIN_BUDGET, Attribution, attribute_all, cut
from yoin.options import ExplainOptions
from yoin.values import Predict, Progress, silent

# Captions are played together until they may ask for so many texts, or characters, at once.
GROUP_TEXTS = 4096
GROUP_CHARACTERS = 20_000_000


def explain(
    predict: Predict, texts: Sequence[str], *, budget: int = 256, seed: int = 0, progress: Progress = silent
) -> Explanations:
    """Shapley values of the words and phrases of each text: what they add to the prediction.

    The value of a set of words is the prediction for the text with all other words left out; the base value
    is the prediction for the empty text.

    Args:
        predict: any function of n texts that returns n finite numbers, shape (n,).
        texts: what to explain; equal texts are explained once.
        budget: the most texts the model may be asked for to explain one text, at least 16. More give
            smaller standard errors and more phrases refined into words.
        seed: for the sampling; a text's explanation does not depend on the others.
        progress: told the texts done and all.

    Returns:
        The table of spans, in ``predict``'s unit; a text's values and base value add up to its prediction.
        Standard errors are 0 where the values are exact.

    Raises:
        UsageError: texts are not a list of valid str, the budget is too small, or predict returned something else.
    """
    given = _checked_texts(texts)
    if budget < MIN_BUDGET:
        raise UsageError(f"the budget is {budget}", stage="explain", remedy=f"give at least {MIN_BUDGET}")
    evaluate = Evaluator(predict)
    places: dict[str, list[int]] = {}
    for position, text in enumerate(given):
        places.setdefault(text, []).append(position)
    found: dict[int, Attribution] = {}
    for attribution in _explain_distinct(evaluate, list(places), budget, seed):
        found.update(dict.fromkeys(places[attribution.caption], attribution))
        progress(len(found), len(given), "")
    return Explanations(table=to_table(sorted(found.items(), key=_position)), texts=given, calls=evaluate.calls)


def explain_rows(
    captions: pd.DataFrame,
    predictors: Mapping[int, Predict],
    *,
    options: ExplainOptions,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The explanations of a study's captions, each by the model of its own fold, which never saw it.

    Args:
        captions: ``row_id``, ``caption`` and ``fold``, a row a caption to explain.
        predictors: the model of each fold: fitted on all the other folds.
        options: the budget for each caption, and the seed.
        progress: told the captions done and all.

    Returns:
        `EXPLANATION_COLUMNS`, in the order of ``captions``, in the metric's unit. Equal captions of one
        fold are explained once.

    Raises:
        UsageError: a fold has no model, or a model returned something else than one finite number a text.
    """
    tables, done = [], 0
    for fold in sorted(set(captions["fold"].tolist())):
        rows = captions[captions["fold"] == fold]
        if fold not in predictors:
            raise UsageError(f"there is no model of fold {fold}", stage="explain", remedy="fit the model again")

        def told(now: int, _total: int, note: str, before: int = done) -> None:
            progress(before + now, len(captions), note)

        row_ids = rows["row_id"].to_numpy()
        table = explain(
            predictors[fold], rows["caption"].tolist(), budget=options.budget, seed=options.seed, progress=told
        ).table
        table["row_id"] = row_ids[table["row_id"].to_numpy()]
        tables.append(table)
        done += len(rows)
    if not tables:
        return to_table([])
    table = pd.concat(tables, ignore_index=True)
    place = pd.Series(np.arange(len(captions)), index=captions["row_id"].to_numpy())
    return table.iloc[np.argsort(place.loc[table["row_id"]].to_numpy(), kind="stable")].reset_index(drop=True)


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


def _explain_distinct(evaluate: Evaluator, captions: list[str], budget: int, seed: int) -> Iterator[Attribution]:
    """The explanations of different captions, in their order; a group of them is held in memory at a time."""
    for group in _groups(captions, budget):
        cuts = [cut(caption, budget) for caption in group]
        plans = attribute_all(cuts, budget=budget, seeds=[_seed(seed, caption) for caption in group])
        yield from play([Game(players) for players, _ in cuts], plans, evaluate)
        evaluate.forget()


def _groups(captions: list[str], budget: int) -> Iterator[list[str]]:
    group: list[str] = []
    characters = 0
    for caption in captions:
        cost = budget * len(caption)
        if group and ((len(group) + 1) * budget > GROUP_TEXTS or characters + cost > GROUP_CHARACTERS):
            yield group
            group, characters = [], 0
        group.append(caption)
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
