"""How much of the model's explanations falls on each concept, and whether the model agrees with the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from yoin.drivers.robust import Floats, Ints
from yoin.errors import UsageError
from yoin.values import EXPLANATION_COLUMNS


@dataclass(frozen=True, slots=True)
class Attribution:
    """One entry a concept.

    ``importance`` is the share in percent of the total |SHAP| on listed concepts; ``shap_with`` the mean sum of the
    SHAP values of its spans over explained captions that assert the concept, ``shap_without`` over those that
    only deny it; ``sign_agreement`` the share of the folds in which that mean has the sign of the lift.
    ``uncovered`` is the share (0 to 1) of the total |SHAP| on spans without any concept.
    """

    importance: Floats
    shap_with: Floats
    shap_without: Floats
    sign_agreement: Floats
    uncovered: float
    explained: int


def no_attribution(concepts: int) -> Attribution:
    """The record for ``concepts`` where nothing was explained."""
    empty = np.full(concepts, np.nan)
    return Attribution(empty, empty.copy(), empty.copy(), empty.copy(), float("nan"), 0)


def check_attributions(attributions: pd.DataFrame, lengths: pd.Series) -> pd.DataFrame:
    """``attributions`` with the columns needed here, sorted; ``lengths`` are the captions' lengths by row_id.

    Raises:
        UsageError: a column is missing, a row_id is unknown, a value is not a number, or spans overlap or leave
            their caption.
    """
    if not isinstance(attributions, pd.DataFrame):
        raise UsageError("attributions is not a DataFrame", stage="drivers")
    missing = [name for name in ("row_id", "start", "end", "value") if name not in attributions.columns]
    if missing:
        raise UsageError(
            f"attributions has no column {missing[0]!r}",
            stage="drivers",
            remedy=f"give the columns {', '.join(EXPLANATION_COLUMNS)} and fold",
        )
    columns = [name for name in ("row_id", "start", "end", "value", "fold") if name in attributions.columns]
    table = attributions[columns].sort_values(["row_id", "start"], kind="stable", ignore_index=True)
    if not table["row_id"].isin(lengths.index).all():
        unknown = table["row_id"][~table["row_id"].isin(lengths.index)].iloc[0]
        raise UsageError(f"attributions explains row_id {unknown}, which has no caption", stage="drivers")
    value = pd.to_numeric(table["value"], errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(value).all():
        raise UsageError("attributions has a value that is not a number", stage="drivers")
    start, end = (table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
    same_row = table["row_id"].to_numpy()[1:] == table["row_id"].to_numpy()[:-1]
    outside = (start < 0) | (end < start) | (end > lengths.loc[table["row_id"]].to_numpy())
    if outside.any() or bool(np.any(same_row & (start[1:] < end[:-1]))):
        raise UsageError(
            "the spans of attributions overlap or leave their caption", stage="drivers",
            remedy="explain exactly the captions that are given",
        )  # fmt: skip
    return table


def attribute(
    attributions: pd.DataFrame,
    occurrences: pd.DataFrame,
    row_ids: Ints,
    labels: tuple[str, ...],
    lift: Floats,
) -> Attribution:
    """Share the explanations out among the concepts.

    A span belongs to the concepts whose occurrences it overlaps, denials included; where they are several, each gets
    an equal part of its |SHAP|.

    Args:
        attributions: as `check_attributions` returns it.
        occurrences: `yoin.values.OCCURRENCE_COLUMNS`, row_id as the caption's position.
        row_ids: the row_id of each caption.
        labels: the concepts, in the order of the result.
        lift: the concepts' lifts.
    """
    position = pd.Index(row_ids).get_indexer(pd.Index(attributions["row_id"]))
    used = attributions[position >= 0]
    row = position[position >= 0].astype(np.int64)
    value = used["value"].to_numpy(dtype=np.float64)
    total = float(np.abs(value).sum())
    count = len(labels)
    if not len(used):
        return no_attribution(count)
    span, concept, denied = _overlaps(used, row, occurrences, labels)

    # A span shared by several concepts is split equally; one that a concept covers twice counts once.
    pairs = np.unique(span * max(count, 1) + concept)
    pair_span, pair_concept = pairs // max(count, 1), pairs % max(count, 1)
    sharers = np.bincount(pair_span, minlength=len(used))
    mass = np.bincount(pair_concept, weights=np.abs(value[pair_span]) / sharers[pair_span], minlength=count)
    covered = float(mass.sum())
    importance = np.asarray(100.0 * mass / covered if covered > 0 else np.full(count, np.nan), dtype=np.float64)
    uncovered = 1.0 - covered / total if total > 0 else float("nan")

    rows = len(row_ids)
    asserts = _sums(span[~denied], concept[~denied], value, row, rows, count)
    denies = _sums(span[denied], concept[denied], value, row, rows, count)
    has = _stands(occurrences[~occurrences["negated"].to_numpy(dtype=bool)], labels, rows)
    lacks = _stands(occurrences[occurrences["negated"].to_numpy(dtype=bool)], labels, rows)
    explained = np.zeros(rows)
    explained[row] = 1.0
    only_denied = (lacks - lacks.multiply(has)).tocsc()
    agreement = np.full(count, np.nan)
    if "fold" in used.columns:
        fold_of = np.full(rows, -1, dtype=np.int64)
        fold_of[row] = pd.factorize(used["fold"])[0]
        means = np.stack([_mean(asserts, has, (fold_of == fold).astype(float)) for fold in np.unique(fold_of[row])])
        seen = np.isfinite(means)
        agrees = (np.sign(np.nan_to_num(means)) == np.sign(lift)) & seen
        known = seen.any(axis=0) & np.isfinite(lift) & (lift != 0)
        agreement[known] = agrees.sum(axis=0)[known] / seen.sum(axis=0)[known]
    return Attribution(
        importance=importance,
        shap_with=_mean(asserts, has, explained),
        shap_without=_mean(denies, only_denied, explained),
        sign_agreement=agreement,
        uncovered=max(uncovered, 0.0) if np.isfinite(uncovered) else uncovered,
        explained=int(explained.sum()),
    )


def _overlaps(
    spans: pd.DataFrame, row: Ints, occurrences: pd.DataFrame, labels: tuple[str, ...]
) -> tuple[Ints, Ints, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Every (span, concept, denied) where a span and an occurrence share a code point."""
    # One axis for all captions: each caption gets a stretch longer than any of its offsets.
    stride = int(max(spans["end"].max(), occurrences["end"].max() if len(occurrences) else 0)) + 1
    order = np.lexsort((spans["start"].to_numpy(), row))
    span_start = row[order] * stride + spans["start"].to_numpy(dtype=np.int64)[order]
    span_end = row[order] * stride + spans["end"].to_numpy(dtype=np.int64)[order]
    base = occurrences["row_id"].to_numpy(dtype=np.int64) * stride
    start, end = (base + occurrences[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
    first = np.searchsorted(span_end, start, side="right")  # the first span that ends after the occurrence starts
    last = np.searchsorted(span_start, end, side="left")  # one past the last span that starts before it ends
    times = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(occurrences)), times)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
    concept = pd.Index(labels).get_indexer(pd.Index(occurrences["concept"])).astype(np.int64)
    denied = occurrences["negated"].to_numpy(dtype=bool)
    return order[first[which] + offset], concept[which], denied[which]


