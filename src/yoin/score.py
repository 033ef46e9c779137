"""New images or captions: captioned, predicted with an interval, and explained, by the models of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from yoin.brief.score import score
from yoin.checks import check_installed, require_table
from yoin.errors import NothingLeftError, UsageError
from yoin.options import ExplainOptions, RunOptions
from yoin.pipeline import StageProgress, silent
from yoin.study import Study, locked
from yoin.values import Captions, Media, Predict, Progress, QuickPredict
from yoin.values import silent as no_progress

if TYPE_CHECKING:
    import pandas as pd

    from yoin.explanations import Explained

TABLES = frozenset({".csv", ".tsv", ".tab", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".xlsm"})
_USUAL_CALLS = 120  # a caption takes
_MANY_CALLS = 1000  # fewer are not worth making a model quicker, and looking how exact it then is
SCORE_COLUMNS = ("row_id", "image", "caption", "status", "reason", "prediction", "low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a study says of new rows.

    ``table`` has `SCORE_COLUMNS`, a row a row: the prediction and its 95% interval in the metric's unit, blank where
    there is no ok caption. ``spans`` has `yoin.values.EXPLANATION_COLUMNS`; a row's values and base value add up to its
    prediction. ``precision`` is what a quicker way of the models cost, the fields of
    `yoin.explanations.precision.Precision`, None where none was tried. ``caution`` says where the study found that its
    captions tell nothing, "" elsewhere.
    """

    metric: str
    table: pd.DataFrame
    spans: pd.DataFrame
    precision: Mapping[str, Any] | None
    caution: str


def score_new(study: str | Path, path: str | Path, *, ask: bool = False, progress: StageProgress = silent) -> Scores:
    """Caption what is new, predict the metric, and explain the predictions.

    Captions are made as the study's were, and kept in its ledger: what is known costs nothing. The prediction is the
    median of the folds' models, its interval is that of `yoin.brief.score.score`. Writes ``scores.csv`` and
    ``score_explanations.parquet`` into the study.

    Args:
        study: the folder of a study that is done.
        path: an image or a video; or a table with the study's column of images, or of captions where those were given.
        ask: stop with a `ConsentError` before calls that cost money.
        progress: called as items are done.

    Raises:
        UsageError: the file or its column is not there, or the study's captions were given and this is no table.
        NothingLeftError: there is no ok caption.
        StudyError: the study has no models yet.
    """
    from yoin import model

    source = Path(path).resolve()
    require_table(source)
    opened = Study(study)
    check_installed(opened.options)
    with locked(opened.folder):
        kept = Study(opened.folder)
        options, summary = kept.options, kept.summary
        cells = _cells(source, options)
        made = _captions(kept, source, cells, options, ask, progress)
        table = made.frame.set_index("row_id")[["caption", "status", "reason"]]
        table.insert(0, "image", cells.get("image", ""))
        good = table["status"] == "ok"
        if not good.any():
            raise NothingLeftError(
                f"none of {len(table)} rows has a caption ({_why(table)})", stage="score", remedy="see to that first"
            )
        texts = table.loc[good, "caption"].tolist()
        predictors = model.predictors(kept.folder / "models")
        own = kept.predictions[kept.predictions["model"] == kept.facts("fit")["model"]]
        found = np.array(score(texts, predictors, own))
        table.loc[good, ["prediction", "low", "high"]] = np.where(np.isfinite(found), found, np.nan)
        explained = explain_by_all(
            table.loc[good, "caption"], list(predictors.values()), options.for_explain(), partial(progress, "explain")
        )
        spans, precision = explained.table, explained.facts["precision"]
        whole = table.reset_index()[list(SCORE_COLUMNS)]
        kept.write_csv("scores.csv", whole)
        kept.write_frame("score_explanations.parquet", spans)
    silent_study = summary.signal.verdict == "none"
    caution = "This study found no signal: its predictions tell nothing apart." if silent_study else ""
    return Scores(metric=summary.metric.name, table=whole, spans=spans, precision=precision, caution=caution)


