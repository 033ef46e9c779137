"""What each stage does: what it reads from the study, the one function it calls, and what it writes.

Each returns facts for ``study.json``; `yoin.stages` says what each depends on and in what order they come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from yoin.errors import TableError, UsageError
from yoin.files import digest_file
from yoin.options import RunOptions
from yoin.own import CORRECTED, labels_of, own_concepts, read_labels
from yoin.rows import analysed, duplicates, features_of, labels, table_rows, weight_of
from yoin.study import Study
from yoin.summarise import summarise
from yoin.values import Media, Medium, Progress, Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_VECTORS = "image_vectors.parquet"  # of the images, by the encoder's digest


def read_table(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """The table → ``table.parquet``."""
    from yoin import table

    study.remember_table(options.table, digest_file(options.table))
    read: Table = table.read(options.for_table())
    joined = read.rows
    for prefix, others in (("feature: ", read.features), ("audit: ", read.audited)):
        joined = joined.join(others.add_prefix(prefix)) if len(others.columns) else joined
    study.write_frame("table.parquet", joined.rename_axis("row_id").reset_index())
    return {
        "read": read.read,
        "dropped": dict(read.dropped),
        # shown: without the passwords of URLs, and without whole images in cells
        "columns": [_shown(asdict(column)) for column in read.columns],
        "preview": _shown(read.preview.astype(object).where(read.preview.notna(), "").astype(str).to_dict("records")),
    }


def _shown(cells: Any) -> Any:
    """The table's texts as they may be shown: URLs without user names and passwords, and nothing endless."""
    from yoin import media

    if isinstance(cells, Mapping):
        return {name: _shown(cell) for name, cell in cells.items()}
    if isinstance(cells, (list, tuple)):
        return [_shown(cell) for cell in cells]
    return media.shown(cells) if isinstance(cells, str) else cells


