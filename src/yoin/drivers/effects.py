"""Effects of all concepts on the metric, in its own unit, with intervals one can believe.

`lifts` compares captions with a concept to captions without; `adjusted` does so net of the other columns. In both,
unequal variances are allowed for, and rows of one cluster (the user's group, shared media) count as dependent.

The intervals rest on the central limit theorem. With a strongly skewed metric and few captions on one side they still
cover about 95%, but the smallest p are too small: `yoin.drivers.calibrate` sets these right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import false_discovery_control, t

from yoin.drivers.nuisance import Expected
from yoin.drivers.robust import Estimates, Floats, Ints, Regression

FEWEST_DF = 4.0  # below it Satterthwaite's approximation is not to be trusted
_DETERMINED = 1e-6  # share of a concept's variance left by the other columns, under which none is
CHUNK = 64  # concepts made dense at a time


@dataclass(frozen=True, slots=True)
class Residuals:
    """The metric and the concepts net of the other columns, in units in which the regression is an ordinary one.

    ``basis`` holds the orthonormal columns whose estimation the inference has to account for, shape (rows, q);
    ``concepts`` has zeros in the columns of concepts that the other columns determine.
    """

    y: Floats
    concepts: Floats
    basis: Floats


@dataclass(frozen=True, slots=True)
class Shared:
    """What the estimates of all concepts share.

    ``present`` is 0/1, shape (rows, concepts); ``root`` holds the roots of the weights; ``basis`` spans the intercept
    and the other columns, each times ``root``; ``expected`` is what `yoin.drivers.nuisance.cross_fitted` expects of
    the metric, then of each concept.
    """

    y: Floats
    present: sparse.csc_array
    root: Floats
    basis: Floats
    weight: Floats | None
    clusters: Ints | None
    expected: Expected | None

    def one_each(self) -> Ints:
        """The clusters' numbers, every row its own where there are none."""
        return np.arange(len(self.y)) if self.clusters is None else self.clusters

    def metric(self) -> Floats:
        """The metric net of the other columns, times ``root``."""
        return less_projection(
            self.root * (self.y if self.expected is None else self.y - self.expected.values[:, 0]), self.basis
        )

    def concepts(self, places: Ints) -> Floats:
        """The concepts at ``places`` net of the other columns, times ``root``; zeros where these determine one."""
        raw = self.present[:, places].toarray()
        net = less_projection_or_zero(self.root[:, None] * raw, self.basis)
        if self.expected is None:
            return net
        beyond = less_projection(self.root[:, None] * (raw - self.expected.values[:, 1 + places]), self.basis)
        return np.where(net.any(axis=0), beyond, 0.0)

    def handed_on(self, concepts: Floats) -> Floats:
        """What `Regression.infer` has to know of ``concepts``, which are net of the other columns, times ``root``."""
        if self.expected is None:
            return np.zeros_like(concepts)
        root = self.root[:, None]
        return self.expected.handed_on(root * concepts) / root

    def residuals(self) -> Iterator[Residuals]:
        """The metric and the concepts net of the other columns, some concepts at a time."""
        left = self.metric()
        for first in range(0, self.present.shape[1], CHUNK):
            places = np.arange(first, min(first + CHUNK, self.present.shape[1]))
            yield Residuals(left, self.concepts(places), self.basis)


@dataclass(frozen=True, slots=True)
class Interval:
    """Estimates with their 95% interval and two-sided p; the last three NaN where df is too small or unknown."""

    value: Floats
    low: Floats
    high: Floats
    p: Floats
    df: Floats


def lifts(y: Floats, present: sparse.csc_array, weight: Floats | None, clusters: Ints | None) -> Estimates:
    """Difference of the (weighted) means of ``y`` with and without each concept.

    Args:
        y: the metric, shape (rows,).
        present: 0/1, shape (rows, concepts).
        weight: positive, shape (rows,); None for equal weights.
        clusters: numbers of the clusters, shape (rows,); None for independent rows.

    Returns:
        Without clusters, Welch's standard error and degrees of freedom, generalised to weights; with clusters CR2
        with Satterthwaite's. NaN where a side is empty.
    """
    if clusters is None:
        return _welch(y, present, weight)
    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    return adjusted_of(Shared(y, present, root, (root / np.linalg.norm(root))[:, None], weight, clusters, None))


