"""What the report's script needs to know of rows, captions, explanations and drivers, as compact data.

Captions are shipped once; stretches of them are pairs of UTF-16 offsets, the units in which scripts count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from yoin.report.words import number_of, text_of, utf16_offsets

TEXT_BUDGET = 2_500_000  # bytes of captions and labels; rows beyond it are left out of the gallery, in words


@dataclass(frozen=True, slots=True)
class Explained:
    """One explained caption: ``spans`` holds (start, end, value, standard error or None), in UTF-16 offsets."""

    base: float
    prediction: float
    spans: list[tuple[int, int, float, float | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One analysed row as the gallery shows it."""

    row_id: int
    media_id: str
    label: str
    caption: str
    metric: float | None
    prediction: float | None
    explained: Explained | None


@dataclass(frozen=True, slots=True)
class Examples:
    """The rows shown for one driver, and where its words stand in the captions of ``rows_with``."""

    rows_with: list[int] = field(default_factory=list)
    rows_without: list[int] = field(default_factory=list)


def ordered_drivers(drivers: pd.DataFrame) -> pd.DataFrame:
    """``drivers`` by q (none last), then by the size of the effect, then by name."""
    effect = drivers["adjusted"].astype(float).fillna(drivers["lift"].astype(float)).abs()
    keys = pd.DataFrame({"q": drivers["q"].astype(float), "size": -effect, "concept": drivers["concept"].astype(str)})
    order = keys.sort_values(["q", "size", "concept"], na_position="last", kind="stable").index
    return drivers.loc[order].reset_index(drop=True)


def read_rows(
    captions: pd.DataFrame,
    metric: pd.Series,
    labels: pd.Series | None,
    predictions: pd.DataFrame,
    explanations: pd.DataFrame,
    model: str,
) -> dict[int, Row]:
    """The analysed rows by row_id, in the table's order: those with an ok caption and a metric."""
    usable = captions[(captions["status"] == "ok") & captions["row_id"].isin(metric.index)]
    predicted = dict(
        predictions.loc[predictions["model"] == model, ["row_id", "prediction"]].itertuples(index=False, name=None)
    )
    texts = {
        int(row_id): (text_of(media_id), text_of(caption))
        for row_id, media_id, caption in usable[["row_id", "media_id", "caption"]].itertuples(index=False, name=None)
    }
    explained = _explained(explanations, {row_id: text for row_id, (_, text) in texts.items()})
    named = {} if labels is None else {int(key): _label(value) for key, value in labels.items() if key in texts}
    return {
        row_id: Row(
            row_id=row_id,
            media_id=media_id,
            label=named.get(row_id, ""),
            caption=caption,
            metric=number_of(metric.at[row_id]),
            prediction=number_of(predicted.get(row_id)),
            explained=explained.get(row_id),
        )
        for row_id, (media_id, caption) in sorted(texts.items())
    }


def _label(cell: object) -> str:
    """What a row is called; an image that stands in the table itself (a ``data:`` URL) is no name."""
    text = text_of(cell)
    return "" if text.lstrip()[:5].lower() == "data:" else text


def _explained(explanations: pd.DataFrame, captions: Mapping[int, str]) -> dict[int, Explained]:
    """Every explained caption; offsets beyond a caption's end are cut to it."""
    found: dict[int, Explained] = {}
    for key, spans in explanations.groupby("row_id", sort=True):
        row_id = int(str(key))
        if row_id not in captions:
            continue
        offsets = utf16_offsets(captions[row_id])
        last = len(offsets) - 1
        pieces = [
            (offsets[min(int(start), last)], offsets[min(int(end), last)], number_of(value) or 0.0, number_of(error))
            for start, end, value, error in spans.sort_values("start")[
                ["start", "end", "value", "std_error"]
            ].itertuples(index=False, name=None)
        ]
        base, prediction = number_of(spans["base_value"].iloc[0]), number_of(spans["prediction"].iloc[0])
        if base is not None and prediction is not None:
            found[row_id] = Explained(base, prediction, pieces)
    return found