def _sums(span: Ints, concept: Ints, value: Floats, row: Ints, rows: int, count: int) -> sparse.csc_array:
    """The summed SHAP values of each concept's spans in each caption, shape (captions, concepts)."""
    pairs = np.unique(span * max(count, 1) + concept)
    at, which = pairs // max(count, 1), pairs % max(count, 1)
    return sparse.csc_array(sparse.coo_array((value[at], (row[at], which)), shape=(rows, count)))


def _stands(occurrences: pd.DataFrame, labels: tuple[str, ...], rows: int) -> sparse.csc_array:
    concept = pd.Index(labels).get_indexer(pd.Index(occurrences["concept"]))
    table = sparse.coo_array(
        (np.ones(len(concept)), (occurrences["row_id"].to_numpy(dtype=np.int64), concept)), shape=(rows, len(labels))
    ).tocsc()
    table.data[:] = 1.0
    return sparse.csc_array(table)


def _mean(sums: sparse.csc_array, stands: sparse.csc_array, among: Floats) -> Floats:
    """For each concept, the mean of ``sums`` over the captions ``among`` which it ``stands`` in."""
    times = stands.T @ among
    amount = sums.multiply(stands).T @ among
    return np.asarray(np.divide(amount, times, out=np.full(len(times), np.nan), where=times > 0), dtype=np.float64)