def adjusted(
    y: Floats,
    present: sparse.csc_array,
    features: Floats,
    weight: Floats | None,
    clusters: Ints | None,
    expected: Expected | None = None,
) -> Estimates | str:
    """The difference that goes with each concept among rows whose other columns are alike.

    With ``expected`` this is double machine learning in the partially linear model: the rest of the metric on the rest
    of the concept. What splines and levels say linearly is taken out within the rows too, so that it leaves nothing
    behind however the penalties were chosen, and levels that fill whole clusters are accounted for.

    Args:
        y: the metric, shape (rows,).
        present: 0/1, shape (rows, concepts).
        features: the other columns as numbers, shape (rows, columns).
        weight: positive, shape (rows,); None for equal weights.
        clusters: numbers of the clusters, shape (rows,); None for independent rows.
        expected: what `yoin.drivers.nuisance.cross_fitted` expects of the metric, then of each concept; None to
            adjust linearly alone.

    Returns:
        Estimates with HC2 or CR2 standard errors; NaN where the other columns determine the concept. A sentence
        where no concept can have an estimate.
    """
    shared = share(y, present, features, weight, clusters, expected)
    return shared if isinstance(shared, str) else adjusted_of(shared)


def adjusted_of(shared: Shared) -> Estimates:
    """`adjusted`, of rows that `share` has prepared."""
    regression = Regression(shared.basis, shared.one_each(), shared.weight)
    return joined([regression.infer(net.y, net.concepts, shared.handed_on(net.concepts)) for net in shared.residuals()])


def share(
    y: Floats,
    present: sparse.csc_array,
    features: Floats | None,
    weight: Floats | None,
    clusters: Ints | None,
    expected: Expected | None = None,
) -> Shared | str:
    """What the estimates of all concepts share; a sentence where the other columns leave nothing to estimate.

    Arguments as in `adjusted`; ``features`` may be None.
    """
    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    basis = (root / np.linalg.norm(root))[:, None] if features is None else shared_basis(features, root)
    if features is not None:
        if len(y) - basis.shape[1] < 20:
            return "there are too many other columns for so few rows to adjust for them"
        outcome = root * y
        centred = outcome - root * float(root @ outcome) / float(root @ root)
        if np.sum(less_projection(outcome, basis) ** 2) <= 1e-12 * np.sum(centred**2):
            return "the other columns determine the metric, so that nothing is left to adjust"
    return Shared(y, present, root, basis, weight, clusters, expected)


def shared_basis(features: Floats, root: Floats) -> Floats:
    """Orthonormal columns that span the intercept and ``features``, each times ``root``; none that adds nothing."""
    share = root / np.linalg.norm(root)
    scaled = root[:, None] * features
    for _ in range(2):  # the second time takes out what rounding left of a large mean
        scaled = scaled - share[:, None] * (share @ scaled)
    norms = np.linalg.norm(scaled, axis=0)
    scale = np.linalg.norm(root[:, None] * features, axis=0)
    kept = norms > 1e-9 * np.maximum(scale, np.finfo(float).tiny)
    left, singular, _ = np.linalg.svd(scaled[:, kept] / norms[kept], full_matrices=False)
    return np.column_stack([share, left[:, singular > 1e-7 * singular.max(initial=0.0)]])


def intervals(estimates: Estimates, unit: float) -> Interval:
    """95% intervals and p by Student's t; ``unit`` is the metric's spread, against which an error is nothing."""
    value, error, df = estimates.value, estimates.error, estimates.df
    usable = np.isfinite(value) & np.isfinite(error) & (df >= FEWEST_DF)
    exact = usable & (error <= 1e-12 * unit)
    margin = np.full(len(value), np.nan)
    margin[usable] = t.ppf(0.975, df[usable]) * error[usable]
    p = np.full(len(value), np.nan)
    normal = usable & ~exact
    p[normal] = 2.0 * t.sf(np.abs(value[normal]) / error[normal], df[normal])
    p[exact] = np.where(np.abs(value[exact]) > 1e-9 * unit, 0.0, 1.0)
    return Interval(value, value - margin, value + margin, p, df)


