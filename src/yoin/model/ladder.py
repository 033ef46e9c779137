"""The ladder: the mean, TF-IDF, the frozen encoder, a fine-tuned one, each judged out of fold in the same folds."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.util import hash_pandas_object
from scipy.stats import spearmanr

from yoin import encoder, registry
from yoin.errors import StudyError, UsageError
from yoin.features import FeatureEncoder
from yoin.files import digest
from yoin.ledger import disk_errors
from yoin.model.base import FineTuned, HeldOut, Meter, Regressor
from yoin.model.columns import Columns, fit_columns, predict_beside
from yoin.model.kinds import WHY, check_kind, guess_kind
from yoin.model.linear import FrozenRidge, TfidfRidge, remember, text_ridge
from yoin.model.parts import Part, Parts
from yoin.model.ridge import fit_ridge
from yoin.model.shelf import FoldModel, Shelf
from yoin.model.signal import PLUS, assess_signal, group_labels, r2_interval
from yoin.options import FitOptions, Spec
from yoin.values import HISTORY_COLUMNS, PREDICTION_COLUMNS, Embed, Fit, Progress, Rung, SeedScore, silent

LINEAR = ("tfidf", "frozen")
IMAGE = "image"
# Rough shares of the time, for the progress only.
LINEAR_SHARE, EMBED_SHARE, FINE_TUNE_SHARE, VERDICT_SHARE = 2.0, 10.0, 100.0, 10.0


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of the study as the rungs see them; n of each."""

    captions: list[str]
    metric: np.ndarray
    features: pd.DataFrame | None
    group: np.ndarray | None
    weight: np.ndarray | None
    pictures: np.ndarray | None = None  # (n, width), NaN in rows without one

    def take(self, which: np.ndarray) -> _Rows:
        return _Rows(
            captions=[self.captions[row] for row in which],
            metric=self.metric[which],
            features=None if self.features is None else self.features.iloc[which],
            group=None if self.group is None else self.group[which],
            weight=None if self.weight is None else self.weight[which],
            pictures=None if self.pictures is None else self.pictures[which],
        )