def fetch(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """The image cells → ``media/``, ``media.parquet``."""
    import pandas as pd

    from yoin import media

    rows = table_rows(study)
    images = rows["image"] if options.image else pd.Series(pd.NA, index=rows.index, dtype="string")
    if options.image:
        with study.ledger() as ledger:
            found = media.collect(
                images, store=study.media_folder, ledger=ledger, options=options.for_media(), progress=progress
            )
    else:
        found = Media(rows=pd.DataFrame({"media_id": images, "reason": "", "detail": ""}), items={})
    study.write_media(found)
    failed = found.rows.loc[found.rows["reason"] != "", "reason"].value_counts()
    return {"distinct": len(found.items), "failed": {str(reason): int(rows) for reason, rows in failed.items()}}


def may_pass(study: Study) -> bool:
    """Whether the next run may find images that this one could not have."""
    from yoin import media

    return bool(study.frame("media.parquet")["reason"].isin(media.MAY_PASS).any())


def caption(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """The media → ``captions.parquet``, and ``attributes.parquet`` where attributes were asked for."""
    from yoin import captions, table

    media = study.frame("media.parquet").set_index("row_id")
    if options.caption:
        made = captions.given(table_rows(study)["caption"])
        made.frame["media_id"] = media["media_id"].to_numpy()
    elif options.captions:
        rows = table_rows(study).join(media["media_id"])
        made = captions.brought(table.load(options.captions), rows, image=options.image, name=options.captions.name)
    else:
        with study.ledger() as ledger:
            made = captions.caption(
                Media(rows=media[["media_id", "reason", "detail"]], items=study.media()),
                ledger=ledger,
                options=options.for_captions(),
                progress=progress,
                also=_to_be_repeated(study, options),
            )
    study.write_frame("captions.parquet", made.frame)
    if made.attributes is None:
        (study.folder / "attributes.parquet").unlink(missing_ok=True)
    else:
        study.write_frame("attributes.parquet", made.attributes)
    called = made.frame[made.frame["status"] != "missing"]
    return {
        "captioner": made.captioner,
        # Those of this and of earlier runs, as the tokens and the cost are; given captions took none.
        "calls": 0 if options.captioned else int(called["media_id"].nunique()),
        "tokens_in": made.tokens_in,
        "tokens_out": made.tokens_out,
        "cost_usd": made.cost_usd,
        "notes": list(made.notes),
    }


def _to_be_repeated(study: Study, options: RunOptions) -> list[Medium]:
    """As many media as will be asked about again, each as often as it will be."""
    return list(study.media().values())[: options.repeat_sample] * (options.repeat - 1)


def repeat(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """Captions of a sample, made again → ``caption_repeats.parquet``."""
    from yoin import captions

    if options.captioned and options.repeat > 1:
        raise UsageError("captions that were given cannot be made again", stage="captions", remedy="leave out --repeat")
    with study.ledger() as ledger:
        made = captions.repeat(
            study.captions, study.media(), ledger=ledger, options=options.for_repeats(), progress=progress
        )
    study.write_frame("caption_repeats.parquet", made.frame)
    return {
        "calls": len(made.frame),  # of this and of earlier runs, as the tokens and the cost are
        "tokens_in": made.tokens_in,
        "tokens_out": made.tokens_out,
        "cost_usd": made.cost_usd,
    }


def fit(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """The captions and the metric → ``predictions.parquet``, ``history.parquet``, ``models/``."""
    from yoin import model, table

    rows, chosen = analysed(study, options), options.for_fit()
    blocks = table.blocks(labels(rows, options))
    if options.track:
        model.require_tracker(options.track)
    facts = study.facts("fit") if study.fresh("fit", key) else _fit_ladder(study, options, key, progress)
    if options.track:
        model.track(
            options.track,
            study.frame("history.parquet"),
            facts["rungs"],
            {**chosen.model_dump(), "table": options.table.name, "metric": options.metric, "rows": len(rows)},
            study.folder / "track",
        )
    if options.recipe == "yoin":
        return facts
    found = study.predictions
    ours = found[found["model"] == facts["model"]].set_index("row_id")["prediction"]
    compared = model.follow_recipe(
        rows["caption"].tolist(),
        rows["metric"].to_numpy(),
        ours.loc[rows.index].to_numpy(),
        model=options.model,
        group=blocks,
        weight=weight_of(rows),
        chosen=options.for_recipe(),
        options=chosen,
        progress=progress,
    )
    return {**facts, "recipe": asdict(compared)}


def _fit_ladder(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    from yoin import model, table

    rows, chosen = analysed(study, options), options.for_fit()
    together = labels(rows, options)
    blocks = table.blocks(together)
    folds = table.assign_folds(together, chosen.folds, chosen.seed)
    folder, group = study.work("fit", key), rows["group"].tolist() if options.group else None
    pictures = _picture_vectors(study, options, rows["media_id"], progress) if options.image_rung else None
    fit = model.fit(
        rows["caption"].tolist(),
        rows["metric"].to_numpy(),
        folds,
        row_ids=rows.index.to_numpy(),
        features=features_of(rows, options),
        group=blocks,
        weight=weight_of(rows),
        options=chosen,
        folder=folder,
        pictures=pictures,
        progress=progress,
    )
    leaks = model.find_leaks(rows["caption"].tolist(), rows["metric"].to_numpy(), _beside_captions(rows, options))
    reliability = model.reliability_of(fit, group, weight_of(rows))
    card = model.make_card(
        fit,
        reliability,
        rows["caption"].tolist(),
        rows["metric"].to_numpy(),
        folds,
        name=options.metric,
        table=options.table.name,
        captioner="the table" if options.captioned else options.captioner,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    study.adopt(folder, "models")
    study.write_frame("predictions.parquet", fit.predictions)
    study.write_frame("history.parquet", fit.history)
    return {
        "model": fit.model,
        "metric_kind": fit.metric_kind,
        "seeds": [asdict(seed) for seed in fit.seeds],
        "reliability": asdict(reliability),
        "leaks": [asdict(leak) | {"row_id": int(rows.index[leak.row_id])} for leak in leaks],
        "rungs": [asdict(rung) for rung in fit.rungs],
        "signal": asdict(fit.signal),
        "notes": list(fit.notes),
    }


def _beside_captions(rows: pd.DataFrame, options: RunOptions) -> pd.DataFrame | None:
    """The table's columns that a caption should not repeat: all but image, caption and metric, where it can be read."""
    from yoin import table

    try:
        whole = table.load(options.table, options.sheet)
    except TableError:  # moved since: what the study holds of it is left
        return features_of(rows, options)
    own = [options.image, options.caption, options.metric]
    return whole.drop(columns=[name for name in own if name], errors="ignore").loc[rows.index]


def _picture_vectors(study: Study, options: RunOptions, media_ids: pd.Series, progress: Progress) -> np.ndarray:
    """The vectors (n, width) of the rows' images, NaN where there is none; those seen before are remembered."""
    import numpy as np
    import pandas as pd

    from yoin.model.pictures import PictureEncoder

    if not options.image:
        raise UsageError("--image-rung needs images", stage="model", remedy="name their column with --image")
    encoder = PictureEncoder(options.image_rung or "")
    known: dict[str, np.ndarray] = {}
    if (study.folder / _VECTORS).exists():
        before = study.frame(_VECTORS)
        known = dict(before.loc[before["encoder"] == encoder.id, ["media_id", "vector"]].itertuples(index=False))
    wanted = set(media_ids.dropna())
    new = {name: medium.picture for name, medium in study.media().items() if name in wanted - set(known)}
    known |= encoder.vectors(new, options.for_media().max_pixels, progress)
    if not known:
        raise UsageError("there is no usable image for --image-rung", stage="model", remedy="leave it out")
    if new:
        vectors = pd.DataFrame({"encoder": encoder.id, "media_id": list(known), "vector": list(known.values())})
        study.write_frame(_VECTORS, vectors)
    nothing = np.full(len(next(iter(known.values()))), np.nan)
    return np.stack([nothing if pd.isna(name) else known.get(name, nothing) for name in media_ids])


def explain(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """The models → ``explanations.parquet``, ``interactions.parquet``."""
    from yoin import explanations, model

    chosen = options.for_explain()
    rows = analysed(study, options)
    folds = study.predictions.drop_duplicates("row_id").set_index("row_id")["fold"]
    if study.fresh("explain", key):
        facts = study.facts("explain")
    else:
        wanted = explanations.select_rows(rows["metric"], chosen.explain, chosen.seed)
        found = explanations.explain_captions(
            rows.loc[wanted, ["caption"]].join(folds).rename_axis("row_id").reset_index(),
            model.predictors(study.folder / "models"),
            options=chosen,
            folder=study.work("explain", key),
            progress=progress,
        )
        study.write_frame("explanations.parquet", found.table)
        study.write_frame("interactions.parquet", found.pairs)
        facts = found.facts
    if not options.sanity or study.explanations.empty:
        return facts
    table = study.frame("explanations.parquet")
    asked = rows.loc[table["row_id"].unique(), ["caption"]].join(folds).rename_axis("row_id").reset_index()
    fold = asked["fold"].mode().iloc[0]  # the fold with the most explained captions
    learned = rows[(folds.loc[rows.index] != fold).to_numpy()]
    knows_nothing = model.fit_shuffled(
        learned["caption"].tolist(), learned["metric"].to_numpy(), options=options.for_fit(), progress=progress
    )
    compared = explanations.compare(asked[asked["fold"] == fold], table, knows_nothing, options=chosen)
    return {**facts, "sanity": compared}


def drivers(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """The captions, the metric, the explanations → the drivers, where their concepts stand, and how they interact."""
    from yoin import drivers, table
    from yoin.drivers.mentions import load_lexicon, set_apart

    rows = analysed(study, options)
    concepts, extend = own_concepts(options.concepts)
    told = None if options.labels is None else labels_of(read_labels(options.labels), rows["media_id"])
    folds = study.predictions.drop_duplicates("row_id").set_index("row_id")["fold"]
    explained = study.explanations  # perhaps from before the prompts were compared
    found = drivers.estimate_drivers(
        rows["caption"],
        rows["metric"],
        features=features_of(rows, options),
        group=rows["group"] if options.group else None,
        weight=rows.get("weight"),
        media=table.blocks(duplicates(rows, options)).tolist(),
        concepts=concepts,
        extend=extend,
        labels=told and told[0],
        attributions=explained[explained["row_id"].isin(rows.index)].join(folds, on="row_id"),
        options=options.for_drivers(),
    )
    found = set_apart(found, load_lexicon(options.audit_words))
    study.write_frame("drivers.parquet", found.table)
    study.write_csv("drivers.csv", found.table)
    study.write_frame("concepts.parquet", found.occurrences)
    study.write_frame("driver_interactions.parquet", found.interactions)
    study.write_csv("driver_interactions.csv", found.interactions)
    if found.corrected is None:
        for name in CORRECTED:
            (study.folder / name).unlink(missing_ok=True)
    else:
        study.write_csv(CORRECTED[0], found.corrected)
        study.write_frame(CORRECTED[1], found.corrected)
    return {
        "tested": found.tested,
        "significant": found.significant,
        "uncovered": found.uncovered,
        "notes": [*found.notes, *(told[1] if told else [])],
        "ids": dict(found.ids),
        "raters": told[2] if told else {},
    }


def report(study: Study, options: RunOptions, key: str, progress: Progress) -> Mapping[str, Any]:
    """All of it → ``summary.json``, ``report.html``."""
    from yoin import media, report

    rows, items = analysed(study, options), study.media()
    summary = summarise(study, options, rows)
    study.write_text("summary.json", summary.to_json())
    page = report.render(
        summary,
        drivers=study.drivers,
        occurrences=study.frame("concepts.parquet"),
        captions=study.captions.set_index("row_id").loc[rows.index].reset_index(),
        metric=rows["metric"],
        labels=rows["image"].map(media.shown) if options.image else None,
        predictions=study.predictions,
        explanations=study.explanations,
        pairs=study.frame("interactions.parquet"),
        images={media_id: medium.picture for media_id, medium in items.items()},
        seconds={media_id: medium.seconds for media_id, medium in items.items()},
        frames={media_id: medium.frames for media_id, medium in items.items()},
        max_pixels=options.for_media().max_pixels,
        options=options.for_report(),
    )
    study.write_text("report.html", page)
    return {}
