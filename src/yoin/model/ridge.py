"""Exact ridge regression with its penalty chosen by leaving one row, or one group, out.

One eigendecomposition serves every penalty and every metric, which is what makes the permutation test
cheap. scikit-learn's RidgeCV leaves out rows only: with captions or campaigns that repeat, its penalty is
chosen on rows the model has as good as seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Penalties relative to the mean squared length of a centred row; the last one predicts the mean.
RELATIVE_PENALTIES = np.append(10.0 ** np.arange(-3, 4.6, 0.5), np.inf)

RANK = 1e-8  # directions shorter than so much of the longest count as none


@dataclass(frozen=True, slots=True)
class Ridge:
    """A fitted ridge: ``coefficients`` (p, t) and ``intercepts`` (t,) for t metrics, ``penalties`` (t,)."""

    coefficients: np.ndarray
    intercepts: np.ndarray
    penalties: np.ndarray

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Predictions of the rows of ``matrix`` (m, p): float array (m, t)."""
        return np.asarray(matrix @ self.coefficients + self.intercepts)


def fit_ridge(
    matrix: np.ndarray,
    metrics: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
    spent: np.ndarray | None = None,
) -> Ridge:
    """Fit a ridge with an unpenalised intercept, each metric with the penalty that predicts left-out rows best.

    Args:
        matrix: (n, p), p may be 0.
        metrics: (n, t).
        weight: (n,) positive; errors count so much, in the fit and in the choice.
        group: (n,) labels; whole groups are left out instead of rows.
        spent: (n, q) columns of which ``matrix`` and ``metrics`` are least-squares residuals (`least_squares`): what
            a row adds to that fit counts as known when the row is left out.

    The left-out residuals are exact: (I - H_gg)⁻¹ r_g, with H the smoother of the penalty (the leave-one-out
    identity, Golub, Heath & Wahba 1979, with a block for a row).
    """
    rows = len(matrix)
    root = np.ones(rows) if weight is None else np.sqrt(weight / np.mean(weight))
    total = root @ root
    middle, means = (root**2) @ matrix / total, (root**2) @ metrics / total
    x, y = (matrix - middle) * root[:, None], (metrics - means) * root[:, None]
    left, squares, right = _decompose(x)
    scale = float(np.sum(squares)) / rows or 1.0
    penalties = RELATIVE_PENALTIES * scale
    scores = left.T @ y  # (rank, t)
    blocks = _blocks(group, rows)
    basis = root[:, None] / np.sqrt(total) if spent is None else _basis(spent, root)

    errors = np.empty((len(penalties), y.shape[1]))
    for index, penalty in enumerate(penalties):
        shrink = squares / (squares + penalty)
        residual = y - left @ (shrink[:, None] * scores)
        errors[index] = _left_out_error(left, shrink, basis, residual, blocks)
    # The heaviest penalty among the best: of two that predict alike, the plainer.
    best = len(penalties) - 1 - np.argmin(errors[::-1], axis=0)
    chosen = penalties[best]  # (t,)
    coefficients = right @ (scores / (squares[:, None] + chosen[None, :]))
    return Ridge(coefficients, means - middle @ coefficients, chosen)


def least_squares(matrix: np.ndarray, metrics: np.ndarray, *, weight: np.ndarray | None = None) -> Ridge:
    """Least squares with an intercept, of the smallest length where columns depend on each other."""
    root = np.ones(len(matrix)) if weight is None else np.sqrt(weight / np.mean(weight))
    middle, means = np.average(matrix, axis=0, weights=root**2), np.average(metrics, axis=0, weights=root**2)
    found = np.linalg.lstsq((matrix - middle) * root[:, None], (metrics - means) * root[:, None], rcond=RANK)[0]
    return Ridge(found, means - middle @ found, np.zeros(metrics.shape[1]))


def _basis(spent: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Orthonormal basis (n, rank) of the intercept and the columns ``spent``, each row times ``root``."""
    middle = np.average(spent, axis=0, weights=root**2)
    left, sizes, _ = np.linalg.svd((spent - middle) * root[:, None], full_matrices=False)
    kept = left[:, sizes > RANK * sizes.max(initial=0.0)]
    return np.column_stack([root / np.linalg.norm(root), kept])


def _decompose(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left singular vectors (n, r), squared singular values (r,), and the right factor V·S (p, r)."""
    rows, columns = x.shape
    wide = columns > rows
    squares, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    keep = squares > max(squares.max(initial=0.0), 1e-300) * 1e-10
    squares, vectors = squares[keep], vectors[:, keep]
    if wide:
        return vectors, squares, x.T @ vectors
    singular = np.sqrt(squares)
    return np.asarray((x @ vectors) / singular), squares, vectors * singular


def _blocks(group: np.ndarray | None, rows: int) -> list[np.ndarray] | None:
    """Row numbers of the groups, stacked by group size: arrays (groups of the size, size); None for single rows."""
    if group is None:
        return None
    _, inverse, counts = np.unique(group, return_inverse=True, return_counts=True)
    if len(counts) == rows or len(counts) < 3:
        return None  # with one or two groups nothing is left to learn from
    order = np.argsort(inverse, kind="stable")
    starts = np.cumsum(counts) - counts
    return [order[starts[counts == size][:, None] + np.arange(size)] for size in np.unique(counts)]


def _left_out_error(
    left: np.ndarray, shrink: np.ndarray, basis: np.ndarray, residual: np.ndarray, blocks: list[np.ndarray] | None
) -> np.ndarray:
    """Summed squared left-out residuals of each metric, (t,).

    ``basis`` is the orthonormal basis of what is fitted without a penalty: the intercept, and columns spent before.
    """
    if blocks is None:
        leverage = np.sum(basis**2, axis=1) + left**2 @ shrink
        return np.asarray(np.sum((residual / np.maximum(1 - leverage, 1e-8)[:, None]) ** 2, axis=0))
    error = np.zeros(residual.shape[1])
    for members in blocks:
        vectors = left[members]  # (groups, size, rank)
        smoother = (vectors * shrink) @ vectors.transpose(0, 2, 1)
        smoother += basis[members] @ basis[members].transpose(0, 2, 1)
        kept = np.eye(members.shape[1]) * (1 + 1e-8) - smoother
        error += np.sum(np.linalg.solve(kept, residual[members]) ** 2, axis=(0, 1))
    return error
