"""Whether what goes with a concept hangs on another concept or on another column, tested and corrected like the rest.

A column is cut into parts that rows belong to or not: a level, an item of a list, the upper half of its numbers. The
pairs are chosen by their support alone, and all that are tested share one correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from yoin.drivers.effects import (
    CHUNK,
    Shared,
    intervals,
    joined,
    less_projection,
    less_projection_or_zero,
    q_values,
)
from yoin.drivers.robust import Estimates, Floats, Ints, Regression
from yoin.drivers.tokens import Bools
from yoin.features import Part
from yoin.values import DRIVER_INTERACTION_COLUMNS

SIGNIFICANT = 0.05
MOST = 300  # pairs of concepts, and as many of a concept and a part of a column: those with the best support
_CLEAR = 1.96


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is tested together: places of concepts, and of the others, which are concepts or parts of columns.

    ``others`` holds 0/1, shape (rows, others), ``net`` the same net of the other columns, times the root weights.
    """

    one: Ints
    two: Ints
    others: Floats
    net: Floats


def interactions(
    shared: Shared,
    labels: Sequence[str],
    supported: Bools,
    parts: Sequence[Part],
    *,
    min_rows: int,
    unit: float,
) -> pd.DataFrame:
    """Every pair with support: of concepts, and of a concept and a part of another column.

    ``difference`` is how much larger the concept's difference is where the other stands: the coefficient of the product
    of what the other columns leave of the two, net of both and of these columns.

    Args:
        shared: the rows.
        labels: the concepts' names.
        supported: which of them may be tested.
        parts: of the other columns.
        min_rows: how many rows of each of the four kinds (with both, one, the other, none) a pair needs.
        unit: the metric's spread.

    Returns:
        A table with `yoin.values.DRIVER_INTERACTION_COLUMNS`, the smallest q first. ``with_other`` and
        ``without_other`` are the concept's differences on both sides of the other, ``other_with`` and ``other_without``
        those of the other concept; ``turns`` says which of the two ("concept", "other", "both" or "" for none) goes
        with more on one side of the other and with less on the other side, clearly on both.
    """
    present = shared.present.toarray()
    held = np.column_stack([part.rows for part in parts]).astype(np.float64) if parts else np.empty((len(present), 0))
    concepts = np.flatnonzero(supported)
    net = np.zeros_like(present)
    net[:, concepts] = shared.concepts(concepts)
    among = _supported(present, present, supported, min_rows)
    one, two = _best(np.triu(among, k=1))
    across = Pairs(*_best(_supported(present, held, supported, min_rows)), held, _net(shared, held))
    regression = Regression(shared.basis, shared.one_each(), shared.weight)
    tables = [
        _tested(shared, regression, net, Pairs(one, two, present, net), labels, None, unit),
        _tested(shared, regression, net, across, labels, parts, unit),
    ]
    table = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    table["q"] = q_values(table["p"].to_numpy(dtype=np.float64))
    for at in np.flatnonzero(table["q"] < SIGNIFICANT):
        in_part, one_at, two_at = table["column"][at] != "", int(table["one"][at]), int(table["two"][at])
        table.loc[at, "turns"] = _turning(shared, net, held if in_part else present, one_at, two_at, both=not in_part)
    # Rounded, so that what is equal but for the last digits stays in the same order everywhere.
    rank = {
        name: np.round(np.log(np.maximum(table[name].to_numpy(dtype=np.float64), 1e-300)), 6) for name in ("q", "p")
    }
    order = np.lexsort((table["other"].astype(str), table["concept"].astype(str), rank["p"], rank["q"]))
    return table.iloc[order].reset_index(drop=True)[list(DRIVER_INTERACTION_COLUMNS)]


def _supported(present: Floats, others: Floats, supported: Bools, min_rows: int) -> Floats:
    """The rarest of the four kinds of rows of each pair, shape (concepts, others); 0 where that is too rare."""
    both = present.T @ others
    alone, other = present.sum(axis=0)[:, None], others.sum(axis=0)[None, :]
    least = np.minimum.reduce([both, alone - both, other - both, len(present) - alone - other + both])
    least[~supported] = 0.0
    if others is present:
        least[:, ~supported] = 0.0
    return np.where(least >= min_rows, least, 0.0)


def _best(least: Floats) -> tuple[Ints, Ints]:
    """The best supported pairs, at most `MOST`."""
    one, two = np.nonzero(least)
    order = np.lexsort((two, one, -least[one, two]))[:MOST]
    return one[order], two[order]


def _net(shared: Shared, others: Floats) -> Floats:
    return less_projection_or_zero(shared.root[:, None] * others, shared.basis)


