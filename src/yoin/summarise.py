"""The study's summary: everything the report says, gathered from what the stages left behind."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from yoin.audit import audited
from yoin.options import RunOptions
from yoin.own import CORRECTED
from yoin.rows import own_comparisons, who_chose_prompt
from yoin.study import Study
from yoin.values import CaptionStatus

if TYPE_CHECKING:
    import pandas as pd

    from yoin.report.summary import (
        ChoiceSummary,
        DriversSummary,
        LabelledSummary,
        MediaSummary,
        MissingSummary,
        Summary,
    )


def summarise(study: Study, options: RunOptions, rows: pd.DataFrame) -> Summary:
    """Everything the report says, from what the stages left behind."""
    import pandas as pd

    from yoin.drivers.mentions import load_lexicon
    from yoin.media import REASONS
    from yoin.report import explained, sizes, trust
    from yoin.report import summary as record

    table, fit = study.facts("table"), study.facts("fit")
    captions = study.captions
    statuses = captions["status"].value_counts()
    choice = _choice(study, options)
    apart = load_lexicon(options.audit_words).topics_of_concepts(study.drivers)
    dropped = {**table["dropped"], **_counts(_why_unused(captions))}
    if choice is not None:
        dropped["chose_prompt"] = choice.rows
    media = _media(study, options)
    metric = record.summarize_metric(options.metric, rows["metric"])
    return record.Summary(
        title=f"What goes with {options.metric} in {options.table.name}",
        metric=metric,
        rows=record.RowsSummary(
            read=table["read"],
            used=len(rows),
            dropped=dropped,
        ),
        media=media,
        captions=record.CaptionsSummary.model_validate(
            {
                **_calls(study),
                **{status: int(statuses.get(status, 0)) for status in get_args(CaptionStatus)},
                "describes": _DESCRIBES.get("given" if options.captioned else options.captioner, ""),
            }
        ),
        models=tuple(record.ModelSummary.model_validate(rung) for rung in fit["rungs"]),
        signal=record.SignalSummary.model_validate(fit["signal"]),
        choice=choice,
        metric_kind=fit["metric_kind"],
        seeds=tuple(trust.SeedSummary.model_validate(seed) for seed in fit["seeds"]),
        training=tuple(
            trust.EpochSummary.model_validate(epoch)
            for epoch in study.frame("history.parquet").drop(columns="model").to_dict("records")
        ),
        reliability=trust.ReliabilitySummary.model_validate(fit["reliability"]),
        leaks=tuple(trust.LeakSummary.model_validate(leak) for leak in fit["leaks"]),
        recipe=trust.RecipeSummary.model_validate(fit["recipe"]) if fit.get("recipe") else None,
        drivers=_drivers(study, apart),
        labels=_labels(study),
        explanations=explained.ExplanationsSummary.model_validate(
            {**study.facts("explain"), **_accuracy(study), "model": fit["model"]}
        ),
        missing=_missing_captions(study, options),
        audit=audited(study, options, rows),
        reasons={code: REASONS[code] for code in (*dropped, *media.failed) if code in REASONS},
        next_test=sizes.next_test(study.drivers, metric.sd or 0.0, apart),
        tests=sizes.ab_tests(study.drivers, metric.sd or 0.0, apart),
        columns=tuple(record.ColumnSummary.model_validate(column) for column in table["columns"]),
        preview=record.summarize_preview(pd.DataFrame(table["preview"])),
        notes=(*study.facts("caption")["notes"], *fit["notes"]),
        seconds={stage: spent for stage, spent in study.seconds.items() if stage != "report"},  # which is not over yet
        versions=study.versions,
        options=options.model_dump(mode="json"),
        reproduce=command(options, study.folder),
    )


def _labels(study: Study) -> tuple[LabelledSummary, ...]:
    """The concepts that people labelled, and their corrected lifts."""
    from yoin.report.summary import LabelledSummary

    if not (study.folder / CORRECTED[1]).exists():
        return ()
    found, raters = study.frame(CORRECTED[1]), study.facts("drivers").get("raters", {})
    return tuple(
        LabelledSummary.model_validate({**one, "raters": raters.get(one["concept_id"])})
        for one in found.to_dict("records")
    )


def _choice(study: Study, options: RunOptions) -> ChoiceSummary | None:
    """That the prompt of the captions was chosen with the metric in view, None where it was not."""
    from yoin.report.summary import ChoiceSummary

    own = own_comparisons(study)
    if not own:
        return None
    last, used = own[-1], set(study.captions["prompt_id"])
    ranked = last["ranked"]
    prompt = next(one["prompt"] for one in ranked if one["prompt_id"] in used)
    rows = len(who_chose_prompt(study, options) or ())
    won = prompt == ranked[0]["prompt"]
    return ChoiceSummary(
        prompt=prompt,
        prompts=tuple(one["prompt"] for one in ranked),
        rows=rows,
        quantity=last["quantity"],
        **({name: last[name] for name in ("r2", "r2_low", "r2_high")} if won else {}),
        judged=last["locked_rows"] if won else 0,
        sentence=f"The prompt is one of {len(ranked)} that were compared on the metric: the {rows} rows that helped to "
        "choose are left out, so that verdict, explanations and drivers come from the other rows alone.",
    )


def _drivers(study: Study, apart: Collection[str]) -> DriversSummary:
    """What was tested, and which pairs interact; ``apart`` are concepts about people."""
    from yoin.report import summary as record
    from yoin.report.sizes import SIGNIFICANT

    pairs = study.frame("driver_interactions.parquet")
    return record.DriversSummary.model_validate(
        {
            **{name: fact for name, fact in study.facts("drivers").items() if name != "raters"},
            "pairs": int(pairs["p"].notna().sum()),
            "pairs_significant": int((pairs["q"].astype(float) < SIGNIFICANT).sum()),
            "interactions": record.summarize_interactions(pairs, apart),
        }
    )


def _calls(study: Study) -> dict[str, object]:
    """The captioner, and what its captions took, those made again too."""
    first = {name: fact for name, fact in study.facts("caption").items() if name != "notes"}
    if "repeat" not in study.seconds:  # of an earlier version of Yoin
        return first
    again = study.facts("repeat")
    added = {name: first[name] + again[name] for name in ("calls", "tokens_in", "tokens_out", "cost_usd")}
    return {**first, **added, "repeats": again["calls"]}


def _accuracy(study: Study) -> dict[str, float | None]:
    """How well the explanations add up, and how sure their spans are."""
    table = study.explanations
    sums = table.groupby("row_id").agg({"value": "sum", "base_value": "first", "prediction": "first"})
    gaps = (sums["value"] + sums["base_value"] - sums["prediction"]).abs()
    sampled = table[table["std_error"] > 0]
    return {
        "additivity_residual": gaps.max() if len(gaps) else None,
        "std_error": sampled["std_error"].median() if len(sampled) else None,
        "typical_value": sampled["value"].abs().median() if len(sampled) else None,
        "paired": study.frame("interactions.parquet")["row_id"].nunique(),
    }


def _counts(reasons: pd.Series) -> dict[str, int]:
    """How often each reason stands there, most often first."""
    return {str(reason): int(n) for reason, n in reasons.value_counts().items()}


def _why_unused(captions: pd.DataFrame) -> pd.Series:
    """Why each row without an ok caption has none: the reason noted, else its status."""
    unused = captions[captions["status"] != "ok"]
    status = unused["status"].replace("truncated", "caption_truncated")  # "truncated" says it of an image
    return unused["reason"].where(unused["reason"] != "", status)


def _media(study: Study, options: RunOptions) -> MediaSummary:
    """What became of the image cells, and whether the rows without a usable image differ on the metric."""
    from yoin.drivers import audit
    from yoin.report.summary import MediaSummary, MissingSummary

    media = study.frame("media.parquet").set_index("row_id")
    failed = media["reason"] != ""
    distinct = media[media["media_id"].notna()].drop_duplicates("media_id")
    found = MediaSummary(
        images=int(media["media_id"].notna().sum()),
        distinct=len(distinct),
        videos=int((distinct["seconds"] > 0).sum()),
        bytes=int(distinct["bytes"].sum()),
        failed=_counts(media.loc[failed, "reason"]),
    )
    if options.captioned or not options.image:  # then no row is lost for want of an image
        return found
    metric, group, weight = _compared(study, options)
    reasons = media["reason"].reindex(metric.index)
    by_reason = audit.missingness_by_reason(metric, reasons, group=group, weight=weight)
    return found.model_copy(
        update={
            "missing": MissingSummary.model_validate(
                audit.missingness(metric, reasons != "", what="usable image", group=group, weight=weight)
            ),
            "missing_by_reason": {reason: MissingSummary.model_validate(each) for reason, each in by_reason.items()},
            "fewest_compared": audit.FEWEST_ROWS,
        }
    )


def _missing_captions(study: Study, options: RunOptions) -> MissingSummary:
    """Whether the rows without a caption differ on the metric."""
    from yoin.drivers import audit
    from yoin.report.summary import MissingSummary

    metric, group, weight = _compared(study, options)
    missing = study.captions.set_index("row_id")["status"].reindex(metric.index) != "ok"
    return MissingSummary.model_validate(audit.missingness(metric, missing, group=group, weight=weight))


def _compared(study: Study, options: RunOptions) -> tuple[pd.Series, list[int], pd.Series | None]:
    """The metric of every row with one, by row_id; a label that rows share which belong together; and the weights.

    Rows of one group belong together, and so do rows with the same image: they have it or miss it together.
    """
    from yoin import table

    rows = study.frame("table.parquet").set_index("row_id")
    media = study.frame("media.parquet").set_index("row_id")["media_id"].reindex(rows.index)
    labels = [media.fillna(rows["image"]) if options.image else media]
    labels += [rows[name] for name in ("caption", "group") if getattr(options, name)]
    return rows["metric"], table.blocks(labels).tolist(), rows.get("weight")


_DESCRIBES = {
    "describe": "The embedded describer measures color, light, faces, text and layout. "
    "It is a floor: a vision-language model sees far more.",
    "given": "The captions were there already.",
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
