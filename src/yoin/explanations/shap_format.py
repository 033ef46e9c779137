"""Explanations as shap.Explanation, for shap's own plots. The one place that imports shap."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable

import numpy as np
import pandas as pd
import shap

from yoin.language import words


class CaptionExplanation(shap.Explanation):  # type: ignore[misc]  # shap has no types
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
    edges = [0, *spans["start"].tolist()[1:], len(caption)]
    tokens = [caption[start:end] for start, end in itertools.pairwise(edges)]
    return shap.Explanation(
        spans["value"].to_numpy(dtype=np.float64),
        base_values=float(spans["base_value"].iloc[0]),
        data=np.array(tokens, dtype=object),
        feature_names=[_name(text) for text in spans["text"].tolist()],
        error_std=spans["std_error"].to_numpy(dtype=np.float64),
    )


def _name(text: str) -> str:
    """The span without case and punctuation."""
    return " ".join(word.text.lower() for word in words(text)) or text.strip() or "(blank)"