def explain_by_all(
    captions: pd.Series, predictors: Sequence[Predict], options: ExplainOptions, progress: Progress = no_progress
) -> Explained:
    """Explain the median of the folds' models for ``captions``, by row_id; by their quicker ways if that pays."""
    from yoin import explanations

    asked = captions.rename("caption").rename_axis("row_id").reset_index().assign(fold=0)
    many = len(asked) * (options.budget or _USUAL_CALLS) >= _MANY_CALLS
    return explanations.explain_captions(
        asked, {0: _Median(predictors, quickly=many)}, options=options.model_copy(update={"interactions": 0}),
        deletions=0, progress=progress,
    )  # fmt: skip


def _cells(source: Path, options: RunOptions) -> pd.DataFrame:
    """The images or captions to score, by row_id."""
    import pandas as pd

    from yoin import media
    from yoin import table as tables

    given = options.caption
    if source.suffix.lower() not in TABLES:
        if options.captioned:
            raise UsageError(
                "the captions of this study were given, so that an image cannot be captioned as they were",
                stage="score",
                remedy=f"give a table with the column {given!r}" if given else "score with a study that captions",
            )
        cells = pd.DataFrame({"cell": [source.name]}, dtype="string")
    else:
        column = given or options.image
        frame = tables.load(source, options.sheet)
        if column is None or column not in frame.columns:
            raise UsageError(
                f"{source.name} has no column {column!r}, which the study reads",
                stage="score",
                remedy=f"give it one of that name; it has {', '.join(map(repr, frame.columns))}",
            )
        cells = pd.DataFrame({"cell": frame[column]})
        if len(cells) == 0:
            raise NothingLeftError(f"{source.name} has no rows", stage="score", remedy="give a table with rows")
    cells = cells.rename_axis("row_id")
    return cells if given else cells.assign(image=cells["cell"].map(media.shown, na_action="ignore"))


def _captions(
    study: Study, source: Path, cells: pd.DataFrame, options: RunOptions, ask: bool, progress: StageProgress
) -> Captions:
    from yoin import captions, media

    if options.caption is not None:
        return captions.given(cells["cell"])
    if options.captions is not None:
        raise UsageError(
            "the captions of this study came from a file, so that none can be made as they were",
            stage="score",
            remedy="score with a study that captions",
        )
    with study.ledger() as ledger:
        found: Media = media.collect(
            cells["cell"],
            store=study.media_folder,
            ledger=ledger,
            options=options.for_media().model_copy(update={"base": source.parent}),
            progress=partial(progress, "fetch"),
        )
        return captions.caption(
            found,
            ledger=ledger,
            options=options.for_captions().model_copy(update={"ask": ask}),
            progress=partial(progress, "caption"),
        )


class _Median:
    """The folds' models as one, a `yoin.values.QuickPredict`; if ``quickly`` by their quicker ways, where all do."""

    def __init__(self, predictors: Sequence[Predict], *, quickly: bool) -> None:
        self._predictors = predictors
        quick = [one for one in predictors if quickly and isinstance(one, QuickPredict)]
        self._quick = quick if len(quick) == len(predictors) else []
        self.ways = self._quick[0].ways if self._quick else ()  # the same for all: it is the machine that decides
        self.mask_token = str(getattr(predictors[0], "mask_token", ""))

    def __call__(self, texts: list[str]) -> np.ndarray:
        return np.asarray(np.median([one(texts) for one in self._predictors], axis=0))

    def quickly(self, texts: list[str], way: str) -> np.ndarray:
        return np.asarray(np.median([one.quickly(texts, way) for one in self._quick], axis=0))


def _why(table: pd.DataFrame) -> str:
    reasons = table["reason"].where(table["reason"] != "", table["status"]).value_counts()
    return str(reasons.index[0]).replace("_", " ")
