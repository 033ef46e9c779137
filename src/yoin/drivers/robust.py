"""Robust inference for one coefficient at a time, with few clusters in mind.

The variance is the bias-reduced linearisation CR2 (Bell and McCaffrey, Survey Methodology 28, 2002), the degrees of
freedom are Satterthwaite's under independent errors of equal variance (Pustejovsky and Tipton, Journal of Business &
Economic Statistics 36, 2018). With every row a cluster of its own that is HC2.

CR2 needs B⁻½ z for each cluster and concept, where B = I - QQ' - zz' is the cluster's block of the residual maker: Q
holds what all concepts share (intercept, other columns), z the concept. The eigenvectors of I - QQ' are found once a
cluster; z is then a change of rank one, for which the resolvent (B + w)⁻¹ z has a closed form, and B⁻½ is a sum of
resolvents (Hale, Higham and Trefethen, SIAM Journal on Numerical Analysis 46, 2008, method 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import ellipj, ellipk

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_SMALLEST = 1e-8  # eigenvalues of B below this are not told apart
_NODES = 24  # relative error of the inverse square root under 1e-9
_TINY = 1e-10


@dataclass(frozen=True, slots=True)
class Estimates:
    """The coefficient, its standard error and degrees of freedom, one a concept; NaN where there is none."""

    value: Floats
    error: Floats
    df: Floats

    @classmethod
    def empty(cls, concepts: int) -> Estimates:
        """No estimate for any of ``concepts``."""
        return cls(np.full(concepts, np.nan), np.full(concepts, np.nan), np.full(concepts, np.nan))


def inverse_root_rule() -> tuple[Floats, Floats]:
    """Shifts w and weights c with x⁻½ ≈ Σ c / (x + w) for x in [1e-8, 1]."""
    modulus = 1.0 - _SMALLEST
    period = float(ellipk(modulus))
    sn, cn, dn, _ = ellipj((np.arange(_NODES) + 0.5) * period / _NODES, modulus)
    shifts = _SMALLEST * (sn / cn) ** 2
    weights = 2.0 * np.sqrt(_SMALLEST) * period / (np.pi * _NODES) * dn / cn**2
    return shifts, weights


class Regression:
    """The regressors that all concepts share, ready for the inference on one more.

    Everything is in units in which the regression is an ordinary one: rows multiplied by the root of their weight.

    Args:
        basis: orthonormal columns Q of the shared regressors, intercept included, shape (rows, q).
        clusters: the number of each row's cluster, from 0 on.
        weight: the rows' weights w, which keep the errors' variance in view; None where all are equal.
    """

    def __init__(self, basis: Floats, clusters: Ints, weight: Floats | None = None) -> None:
        self.basis = basis
        self.weight = weight
        rows, size = np.arange(len(clusters)), np.bincount(clusters)
        self.member = sparse.csr_array((np.ones(len(rows)), (clusters, rows)), shape=(len(size), len(rows)))
        self.all_single = bool((size == 1).all())
        self.single = size[clusters] == 1
        self.lever = np.einsum("ij,ij->i", basis, basis)
        if weight is not None:
            self.gram = basis.T @ (weight[:, None] * basis)
            self.quadratic = np.einsum("ij,jk,ik->i", basis, self.gram, basis)
        if not self.all_single:
            self._prepare_blocks(clusters, size)

    def _prepare_blocks(self, clusters: Ints, size: Ints) -> None:
        order, ends = np.argsort(clusters, kind="stable"), np.cumsum(size)
        entries: list[Floats] = []
        rows: list[Ints] = []
        columns: list[Ints] = []
        eigenvalues: list[Floats] = []
        owners: list[Ints] = []
        width = 0
        for cluster in np.flatnonzero(size > 1):
            at = order[ends[cluster] - size[cluster] : ends[cluster]]
            left, singular, _ = np.linalg.svd(self.basis[at], full_matrices=False)
            own = 1.0 - singular**2
            # Directions that Q fills wholly hold neither residual nor concept; those it leaves alone are the rest.
            kept = (singular > 1e-9) & (own > _TINY)
            entries.append(left[:, kept].ravel())
            rows.append(np.repeat(at, kept.sum()))
            columns.append(np.tile(np.arange(width, width + kept.sum()), len(at)))
            eigenvalues.append(own[kept])
            owners.append(np.full(kept.sum(), cluster))
            width += int(kept.sum())
        self.vectors = sparse.csr_array(
            (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape=(len(clusters), width)
        )
        self.owner = np.concatenate(owners)
        self.owned = sparse.csr_array((np.ones(width), (self.owner, np.arange(width))), shape=(len(size), width))
        self.clusters = clusters
        self.shifts, self.rule = inverse_root_rule()
        self.resolvent = 1.0 / (np.concatenate(eigenvalues)[:, None] + self.shifts)  # (width, nodes)
        self.rest_resolvent = 1.0 / (1.0 + self.shifts)  # (nodes,)

    def infer(self, y: Floats, concepts: Floats, handed_on: Floats | None = None) -> Estimates:
        """Coefficients of ``y`` on each column of ``concepts``, both without their projection on the basis.

        Args:
            y: shape (rows,).
            concepts: shape (rows, concepts); a column of zeros has no estimate.
            handed_on: where ``y`` is net of values expected from the other rows, what each row's metric adds to the
                sum of these times the concept, shape (rows, concepts): its error counts with that much less.
        """
        value, error, df = (np.full(concepts.shape[1], np.nan) for _ in range(3))
        for k in range(concepts.shape[1]):
            norm = float(np.linalg.norm(concepts[:, k]))
            if norm == 0.0:
                continue
            z = concepts[:, k] / norm
            slope = float(z @ y)
            a = self.corrected(z)
            share = a if handed_on is None else a - handed_on[:, k] / norm
            scores = self._sum(share * (y - slope * z))
            value[k] = slope / norm
            error[k] = float(np.sqrt(scores @ scores)) / norm
            df[k] = self._freedom(a, z)
        return Estimates(value, error, df)

    def _sum(self, rows: Floats) -> Floats:
        """Sums over the clusters."""
        return rows if self.all_single else np.asarray(self.member @ rows)

    def corrected(self, z: Floats) -> Floats:
        """B⁻½ z, cluster by cluster."""
        lever = self.lever + z * z
        if self.weight is None:
            spread = 1.0 - lever
        else:  # the residual's own variance where errors have equal variance, whatever the weights
            across = self.basis.T @ (self.weight * z)
            form = self.quadratic + 2.0 * z * (self.basis @ across) + z * z * float(self.weight @ (z * z))
            spread = 1.0 - 2.0 * lever + form / self.weight
        single = np.zeros_like(z)
        np.divide(z, np.sqrt(np.maximum(spread, _TINY)), out=single, where=spread > _TINY)
        if self.all_single:
            return single
        inside = self.vectors.T @ z  # (width,)
        rest = np.maximum(self.member @ (z * z) - self.owned @ inside**2, 0.0)  # (clusters,)
        share = self.owned @ (inside[:, None] ** 2 * self.resolvent) + rest[:, None] * self.rest_resolvent
        factor = self.rule / np.maximum(1.0 - share, _TINY)  # (clusters, nodes)
        outer = factor @ self.rest_resolvent  # (clusters,)
        inner = np.einsum("ij,ij->i", self.resolvent, factor[self.owner])  # (width,)
        block = z * outer[self.clusters] + self.vectors @ (inside * (inner - outer[self.owner]))
        return np.where(self.single, single, block)

    def _freedom(self, a: Floats, z: Floats) -> float:
        """Satterthwaite's degrees of freedom tr(P)² / tr(P²), P the covariance of the clusters' scores."""
        regressors = np.column_stack([self.basis, z])
        through = self._sum(a[:, None] * regressors)  # (clusters, q + 1)
        if self.weight is None:
            own = self._sum(a * a)
            passed = np.einsum("ij,ij->i", through, through)
            trace = own.sum() - passed.sum()
            square = own @ own - 2.0 * own @ passed + np.sum((through.T @ through) ** 2)
        else:
            weighted = self._sum((a * self.weight)[:, None] * regressors)
            own = self._sum(a * a * self.weight)
            middle = regressors.T @ (self.weight[:, None] * regressors)
            passed = np.einsum("ij,jk,ik->i", through, middle, through) - 2.0 * np.einsum("ij,ij->i", through, weighted)
            both = np.hstack([through, weighted])
            identity = np.eye(len(middle))
            core = np.block([[middle, -identity], [-identity, np.zeros_like(middle)]]) @ (both.T @ both)
            trace = own.sum() + passed.sum()
            square = own @ own + 2.0 * own @ passed + np.sum(core * core.T)
        return float(trace * trace / square) if square > 0 else np.nan
