"""What the table says about a concept beside its numbers, in plain words."""

from __future__ import annotations

import numpy as np

from yoin.drivers.attribution import Attribution
from yoin.drivers.concepts import Concepts
from yoin.drivers.effects import FEWEST_DF, Interval
from yoin.drivers.robust import Ints
from yoin.options import DriverOptions


def concept_notes(
    vocabulary: Concepts,
    lift: Interval,
    net: Interval,
    shares: Attribution,
    options: DriverOptions,
    *,
    adjusts: bool,
    clusters: Ints | None,
) -> list[str]:
    """One note a concept, "" where there is nothing to say.

    Args:
        vocabulary: the concepts.
        lift: their raw differences.
        net: their differences net of the other columns.
        shares: what the explanations say.
        options: the least support.
        adjusts: whether there are other columns, so that p belongs to ``net``.
        clusters: the rows' clusters, None for independent rows.
    """
    captions = vocabulary.present.shape[0]
    n_with = np.asarray(vocabulary.present.sum(axis=0)).astype(int)
    main = net if adjusts else lift
    twins = _twins(vocabulary)
    written = []
    for k in range(len(vocabulary.labels)):
        said: list[str] = []
        n_without = captions - n_with[k]
        if n_with[k] == 0:
            said.append("in no caption")
        elif n_without == 0:
            said.append("in every caption: nothing to compare with")
        elif min(n_with[k], n_without) < options.min_rows:
            side = f"{n_with[k]} with it" if n_with[k] <= n_without else f"{n_without} without it"
            said.append(f"too few captions to test: {side}")
        elif not vocabulary.supported[k]:
            said.append(f"not tested: fewer than {options.min_groups} groups with it or without it")
        elif adjusts and not np.isfinite(net.value).any():
            said.append("not tested: could not be adjusted for the other columns")
        elif adjusts and np.isnan(net.value[k]):
            said.append("determined by the other columns")
        elif not main.df[k] >= FEWEST_DF:
            what = "independent groups" if clusters is not None else "captions that tell"
            said.append(f"not tested: too few {what}")
        elif adjusts:
            said.extend(_against_adjusted(lift, net, k))
        if np.sign(shares.shap_with[k]) * np.sign(lift.value[k]) < 0:
            said.append("the model reads it the other way")
        said.extend(twins.get(k, []))
        written.append("; ".join(said))
    return written


def _against_adjusted(lift: Interval, net: Interval, k: int) -> list[str]:
    raw_clear = lift.low[k] > 0 or lift.high[k] < 0
    net_clear = net.low[k] > 0 or net.high[k] < 0
    if net_clear and np.sign(net.value[k]) * np.sign(lift.value[k]) < 0:
        return ["changes sign after adjusting for the other columns"]
    if raw_clear and not net_clear:
        return ["goes away after adjusting for the other columns"]
    return []


def _twins(vocabulary: Concepts) -> dict[int, list[str]]:
    """Concepts that no caption tells apart, or that are each other's opposite in every caption."""
    present = vocabulary.present
    captions = present.shape[0]
    seen: dict[bytes, list[int]] = {}
    rows_of = [np.sort(present.indices[present.indptr[k] : present.indptr[k + 1]]) for k in range(present.shape[1])]
    for k, rows in enumerate(rows_of):
        if 0 < len(rows) < captions:
            seen.setdefault(rows.astype(np.int64).tobytes(), []).append(k)
    notes: dict[int, list[str]] = {}
    for k, rows in enumerate(rows_of):
        if not 0 < len(rows) < captions:
            continue
        same = [j for j in seen[rows.astype(np.int64).tobytes()] if j != k]
        rest = np.setdiff1d(np.arange(captions), rows, assume_unique=True).astype(np.int64)
        opposite = seen.get(rest.tobytes(), [])
        if same:
            notes.setdefault(k, []).append(f"in the same captions as {_quoted(vocabulary, same)}")
        if opposite:
            notes.setdefault(k, []).append(f"in exactly the captions without {_quoted(vocabulary, opposite)}")
    return notes


def _quoted(vocabulary: Concepts, concepts: list[int]) -> str:
    return ", ".join(f"“{vocabulary.labels[k]}”" for k in concepts)
