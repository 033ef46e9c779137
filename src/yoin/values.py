"""The frozen records that pass between stages.

Tables are pandas DataFrames whose columns are named here; ``row_id`` is always the 0-based position of
a row in the user's table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (items done, items in all, a short note such as "3 failed"); cheap, never raises."""

Predict: TypeAlias = Callable[[list[str]], np.ndarray]
"""A model as a function: n texts → float array (n,), in the metric's own unit."""


@runtime_checkable
class QuickPredict(Protocol):
    """A `Predict` that knows quicker ways, which are a little less exact.

    ``ways`` says what makes them quicker on this machine, the quickest first, such as ("int8", "bfloat16"); it is empty
    where nothing does.
    """

    ways: tuple[str, ...]

    def __call__(self, texts: list[str], /) -> np.ndarray:
        """The predictions (n,)."""

    def quickly(self, texts: list[str], way: str, /) -> np.ndarray:
        """About the same predictions (n,), by one of the ``ways``."""


Embed: TypeAlias = Callable[[list[str]], np.ndarray]
"""A frozen encoder as a function: n texts → float32 array (n, width) of unit rows."""

CaptionStatus = Literal["ok", "truncated", "refused", "blocked", "failed", "missing"]
Verdict = Literal["signal", "weak", "none"]
MetricKind = Literal["real", "positive", "rate", "count", "binary"]

CAPTION_COLUMNS = (
    "row_id", "media_id", "caption", "status", "reason", "captioner", "model_version", "prompt_id",
)  # fmt: skip
REPEAT_COLUMNS = (*CAPTION_COLUMNS, "repeat")
COMPARED_COLUMNS = ("comparison", "prompt", "part", *CAPTION_COLUMNS)
PREDICTION_COLUMNS = ("row_id", "model", "fold", "metric", "prediction")
HISTORY_COLUMNS = (
    "model", "fold", "seed", "epoch", "train_loss", "inner_loss", "inner_rmse", "learning_rate", "kept",
)  # fmt: skip
EXPLANATION_COLUMNS = ("row_id", "start", "end", "text", "value", "base_value", "prediction", "std_error")
INTERACTION_COLUMNS = ("row_id", "start", "end", "other_start", "other_end", "text", "other_text", "value")
DRIVER_COLUMNS = (
    "concept", "phrases", "n_with", "n_without", "prevalence", "lift", "lift_low", "lift_high",
    "adjusted", "adjusted_low", "adjusted_high", "unique", "unique_low", "unique_high", "p", "q",
    "importance", "shap_with", "shap_without", "sign_agreement", "opportunity", "note",
)  # fmt: skip
DRIVER_INTERACTION_COLUMNS = (
    "concept", "other", "column", "n_both", "difference", "difference_low", "difference_high", "p", "q",
    "with_other", "without_other", "other_with", "other_without", "turns",
)  # fmt: skip
OCCURRENCE_COLUMNS = ("row_id", "concept", "start", "end", "negated", "concept_id")
CORRECTED_COLUMNS = (
    "concept", "concept_id", "yes", "no", "sensitivity", "specificity", "kappa", "lift", "lift_low", "lift_high",
    "corrected", "corrected_low", "corrected_high", "note",
)  # fmt: skip


