"""The rungs of the ladder: how each learns from the rows outside a fold, and predicts those in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from yoin import encoder, registry
from yoin.errors import StudyError, UsageError
from yoin.ledger import disk_errors
from yoin.model.base import FineTuned, Regressor
from yoin.model.columns import Columns, fit_columns, predict_beside
from yoin.model.linear import text_ridge
from yoin.model.parts import Part
from yoin.model.ridge import fit_ridge
from yoin.model.signal import PLUS
from yoin.options import FitOptions, Spec
from yoin.values import Embed, Progress, silent

LINEAR = ("tfidf", "frozen")
STACKED = "stacked"
IMAGE = "image"
# Rough shares of the time, for the progress only.
LINEAR_SHARE, FINE_TUNE_SHARE = 2.0, 100.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the study as the rungs see them; n of each."""

    captions: list[str]
    metric: np.ndarray
    features: pd.DataFrame | None
    group: np.ndarray | None
    weight: np.ndarray | None
    pictures: np.ndarray | None = None  # (n, width), NaN in rows without one

    def take(self, which: np.ndarray) -> Rows:
        """Those of row numbers ``which``."""
        return Rows(
            captions=[self.captions[row] for row in which],
            metric=self.metric[which],
            features=None if self.features is None else self.features.iloc[which],
            group=None if self.group is None else self.group[which],
            weight=None if self.weight is None else self.weight[which],
            pictures=None if self.pictures is None else self.pictures[which],
        )