def read_pairs(pairs: pd.DataFrame, rows: Mapping[int, Row]) -> dict[int, dict[str, object]]:
    """The phrases of each caption whose pairs were valued, and their matrix, by row_id.

    ``spans`` holds a (start, end) in UTF-16 offsets for each phrase, None for all others together; ``values`` a row
    for each, from the diagonal on: what it adds alone, and then what each pair with a later one adds together.
    """
    found: dict[int, dict[str, object]] = {}
    for key, table in pairs.groupby("row_id", sort=True):
        row_id = int(str(key))
        if row_id not in rows:
            continue
        offsets = utf16_offsets(rows[row_id].caption)
        last = len(offsets) - 1
        spans = list(dict.fromkeys(zip(table["start"].tolist(), table["end"].tolist(), strict=True)))
        place = {span: number for number, span in enumerate(spans)}
        values: list[list[float | None]] = [[] for _ in spans]
        for start, end, value in table[["start", "end", "value"]].itertuples(index=False, name=None):
            values[place[start, end]].append(_short(number_of(value)))
        found[row_id] = {
            "spans": [
                None if start < 0 else [offsets[min(start, last)], offsets[min(end, last)]] for start, end in spans
            ],
            "values": values,
        }
    return found


def concept_rows(occurrences: pd.DataFrame, concepts: Sequence[str], rows: Mapping[int, Row]) -> list[list[int]]:
    """For every concept the row_ids, sorted, whose captions hold it; mentions under a negation do not count."""
    asserted = occurrences[~occurrences["negated"].astype(bool) & occurrences["row_id"].isin(list(rows))]
    groups = {str(concept): sorted({int(row) for row in ids}) for concept, ids in asserted.groupby("concept")["row_id"]}
    return [groups.get(concept, []) for concept in concepts]


def choose_examples(rows: Mapping[int, Row], holders: Sequence[int], count: int) -> Examples:
    """``count`` rows with and without a concept, spread evenly over each side's metric.

    Explained rows are taken where a side has enough of them; the same image is shown once. Nothing is drawn
    at random and no extreme is picked, so that the pictures show what is usual.
    """
    held = set(holders)
    return Examples(
        _spread([rows[row_id] for row_id in rows if row_id in held], count),
        _spread([rows[row_id] for row_id in rows if row_id not in held], count),
    )


def _spread(side: Sequence[Row], count: int) -> list[int]:
    explained = _distinct([row for row in side if row.explained])
    if len(explained) < count:  # keep the few explained ones, spread the rest
        known = {row.media_id for row in explained} - {""}
        others = _distinct([row for row in side if not row.explained and row.media_id not in known])
        explained += _evenly(others, count - len(explained))
    return [row.row_id for row in _evenly(explained, count)]


def _distinct(side: Sequence[Row]) -> list[Row]:
    """The first row of every image; rows without one all stay."""
    return list({row.media_id or str(row.row_id): row for row in reversed(side)}.values())[::-1]


def _evenly(pool: Sequence[Row], count: int) -> list[Row]:
    """At most ``count`` of ``pool``, in the order of the metric, at the middles of equal shares of it."""
    ranked = sorted(pool, key=lambda row: (row.metric is None, row.metric or 0.0, row.row_id))
    if len(ranked) <= count:
        return ranked
    return [ranked[int((place + 0.5) * len(ranked) / count)] for place in range(count)]


def first_rows(rows: Mapping[int, Row], examples: Iterable[Examples]) -> tuple[list[int], list[int]]:
    """The explained rows and the drivers' examples, then all other rows, evenly mixed: most worth their bytes first."""
    explained = [row_id for row_id, row in rows.items() if row.explained]
    shown = [row_id for each in examples for row_id in (*each.rows_with, *each.rows_without)]
    first = list(dict.fromkeys([*explained, *shown]))
    known = set(first)
    return first, _mixed([row_id for row_id in rows if row_id not in known])


def _mixed(items: list[int]) -> list[int]:
    """``items`` in an order whose every beginning is spread evenly over them (steps of the golden ratio)."""
    keys = np.arange(len(items)) * 0.6180339887498949 % 1.0
    return [items[place] for place in np.argsort(keys, kind="stable")] if items else []


def rows_that_fit(rows: Mapping[int, Row], order: Sequence[int], budget: int = TEXT_BUDGET) -> list[int]:
    """The row_ids of ``order`` whose texts fit into ``budget`` bytes, in the table's order."""
    kept, spent = [], 0
    for row_id in order:
        spent += len(rows[row_id].caption.encode("utf-8", "replace")) + len(rows[row_id].label) + 60
        if spent > budget:
            break
        kept.append(row_id)
    return sorted(kept)


