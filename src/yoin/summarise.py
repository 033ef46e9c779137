"""The study's summary: everything the report says, gathered from what the stages left behind."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from yoin.options import RunOptions
from yoin.study import Study
from yoin.values import CaptionStatus

if TYPE_CHECKING:
    import pandas as pd

    from yoin.report.summary import Summary


def summarise(study: Study, options: RunOptions, rows: pd.DataFrame) -> Summary:
    """Everything the report says, from what the stages left behind."""
    import pandas as pd

    from yoin import drivers
    from yoin.report import summary as record

    table, fit, explained = study.facts("table"), study.facts("fit"), study.facts("explain")
    captions, media = study.captions, study.frame("media.parquet")
    statuses = captions["status"].value_counts()
    unused = captions[captions["status"] != "ok"]
    reasons = unused["reason"].where(unused["reason"] != "", unused["status"]).value_counts()
    metric = record.summarize_metric(options.metric, rows["metric"])
    missingness = drivers.missingness(
        study.frame("table.parquet")["metric"].to_numpy(), (captions["status"] != "ok").to_numpy()
    )
    spans = study.explanations.groupby("row_id").agg({"value": "sum", "base_value": "first", "prediction": "first"})
    residual = (spans["value"] + spans["base_value"] - spans["prediction"]).abs().max() if len(spans) else None
    return record.Summary(
        title=f"What goes with {options.metric} in {options.table.name}",
        metric=metric,
        rows=record.RowsSummary(
            read=table["read"],
            used=len(rows),
            dropped={**table["dropped"], **{str(reason): int(n) for reason, n in reasons.items()}},
        ),
        media=record.MediaSummary(
            images=int(media["media_id"].notna().sum()),
            distinct=int(media["media_id"].nunique()),
            failed={
                str(reason): int(n) for reason, n in media.loc[media["reason"] != "", "reason"].value_counts().items()
            },
        ),
        captions=record.CaptionsSummary.model_validate(
            {
                **study.facts("caption"),
                **{status: int(statuses.get(status, 0)) for status in get_args(CaptionStatus)},
                "describes": _DESCRIBES.get(options.captioner if options.caption is None else "given", ""),
            }
        ),
        models=tuple(record.ModelSummary.model_validate(rung) for rung in fit["rungs"]),
        signal=record.SignalSummary.model_validate(fit["signal"]),
        drivers=record.DriversSummary.model_validate(study.facts("drivers")),
        explanations=record.ExplanationsSummary(**explained, model=fit["model"], additivity_residual=residual),
        missing=None
        if missingness is None
        else record.MissingSummary.model_validate(missingness, from_attributes=True),
        next_test=record.next_test(study.drivers, metric.sd or 0.0),
        columns=tuple(record.ColumnSummary.model_validate(column) for column in table["columns"]),
        preview=record.summarize_preview(pd.DataFrame(table["preview"])),
        notes=tuple(fit["notes"]),
        seconds={stage: spent for stage, spent in study.seconds.items() if stage != "report"},  # which is not over yet
        versions=study.versions,
        options=options.model_dump(mode="json"),
        reproduce=command(options, study.folder),
    )


_DESCRIBES = {
    "describe": "The embedded describer measures color, light, faces, text and layout. "
    "It is a floor: a vision-language model sees far more.",
    "given": "The captions were in the table already.",
}


def command(options: RunOptions, folder: Path) -> str:
    """The command line that makes this study again."""
    words = ["yoin", "run", str(options.table)]
    for name, value in options.model_dump(mode="json", exclude={"table"}, exclude_defaults=True).items():
        if value is True:
            words.append(f"--{name.replace('_', '-')}")
        elif value not in (None, False, []):
            words += [f"--{name.replace('_', '-')}", ",".join(value) if isinstance(value, list) else str(value)]
    return shlex.join([*words, "--out", str(folder)])
