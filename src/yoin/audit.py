"""The audit of a study: what may be biased in it, gathered from what the stages left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from yoin.options import RunOptions
from yoin.rows import labels
from yoin.study import Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from yoin.report.bias import AgreementSummary, AuditSummary

AUDITED = "audit: "


def audited(study: Study, options: RunOptions, rows: pd.DataFrame) -> AuditSummary:
    """Mentions of people, errors on groups of rows, copies, single sources and time; ``rows`` are those analysed."""
    from yoin import media, table
    from yoin.drivers import lookalikes, mentions, sources, subgroups
    from yoin.report.bias import AuditSummary, MentionSummary, SubgroupSummary

    lexicon = mentions.load_lexicon(options.audit_words)
    together, weight = table.blocks(labels(rows, options)).tolist(), rows.get("weight")
    predicted = _predicted(study, rows)
    said = mentions.mention_effects(
        rows["caption"].tolist(), rows["metric"], lexicon, group=together, weight=weight
    )  # fmt: skip
    columns = rows[[AUDITED + name for name in dict.fromkeys(options.audit)]]
    errors = subgroups.subgroup_errors(
        rows["metric"], predicted, columns.rename(columns=lambda name: name.removeprefix(AUDITED)),
        group=together, weight=weight,
    )  # fmt: skip
    drifts = [
        subgroups.drift(name, dates, rows["metric"], rows["metric"] - predicted, group=together, weight=weight)
        for name, dates in _dates(study, rows).items()
    ]
    alike = None
    if options.image:
        pictures = {key: one.picture for key, one in study.media().items() if key in set(rows["media_id"].dropna())}
        alike = lookalikes.lookalike_warning(
            rows["media_id"],
            lookalikes.lookalikes(pictures, max_pixels=options.for_media().max_pixels),
            dict(zip(rows["media_id"], rows["image"].map(media.shown), strict=True)),
        )
    origins = _sources(rows, options)
    return AuditSummary(
        set_apart=len(lexicon.topics_of_concepts(study.drivers)),
        mentions=tuple(MentionSummary.model_validate(one) for one in said.to_dict("records")),
        subgroups=tuple(SubgroupSummary.model_validate(one) for one in errors.to_dict("records")),
        agreement=_agreement(study, options),
        warnings=(
            *sources.copies(rows["media_id"], rows["caption"]),
            *filter(None, [alike]),
            *sources.dominance(origins, weight),
            *sources.one_sided(study.drivers, study.frame("concepts.parquet"), origins),
            *filter(None, drifts),
        ),
    )


def checked_words(path: str | Path | None) -> Path | None:
    """The absolute path of a word list, which is one: what is wrong with it is said before any work is done."""
    if path is None:
        return None
    from yoin.drivers.mentions import load_lexicon

    load_lexicon(Path(path))
    return Path(path).resolve()


def _predicted(study: Study, rows: pd.DataFrame) -> np.ndarray:
    """The out-of-fold predictions (n,) of the rung that the verdict judged, with the features where there are."""
    predictions, name = study.predictions, study.facts("fit")["signal"]["rung"]
    found = predictions[predictions["model"] == name].set_index("row_id")["prediction"]
    values: np.ndarray = found.reindex(rows.index).to_numpy(dtype=float)
    return values


def _agreement(study: Study, options: RunOptions) -> tuple[AgreementSummary, ...]:
    """How far the first two captions of an image agree about each concept, where a sample was captioned again."""
    from yoin.drivers.reliability import agreement
    from yoin.report.bias import AgreementSummary

    if "repeat" not in study.seconds:
        return ()
    repeats = study.frame("caption_repeats.parquet")
    again = repeats[(repeats["repeat"] == 1) & (repeats["status"] == "ok")].set_index("row_id")["caption"]
    captions = study.captions[study.captions["status"] == "ok"].set_index("row_id")["caption"]
    pairs = captions.to_frame("first").join(again.rename("again"), how="inner")
    named = study.drivers[["concept", "phrases"]].itertuples(index=False, name=None)
    concepts = {str(concept): str(phrases).split("; ") for concept, phrases in named}
    found = agreement(pairs["first"].tolist(), pairs["again"].tolist(), concepts, options.for_drivers())
    return tuple(AgreementSummary.model_validate(one) for one in found.to_dict("records"))


def _dates(study: Study, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns of dates among the features and the audited ones."""
    from yoin.drivers.subgroups import read_dates

    kinds = {column["name"]: column["kind"] for column in study.facts("table")["columns"]}
    found = {}
    for column in rows.columns:
        name = column.removeprefix("feature: ").removeprefix(AUDITED)
        if name != column and kinds.get(name) == "date":
            found[name] = read_dates(rows[column])
    return found


def _sources(rows: pd.DataFrame, options: RunOptions) -> dict[str, pd.Series]:
    found = {"the group": rows["group"]} if options.group else {}
    if options.image:
        found["the host of the images"] = rows["image"].map(_host, na_action="ignore")
    return found


def _host(cell: str) -> str | None:
    """The host of a URL, None for anything else."""
    try:
        return urlsplit(cell).hostname if cell.strip().lower().startswith(("http://", "https://")) else None
    except ValueError:
        return None