def fit(
    captions: list[str],
    metric: np.ndarray,
    folds: np.ndarray,
    *,
    row_ids: np.ndarray,
    features: pd.DataFrame | None,
    group: np.ndarray | None,
    weight: np.ndarray | None,
    options: FitOptions,
    folder: Path,
    pictures: np.ndarray | None = None,
    progress: Progress = silent,
) -> Fit:
    """Fit every rung up to ``options.model`` in the given folds, and judge what the captions say.

    Args:
        captions: n texts.
        metric: (n,) finite.
        folds: (n,) the fold in which a row is held out.
        row_ids: (n,) the rows' ids in the user's table.
        features: the user's other columns, n rows in the same order, or None.
        group: (n,) labels of rows that belong together, or None.
        weight: (n,) above zero, or None.
        options: the model asked for, and how it is trained and judged.
        folder: where each fold's captions-only model is written, as ``fold-K``; a fit of the same inputs that was
            stopped goes on from what it left here.
        pictures: (n, width) vectors of the images, NaN where there is none, for the rung ``image``; or None.
        progress: told in percent of the whole.

    Returns:
        out-of-fold predictions of all rungs (a rung after the other, rows in order), the rungs, the verdict.

    Raises:
        UsageError: there is no such model, it cannot be used here, or inputs do not fit together.
        StudyError: a fold's model cannot be written.
    """
    rows = replace(_checked(captions, metric, folds, features, group, weight), pictures=pictures)
    kind = options.metric_kind or guess_kind(rows.metric)
    check_kind(rows.metric, kind)
    asked, options = options, options.model_copy(update={"metric_kind": kind})
    make = _maker(options)
    make()  # what cannot be used says so before any work is done
    rungs, notes = _rungs_from_captions(options.model)
    source = "as asked for" if asked.metric_kind else "guessed from its values; --metric-kind changes it"
    notes.append(f"the metric is of the kind {kind} ({source}): by fine-tuning it is {WHY[kind]}")
    names = ["mean", *rungs, *([] if features is None else ["features", *(rung + PLUS for rung in rungs)])]
    names += [] if pictures is None else [IMAGE, *([] if features is None else [IMAGE + PLUS])]
    parts = Parts(folder, _digest(rows, folds, options))

    numbers = np.unique(folds)
    meter = Meter(progress, VERDICT_SHARE + EMBED_SHARE * ("frozen" in rungs) + sum(map(_share, names)))
    embed = remember(lambda texts: encoder.embed(texts, progress=meter.part(EMBED_SHARE, "embedding captions")))
    columns_in = lru_cache(lambda fold: _columns(rows.take(np.flatnonzero(folds != fold)), options))
    predictions = {name: np.empty(len(rows.metric)) for name in names}
    seconds = dict.fromkeys(names, 0.0)
    history: list[dict[str, object]] = []
    by_seed = np.full((options.seeds, len(rows.metric)), np.nan)
    for number, name in enumerate(names):
        for fold in numbers:
            told = meter.part(_share(name) / len(numbers), f"{name}, fold {fold + 1}")
            learned, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            part = parts.find(number, fold)
            if part is None:
                train, other = rows.take(learned), rows.take(held)
                started = time.perf_counter()
                if name == "mean":
                    part = Part(np.full(len(held), np.average(train.metric, weights=train.weight)), 0.0)
                elif name == "features" or (name.removesuffix(PLUS) in LINEAR and name.endswith(PLUS)):
                    part = Part(_with_features(name, columns_in(fold), train, other, embed), 0.0)
                elif name.removesuffix(PLUS) == IMAGE:
                    part = Part(_from_pictures(name, columns_in, fold, train, other), 0.0)
                elif name.endswith(PLUS):
                    below, tuned = rungs[-2], rungs[-1]
                    inside = parts.find(names.index(tuned), fold)
                    share = _share_of_gap(below, train, inside.held_out if inside else None, embed, options)
                    gap = predictions[tuned][held] - predictions[below][held]
                    part = Part(predictions[below + PLUS][held] + share * gap, 0.0)
                else:
                    model = _captions_model(name, options, make, embed)
                    model.fit(train.captions, train.metric, group=train.group, weight=train.weight, progress=told)
                    part = Part(model.predict(other.captions), 0.0, model.held_out, model.notes)
                    if isinstance(model, FineTuned):
                        each = model.predict_each(other.captions)
                        part = replace(part, predictions=each.mean(axis=0), each=each, history=model.history)
                    if name == options.model:
                        _save(model, folder / f"fold-{fold}")
                part = replace(part, seconds=time.perf_counter() - started)
                parts.keep(number, fold, part)
            predictions[name][held] = part.predictions
            history += [{"model": name, "fold": int(fold), **asdict(epoch)} for epoch in part.history]
            if part.each is not None:
                by_seed[:, held] = part.each
            seconds[name] += part.seconds
            notes += [f"{name}, fold {fold + 1}: {note}" for note in part.notes]

    meter.part(VERDICT_SHARE, "verdict")
    signal = assess_signal(
        rows.metric,
        {name: values for name, values in predictions.items() if name.removesuffix(PLUS) != IMAGE},
        captions=rows.captions,
        features=features,
        group=rows.group,
        weight=rows.weight,
        folds=folds,
        permutations=options.permutations,
        bootstrap=options.bootstrap,
        seed=options.seed,
        embed=embed if "frozen" in rungs else None,
    )
    about = {"model": options.model, "folds": [int(fold) for fold in np.unique(folds)]}
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
    parts.clear()
    if features is not None:
        notes += FeatureEncoder().fit(features).notes
    meter.end(signal.verdict)
    return Fit(
        predictions=_frame(predictions, np.asarray(row_ids), folds, rows.metric),
        rungs=tuple(_judge(name, predictions[name], seconds[name], rows, options) for name in names),
        signal=signal,
        model=options.model,
        metric_kind=kind,
        history=pd.DataFrame(history, columns=list(HISTORY_COLUMNS)),
        seeds=_by_seed(by_seed, rows, options) if options.seeds > 1 and np.isfinite(by_seed).all() else (),
        notes=tuple(notes),
    )