class Rungs:
    """The rungs of one fit, up to ``options.model``.

    Args:
        rows: all rows.
        folds: (n,) the fold in which a row is held out.
        options: the model asked for, and how it is trained.
        embed: the frozen encoder.
        folder: where each fold's model of the captions alone is written, as ``fold-K``.

    Attributes:
        names: of the rungs, in the order in which they are fitted: some need others.
        notes: what is left out.

    Raises:
        UsageError: there is no such model, or it cannot be used here.
    """

    def __init__(self, rows: Rows, folds: np.ndarray, options: FitOptions, embed: Embed, folder: Path) -> None:
        self._rows, self._folds, self._options, self._embed, self._folder = rows, folds, options, embed, folder
        self._make = maker(options)
        self._make()  # what cannot be used says so before any work is done
        self._texts, self.notes = _rungs_from_captions(options.model)
        self._columns = lru_cache(lambda fold: self._fit_columns(rows.take(np.flatnonzero(folds != fold))))
        self._inside: dict[int, np.ndarray] = {}  # by fold, the linear rung's predictions of what fine-tuning held out
        stacked = [] if options.model in LINEAR else [STACKED]
        self.names = ["mean", *self._texts, *stacked]
        self.names += [] if rows.features is None else ["features", *(rung + PLUS for rung in self._texts)]
        self.names += [] if rows.pictures is None else [IMAGE]
        self.names += [] if rows.pictures is None or rows.features is None else [IMAGE + PLUS]

    def share(self, name: str) -> float:
        """The rung's share of the time, for a progress."""
        if name in ("mean", "features") or name.removesuffix(PLUS) == IMAGE:
            return 0.1
        return FINE_TUNE_SHARE if name == self._options.model and name not in LINEAR else LINEAR_SHARE

    def fit(self, name: str, fold: int, before: Callable[[str], Part], progress: Progress) -> Part:
        """Fit a rung on the rows outside ``fold`` and predict those in it; ``before`` gives earlier rungs' parts."""
        train, other = (self._rows.take(np.flatnonzero(which)) for which in (self._folds != fold, self._folds == fold))
        text, beside = name.removesuffix(PLUS), name.endswith(PLUS)
        if name == "mean":
            return Part(np.full(len(other.metric), np.average(train.metric, weights=train.weight)))
        if text == IMAGE:
            return Part(self._from_pictures(fold if beside else None, train, other))
        if name == "features":
            return Part(self._columns(fold).predict(_features(other)))
        if name == STACKED or (beside and text not in LINEAR):
            return Part(self._corrected(fold, train, before, beside=beside))
        if beside:
            return Part(self._beside_features(text, self._columns(fold), train, other))
        return self._from_captions(name, fold, train, other, progress)

    def _from_captions(self, name: str, fold: int, train: Rows, other: Rows, progress: Progress) -> Part:
        model: Regressor = text_ridge(name, self._embed) if name in LINEAR else self._make()
        checkpoints = self._folder / f"training-{fold}"
        if isinstance(model, FineTuned):
            model.checkpoints = checkpoints
        model.fit(train.captions, train.metric, group=train.group, weight=train.weight, progress=progress)
        if name == self._options.model:
            _save(model, self._folder / f"fold-{fold}")
        if not isinstance(model, FineTuned):
            return Part(model.predict(other.captions), held_out=model.held_out, notes=model.notes)
        shutil.rmtree(checkpoints, ignore_errors=True)
        each = model.predict_each(other.captions)
        return Part(each.mean(axis=0), held_out=model.held_out, notes=model.notes, each=each, history=model.history)

    def _fit_columns(self, train: Rows) -> Columns:
        """The model of the features alone, fitted on ``train``."""
        seed = self._options.seed
        return fit_columns(_features(train), train.metric, weight=train.weight, group=train.group, seed=seed)

    def _beside_features(self, text: str, columns: Columns, train: Rows, other: Rows) -> np.ndarray:
        """Predictions for ``other`` of the features and a linear rung's view of the captions."""
        model = text_ridge(text, self._embed)
        matrices = model.learn(train.captions), model.matrix(other.captions)
        features = _features(train), _features(other)
        return predict_beside(columns, matrices, features, train.metric, weight=train.weight, group=train.group)

    def _from_pictures(self, fold: int | None, train: Rows, other: Rows) -> np.ndarray:
        """Predictions for ``other`` of the images alone, or, in a ``fold``, of the features and the images."""
        if train.pictures is None or other.pictures is None:
            raise UsageError("there are no pictures", stage="model")
        there = np.isfinite(train.pictures).all(axis=1)
        middle = train.pictures[there].mean(axis=0) if there.any() else np.zeros(train.pictures.shape[1])
        seen, new = (np.where(np.isfinite(one), one, middle) for one in (train.pictures, other.pictures))
        if fold is None:
            ridge = fit_ridge(seen, train.metric[:, None], weight=train.weight, group=train.group)
            return ridge.predict(new)[:, 0]
        features, columns = (_features(train), _features(other)), self._columns(fold)
        return predict_beside(columns, (seen, new), features, train.metric, weight=train.weight, group=train.group)

    def _corrected(self, fold: int, train: Rows, before: Callable[[str], Part], *, beside: bool) -> np.ndarray:
        """A linear rung, alone or ``beside`` features, plus a share of what fine-tuning adds to it.

        A fine-tuned model beside features would have to be trained again on what the features leave, at twice the
        cost. Instead its gap to the linear rung is added, in the share that fits surely (the least-squares share less
        its standard error, from 0 to 1) on the rows that the fine-tuning held out: training rows that neither model
        has learned from.
        """
        below, tuned = self._texts[-2:]
        base = before(below + PLUS if beside else below).predictions
        held_out = before(tuned).held_out
        if held_out is None:
            return base  # of a model that held nothing out nothing is known
        learned = np.setdiff1d(np.arange(len(train.metric)), held_out.rows)
        inner, held = train.take(learned), train.take(held_out.rows)
        if fold not in self._inside:  # alone and beside features it is the same fit
            model = text_ridge(below, self._embed)
            model.fit(inner.captions, inner.metric, group=inner.group, weight=inner.weight, progress=silent)
            self._inside[fold] = model.predict(held.captions)
        linear = self._inside[fold]
        gap = held_out.predictions - linear
        known = self._beside_features(below, self._fit_columns(inner), inner, held) if beside else linear
        rest = held.metric - known
        weight = np.ones(len(rest)) if held.weight is None else held.weight
        spread = float(np.sum(weight * gap**2))
        if spread == 0:
            return base
        share = float(np.sum(weight * gap * rest)) / spread
        # Less its standard error: the round of the fine-tuning was chosen on these rows, which flatters it here.
        error = np.sqrt(np.sum(weight**2 * gap**2 * (rest - share * gap) ** 2)) / spread
        share = float(np.clip(share - error, 0.0, 1.0))
        return np.asarray(base + share * (before(tuned).predictions - before(below).predictions))


def _features(rows: Rows) -> pd.DataFrame:
    if rows.features is None:
        raise UsageError("there are no features", stage="model")
    return rows.features


def maker(options: FitOptions) -> Callable[[], Regressor]:
    """What makes an unfitted model of the kind asked for."""
    spec = Spec.parse(options.model)
    kind = registry.load("models", spec.name)
    if spec.name == "bert" and not spec.model:
        raise UsageError("the model bert needs a folder or a name", stage="model", remedy="write bert:FOLDER")

    def make() -> Regressor:
        model: Regressor = kind(spec.model, options=options)
        return model

    return make


def _rungs_from_captions(asked: str) -> tuple[list[str], list[str]]:
    """The rungs that read captions, cheapest first, up to the one asked for; notes on what is left out."""
    below = list(LINEAR[: LINEAR.index(asked)]) if asked in LINEAR else list(LINEAR)
    if "frozen" in below and not encoder.installed():
        below.remove("frozen")
        return [*below, asked], ["the rung frozen was left out: it needs pip install 'yoin[offline]'"]
    return [*below, asked], []


def _save(model: Regressor, folder: Path) -> None:
    try:
        with disk_errors("model"):
            shutil.rmtree(folder, ignore_errors=True)  # half of it, where an earlier fit was stopped
            folder.mkdir(parents=True)
            model.save(folder)
    except OSError as error:
        raise StudyError(f"a fold's model could not be written ({error})", stage="model") from error
