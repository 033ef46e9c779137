"""The difference that goes with a concept given the other columns and all other concepts.

Double selection (Belloni, Chernozhukov and Hansen, Review of Economic Studies 81, 2014): a concept's controls are those
that a lasso finds for the metric or for the concept itself; leaving out one that matters a little for both does little
harm. With many more rows than concepts all others are controls.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from yoin.drivers.effects import CHUNK, Shared, joined, less_projection
from yoin.drivers.robust import Estimates, Floats, Ints, Regression
from yoin.drivers.tokens import Bools, concept_lemma, normal
from yoin.language import words

_PLENTY = 20  # rows (or clusters) a regressor, with which nothing need be selected
_ALL = 60  # concepts that may all be controls at once
_LEFT = 0.02  # of a concept's variance must be left by its controls
_SWEEPS = 60
_MANY = 300  # clusters with which the controls' own leverage is nothing


def unique(shared: Shared, nested: Bools) -> Estimates:
    """The coefficient of each concept given its controls, with HC2 or CR2 standard errors; NaN where there is none.

    Where the others would determine a concept (warm, cool and neutral in turn), the controls that go least with the
    metric are left out until they do not: it is then compared with captions that have those.

    Args:
        shared: the rows.
        nested: whether the concept of the column stands inside a phrase of the concept of the row, and so is none of
            its controls, shape (concepts, concepts).
    """
    count = shared.present.shape[1]
    if count == 0:
        return Estimates.empty(0)
    y, z = shared.metric(), shared.concepts(np.arange(count))
    norms = np.linalg.norm(z, axis=0)
    z = np.divide(z, norms, out=np.zeros_like(z), where=norms > 0)
    clusters = shared.one_each()
    units = int(clusters.max()) + 1
    barred = nested | np.eye(count, dtype=bool) | (norms == 0)[None, :]
    gram, score = z.T @ z, z.T @ y
    if units >= _PLENTY * (count + shared.basis.shape[1]) and count <= _ALL:
        chosen = ~barred
    else:
        chosen = selected(gram, score, float(y @ y), barred, units)
    common = Regression(shared.basis, clusters, shared.weight) if units > _MANY and units < len(y) else None
    found = []
    for first in range(0, count, CHUNK):
        places = range(first, min(first + CHUNK, count))
        spans = [_orthonormal(z[:, _bearable(gram, score, k, np.flatnonzero(chosen[k]))]) for k in places]
        alone = np.hstack([less_projection(z[:, [k]], span) for k, span in zip(places, spans, strict=True)])
        handed_on = shared.handed_on(alone)
        for at, (k, span) in enumerate(zip(places, spans, strict=True)):
            if norms[k] == 0:
                found.append(Estimates.empty(1))
                continue
            regression = common or Regression(np.column_stack([shared.basis, span]), clusters, shared.weight)
            one = regression.infer(less_projection(y, span), alone[:, [at]], handed_on[:, [at]])
            found.append(Estimates(one.value / norms[k], one.error / norms[k], one.df))
    return joined(found)


def nesting(phrases: Sequence[Sequence[str]]) -> Bools:
    """Whether a phrase of the concept of the column stands inside one of the concept of the row."""
    spelled = [
        {tuple(concept_lemma(normal(word.text)) for word in words(phrase)) for phrase in concept} for concept in phrases
    ]
    found = np.zeros((len(phrases), len(phrases)), dtype=bool)
    for outer, longer in enumerate(spelled):
        inside = {p[i:j] for p in longer for i in range(len(p)) for j in range(i + 1, len(p) + 1)} - longer
        for inner, shorter in enumerate(spelled):
            found[outer, inner] = inner != outer and not inside.isdisjoint(shorter)
    return found


def selected(gram: Floats, score: Floats, square: float, barred: Bools, rows: int) -> Bools:
    """The controls of each concept by double selection, shape (concepts, concepts).

    Every lasso at once, by coordinate descent on inner products of columns of length 1: row k of the first half is the
    metric's on the controls of concept k, of the second half concept k's own.

    Args:
        gram: inner products of the concepts, shape (concepts, concepts).
        score: those with the metric, shape (concepts,).
        square: that of the metric with itself.
        barred: what is no control of the concept of the row.
        rows: how many independent rows there are.
    """
    count = len(score)
    target = np.vstack([np.tile(score, (count, 1)), gram])  # (2 concepts, concepts)
    total = np.concatenate([np.full(count, square), np.diag(gram)])
    closed = np.vstack([barred, barred])
    level = 1.1 * norm.isf(0.05 / (2 * max(count, 2)))
    penalty = level * np.sqrt(total / rows)
    fitted = np.zeros_like(target)
    for _ in range(2):  # the second time with the error that the first left
        for _ in range(_SWEEPS):
            before = fitted.copy()
            for k in range(count):
                free = target[:, k] - fitted @ gram[:, k] + fitted[:, k] * gram[k, k]
                step = np.sign(free) * np.maximum(np.abs(free) - penalty, 0.0)
                fitted[:, k] = np.where(closed[:, k], 0.0, step)
            if np.abs(fitted - before).max(initial=0.0) < 1e-4 * np.sqrt(total.max(initial=0.0)):
                break
        left = total - 2 * np.sum(fitted * target, axis=1) + np.sum((fitted @ gram) * fitted, axis=1)
        penalty = level * np.sqrt(np.maximum(left, 1e-6 * total) / rows)
    return np.asarray((fitted[:count] != 0) | (fitted[count:] != 0))


def _bearable(gram: Floats, score: Floats, concept: int, controls: Ints) -> Ints:
    """``controls`` without those that, the strongest taken first, would leave too little of ``concept``."""
    if _left(gram, concept, controls) > _LEFT:
        return controls
    kept: list[int] = []
    for control in controls[np.argsort(-np.abs(score[controls]), kind="stable")]:
        if _left(gram, concept, np.array([*kept, control])) > _LEFT:
            kept.append(int(control))
    return np.array(kept, dtype=np.int64)


def _left(gram: Floats, concept: int, controls: Ints) -> float:
    if not len(controls):
        return 1.0
    across = gram[controls, concept]
    found = np.linalg.lstsq(gram[np.ix_(controls, controls)], across, rcond=1e-9)[0]
    return float(1.0 - across @ found)


def _orthonormal(columns: Floats) -> Floats:
    left, singular, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, singular > 1e-7 * singular.max(initial=0.0)])