def predictors(folder: Path) -> dict[int, FoldModel]:
    """Each fold's captions-only model as a function of texts, by fold; read when first called.

    A row's caption given to the function of the row's fold gives its out-of-fold prediction.

    Raises:
        StudyError: ``folder`` holds no fitted models.
    """
    try:
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"there are no fitted models in {folder}", stage="model", remedy="run: yoin fit") from error
    shelf = Shelf(registry.load("models", Spec.parse(about["model"]).name))
    return {fold: FoldModel(shelf, folder / f"fold-{fold}") for fold in about["folds"]}


def _checked(
    captions: list[str],
    metric: np.ndarray,
    folds: np.ndarray,
    features: pd.DataFrame | None,
    group: np.ndarray | None,
    weight: np.ndarray | None,
) -> _Rows:
    sizes = {
        "captions": len(captions),
        "folds": len(folds),
        "feature rows": None if features is None else len(features),
        "group labels": None if group is None else len(group),
        "weights": None if weight is None else len(weight),
    }
    for what, size in sizes.items():
        if size is not None and size != len(metric):
            raise UsageError(f"there are {size} {what} for {len(metric)} metrics", stage="model")
    values = np.asarray(metric, dtype=float)
    if not np.all(np.isfinite(values)):
        row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise UsageError("the metric is missing or infinite", stage="model", row=row, remedy="leave the row out")
    if len(np.unique(folds)) < 2:
        raise UsageError("all rows are in one fold, so nothing can be judged", stage="model")
    return _Rows(
        captions=list(captions),
        metric=values,
        features=features,
        group=group_labels(group, len(values)),
        weight=None if weight is None else np.asarray(weight, dtype=float),
    )


def _maker(options: FitOptions) -> Callable[[], Regressor]:
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


def _captions_model(name: str, options: FitOptions, make: Callable[[], Regressor], embed: Embed) -> Regressor:
    if name == "frozen":
        return FrozenRidge(options=options, embed=embed)
    return TfidfRidge(options=options) if name == "tfidf" else make()


def _columns(train: _Rows, options: FitOptions) -> Columns:
    """The model of the features alone, fitted on ``train``."""
    if train.features is None:
        raise UsageError("there are no features", stage="model")
    return fit_columns(train.features, train.metric, weight=train.weight, group=train.group, seed=options.seed)


def _with_features(name: str, columns: Columns, train: _Rows, other: _Rows, embed: Embed) -> np.ndarray:
    """Predictions for ``other`` of the features alone, or of the features and a linear rung's view of the captions."""
    if train.features is None or other.features is None:
        raise UsageError("there are no features", stage="model")
    if name == "features":
        return columns.predict(other.features)
    model = text_ridge(name.removesuffix(PLUS), embed)
    text = model.learn(train.captions), model.matrix(other.captions)
    features = train.features, other.features
    return predict_beside(columns, text, features, train.metric, weight=train.weight, group=train.group)


def _from_pictures(
    name: str, columns_in: Callable[[int], Columns], fold: int, train: _Rows, other: _Rows
) -> np.ndarray:
    """Predictions for ``other`` of the images alone, or of the features and the images."""
    if train.pictures is None or other.pictures is None:
        raise UsageError("there are no pictures", stage="model")
    there = np.isfinite(train.pictures).all(axis=1)
    middle = train.pictures[there].mean(axis=0) if there.any() else np.zeros(train.pictures.shape[1])
    seen, new = (np.where(np.isfinite(one), one, middle) for one in (train.pictures, other.pictures))
    if name == IMAGE or train.features is None or other.features is None:
        ridge = fit_ridge(seen, train.metric[:, None], weight=train.weight, group=train.group)
        return ridge.predict(new)[:, 0]
    features = train.features, other.features
    return predict_beside(columns_in(fold), (seen, new), features, train.metric, weight=train.weight, group=train.group)