def silent(done: int, total: int, note: str) -> None:
    """A `Progress` that shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What one column of the user's table holds.

    ``kind`` is one of number, text, category, list, date, image, url, empty; ``low`` and ``high`` are the
    range as text ("" where there is none); ``unread`` counts cells that are neither blank nor readable as
    the column's kind, ``unread_example`` shows the first of them.
    """

    name: str
    kind: str
    blanks: int
    distinct: int
    low: str = ""
    high: str = ""
    unread: int = 0
    unread_example: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The user's table, read and checked.

    ``rows`` is indexed by row_id and holds the rows with a usable metric (and weight): ``metric`` float64,
    and where asked for ``image`` (str, NA where blank), ``caption`` (str, NA where blank), ``group`` (str),
    ``weight`` (float64 > 0). ``features`` and ``audited`` have the same index and the user's columns of these uses as
    they were read. ``read`` counts all rows of the file, ``dropped`` those left out here by reason, so that
    ``read == len(rows) + sum(dropped.values())``. ``preview`` holds the first rows as text.
    """

    source: Path
    read: int
    rows: pd.DataFrame
    features: pd.DataFrame
    audited: pd.DataFrame
    columns: tuple[ColumnProfile, ...]
    dropped: Mapping[str, int]
    preview: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One image or video, known by the SHA-256 of its original bytes.

    ``width`` and ``height`` in pixels after orientation; ``seconds`` is a video's length, 0 for an image. ``frames``
    are images sampled from a video, in the order of time, and ``poster`` is the one that stands for it. ``copy`` is
    an image scaled down to the longest side asked for.
    """

    media_id: str
    path: Path
    mime: str
    width: int
    height: int
    bytes: int
    seconds: float = 0.0
    frames: tuple[Path, ...] = ()
    poster: Path | None = None
    copy: Path | None = None

    @property
    def is_video(self) -> bool:
        """Whether it is a video, and so has frames."""
        return self.seconds > 0

    @property
    def views(self) -> tuple[Path, ...]:
        """The images to look at: a video's frames, or the image itself or its scaled copy."""
        return self.frames if self.is_video else (self.copy or self.path,)

    @property
    def picture(self) -> Path:
        """The one image to show."""
        return self.poster or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What became of every image cell.

    ``rows`` is indexed by row_id with ``media_id`` (NA where there is no usable image), ``reason`` ("" or
    one of `yoin.media.REASONS`) and ``detail`` (one plain sentence, "" where all is well).
    """

    rows: pd.DataFrame
    items: Mapping[str, Medium]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """What a captioner made of one medium.

    ``text`` is "" unless the status is ok or truncated. ``tokens_out`` counts those of thinking too. ``seconds`` is how
    long the call took, ``attempts`` how many were made for it.
    """

    text: str
    status: CaptionStatus
    reason: str = ""
    model_version: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """One caption a row (``frame`` has `CAPTION_COLUMNS`), and what they took; calls made in this run.

    ``attributes``, where they were asked for, has a row a row too: ``row_id`` and a column an attribute, blank where
    there is no ok caption. ``notes`` are sentences that a reader of the report should know.
    """

    frame: pd.DataFrame
    captioner: str
    attributes: pd.DataFrame | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One model of the ladder, judged out of fold.

    ``rmse`` in the metric's unit; ``r2`` with its 95% bootstrap interval; ``spearman`` in [-1, 1];
    ``seconds`` spent fitting and predicting, summed over folds, also over those fitted side by side.
    """

    name: str
    rmse: float
    r2: float
    r2_low: float
    r2_high: float
    spearman: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One round of a fine-tuning; round 0 is the mean.

    Losses are those of the metric's kind, near 1 for the mean of a real metric; ``inner_rmse`` in the metric's unit;
    ``learning_rate`` of the encoder at the round's end; ``kept`` where its weights are the ones that predict.
    """

    seed: int
    epoch: int
    train_loss: float
    inner_loss: float
    inner_rmse: float
    learning_rate: float
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedScore:
    """What one seed's fine-tuned models come to alone, out of fold; ``rmse`` in the metric's unit."""

    seed: int
    rmse: float
    r2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Whether the captions say anything about the metric.

    ``r2`` is the R² of the best rung, or with features its gain in R² over the features alone, with a 95%
    interval; ``p`` is the permutation test's; ``reason`` says it in plain words.
    """

    verdict: Verdict
    rung: str
    quantity: Literal["r2", "gain"]
    r2: float
    r2_low: float
    r2_high: float
    p: float
    permutations: int
    test_rung: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The ladder's out-of-fold predictions (`PREDICTION_COLUMNS`), its rungs and the verdict.

    ``history`` (`HISTORY_COLUMNS`) has a row a round of fine-tuning, ``seeds`` one a seed where several are averaged.
    """

    predictions: pd.DataFrame
    history: pd.DataFrame
    rungs: tuple[Rung, ...]
    signal: Signal
    model: str
    metric_kind: MetricKind
    seeds: tuple[SeedScore, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeEpoch:
    """An epoch of the article's recipe; ``rmse`` on the fold that judges, in the metric's unit."""

    epoch: int
    train_loss: float
    rmse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One fold trained the article's way, beside the study's own predictions of the same ``rows`` rows.

    ``half`` is whether it was trained in fp16, ``mask`` and ``last_epoch`` whether its two faults were repaired;
    ``epoch`` is which of ``epochs`` counts, ``gain`` is ``ours_r2`` less ``r2`` with its 95% interval.
    """

    model: str
    fold: int
    rows: int
    half: bool
    mask: bool
    last_epoch: bool
    epoch: int
    epochs: tuple[RecipeEpoch, ...]
    seconds: float
    rmse: float
    r2: float
    ours_rmse: float
    ours_r2: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """A tenth of the rows by prediction: mean prediction, mean metric and the latter's standard error."""

    n: int
    predicted: float
    observed: float
    std_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResidual:
    """A group's mean of metric less prediction with its standard error, and its RMSE; in the metric's unit."""

    group: str
    n: int
    mean: float
    std_error: float
    rmse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How far the predictions of ``model`` can be trusted.

    A new prediction plus ``low`` and plus ``high`` is an interval that holds at least a share of ``level`` of new rows
    like these; ``coverage`` is the share of the rows that such intervals from the other folds held.
    """

    model: str
    level: float
    low: float
    high: float
    coverage: float
    bins: tuple[ReliabilityBin, ...] = ()
    groups: tuple[GroupResidual, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A suspicion that captions give the metric away.

    ``kind`` of thing (rating, price, percentage, year, number, column) that ``rows`` captions hold, an example being
    that of ``row_id``; ``r2`` of the number alone among them, None for a column.
    """

    kind: str
    rows: int
    share: float
    r2: float | None
    row_id: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """The driver table (`DRIVER_COLUMNS`) and where its concepts stand (`OCCURRENCE_COLUMNS`).

    ``interactions`` (`DRIVER_INTERACTION_COLUMNS`) has a row for each pair of concepts, and of a concept and a part of
    another column, that was tested. ``tested`` concepts had a p, ``significant`` of them have q < 0.05. ``uncovered``
    is the share (0 to 1) of the total |SHAP| on words that belong to no listed concept; NaN without attributions.
    ``ids`` gives each concept's id, which rests on its name alone; ``corrected`` (`CORRECTED_COLUMNS`) is there where
    people labelled some images.
    """

    table: pd.DataFrame
    occurrences: pd.DataFrame
    interactions: pd.DataFrame
    tested: int
    significant: int
    uncovered: float = float("nan")
    notes: tuple[str, ...] = field(default=())
    ids: Mapping[str, str] = field(default_factory=dict)
    corrected: pd.DataFrame | None = None
