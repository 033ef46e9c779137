"""The ladder: the mean, TF-IDF, the frozen encoder, a fine-tuned one, each judged out of fold in the same folds."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.util import hash_pandas_object
from scipy.stats import spearmanr

from yoin import encoder, registry
from yoin.errors import StudyError, UsageError
from yoin.features import FeatureEncoder
from yoin.files import digest, digest_model
from yoin.model.base import Meter
from yoin.model.kinds import WHY, check_kind, guess_kind
from yoin.model.lanes import lanes_for
from yoin.model.linear import remember
from yoin.model.parts import Part, Parts
from yoin.model.rungs import IMAGE, Rows, Rungs
from yoin.model.shelf import FoldModel, Shelf
from yoin.model.side_by_side import Job, fit_side_by_side
from yoin.model.signal import PLUS, assess_signal, group_labels, r2_interval
from yoin.options import FitOptions, Spec
from yoin.values import HISTORY_COLUMNS, PREDICTION_COLUMNS, Fit, Progress, Rung, SeedScore, silent

EMBED_SHARE, VERDICT_SHARE = 10.0, 10.0  # rough shares of the time beside the rungs', for the progress only


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
    embed = remember(lambda texts: encoder.embed_depths(texts, progress=meter.part(EMBED_SHARE, "embedding captions")))
    rungs = Rungs(rows, folds, options, embed, folder)
    names, notes = rungs.names, list(rungs.notes)
    source = "as asked for" if asked.metric_kind else "guessed from its values; --metric-kind changes it"
    notes.append(f"the metric is of the kind {kind} ({source}): by fine-tuning it is {WHY[kind]}")
    parts = Parts(folder, _digest(rows, folds, options))

    numbers = np.unique(folds)
    meter = Meter(progress, VERDICT_SHARE + EMBED_SHARE * ("frozen" in names) + sum(map(rungs.share, names)))
    predictions = {name: np.empty(len(rows.metric)) for name in names}
    seconds = dict.fromkeys(names, 0.0)
    history: list[dict[str, object]] = []
    by_seed = np.full((options.seeds, len(rows.metric)), np.nan)
    for number, name in enumerate(names):
        share = rungs.share(name) / len(numbers)
        ready = _fit_beside(Job(rows, folds, options, folder, parts.digest, number), name, parts, meter, share)
        for fold in numbers:
            told = meter.part(0 if fold in ready else share, f"{name}, fold {fold + 1}")
            part = parts.find(number, fold)
            if part is None:
                started = time.perf_counter()
                part = rungs.fit(name, fold, partial(_before, parts, names, fold), told)
                part = replace(part, seconds=time.perf_counter() - started)
                parts.keep(number, fold, part)
            held = folds == fold
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
        embed=embed if "frozen" in names else None,
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


def _fit_beside(job: Job, name: str, parts: Parts, meter: Meter, share: float) -> set[int]:
    """Fit what there is to gain from it in folds side by side; returns those, whose parts are then there."""
    if name != job.options.model:
        return set()
    missing = [int(fold) for fold in np.unique(job.folds) if parts.find(job.number, fold) is None]
    ready: set[int] = set()
    while len(lanes := lanes_for(len(missing), job.options)) > 1:
        # What would leave lanes empty is arranged anew: its folds get more threads each.
        full = len(missing) if lanes[0].device != "cpu" else len(missing) // len(lanes) * len(lanes)
        now, missing = missing[:full], missing[full:]
        ready |= fit_side_by_side(job, now, lanes, meter.part(share * full, name)).keys()
    return ready


def _before(parts: Parts, names: list[str], fold: int, name: str) -> Part:
    """The part of an earlier rung in the same fold."""
    part = parts.find(names.index(name), fold)
    if part is None:
        raise LookupError(f"{name} has not been fitted in fold {fold}")
    return part


def _checked(
    captions: list[str],
    metric: np.ndarray,
    folds: np.ndarray,
    features: pd.DataFrame | None,
    group: np.ndarray | None,
    weight: np.ndarray | None,
) -> Rows:
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
    return Rows(
        captions=list(captions),
        metric=values,
        features=features,
        group=group_labels(group, len(values)),
        weight=None if weight is None else np.asarray(weight, dtype=float),
    )


def _digest(rows: Rows, folds: np.ndarray, options: FitOptions) -> str:
    """What tells this fit's inputs from another's."""
    columns = [
        pd.Series(item) for item in (rows.captions, rows.metric, folds, rows.group, rows.weight) if item is not None
    ]
    if rows.features is not None:
        columns += [rows.features[name].astype(str) for name in rows.features]
    if rows.pictures is not None:
        columns += [pd.Series(one) for one in rows.pictures.T]
    marks = [hash_pandas_object(column, index=False).to_numpy().tobytes().hex() for column in columns]
    return digest(marks, options.model_dump(mode="json"), digest_model(Spec.parse(options.model).model))


def _judge(name: str, prediction: np.ndarray, seconds: float, rows: Rows, options: FitOptions) -> Rung:
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


def _by_seed(predictions: np.ndarray, rows: Rows, options: FitOptions) -> tuple[SeedScore, ...]:
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
