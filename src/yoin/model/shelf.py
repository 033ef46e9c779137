"""The fitted models of a study's folds, one in memory at a time; and one that knows nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from yoin import registry
from yoin.errors import StudyError
from yoin.hub import faults, one_line
from yoin.model.base import QuickRegressor, Regressor
from yoin.options import FitOptions, Spec
from yoin.values import Progress, silent


class Shelf:
    """Room for one model in memory: reading the next lets go of the one before."""

    def __init__(self, kind: type[Regressor]) -> None:
        self._kind = kind
        self._folder: Path | None = None
        self._model: Regressor | None = None

    def read(self, folder: Path) -> Regressor:
        """The model in ``folder``.

        Raises:
            StudyError: its files are damaged, or are another's.
            UsageError: a package that it needs is not installed.
        """
        if self._model is None or self._folder != folder:
            self._model = None
            try:
                self._model, self._folder = self._kind.load(folder), folder
            except ImportError as error:
                with faults(str(folder), stage="model", task="a fitted model"):
                    raise error
            except Exception as error:
                raise StudyError(
                    f"the fitted model in {folder} cannot be read ({one_line(error)})",
                    stage="model",
                    remedy="fit anew with: yoin fit STUDY",
                ) from error
        return self._model


class FoldModel:
    """A fold's model as a `yoin.values.Predict` with what else it offers; read when first needed.

    The models of a study share room for one: go through them fold by fold, and each is read once.
    """

    def __init__(self, shelf: Shelf, folder: Path) -> None:
        self._shelf = shelf
        self._folder = folder

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Predictions (n,) in the metric's unit."""
        return self._shelf.read(self._folder).predict(texts)

    def quickly(self, texts: list[str], way: str) -> np.ndarray:
        """The same, quicker and less exact where the model knows how."""
        model = self._shelf.read(self._folder)
        return model.predict_quickly(texts, way) if isinstance(model, QuickRegressor) else model.predict(texts)

    @property
    def ways(self) -> tuple[str, ...]:
        """What makes `quickly` quicker here, such as ("int8", "bfloat16"); empty where nothing does."""
        model = self._shelf.read(self._folder)
        return model.ways if isinstance(model, QuickRegressor) else ()

    @property
    def mask_token(self) -> str:
        """What the model reads as a word left out; "" where it knows none."""
        model = self._shelf.read(self._folder)
        return model.mask_token if isinstance(model, QuickRegressor) else ""


def fit_shuffled(
    captions: list[str], metric: np.ndarray, *, options: FitOptions, progress: Progress = silent
) -> Regressor:
    """The model that ``options`` ask for, fitted on captions and a shuffled metric (n,): it can know nothing."""
    spec = Spec.parse(options.model)
    model: Regressor = registry.load("models", spec.name)(spec.model, options=options)
    shuffled = np.random.default_rng(options.seed).permutation(metric)
    model.fit(captions, shuffled, group=None, weight=None, progress=progress)
    return model