def q_values(p: Floats) -> Floats:
    """Benjamini and Hochberg's adjusted p, over the entries that are not NaN."""
    q = np.full(len(p), np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = false_discovery_control(p[tested], method="bh")
    return q


def _welch(y: Floats, present: sparse.csc_array, weight: Floats | None) -> Estimates:
    w = np.ones(len(y)) if weight is None else weight
    centre = float(np.average(y, weights=w))
    # Sums over the rows with the concept; those without are the rest of the total. Centred, so that little is lost.
    columns = np.stack([w, w * (y - centre), w * w], axis=1)
    with_it = present.T @ columns  # (concepts, 3)
    sides = []
    for sums, sign in ((with_it, 1), (columns.sum(axis=0) - with_it, 0)):
        total = np.where(sums[:, 0] > 1e-12 * w.sum(), sums[:, 0], np.nan)
        sides.append(_side(y - centre, present, w, sums[:, 1] / total, total, sums[:, 2], bool(sign)))
    (mean1, var1, df1), (mean0, var0, df0) = sides
    variance = var1 + var0
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / (var1**2 / df1 + var0**2 / df0)
    flat = (variance == 0.0) & np.isfinite(df1 + df0)  # both sides constant
    return Estimates(mean1 - mean0, np.sqrt(variance), np.where(flat, len(y) - 2.0, df))


def _side(
    y: Floats, present: sparse.csc_array, w: Floats, mean: Floats, total: Floats, squares: Floats, having: bool
) -> tuple[Floats, Floats, Floats]:
    """The mean, its variance and its degrees of freedom for the rows ``having`` the concept, or not."""
    variance, df = (np.full(len(mean), np.nan) for _ in range(2))
    rows_of, ends = present.indices, present.indptr
    for k in range(len(mean)):
        if np.isnan(total[k]):
            continue
        inside = rows_of[ends[k] : ends[k + 1]]
        if not having:
            inside = np.delete(np.arange(len(y)), inside)
        h = w[inside] / total[k]
        spread = squares[k] / total[k] ** 2  # Σ h²
        residual_share = 1.0 - 2.0 * h + spread  # variance of a residual, where errors have variance 1
        usable = residual_share > 1e-10
        g = np.divide(h * h, residual_share, out=np.zeros_like(h), where=usable)
        variance[k] = float(g @ (y[inside] - mean[k]) ** 2)
        # tr(A) and tr(A²) of the quadratic form that the variance is (Satterthwaite); equal weights give n - 1
        g0, g1, g2 = float(g.sum()), float(g @ h), float(g @ (h * h))
        trace = g0 - 2.0 * g1 + spread * g0
        square = (
            spread**2 * g0**2 + 2.0 * g0 * g2 - 4.0 * spread * g0 * g1 + 2.0 * g1**2
            + float((g * g) @ (1.0 + 2.0 * (spread - 2.0 * h)))
        )  # fmt: skip
        df[k] = trace**2 / square if square > 0 else np.nan
    return mean, variance, df


def less_projection(columns: Floats, basis: Floats) -> Floats:
    """``columns`` without what the orthonormal ``basis`` spans; twice, for the digits that rounding lost."""
    once = columns - basis @ (basis.T @ columns)
    return np.asarray(once - basis @ (basis.T @ once))


def less_projection_or_zero(columns: Floats, basis: Floats) -> Floats:
    """As `less_projection`, with zeros for columns that the basis determines."""
    net = less_projection(columns, basis)
    intercept = basis[:, :1]
    centred = columns - intercept @ (intercept.T @ columns)
    scale = np.maximum(np.sum(centred**2, axis=0), 1e-9 * np.sum(columns**2, axis=0))
    net[:, np.sum(net**2, axis=0) <= _DETERMINED * scale] = 0.0
    return net


def joined(parts: list[Estimates]) -> Estimates:
    """The estimates of some concepts after another."""
    if not parts:
        return Estimates.empty(0)
    return Estimates(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "error", "df")))
