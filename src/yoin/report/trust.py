"""The summary's records on the model: how it was trained, how far it can be trusted, what captions give away."""

from __future__ import annotations

from yoin.report.record import Count, Number, Record


class SeedSummary(Record):
    """What one seed's fine-tuned models come to alone; see `yoin.values.SeedScore`."""

    seed: Count
    rmse: Number
    r2: Number


class EpochSummary(Record):
    """One round of one fine-tuning; see `yoin.values.Epoch`."""

    fold: Count
    seed: Count
    epoch: Count
    train_loss: Number
    inner_loss: Number
    inner_rmse: Number
    learning_rate: Number
    kept: bool


class ReliabilityBinSummary(Record):
    """See `yoin.values.ReliabilityBin`."""

    n: Count
    predicted: Number
    observed: Number
    std_error: Number


class GroupResidualSummary(Record):
    """See `yoin.values.GroupResidual`."""

    group: str
    n: Count
    mean: Number
    std_error: Number
    rmse: Number


class ReliabilitySummary(Record):
    """How far predictions can be trusted; see `yoin.values.Reliability`."""

    model: str
    level: Number
    low: Number
    high: Number
    coverage: Number
    bins: tuple[ReliabilityBinSummary, ...] = ()
    groups: tuple[GroupResidualSummary, ...] = ()


class LeakSummary(Record):
    """A suspicion that captions give the metric away; see `yoin.values.Leak`."""

    kind: str
    rows: Count
    share: Number
    r2: Number
    row_id: Count
    sentence: str


class RecipeEpochSummary(Record):
    """See `yoin.values.RecipeEpoch`."""

    epoch: Count
    train_loss: Number
    rmse: Number


class RecipeSummary(Record):
    """The article's recipe on one fold, beside the study's own predictions; see `yoin.values.Recipe`."""

    model: str
    fold: Count
    rows: Count
    half: bool
    mask: bool
    last_epoch: bool
    epoch: Count
    epochs: tuple[RecipeEpochSummary, ...]
    seconds: Number
    rmse: Number
    r2: Number
    ours_rmse: Number
    ours_r2: Number
    gain: Number
    gain_low: Number
    gain_high: Number
