"""The summary's records on the explanations: their size, their cost, and how they were checked."""

from __future__ import annotations

from yoin.report.record import Count, Number, Record


class PrecisionSummary(Record):
    """The cost of the model's quicker way, the worst of all folds; see `yoin.explanations.precision.Precision`."""

    kind: str
    texts: Count
    largest_error: Number
    mean_error: Number
    spread: Number
    rank_correlation: Number
    used: bool


class DeletionSummary(Record):
    """What taking words out in the order of their values does; see `yoin.explanations.deletion.Deletion`."""

    captions: Count
    shares: tuple[float, ...]
    highest_first: tuple[float, ...]
    lowest_first: tuple[float, ...]
    random: tuple[float, ...]
    gap: Number
    gap_low: Number
    gap_high: Number


class SanitySummary(Record):
    """The explanations against those of a model with a shuffled metric; see `yoin.explanations.compare`."""

    captions: Count
    correlation: Number
    size: Number
    passed: bool


class ExplanationsSummary(Record):
    """How many captions of which model are explained, with ``budget`` model calls at most for each; 0: five a phrase.

    ``calls`` is how many texts the model was asked for, ``paired`` for how many captions pairs of phrases were valued.
    ``additivity_residual`` is the largest gap between a prediction and its base plus its spans, in the metric's unit,
    ``std_error`` the median standard error of the spans that are not exact and ``typical_value`` their median
    absolute value.
    """

    captions: Count = 0
    model: str = ""
    budget: Count = 0
    tolerance: Number = 0.0
    mask: str = "remove"
    calls: Count = 0
    paired: Count = 0
    additivity_residual: Number = None
    std_error: Number = None
    typical_value: Number = None
    precision: PrecisionSummary | None = None
    deletion: DeletionSummary | None = None
    sanity: SanitySummary | None = None
