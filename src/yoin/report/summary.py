"""Everything the report says, as data with a published JSON schema.

A number that does not exist (not measured, not finite) is ``None``, in JSON ``null``; NaN and infinities
never appear.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field, JsonValue

from yoin.report.bias import AuditSummary
from yoin.report.explained import ExplanationsSummary
from yoin.report.record import Count, Number, Plain, Record
from yoin.report.sizes import SIGNIFICANT, NextTest
from yoin.report.trust import EpochSummary, LeakSummary, RecipeSummary, ReliabilitySummary, SeedSummary
from yoin.values import Verdict


class Bin(Record):
    """One bar of a histogram: ``count`` values in [low, high), the last bar with its high end."""

    low: float
    high: float
    count: Count


class MetricSummary(Record):
    """The metric over the rows used, in its own unit; ``sd`` with n - 1."""

    name: str
    n: Count
    mean: Number
    sd: Number
    low: Number
    high: Number
    histogram: tuple[Bin, ...] = ()


class RowsSummary(Record):
    """``read`` rows of the table are ``used`` or ``dropped`` for one reason each."""

    read: Count
    used: Count
    dropped: dict[str, Count] = Field(default={})


class MissingSummary(Record):
    """Rows that miss something against the rest on the metric: mean difference with its 95% interval.

    ``p_adjusted`` accounts for all reasons compared together; see `yoin.drivers.Missingness`.
    """

    n_missing: Count
    n_present: Count = 0
    mean_missing: Number = None
    mean_present: Number = None
    difference: Number
    low: Number
    high: Number
    p: Number
    p_adjusted: Number = None
    sentence: str


class MediaSummary(Record):
    """What became of the image cells.

    ``images`` cells held a usable image or video, ``distinct`` of them by their bytes, of which ``videos`` are videos;
    ``bytes`` is the size of the distinct originals; ``failed`` counts the other rows by reason. ``missing`` compares
    the rows without a usable image with the rest, ``missing_by_reason`` those of each reason with at least
    ``fewest_compared`` rows; both are left out where captions were given, because no row is lost then.
    """

    images: Count = 0
    distinct: Count = 0
    videos: Count = 0
    bytes: Count = 0
    failed: dict[str, Count] = Field(default={})
    missing: MissingSummary | None = None
    missing_by_reason: dict[str, MissingSummary] = Field(default={})
    fewest_compared: Count = 0


class CaptionsSummary(Record):
    """What the captioner was and did; ``describes`` says in one sentence what its captions can hold.

    ``repeats`` further captions of a sample were made; calls, tokens and cost are with them.
    """

    captioner: str
    describes: str = ""
    ok: Count = 0
    blocked: Count = 0
    failed: Count = 0
    missing: Count = 0
    refused: Count = 0
    truncated: Count = 0
    repeats: Count = 0
    calls: Count = 0
    tokens_in: Count = 0
    tokens_out: Count = 0
    cost_usd: Number = 0.0


class ModelSummary(Record):
    """One rung of the ladder, out of fold; see `yoin.values.Rung`."""

    name: str
    rmse: Number
    r2: Number
    r2_low: Number
    r2_high: Number
    spearman: Number
    seconds: Number


class SignalSummary(Record):
    """The verdict; see `yoin.values.Signal`."""

    verdict: Verdict
    rung: str
    quantity: Literal["r2", "gain"]
    r2: Number
    r2_low: Number
    r2_high: Number
    p: Number
    permutations: Count
    test_rung: str
    reason: str


class DriverInteraction(Record):
    """A pair that interacts (q < 0.05): see `yoin.values.Drivers`; ``column`` is "" where the other is a concept.

    Where ``turns``, the concept goes with more on one side of the other and with less on the other side.
    """

    concept: str
    other: str
    column: str = ""
    n_both: Count
    difference: Number
    difference_low: Number = None
    difference_high: Number = None
    q: Number
    with_other: Number
    without_other: Number
    turns: bool = False


class DriversSummary(Record):
    """How many concepts were tested and are significant (q < 0.05); see `yoin.values.Drivers`.

    ``pairs`` of two concepts, or of a concept and a part of another column, were tested for interaction, and
    ``pairs_significant`` of them interact; ``interactions`` are those that are not about people's traits.
    ``ids`` gives each concept's id, which is the same in every study that has a concept of this name.
    """

    tested: Count = 0
    significant: Count = 0
    uncovered: Number = None
    notes: tuple[str, ...] = ()
    pairs: Count = 0
    pairs_significant: Count = 0
    interactions: tuple[DriverInteraction, ...] = ()
    ids: dict[str, str] = Field(default={})


def summarize_interactions(table: pd.DataFrame, apart: Collection[str] = ()) -> tuple[DriverInteraction, ...]:
    """The significant pairs of ``table`` (`yoin.values.DRIVER_INTERACTION_COLUMNS`) without the concepts ``apart``.

    A pair of concepts of which only the other one turns is told from that one's side.
    """
    found = []
    for row in table[table["q"].astype(float) < SIGNIFICANT].to_dict("records"):
        if row["concept"] in apart or (not row["column"] and row["other"] in apart):
            continue
        if row["turns"] == "other":
            row |= {"concept": row["other"], "other": row["concept"], "with_other": row["other_with"],
                    "without_other": row["other_without"]}  # fmt: skip
        known = {str(name): value for name, value in row.items() if name in DriverInteraction.model_fields}
        found.append(DriverInteraction.model_validate(known | {"turns": row["turns"] != ""}))
    return tuple(found)


class RatersSummary(Record):
    """How far people agree about a concept; see `yoin.drivers.raters.settled`."""

    raters: Count
    images: Count
    agreed: Number = None
    kappa: Number = None
    ties: Count = 0


class LabelledSummary(Record):
    """A concept that people labelled on a sample of the images; see `yoin.drivers.corrected.Corrected`.

    ``yes`` and ``no`` count labelled rows. ``lift`` is that of the captions, ``corrected`` what it is once their errors
    are accounted for, each with its 95% interval; ``note`` says why there is none. ``raters`` is there where the sheet
    names those who answered.
    """

    concept: str
    concept_id: str
    yes: Count
    no: Count
    sensitivity: Number = None
    specificity: Number = None
    kappa: Number = None
    lift: Number = None
    lift_low: Number = None
    lift_high: Number = None
    corrected: Number = None
    corrected_low: Number = None
    corrected_high: Number = None
    note: str = ""
    raters: RatersSummary | None = None


class ChoiceSummary(Record):
    """That the prompt was chosen by comparing several, so that ``rows`` that helped to choose it are left out.

    ``prompts`` were compared, ``prompt`` is the study's. Where it was the winner, ``r2`` (``quantity``: with features
    its gain) with its 95% interval is what the comparison found on ``judged`` rows locked away from the choice.
    """

    prompt: str
    prompts: tuple[str, ...]
    rows: Count
    quantity: Literal["r2", "gain"]
    r2: Number = None
    r2_low: Number = None
    r2_high: Number = None
    judged: Count = 0
    sentence: str


class ColumnSummary(Record):
    """What one column of the table holds; see `yoin.values.ColumnProfile`."""

    name: str
    kind: str
    blanks: Count
    distinct: Count
    low: str = ""
    high: str = ""
    unread: Count = 0
    unread_example: str = ""
    examples: tuple[str, ...] = ()


class PreviewRow(Record):
    """One of the table's first rows; ``cells`` in the order of the preview's columns."""

    row_id: Count
    cells: tuple[str, ...]


class Preview(Record):
    """The table's first rows as text."""

    columns: tuple[str, ...] = ()
    rows: tuple[PreviewRow, ...] = ()