def _share_of_gap(below: str, train: _Rows, held_out: HeldOut | None, embed: Embed, options: FitOptions) -> float:
    """How much of what fine-tuning adds to the linear rung ``below`` belongs beside the features, from 0 to 1.

    A fine-tuned model beside features would have to be trained again on what the features leave, at twice the
    cost. Instead its gap to the linear rung is added to that rung with features, in the share that fits
    surely (the least-squares share less its standard error) on the rows that the fine-tuning held out: training rows
    that neither model has learned from.
    """
    if held_out is None:
        return 0.0  # of a model that held nothing out nothing is known
    learned = np.setdiff1d(np.arange(len(train.metric)), held_out.rows)
    inner, held = train.take(learned), train.take(held_out.rows)
    model = text_ridge(below, embed)
    model.fit(inner.captions, inner.metric, group=inner.group, weight=inner.weight)
    gap = held_out.predictions - model.predict(held.captions)
    rest = held.metric - _with_features(below + PLUS, _columns(inner, options), inner, held, embed)
    weight = np.ones(len(rest)) if held.weight is None else held.weight
    spread = float(np.sum(weight * gap**2))
    if spread == 0:
        return 0.0
    share = float(np.sum(weight * gap * rest)) / spread
    # Less its standard error: the round of the fine-tuning was chosen on these rows, which flatters it here.
    error = np.sqrt(np.sum(weight**2 * gap**2 * (rest - share * gap) ** 2)) / spread
    return float(np.clip(share - error, 0.0, 1.0))


def _digest(rows: _Rows, folds: np.ndarray, options: FitOptions) -> str:
    """What tells this fit's inputs from another's."""
    columns = [
        pd.Series(item) for item in (rows.captions, rows.metric, folds, rows.group, rows.weight) if item is not None
    ]
    if rows.features is not None:
        columns += [rows.features[name].astype(str) for name in rows.features]
    if rows.pictures is not None:
        columns += [pd.Series(one) for one in rows.pictures.T]
    marks = [hash_pandas_object(column, index=False).to_numpy().tobytes().hex() for column in columns]
    return digest(marks, options.model_dump(mode="json"))


def _judge(name: str, prediction: np.ndarray, seconds: float, rows: _Rows, options: FitOptions) -> Rung:
    r2, low, high = r2_interval(
        rows.metric,
        prediction,
        group=rows.group,
        weight=rows.weight,
        bootstrap=options.bootstrap,
        seed=options.seed,
    )
    # The mean differs a little from fold to fold, in the wrong direction; its ranks say nothing.
    ranked = name != "mean" and np.ptp(prediction) > 0 and np.ptp(rows.metric) > 0
    return Rung(
        name=name,
        rmse=float(np.sqrt(np.average((rows.metric - prediction) ** 2, weights=rows.weight))),
        r2=r2,
        r2_low=low,
        r2_high=high,
        spearman=float(spearmanr(rows.metric, prediction).statistic) if ranked else 0.0,
        seconds=seconds,
    )


def _by_seed(predictions: np.ndarray, rows: _Rows, options: FitOptions) -> tuple[SeedScore, ...]:
    """What each seed's predictions (seeds, n) come to."""
    spread = np.average((rows.metric - np.average(rows.metric, weights=rows.weight)) ** 2, weights=rows.weight)
    errors = np.average((rows.metric - predictions) ** 2, axis=1, weights=rows.weight)
    return tuple(
        SeedScore(seed=options.seed + number, rmse=float(np.sqrt(error)), r2=float(1 - error / spread))
        for number, error in enumerate(errors)
    )


def _frame(
    predictions: Mapping[str, np.ndarray], row_ids: np.ndarray, folds: np.ndarray, metric: np.ndarray
) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"row_id": row_ids, "model": name, "fold": folds, "metric": metric, "prediction": values})
        for name, values in predictions.items()
    ]
    return pd.concat(frames, ignore_index=True)[list(PREDICTION_COLUMNS)]


def _share(name: str) -> float:
    if name in ("mean", "features") or name.removesuffix(PLUS) == IMAGE:
        return 0.1
    return LINEAR_SHARE if name.removesuffix(PLUS) in LINEAR else FINE_TUNE_SHARE


def _save(model: Regressor, folder: Path) -> None:
    try:
        with disk_errors("model"):
            shutil.rmtree(folder, ignore_errors=True)  # half of it, where an earlier fit was stopped
            folder.mkdir(parents=True)
            model.save(folder)
    except OSError as error:
        raise StudyError(f"a fold's model could not be written ({error})", stage="model") from error
