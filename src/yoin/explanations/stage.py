"""Explain the captions of a study, each by the model that never saw it; what is done is kept piece by piece."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from yoin.errors import UsageError
from yoin.explanations.api import Settings, explain_distinct
from yoin.explanations.deletion import Deletion, delete
from yoin.explanations.game import Evaluator, Game, play
from yoin.explanations.interactions import Pairwise, interact, largest
from yoin.explanations.players import split
from yoin.explanations.precision import Precision, measure
from yoin.explanations.result import to_pairs, to_table
from yoin.files import put
from yoin.options import ExplainOptions
from yoin.values import Predict, Progress, QuickPredict, silent

PIECE = 16  # captions explained between two commits
DELETED = 20  # captions whose words are taken out one after the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The explanations of a study's captions.

    ``table`` has `EXPLANATION_COLUMNS` and ``pairs`` has `INTERACTION_COLUMNS`, in the order of the captions asked
    for; ``facts`` say how they were made and what checks found, as JSON can hold it.
    """

    table: pd.DataFrame
    pairs: pd.DataFrame
    facts: Mapping[str, Any]


def explain_captions(
    captions: pd.DataFrame,
    predictors: Mapping[int, Predict],
    *,
    options: ExplainOptions,
    folder: Path | None = None,
    deletions: int = DELETED,
    progress: Progress = silent,
) -> Explained:
    """The explanations of a study's captions, each by the model of its own fold.

    Args:
        captions: ``row_id``, ``caption`` and ``fold``, a row a caption to explain. They are gone through fold by
            fold, so that each model is read once.
        predictors: the model of each fold: fitted on all the other folds. One that is a `QuickPredict` is asked by its
            quicker way where that is near enough to the exact one (`precision`), for all but the whole and the empty
            caption.
        options: the budget for each caption, and so on.
        folder: an existing folder where every piece is kept as it is done, and found again; None to keep nothing.
        deletions: for how many captions words are taken out one after the other, as a check.
        progress: told the captions done and all.

    Raises:
        UsageError: a fold has no model, a model knows no mask token where one is asked for, or it returned something
            else than one finite number a text.
    """
    order = captions.sort_values(["fold", "row_id"], kind="stable", ignore_index=True)
    chosen = _evenly(order, options.interactions), _evenly(order, deletions)
    pieces: list[_Piece] = []
    precisions: list[Precision] = []
    done = 0
    progress(0, len(order), "")
    for fold, rows in order.groupby("fold", sort=True):
        number = int(str(fold))
        if number not in predictors:
            raise UsageError(f"there is no model of fold {number}", stage="explain", remedy="fit the model again")
        model = _Model(predictors[number], rows["caption"].tolist(), options, folder and folder / f"{number}.json")
        for start in range(0, len(rows), PIECE):
            piece = rows.iloc[start : start + PIECE]
            kept = folder and folder / f"{number}-{start}"
            found = _read(kept) if kept else None
            if found is None:

                def told(now: int, _total: int, note: str, before: int = done) -> None:
                    progress(before + now, len(order), note)

                found = _explain_piece(piece, model, options, chosen, told)
                if kept:
                    _keep(kept, found)
            pieces.append(found)
            done += len(piece)
            progress(done, len(order), "")
        if model.precision:
            precisions.append(model.precision)
    table = pd.concat([piece.table for piece in pieces] or [to_table([])], ignore_index=True)
    pairs = pd.concat([piece.pairs for piece in pieces] or [to_pairs([])], ignore_index=True)
    curves = [curve for piece in pieces for curve in piece.curves]
    return Explained(
        table=_in_order(table, captions),
        pairs=_in_order(pairs, captions),
        facts={
            "captions": len(captions),
            "budget": options.budget or 0,
            "tolerance": options.tolerance,
            "mask": options.mask,
            "calls": sum(piece.calls for piece in pieces),
            "precision": _worst(precisions),
            "deletion": Deletion.of(curves).facts if curves else None,
        },
    )


class _Model:
    """A fold's model as it is asked: by its quicker way where that was measured and is near enough."""

    def __init__(self, predict: Predict, captions: Sequence[str], options: ExplainOptions, kept: Path | None) -> None:
        self._predict = predict
        self._captions = captions
        self._options = options
        self._kept = kept
        self._evaluator: Evaluator | None = None
        self.precision: Precision | None = None
        if kept and kept.exists():
            self.precision = Precision(**json.loads(kept.read_text("utf-8")))

    @property
    def mask(self) -> str:
        """What stands for a word left out."""
        if self._options.mask == "remove":
            return ""
        token = str(getattr(self._predict, "mask_token", ""))
        if not token:
            raise UsageError("this model knows no mask token", stage="explain", remedy="use --mask remove")
        return token

    def evaluator(self) -> Evaluator:
        """The same one each time; the model is read, and its quicker way measured, when it is first asked for."""
        if self._evaluator is None:
            quick = self._predict if isinstance(self._predict, QuickPredict) and self._predict.ways else None
            if quick and self.precision is None:
                self.precision = measure(quick, self._captions, seed=self._options.seed, mask=self.mask)
                if self._kept:
                    told = json.dumps(asdict(self.precision))
                    put(self._kept, lambda path: path.write_text(told, "utf-8"))
            quickly = None
            if quick and self.precision and self.precision.used:
                quickly = partial(_asked, quick, self.precision.kind)
            self._evaluator = Evaluator(self._predict, quickly)
        return self._evaluator