class Summary(Record):
    """Everything the report says; ``reasons`` says in a sentence what a reason's code means."""

    title: str
    metric: MetricSummary
    rows: RowsSummary
    media: MediaSummary = MediaSummary()
    captions: CaptionsSummary
    models: tuple[ModelSummary, ...]
    signal: SignalSummary
    choice: ChoiceSummary | None = None
    metric_kind: str = ""
    seeds: tuple[SeedSummary, ...] = ()
    training: tuple[EpochSummary, ...] = ()
    reliability: ReliabilitySummary | None = None
    leaks: tuple[LeakSummary, ...] = ()
    recipe: RecipeSummary | None = None
    drivers: DriversSummary = DriversSummary()
    labels: tuple[LabelledSummary, ...] = ()
    explanations: ExplanationsSummary = ExplanationsSummary()
    missing: MissingSummary | None = None
    audit: AuditSummary = AuditSummary()
    reasons: dict[str, str] = Field(default={})
    next_test: NextTest | None = None
    tests: tuple[NextTest, ...] = ()
    columns: tuple[ColumnSummary, ...] = ()
    preview: Preview = Preview()
    notes: tuple[str, ...] = ()
    seconds: dict[str, Number] = Field(default={})
    versions: dict[str, str] = Field(default={})
    options: dict[str, Plain] = Field(default={})
    reproduce: str = ""

    @classmethod
    def json_schema(cls) -> dict[str, JsonValue]:
        """The JSON schema (draft 2020-12) that every ``summary.json`` fulfils."""
        schema = cls.model_json_schema(mode="serialization")
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}

    def to_json(self) -> str:
        """This summary as indented JSON: the content of ``summary.json``."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, allow_nan=False, indent=2)
        # A file is UTF-8; half a surrogate pair, which a cell can hold, has no place in it.
        return text.encode("utf-8", "replace").decode("utf-8") + "\n"


def write_schema(path: Path) -> None:
    """Write the published schema (``docs/summary.schema.json``)."""
    path.write_text(json.dumps(Summary.json_schema(), indent=2) + "\n", encoding="utf-8")


def summarize_metric(name: str, values: pd.Series, *, bins: int = 24) -> MetricSummary:
    """The metric's count, mean, sd, range and histogram over the rows used.

    Whole numbers with few values get one bar each, so that a rating from 1 to 5 shows five bars.
    """
    numbers = values.dropna().to_numpy(dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return MetricSummary(name=name, n=0, mean=None, sd=None, low=None, high=None)
    low, high = float(numbers.min()), float(numbers.max())
    whole = bool(np.all(numbers == np.round(numbers))) and high - low < bins
    edges = np.arange(low - 0.5, high + 1.0) if whole else np.linspace(low, high, bins + 1)
    bars: tuple[Bin, ...] = ()
    if high > low and bool(np.all(np.diff(edges) > 0)):
        counts, _ = np.histogram(numbers, bins=edges)
        bars = tuple(
            Bin(low=float(left), high=float(right), count=int(count))
            for left, right, count in zip(edges, edges[1:], counts, strict=False)
        )
    return MetricSummary(
        name=name,
        n=len(numbers),
        mean=float(numbers.mean()),
        sd=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        low=low,
        high=high,
        histogram=bars,
    )


def summarize_preview(preview: pd.DataFrame) -> Preview:
    """``preview`` (`yoin.values.Table.preview`: indexed by row_id, cells as text) as a record."""
    rows = [
        PreviewRow(row_id=int(row_id), cells=tuple("" if pd.isna(cell) else str(cell) for cell in cells))
        for row_id, cells in zip(preview.index, preview.itertuples(index=False, name=None), strict=True)
    ]
    return Preview(columns=tuple(str(name) for name in preview.columns), rows=tuple(rows))