def marks_of(occurrences: pd.DataFrame, concept: str, rows: Sequence[Row]) -> list[list[int]]:
    """For each row, flat pairs of UTF-16 offsets of the concept's words in its caption."""
    mine = occurrences[(occurrences["concept"] == concept) & ~occurrences["negated"].astype(bool)]
    found = []
    for row in rows:
        offsets = utf16_offsets(row.caption)
        last = len(offsets) - 1
        here = mine[mine["row_id"] == row.row_id].sort_values("start")
        flat: list[int] = []
        for start, end in zip(here["start"], here["end"], strict=True):
            left, right = offsets[min(int(start), last)], offsets[min(int(end), last)]
            if right > left and (not flat or left >= flat[-1]):
                flat += [left, right]
        found.append(flat)
    return found


def build_payload(
    *,
    rows: Mapping[int, Row],
    shown: Sequence[int],
    concepts: Sequence[str],
    holders: Sequence[Sequence[int]],
    examples: Sequence[Examples],
    occurrences: pd.DataFrame,
    pairs: Mapping[int, Mapping[str, object]],
    thumbs: Mapping[str, str],
    lengths: Mapping[str, str],
    strips: Mapping[str, Sequence[str]],
    metric: str,
    decimals: int,
    model: str,
) -> dict[str, object]:
    """The data island of the report.

    Args:
        rows: every analysed row.
        shown: the row_ids in the gallery, sorted.
        concepts: the drivers' names in the table's order; everything "by driver" is in this order.
        holders: the row_ids that hold each concept.
        examples: the rows shown for each concept.
        occurrences: a table with `yoin.values.OCCURRENCE_COLUMNS`.
        pairs: what `read_pairs` made.
        thumbs: data URLs by media_id.
        lengths: how long each video is, in words, by media_id.
        strips: data URLs of its frames in the order of time, by media_id, where they are shown.
        metric: the metric's name.
        decimals: decimal places of its numbers; -1 for three significant digits.
        model: whose predictions these are.
    """
    place = {row_id: number for number, row_id in enumerate(shown)}
    held: list[list[int]] = [[] for _ in shown]
    for driver, ids in enumerate(holders):
        for row_id in ids:
            if row_id in place:
                held[place[row_id]].append(driver)
    chosen = [rows[row_id] for row_id in shown]
    urls = {
        media_id: number
        for number, media_id in enumerate(dict.fromkeys(row.media_id for row in chosen if row.media_id in thumbs))
    }
    pictures = [thumbs[media_id] for media_id in urls]
    frames = {}
    for media_id in dict.fromkeys(row.media_id for row in chosen if row.media_id in strips):
        frames[media_id] = list(range(len(pictures), len(pictures) + len(strips[media_id])))
        pictures += strips[media_id]
    by_concept = dict(tuple(occurrences.groupby("concept", sort=False)))
    drivers = []
    for concept, each in zip(concepts, examples, strict=True):
        with_rows = [rows[row_id] for row_id in each.rows_with if row_id in place]
        drivers.append(
            {
                "concept": concept,
                "with": [place[row.row_id] for row in with_rows],
                "marks": marks_of(by_concept[concept], concept, with_rows) if concept in by_concept else [],
                "without": [place[row_id] for row_id in each.rows_without if row_id in place],
            }
        )
    return {
        "metric": metric,
        "decimals": decimals,
        "model": model,
        "images": bool(urls),
        "thumbs": pictures,
        "id": [row.row_id + 1 for row in chosen],
        "label": [row.label for row in chosen],
        "thumb": [urls.get(row.media_id, -1) for row in chosen],
        "videos": {
            str(place[row.row_id]): {"length": lengths[row.media_id], "frames": frames.get(row.media_id, [])}
            for row in chosen
            if row.media_id in lengths
        },
        "caption": [row.caption for row in chosen],
        "actual": [row.metric for row in chosen],
        "predicted": [_short(row.prediction) for row in chosen],
        "held": held,
        "explained": {
            str(place[row.row_id]): {
                "base": row.explained.base,
                "prediction": row.explained.prediction,
                "spans": [
                    [start, end, _short(value), *([_short(error)] if error else [])]
                    for start, end, value, error in row.explained.spans
                ],
            }
            for row in chosen
            if row.explained
        },
        "pairs": {str(place[row_id]): found for row_id, found in pairs.items() if row_id in place},
        "drivers": drivers,
    }


def _short(value: float | None) -> float | None:
    """Six significant digits: more than any reader sees, half the bytes."""
    return None if value is None else float(f"{value:.6g}")
