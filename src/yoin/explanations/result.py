"""What an explanation returns: a table of spans, and shap's own format on request."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from yoin.errors import UsageError
from yoin.explanations.interactions import Pairwise
from yoin.explanations.pictures import Drawn, DrawnRows, Pictures
from yoin.explanations.shapley import Attribution
from yoin.registry import missing_extra
from yoin.values import EXPLANATION_COLUMNS, INTERACTION_COLUMNS

if TYPE_CHECKING:
    import shap


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanations(Pictures):
    """The explanations of n texts.

    ``table`` has `EXPLANATION_COLUMNS`, a row a span; ``row_id`` is the text's position. ``texts`` holds the
    n texts, ``calls`` counts the texts the model was asked for.
    """

    table: pd.DataFrame
    texts: tuple[str, ...]
    calls: int

    def to_shap(self) -> shap.Explanation:
        """The same as a shap.Explanation of n rows; see `to_shap`."""
        return to_shap(self.table, dict(enumerate(self.texts)))

    def _drawn(self) -> list[Drawn]:
        return list(draw(self.table, dict(enumerate(self.texts))).rows) if self.texts else []


def tokens(spans: pd.DataFrame, caption: str) -> tuple[str, ...]:
    """The text of each span with what stands between it and the next: joined they are the caption."""
    edges = [0, *spans["start"].tolist()[1:], len(caption)]
    return tuple(caption[start:end] for start, end in itertools.pairwise(edges))


def draw(table: pd.DataFrame, captions: Mapping[int, str] | pd.Series, rows: Iterable[int] | None = None) -> DrawnRows:
    """Pictures of ``rows``, of all by default, from an explanations table and the ``captions`` by row_id.

    Raises:
        UsageError: a row is not in the table, or there is no row.
    """
    return DrawnRows(
        tuple(
            Drawn(tokens(spans, captions[row_id]), tuple(spans["value"]), float(spans["base_value"].iloc[0]))
            for row_id, spans in _chosen(table, rows)
        )
    )


def _chosen(table: pd.DataFrame, rows: Iterable[int] | None) -> list[tuple[int, pd.DataFrame]]:
    """The spans of each of ``rows``, of all captions of the table by default."""
    spans = {int(str(row_id)): part for row_id, part in table.groupby("row_id", sort=False)}
    wanted = list(spans) if rows is None else list(rows)
    if not wanted:
        raise UsageError("no caption is explained", stage="explain", remedy="explain at least one")
    for row_id in wanted:
        if row_id not in spans:
            raise UsageError(
                "the caption is not explained", stage="explain", row=row_id + 1, remedy="ask for explained rows"
            )
    return [(row_id, spans[row_id].sort_values("start")) for row_id in wanted]


def to_table(attributions: Iterable[tuple[int, Attribution]]) -> pd.DataFrame:
    """Rows with `EXPLANATION_COLUMNS` for (row_id, attribution) pairs, in their order."""
    items = list(attributions)
    counts = [len(attribution.spans) for _, attribution in items]
    spans = np.array([span for _, attribution in items for span in attribution.spans], dtype=np.int64).reshape(-1, 2)
    columns = {
        "row_id": np.repeat(np.array([row_id for row_id, _ in items], dtype=np.int64), counts),
        "start": spans[:, 0],
        "end": spans[:, 1],
        "text": pd.Series([a.caption[start:end] for _, a in items for start, end in a.spans], dtype="str"),
        "value": np.concatenate([np.empty(0), *(attribution.values for _, attribution in items)]),
        "base_value": np.repeat(np.array([a.base for _, a in items], dtype=np.float64), counts),
        "prediction": np.repeat(np.array([a.prediction for _, a in items], dtype=np.float64), counts),
        "std_error": np.concatenate([np.empty(0), *(attribution.std_errors for _, attribution in items)]),
    }
    return pd.DataFrame(columns, columns=list(EXPLANATION_COLUMNS))


def to_pairs(found: Iterable[tuple[int, Pairwise]]) -> pd.DataFrame:
    """Rows with `INTERACTION_COLUMNS` for (row_id, pairwise) pairs: each pair once, and each player with itself."""
    rows = []
    for row_id, pairwise in found:
        texts = ["" if start < 0 else pairwise.caption[start:end] for start, end in pairwise.spans]
        for one, (start, end) in enumerate(pairwise.spans):
            for other in range(one, len(pairwise.spans)):
                together = 1 if one == other else 2  # both halves of a pair
                value = together * float(pairwise.matrix[one, other])
                rows.append((row_id, start, end, *pairwise.spans[other], texts[one], texts[other], value))
    table = pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS))
    kinds = dict.fromkeys(INTERACTION_COLUMNS, "int64") | {"text": "str", "other_text": "str", "value": "float64"}
    return table.astype(kinds)


def to_shap(
    table: pd.DataFrame, captions: Mapping[int, str] | pd.Series, rows: Iterable[int] | None = None
) -> shap.Explanation:
    """A shap.Explanation of ``rows`` from an explanations table and the ``captions`` by row_id.

    Without ``rows`` it holds all captions of the table, in its order.

    For one caption, ``explanation[i]`` holds its spans in order: ``values`` (spans,), ``data`` the text of
    each span with what stands between it and the next, so that joined they are the caption, ``base_values``
    its base value. For all together, ``values`` (captions, distinct spans) and ``data`` (how often a
    caption has the span) have a column for each distinct span without case and punctuation, named in
    ``feature_names``: what shap's bar, beeswarm and heatmap plots draw. Either way a row's values and its
    base value add up to its prediction.

    Raises:
        UsageError: a row is not in the table, or there is no row.
        MissingExtraError: shap is not installed.
    """
    try:
        from yoin.explanations.shap_format import CaptionExplanation
    except ModuleNotFoundError as error:
        raise missing_extra(error, stage="explain") from error
    return CaptionExplanation.of((spans, captions[row_id]) for row_id, spans in _chosen(table, rows))
