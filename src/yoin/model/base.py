"""What every text regression offers, and small things that all of them need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

from yoin.errors import UsageError
from yoin.options import FitOptions
from yoin.values import Epoch, Progress


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows (k,) of the training rows that a fit did not learn from, and its predictions (k,) for them."""

    rows: np.ndarray
    predictions: np.ndarray


class Regressor(Protocol):
    """A regression from captions to the metric.

    A class registered under the entry point ``yoin.models`` is called as ``Class(argument, options=…)``, where
    ``argument`` is what follows the colon of ``--model name:argument``. Constructing one is quick and raises a
    `yoin.errors.UsageError` where the model cannot be used on this machine.
    """

    notes: tuple[str, ...]
    """Plain sentences about the last fit, for the report."""
    held_out: HeldOut | None
    """What the last fit held out to choose by, and predicted; None where it held nothing out."""

    def __init__(self, argument: str = "", *, options: FitOptions) -> None: ...

    def fit(
        self,
        captions: list[str],
        metric: np.ndarray,
        *,
        group: np.ndarray | None,
        weight: np.ndarray | None,
        progress: Progress,
    ) -> None:
        """Learn from n captions and their metric (n,); rows of one group stay on one side of any inner split."""

    def predict(self, captions: list[str]) -> np.ndarray:
        """Predictions (n,) in the metric's unit; the same captions give the same numbers."""

    def save(self, folder: Path) -> None:
        """Write the fitted model to the existing empty ``folder``, as JSON and safetensors only."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; its predictions are the same."""


@runtime_checkable
class QuickRegressor(Regressor, Protocol):
    """A regression with quicker ways to predict, which explanations, with their many texts, make use of."""

    @property
    def ways(self) -> tuple[str, ...]:
        """What makes them quicker on this machine, the quickest first, such as ("bfloat16",); empty if nothing does."""

    @property
    def mask_token(self) -> str:
        """What the model reads as a word left out; "" where it knows none."""

    def predict_quickly(self, captions: list[str], way: str) -> np.ndarray:
        """Predictions (n,) near those of ``predict``, by one of the ``ways``; how near, whoever uses them measures."""


@runtime_checkable
class FineTuned(Protocol):
    """A `Regressor` that trains by rounds, as often as there are seeds."""

    history: tuple[Epoch, ...]
    """The rounds of the last fit, seed by seed."""
    checkpoints: Path | None
    """Where a fit keeps how far it is, and goes on from what it finds of the same fit; None: nowhere."""

    def predict_each(self, captions: list[str]) -> np.ndarray:
        """Predictions (seeds, n), whose mean `Regressor.predict` gives."""


class Meter:
    """One progress for a job of several parts, in percent of the whole.

    ``part`` gives each part its own `Progress`; parts count in proportion to the shares they were given.
    """

    def __init__(self, progress: Progress, whole: float) -> None:
        self._progress = progress
        self._whole = whole
        self._before = 0.0

    def part(self, share: float, note: str) -> Progress:
        """A `Progress` for the next part; asking for it ends the part before."""
        start, self._before = self._before, self._before + share
        self._tell(start, note)

        def progress(done: int, total: int, detail: str) -> None:
            self._tell(start + share * min(1.0, done / max(1, total)), f"{note} {detail}".strip())

        return progress

    def end(self, note: str) -> None:
        """The whole is done."""
        self._tell(self._whole, note)

    def _tell(self, at: float, note: str) -> None:
        self._progress(round(100 * at / self._whole), 100, note)


def outer_folds(rows: int, group: np.ndarray | None, folds: int, seed: int) -> np.ndarray:
    """A fold number for each row, groups whole, shuffled: int array (rows,).

    Raises:
        UsageError: there is only one group.
    """
    label = np.arange(rows) if group is None else group
    if len(np.unique(label)) < 2:
        raise UsageError("all rows are in one group, so nothing can be judged", stage="model")
    number = np.empty(rows, dtype=int)
    splitter = GroupKFold(n_splits=min(folds, len(np.unique(label))), shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(splitter.split(label, groups=label)):
        number[held] = fold
    return number


def inner_split(rows: int, group: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to learn from and to choose the epoch by: 12% of the rows, at least 24 or a quarter if fewer."""
    share = max(0.12, min(24 / rows, 0.25))
    label = np.arange(rows) if group is None else group
    if len(np.unique(label)) < 2:
        label = np.arange(rows)
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    learned, held = next(splitter.split(label, groups=label))
    return np.sort(learned), np.sort(held)
