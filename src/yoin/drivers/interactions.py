"""Whether what goes with one concept hangs on another: pairs, tested and corrected like the concepts themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yoin.drivers.effects import Shared, intervals, joined, less_projection, q_values
from yoin.drivers.robust import Floats, Ints, Regression

MOST = 300  # pairs, the best supported ones; which they are is decided without the metric
_CLEAR = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """Two concepts (their places) whose differences hang on each other.

    ``value`` is how much larger the difference of ``one`` is where ``two`` stands; ``turns`` says which of them goes
    with more on one side of the other and with less on the other side, clearly on both; ``sides`` are the differences
    of ``one`` with and without ``two``, then those of ``two`` with and without ``one``.
    """

    one: int
    two: int
    value: float
    p: float
    q: float
    turns: tuple[bool, bool]
    sides: tuple[float, float, float, float]


def pairs_of(shared: Shared, min_rows: int) -> list[tuple[int, int]]:
    """The pairs with at least ``min_rows`` rows of each of the four kinds, the best supported first, at most `MOST`."""
    together = (shared.present.T @ shared.present).toarray()
    alone = np.diag(together)
    cells = np.stack([together, alone[:, None] - together, alone[None, :] - together])
    least = np.minimum(cells.min(axis=0), len(shared.y) - alone[:, None] - alone[None, :] + together)
    one, two = np.nonzero(np.triu(least >= min_rows, k=1))
    order = np.lexsort((two, one, -least[one, two]))[:MOST]
    return [(int(one[k]), int(two[k])) for k in order]


def interactions(shared: Shared, pairs: list[tuple[int, int]], unit: float) -> list[Interaction]:
    """The pairs that interact, q < 0.05 over all ``pairs``; the smallest q first.

    The product of what the other columns leave of both concepts is taken net of both and of these columns.
    """
    if not pairs:
        return []
    y = shared.metric()
    concepts: Ints = np.unique(np.array(pairs, dtype=np.int64))
    net = dict(zip(concepts.tolist(), shared.concepts(concepts).T, strict=True))
    regression = Regression(shared.basis, shared.one_each(), shared.weight)
    found = []
    for one, two in pairs:
        both = np.column_stack([net[one], net[two]])
        left, sizes, _ = np.linalg.svd(both, full_matrices=False)
        span = left[:, sizes > 1e-7 * sizes.max(initial=0.0)]
        product = net[one] * net[two] / shared.root
        lone = less_projection(less_projection(product, shared.basis)[:, None], span)
        lone = less_projection(lone, shared.basis)
        found.append(regression.infer(less_projection(y, span), lone))
    told = intervals(joined(found), unit)
    q = q_values(told.p)
    kept = [k for k in np.argsort(np.where(np.isnan(q), 2.0, q), kind="stable") if q[k] < 0.05]
    return [
        _told(shared, y, net, pairs[k], value=float(told.value[k]), p=float(told.p[k]), q=float(q[k])) for k in kept
    ]


def _told(
    shared: Shared, y: Floats, net: dict[int, Floats], pair: tuple[int, int], *, value: float, p: float, q: float
) -> Interaction:
    sides: list[float] = []
    turns: list[bool] = []
    for one, two in (pair, pair[::-1]):
        has = shared.present[:, [two]].toarray()[:, 0] > 0
        slopes = [_slope(y[rows], net[one][rows], shared.one_each()[rows]) for rows in (has, ~has)]
        sides += [slope for slope, _ in slopes]
        turns.append(slopes[0][0] * slopes[1][0] < 0 and all(abs(slope) > _CLEAR * error for slope, error in slopes))
    return Interaction(
        one=pair[0], two=pair[1], value=value, p=p, q=q, turns=(turns[0], turns[1]),
        sides=(sides[0], sides[1], sides[2], sides[3]),
    )  # fmt: skip


def _slope(y: Floats, concept: Floats, clusters: Ints) -> tuple[float, float]:
    """The difference on some of the rows, and its error."""
    centred = concept - concept.mean()
    square = float(centred @ centred)
    if square == 0.0:
        return 0.0, np.inf
    slope = float(centred @ y) / square
    scores = np.bincount(clusters, weights=centred * (y - y.mean() - slope * centred))
    return slope, float(np.sqrt(scores @ scores)) / square


def interaction_notes(found: list[Interaction], labels: tuple[str, ...], tested: int) -> dict[int, list[str]]:
    """What the table says of each concept that turns, by its place; and of all under -1."""
    notes: dict[int, list[str]] = {}
    for each in found:
        for number, (one, two) in enumerate(((each.one, each.two), (each.two, each.one))):
            if each.turns[number]:
                beside, without = each.sides[2 * number : 2 * number + 2]
                notes.setdefault(one, []).append(
                    f"no simple driver: turns with “{labels[two]}” ({beside:+.3g} beside it, {without:+.3g} without)"
                )
    if tested:
        told = "; ".join(f"“{labels[each.one]}” with “{labels[each.two]}” ({each.value:+.3g})" for each in found[:10])
        notes[-1] = [
            f"{tested} pairs of concepts tested for interaction, {len(found)} significant (q < 0.05)"
            + (f": {told}" if told else "")
        ]
    return notes
