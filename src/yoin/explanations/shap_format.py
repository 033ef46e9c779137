"""Explanations as shap.Explanation, for shap's own plots. The one place that imports shap."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable

import numpy as np
import pandas as pd
import shap

from yoin.explanations.pictures import Drawn, Pictures
from yoin.explanations.players import split
from yoin.explanations.result import tokens
from yoin.language import words


class CaptionExplanation(Pictures, shap.Explanation):  # type: ignore[misc]  # shap has no types
    """Explanations of n captions: by distinct span for all together, by span in reading order for each.

    shap's text plot walks through the rows, each of which has spans of its own; its bar, beeswarm and
    heatmap plots need one matrix with named columns. So the object itself is the matrix, and taking one row
    by its number gives that caption's own spans. Taking several rows keeps the matrix's columns.
    """

    def __init__(self, rows: list[shap.Explanation], names: dict[str, int]) -> None:
        values = np.zeros((len(rows), len(names)))
        counts = np.zeros((len(rows), len(names)))
        for number, row in enumerate(rows):
            columns = [names[name] for name in row.feature_names]
            np.add.at(values[number], columns, row.values)
            np.add.at(counts[number], columns, 1)
        super().__init__(
            values,
            base_values=np.array([row.base_values for row in rows], dtype=np.float64),
            data=counts,
            feature_names=list(names),
        )
        self._rows = rows
        self._columns = names

    @classmethod
    def of(cls, captions: Iterable[tuple[pd.DataFrame, str]]) -> CaptionExplanation:
        """From (the caption's rows of an explanations table, the caption) pairs."""
        rows = [_one(spans, caption) for spans, caption in captions]
        distinct = dict.fromkeys(name for row in rows for name in row.feature_names)
        return cls(rows, {name: column for column, name in enumerate(distinct)})

    def _drawn(self) -> list[Drawn]:
        return [Drawn(tuple(row.data), tuple(row.values.tolist()), float(row.base_values)) for row in self._rows]

    def __getitem__(self, item: object) -> shap.Explanation:
        """One caption's spans for a number; these captions for a slice, list or mask; else as shap does."""
        if isinstance(item, slice):
            return CaptionExplanation(self._rows[item], self._columns)
        if isinstance(item, list | np.ndarray) and np.ndim(item) == 1:
            chosen = np.arange(len(self._rows))[np.asarray(item, dtype=None if len(item) else np.int64)]
            return CaptionExplanation([self._rows[number] for number in chosen], self._columns)
        if isinstance(item, int | np.integer):
            return self._rows[operator.index(item)]
        return super().__getitem__(item)


def _one(spans: pd.DataFrame, caption: str) -> shap.Explanation:
    """One caption: its spans in order, as text that joined together is the caption."""
    spans = spans.sort_values("start")
    return shap.Explanation(
        spans["value"].to_numpy(dtype=np.float64),
        base_values=float(spans["base_value"].iloc[0]),
        data=np.array(tokens(spans, caption), dtype=object),
        feature_names=[_name(text) for text in spans["text"].tolist()],
        error_std=spans["std_error"].to_numpy(dtype=np.float64),
        clustering=_clustering(caption, spans["start"].tolist()) if len(spans) > 1 else None,
    )


def _clustering(caption: str, starts: list[int]) -> np.ndarray:
    """The tree of words, phrases and sentences over n > 1 spans as shap takes it: (n - 1, 4), as scipy's linkage.

    A row joins two of its nodes, spans or earlier rows; its distance is 1/3 within a phrase, 2/3 within a sentence, 1
    within the caption.
    """
    players = split(caption)
    phrase_starts = [players.words[first][0] for first, _ in players.phrases]
    phrase = np.searchsorted(phrase_starts, starts, side="right") - 1
    sentence = np.searchsorted([first for first, _ in players.sentences], phrase, side="right") - 1
    nodes = [(number, 1) for number in range(len(starts))]  # and the spans in each
    rows: list[tuple[float, float, float, float]] = []
    for level, (labels, distance) in enumerate(((phrase, 1 / 3), (sentence, 2 / 3), (np.zeros_like(phrase), 1.0))):
        labels = labels[_firsts(nodes)] if level else labels
        joined: list[tuple[int, int]] = []
        labelled = zip(labels.tolist(), nodes, strict=True)
        for _, same in itertools.groupby(labelled, key=operator.itemgetter(0)):
            (node, count), *others = [each for _, each in same]
            for other, size in others:
                count += size
                rows.append((node, other, distance, count))
                node = len(starts) + len(rows) - 1
            joined.append((node, count))
        nodes = joined
    return np.array(rows, dtype=np.float64)


def _firsts(nodes: list[tuple[int, int]]) -> list[int]:
    """The first span of each node, of nodes that follow each other."""
    return list(itertools.accumulate([0, *(count for _, count in nodes[:-1])]))


def _name(text: str) -> str:
    """The span without case and punctuation."""
    return " ".join(word.text.lower() for word in words(text)) or text.strip() or "(blank)"