def _asked(predict: QuickPredict, way: str, texts: list[str]) -> np.ndarray:
    return predict.quickly(texts, way)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What is kept of some captions: their spans, their pairs, their deletion curves, and the texts asked for."""

    table: pd.DataFrame
    pairs: pd.DataFrame
    curves: list[list[list[float]]]
    calls: int


def _explain_piece(
    rows: pd.DataFrame,
    model: _Model,
    options: ExplainOptions,
    chosen: tuple[set[int], set[int]],
    progress: Progress,
) -> _Piece:
    evaluate = model.evaluator()
    before = evaluate.calls
    settings = Settings(budget=options.budget, tolerance=options.tolerance, mask=model.mask, seed=options.seed)
    row_ids = rows["row_id"].to_numpy()
    table = explain_distinct(evaluate, rows["caption"].tolist(), settings, progress)
    table["row_id"] = row_ids[table["row_id"].to_numpy()]
    calls = evaluate.calls - before
    spans = dict(tuple(table.groupby("row_id", sort=False)))
    texts = dict(zip(row_ids.tolist(), rows["caption"].tolist(), strict=True))
    paired = [row_id for row_id in texts if row_id in chosen[0]]
    pairs = _interactions([(texts[row_id], spans[row_id]) for row_id in paired], model.mask, evaluate)
    curves = [
        delete(texts[row_id], spans[row_id], evaluate, mask=model.mask, seed=options.seed)
        for row_id in texts
        if row_id in chosen[1]
    ]
    evaluate.forget()
    return _Piece(table=table, pairs=to_pairs(zip(paired, pairs, strict=True)), curves=curves, calls=calls)


def _interactions(captions: list[tuple[str, pd.DataFrame]], mask: str, evaluate: Evaluator) -> list[Pairwise]:
    games, plans = [], []
    for text, spans in captions:
        players = split(text)
        edges = list(zip(spans["start"].tolist(), spans["end"].tolist(), strict=True))
        games.append(Game(players, mask))
        plans.append(interact(players, largest(players, edges, spans["value"].to_numpy())))
    return play(games, plans, evaluate)


def _evenly(rows: pd.DataFrame, most: int) -> set[int]:
    """The row_ids of at most ``most`` rows, spread evenly."""
    places = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))
    return set(rows["row_id"].to_numpy()[places].tolist())


def _in_order(table: pd.DataFrame, captions: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``table`` in the order in which ``captions`` has its row_ids."""
    place = pd.Series(np.arange(len(captions)), index=captions["row_id"].to_numpy())
    return table.iloc[np.argsort(place.loc[table["row_id"]].to_numpy(), kind="stable")].reset_index(drop=True)


def _worst(precisions: list[Precision]) -> dict[str, Any] | None:
    """All folds' precision together: the sum of the texts, the worst of the rest."""
    if not precisions:
        return None
    return {
        "kind": precisions[0].kind,
        "texts": sum(each.texts for each in precisions),
        "largest_error": max(each.largest_error for each in precisions),
        "mean_error": max(each.mean_error for each in precisions),
        "spread": min(each.spread for each in precisions),
        "rank_correlation": min(each.rank_correlation for each in precisions),
        "used": all(each.used for each in precisions),
    }


def _read(kept: Path) -> _Piece | None:
    rest = kept.with_suffix(".json")
    if not rest.exists():  # written last
        return None
    told = json.loads(rest.read_text("utf-8"))
    spans, pairs = pd.read_parquet(f"{kept}.parquet"), pd.read_parquet(f"{kept}-pairs.parquet")
    return _Piece(table=spans, pairs=pairs, curves=told["curves"], calls=told["calls"])


def _keep(kept: Path, piece: _Piece) -> None:
    put(kept.with_name(f"{kept.name}.parquet"), lambda path: piece.table.to_parquet(path, index=False))
    put(kept.with_name(f"{kept.name}-pairs.parquet"), lambda path: piece.pairs.to_parquet(path, index=False))
    told = json.dumps({"curves": piece.curves, "calls": piece.calls})
    put(kept.with_name(f"{kept.name}.json"), lambda path: path.write_text(told, "utf-8"))