def _tested(
    shared: Shared,
    regression: Regression,
    net: Floats,
    pairs: Pairs,
    labels: Sequence[str],
    parts: Sequence[Part] | None,
    unit: float,
) -> pd.DataFrame:
    """The pairs with their estimates and places; ``parts`` where the others are parts of columns."""
    y, found = shared.metric(), list[Estimates]()
    for first in range(0, len(pairs.one), CHUNK):
        places = range(first, min(first + CHUNK, len(pairs.one)))
        spans, lone = zip(
            *(_beyond(shared, net, pairs, place, concepts=parts is None) for place in places), strict=True
        )
        handed_on = shared.handed_on(np.hstack(lone))
        for at, span in enumerate(spans):
            found.append(regression.infer(less_projection(y, span), lone[at], handed_on[:, [at]]))
    told = intervals(joined(found), unit)
    here, there = _slopes(y, net, pairs.others, pairs.one, pairs.two)
    back = (np.full(len(pairs.one), np.nan),) * 2
    if parts is None:
        back = _slopes(y, net, pairs.others, pairs.two, pairs.one)
    values = {
        "concept": [labels[place] for place in pairs.one],
        "other": [labels[place] if parts is None else parts[place].name for place in pairs.two],
        "column": ["" if parts is None else parts[place].column for place in pairs.two],
        "n_both": (shared.present.T @ pairs.others)[pairs.one, pairs.two].astype(np.int64),
        "difference": told.value, "difference_low": told.low, "difference_high": told.high, "p": told.p, "q": np.nan,
        "with_other": here, "without_other": there, "other_with": back[0], "other_without": back[1], "turns": "",
        "one": pairs.one, "two": pairs.two,
    }  # fmt: skip
    return pd.DataFrame(values)


def _beyond(shared: Shared, net: Floats, pairs: Pairs, place: int, *, concepts: bool) -> tuple[Floats, Floats]:
    """What the two of a pair span, and their product net of it and of the other columns, shape (rows, 1)."""
    one, two = pairs.one[place], pairs.two[place]
    left, sizes, _ = np.linalg.svd(np.column_stack([net[:, one], pairs.net[:, two]]), full_matrices=False)
    span = left[:, sizes > 1e-7 * sizes.max(initial=0.0)]
    # The other columns may say a part wholly, and leave nothing of it.
    product = net[:, one] * (pairs.net[:, two] / shared.root if concepts else pairs.others[:, two])
    lone = less_projection(less_projection(product, shared.basis)[:, None], span)
    lone = less_projection(lone, shared.basis)
    if np.sum(lone**2) <= 1e-9 * np.sum(product**2):  # nothing beyond the two alone
        lone = np.zeros_like(lone)
    return span, lone


def _slopes(y: Floats, net: Floats, others: Floats, one: Ints, two: Ints) -> tuple[Floats, Floats]:
    """The difference of each concept ``one`` where the other ``two`` stands, and where it does not."""
    sides = []
    for side in (others, 1.0 - others):
        count, metric = side.sum(axis=0)[two], (y @ side)[two]
        first, square, cross = ((of.T @ side)[one, two] for of in (net, net**2, net * y[:, None]))
        spread = square - first**2 / count
        usable = spread > 1e-12 * square
        sides.append(np.divide(cross - first * metric / count, spread, out=np.zeros(len(one)), where=usable))
    return sides[0], sides[1]


def _turning(shared: Shared, net: Floats, others: Floats, one: int, two: int, *, both: bool) -> str:
    """Which of a pair turns: "concept", "other", "both" or "" for none; a part of a column (not ``both``) cannot."""
    y, clusters = shared.metric(), shared.one_each()
    concept = _turns(y, net[:, one], others[:, two] > 0, clusters)
    other = both and _turns(y, net[:, two], others[:, one] > 0, clusters)
    return "both" if concept and other else "concept" if concept else "other" if other else ""


def _turns(y: Floats, concept: Floats, side: Bools, clusters: Ints) -> bool:
    """Whether the difference is clearly above zero on one side and clearly below on the other."""
    slopes = [_slope(y[rows], concept[rows], clusters[rows]) for rows in (side, ~side)]
    return slopes[0][0] * slopes[1][0] < 0 and all(abs(slope) > _CLEAR * error for slope, error in slopes)


def _slope(y: Floats, concept: Floats, clusters: Ints) -> tuple[float, float]:
    """The difference on some of the rows, and its error."""
    centred = concept - concept.mean()
    square = float(centred @ centred)
    if square == 0.0:
        return 0.0, np.inf
    slope = float(centred @ y) / square
    scores = np.bincount(clusters, weights=centred * (y - y.mean() - slope * centred))
    return slope, float(np.sqrt(scores @ scores)) / square


def interaction_notes(table: pd.DataFrame) -> dict[str, list[str]]:
    """What the table of drivers says of each concept that turns; under "" what it says of all pairs."""
    notes: dict[str, list[str]] = {}
    clear = table[table["q"] < SIGNIFICANT]
    for row in clear.to_dict("records"):
        for one, two, beside, without in (("concept", "other", "with_other", "without_other"),
                                          ("other", "concept", "other_with", "other_without")):  # fmt: skip
            if row["turns"] in (one, "both"):
                sides = f"({row[beside]:+.3g} beside it, {row[without]:+.3g} without)"
                notes.setdefault(str(row[one]), []).append(f"no simple driver: turns with “{row[two]}” {sides}")
    among, across = (int(table.loc[some, "p"].notna().sum()) for some in (table["column"] == "", table["column"] != ""))
    told = [f"{among} pairs of concepts"] * (among > 0) + [f"{across} of a concept and a part of a column"] * (
        across > 0
    )
    if told:
        notes[""] = [f"{' and '.join(told)} were tested for interaction, {len(clear)} are significant (q < 0.05)"]
    return notes
