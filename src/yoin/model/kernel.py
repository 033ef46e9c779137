"""A Gaussian kernel ridge on the frozen encoder's embeddings.

What words do to a metric is not linear in their embeddings: near captions share what they do, far ones say nothing of
each other. The penalty is chosen on landmarks (Nyström features: Williams & Seeger 2001) with exact left-out errors;
then the model is solved on all captions, where they are not too many.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from scipy.linalg import cholesky, solve, solve_triangular

from yoin import encoder
from yoin.model.base import HeldOut
from yoin.model.ridge import fit_ridge
from yoin.options import FitOptions
from yoin.values import Embed, Progress, silent

LANDMARKS = 1000
MOST_ROWS = 8000  # with more the model stays on the landmarks: a matrix of rows × rows would not fit
# The mean squared distance of two captions is 2 (`Space`), so that an average pair is 0.2 alike. Values from 0.5 to 1.2
# predict about equally well.
GAMMA = 0.8
JITTER = 1e-6  # of the kernel's diagonal, which is 1


@dataclass(frozen=True, slots=True)
class Space:
    """Embeddings (n, width) less a ``middle`` (width,), over the root mean squared ``length`` of such differences."""

    middle: np.ndarray
    length: float

    @classmethod
    def of(cls, embeddings: np.ndarray) -> Self:
        """Of training embeddings."""
        middle = embeddings.mean(axis=0)
        return cls(middle, float(np.sqrt(np.mean(np.sum((embeddings - middle) ** 2, axis=1)))) or 1.0)

    def points(self, embeddings: np.ndarray) -> np.ndarray:
        """The points (n, width) that they are here."""
        return np.asarray((embeddings - self.middle) / self.length)


def gaussian(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The kernel of every point of ``one`` (n, width) with every point of ``other`` (m, width): float64 (n, m)."""
    squares = (np.sum(one**2, axis=1)[:, None] + np.sum(other**2, axis=1)) - 2 * (one @ other.T)
    return np.asarray(np.exp(-GAMMA * np.maximum(squares, 0)), dtype=float)


class FrozenRidge:
    """The embedded frozen encoder (all-MiniLM-L6-v2) at three depths, and a Gaussian kernel ridge.

    Args:
        argument: not used.
        options: not used.
        embed: the encoder; a caller that embeds the same captions again passes one that remembers.
    """

    def __init__(self, argument: str = "", *, options: FitOptions | None = None, embed: Embed | None = None) -> None:
        if embed is None:
            encoder.model_path()  # says at once where the encoder is missing
        self.notes: tuple[str, ...] = ()
        self.held_out: HeldOut | None = None
        self._embed: Embed = embed or encoder.embed_depths
        self._space = Space(np.zeros(1), 1.0)
        self._points = np.zeros((0, 1))
        self._root = np.zeros((0, 0))
        self._weights = np.zeros(0)  # of the points' kernels
        self._intercept = 0.0

    def learn(self, captions: list[str]) -> np.ndarray:
        """Choose the landmarks among the training captions; the captions' features (n, landmarks)."""
        embeddings = self._embed(captions)
        self._space = Space.of(embeddings)
        distinct = np.unique(captions, return_index=True)[1]
        some = np.random.default_rng(0).permutation(distinct)[:LANDMARKS]
        self._points = self._space.points(embeddings[np.sort(some)])
        kernel = gaussian(self._points, self._points)
        self._root = cholesky(kernel + JITTER * np.eye(len(kernel)), lower=True)
        return self._features(self._space.points(embeddings))

    def matrix(self, captions: list[str]) -> np.ndarray:
        """The features (m, landmarks) of any captions: their products are the kernel, as far as landmarks know it."""
        return self._features(self._space.points(self._embed(captions)))

    def _features(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(solve_triangular(self._root, gaussian(points, self._points).T, lower=True).T)

    def fit(
        self,
        captions: list[str],
        metric: np.ndarray,
        *,
        group: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        progress: Progress = silent,
    ) -> None:
        """Choose the penalty on the landmarks, then solve for all captions, or the landmarks alone if they are many."""
        ridge = fit_ridge(self.learn(captions), metric[:, None], weight=weight, group=group)
        if len(captions) <= MOST_ROWS and np.isfinite(ridge.penalties[0]):
            self._solve(captions, metric, weight, float(ridge.penalties[0]))
        else:
            self._weights = solve_triangular(self._root.T, ridge.coefficients[:, 0], lower=False)
            self._intercept = float(ridge.intercepts[0])

    def _solve(self, captions: list[str], metric: np.ndarray, weight: np.ndarray | None, penalty: float) -> None:
        """All captions become the points."""
        self._points = self._space.points(self._embed(captions))
        kernel = gaussian(self._points, self._points)
        kernel[np.diag_indices_from(kernel)] += penalty * (1.0 if weight is None else np.mean(weight) / weight)
        # The mean is not penalised: the weights of what it leaves are solved for beside those of a constant.
        both = np.column_stack([metric, np.ones(len(metric))])
        solved = solve(kernel, both, assume_a="pos", overwrite_a=True)
        self._intercept = float(solved[:, 0].sum() / solved[:, 1].sum())
        self._weights = solved[:, 0] - self._intercept * solved[:, 1]

    def predict(self, captions: list[str]) -> np.ndarray:
        """Predictions (n,) in the metric's unit."""
        points = self._space.points(self._embed(captions))
        return np.asarray(gaussian(points, self._points) @ self._weights + self._intercept)

    def save(self, folder: Path) -> None:
        """Write ``kernel.safetensors``."""
        from safetensors.numpy import save

        state = {
            "middle": self._space.middle,
            "length": np.array([self._space.length]),
            "points": self._points,
            "weights": self._weights,
            "intercept": np.array([self._intercept]),
        }
        (folder / "kernel.safetensors").write_bytes(save({name: np.ascontiguousarray(x) for name, x in state.items()}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``kernel.safetensors``."""
        from safetensors.numpy import load_file

        state = load_file(folder / "kernel.safetensors")
        model = cls()
        model._space = Space(state["middle"], float(state["length"][0]))
        model._points, model._weights = state["points"], state["weights"]
        model._intercept = float(state["intercept"][0])
        return model
