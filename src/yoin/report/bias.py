"""What may be biased in a study, as data."""

from __future__ import annotations

from yoin.report.record import Count, Number, Record


class MentionSummary(Record):
    """Captions that speak of one of people's traits against the rest: see `yoin.drivers.mentions.mention_effects`."""

    topic: str
    mention: str
    n_with: Count
    n_without: Count
    prevalence: Number
    lift: Number = None
    low: Number = None
    high: Number = None
    p: Number = None
    q: Number = None


class SubgroupSummary(Record):
    """One group of a column, and how the model errs on it: see `yoin.drivers.subgroups.subgroup_errors`."""

    column: str
    group: str
    n: Count
    mean: Number
    rmse: Number
    residual: Number
    low: Number = None
    high: Number = None
    p_adjusted: Number = None


class AgreementSummary(Record):
    """How far captions of the same ``images`` agree about a concept: see `yoin.drivers.reliability.agreement`."""

    concept: str
    images: Count
    agreed: Number
    kappa: Number = None


class AuditSummary(Record):
    """``set_apart`` concepts are about people; ``warnings`` are sentences on single sources, copies and time."""

    set_apart: Count = 0
    mentions: tuple[MentionSummary, ...] = ()
    subgroups: tuple[SubgroupSummary, ...] = ()
    agreement: tuple[AgreementSummary, ...] = ()
    warnings: tuple[str, ...] = ()
