"""The report: one self-contained HTML file, the same bytes for the same study."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from yoin.amounts import dollars
from yoin.options import ReportOptions
from yoin.report import charts, curves, left_out, words
from yoin.report.payload import (
    build_payload,
    choose_examples,
    concept_rows,
    first_rows,
    ordered_drivers,
    read_pairs,
    read_rows,
    rows_that_fit,
)
from yoin.report.sizes import SIGNIFICANT, NextTest
from yoin.report.summary import ModelSummary, Summary
from yoin.report.thumbnails import BUDGET, Thumbnails, make_strips, make_thumbnails

VERDICTS = {
    "signal": "Signal",
    "weak": "Weak signal",
    "none": "No signal: do not read the drivers",
}
LARGE_AT_LEAST, LARGE_AT_MOST = 150, 400  # pictures drawn large: explained rows and examples, in small studies all


@dataclass(frozen=True, slots=True)
class DriverLine:
    """One line of the driver table, as the template draws it."""

    concept: str
    phrases: str
    values: Mapping[str, float | None]
    significant: bool
    lift: charts.Interval | None
    adjusted: charts.Interval | None
    test: NextTest | None
    note: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture as a data URL; ``length`` is that of the video it stands for, "" for an image."""

    url: str
    length: str


def render(
    summary: Summary,
    *,
    drivers: pd.DataFrame,
    occurrences: pd.DataFrame,
    captions: pd.DataFrame,
    metric: pd.Series,
    labels: pd.Series | None,
    predictions: pd.DataFrame,
    explanations: pd.DataFrame,
    pairs: pd.DataFrame,
    images: Mapping[str, Path],
    max_pixels: int,
    options: ReportOptions,
    seconds: Mapping[str, float] | None = None,
    frames: Mapping[str, Sequence[Path]] | None = None,
) -> str:
    """Return the report as HTML that needs nothing beside itself and asks nothing of the network.

    The same input gives the same bytes. Without JavaScript all but the pictures, captions and sorting is there.

    Args:
        summary: everything the report says in words and numbers.
        drivers: a table with `yoin.values.DRIVER_COLUMNS`.
        occurrences: where the concepts stand, with `yoin.values.OCCURRENCE_COLUMNS`.
        captions: one a row, with `yoin.values.CAPTION_COLUMNS`; only ``ok`` ones are shown.
        metric: the metric by row_id.
        labels: a short text for each row by row_id, such as the image cell, or ``None``.
        predictions: out-of-fold predictions, with `yoin.values.PREDICTION_COLUMNS`.
        explanations: spans, with `yoin.values.EXPLANATION_COLUMNS`; offsets are code points.
        pairs: pairs of phrases, with `yoin.values.INTERACTION_COLUMNS`.
        images: the files of the media by media_id, of a video its poster; empty where there are none.
        max_pixels: larger images are not decoded.
        options: how much is shown.
        seconds: how long each video is, by media_id; 0 or nothing for an image.
        frames: the frames sampled from each video, in the order of time, by media_id.
    """
    model = _shown_model(summary, predictions)
    rows = read_rows(captions, metric, labels, predictions, explanations, model)
    table = ordered_drivers(drivers)
    concepts = [str(concept) for concept in table["concept"]]
    holders = concept_rows(occurrences, concepts, rows)
    examples = [choose_examples(rows, ids, options.images_per_driver) for ids in holders]
    first, rest = first_rows(rows, examples)
    shown = rows_that_fit(rows, first + rest)
    order = [rows[row_id].media_id for row_id in _kept(first + rest, shown)]
    large = min(max(len(first), LARGE_AT_LEAST), LARGE_AT_MOST)
    previewed = captions["row_id"].isin([row.row_id for row in summary.preview.rows])
    preview_media = [words.text_of(media_id) for media_id in captions.loc[previewed, "media_id"]]
    thumbs = make_thumbnails(images, large=order[:large], small=[*preview_media, *order[large:]], max_pixels=max_pixels)
    spent = sum(map(len, thumbs.urls.values()))
    strips = make_strips(frames or {}, order[:large], max_pixels=max_pixels, budget=BUDGET - spent)
    lengths = {media_id: words.length(long) for media_id, long in (seconds or {}).items() if long > 0}
    unit = words.Unit.of(summary.metric.name, summary.metric.sd)
    payload = build_payload(
        rows=rows,
        shown=shown,
        concepts=concepts,
        holders=holders,
        examples=examples,
        occurrences=occurrences,
        pairs=read_pairs(pairs, rows),
        thumbs=thumbs.urls,
        lengths=lengths,
        strips=strips,
        metric=words.clean(unit.name),
        decimals=unit.decimals,
        model=model,
    )
    lines, scale = _driver_lines(table, {test.concept: test for test in summary.tests})
    style, script = _asset("style.css"), _asset("script.js")
    environment = _environment(tuple(summary.reasons.items()))
    return environment.get_template("report.html.j2").render(
        s=summary,
        title=options.title or summary.title,
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file, no data in it
        script=Markup(script),  # noqa: S704
        data=_island(payload),
        verdict=VERDICTS[summary.signal.verdict],
        unit=unit,
        best=_judged(summary),
        ladder=charts.ladder_chart(summary.models) if summary.models else None,
        deletion=charts.deletion_chart(summary.explanations.deletion) if summary.explanations.deletion else None,
        training=curves.training_plane(summary.training),
        reliability=curves.reliability_plane(summary.reliability.bins) if summary.reliability else None,
        histogram=charts.bars(summary.metric.histogram),
        drivers=lines,
        driver_scale=scale,
        with_adjusted=any(line.values["adjusted"] is not None for line in lines),
        with_unique=any(line.values["unique"] is not None for line in lines),
        with_tests=bool(summary.tests),
        with_importance=any(line.values["importance"] is not None for line in lines),
        warned=left_out.warned(summary),
        missing_is_clear=left_out.is_clear(summary.missing),
        steps=left_out.steps(summary),
        lost_images=left_out.lost_images(summary),
        drops=left_out.other_drops(summary),
        analysed=len(rows),
        shown=len(shown),
        thumbs=thumbs,
        row_pictures=_preview_pictures(summary, captions, thumbs, lengths),
        with_videos=bool(payload["videos"]),
        explained=sum(1 for row in rows.values() if row.explained),
        options_in_words=words.flat(summary.options),
    )


def _judged(summary: Summary) -> ModelSummary | None:
    """The rung the verdict is about; where a gain is judged, the one with the features."""
    named = {rung.name: rung for rung in summary.models}
    name = summary.signal.rung
    combined = named.get(f"{name}+features") if summary.signal.quantity == "gain" else None
    return combined or named.get(name)


def _shown_model(summary: Summary, predictions: pd.DataFrame) -> str:
    """The model whose predictions the images show: the explained one, else the one judged, else the highest rung."""
    known = list(dict.fromkeys(str(name) for name in predictions["model"]))
    for name in (summary.explanations.model, summary.signal.rung):
        if name in known:
            return name
    return known[-1] if known else ""


def _kept(order: Sequence[int], shown: Sequence[int]) -> list[int]:
    """``order`` without what is not shown."""
    known = set(shown)
    return [row_id for row_id in order if row_id in known]


def _preview_pictures(
    summary: Summary, captions: pd.DataFrame, thumbs: Thumbnails, lengths: Mapping[str, str]
) -> dict[int, Picture]:
    media = dict(captions[["row_id", "media_id"]].itertuples(index=False, name=None))
    found = {row.row_id: words.text_of(media.get(row.row_id)) for row in summary.preview.rows}
    return {
        row_id: Picture(thumbs.urls[media_id], lengths.get(media_id, ""))
        for row_id, media_id in found.items()
        if media_id in thumbs.urls
    }


def _driver_lines(table: pd.DataFrame, tests: Mapping[str, NextTest]) -> tuple[list[DriverLine], charts.Scale]:
    """The table's lines with their charts, all on one scale of 160 pixels."""
    columns = [name for name in table.columns if name not in ("concept", "phrases", "note")]
    records = [{name: words.number_of(value) for name, value in zip(columns, values, strict=True)}
               for values in table[columns].itertuples(index=False, name=None)]  # fmt: skip
    scale = charts.robust_scale(
        [record[name] for record in records for name in ("lift", "adjusted")],
        [record[name] for record in records for name in ("lift_low", "lift_high", "adjusted_low", "adjusted_high")],
        left=6,
        right=154,
    )
    lines = []
    for (concept, phrases, note), record in zip(
        table[["concept", "phrases", "note"]].itertuples(index=False, name=None), records, strict=True
    ):
        q = record["q"]
        lines.append(
            DriverLine(
                concept=words.text_of(concept),
                phrases=words.text_of(phrases),
                values=record,
                significant=q is not None and q < SIGNIFICANT,
                lift=charts.interval(scale, record["lift"], record["lift_low"], record["lift_high"]),
                adjusted=charts.interval(scale, record["adjusted"], record["adjusted_low"], record["adjusted_high"]),
                test=tests.get(str(concept)),
                note=words.text_of(note),
            )
        )
    return lines, scale


def _island(payload: Mapping[str, object]) -> Markup:
    """JSON that no HTML parser can leave early and every script engine can read."""
    text = words.clean(json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - inside a script element entities mean nothing; what could end it is escaped


def _asset(name: str) -> str:
    """A file of the templates folder with the line ends an HTML parser would make of it."""
    return (files("yoin.report") / "templates" / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _policy(style: str, script: str) -> str:
    """A content-security-policy that lets this file's one style, one script and its own pictures run, nothing else."""
    hashes = {
        kind: base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
        for kind, text in (("style", style), ("script", script))
    }
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'"
    )


@lru_cache(maxsize=1)  # its templates are compiled once, however many reports are written
def _environment(reasons: tuple[tuple[str, str], ...]) -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean_output,
    )
    environment.filters.update(
        fixed=words.fixed,
        dollars=dollars,
        number=words.count,
        probability=words.probability,
        percent=words.percent,
        points=words.points,
        duration=words.duration,
        size=words.size,
        in_words=partial(words.code_in_words, sentences=dict(reasons)),
    )
    return environment


def _clean_output(value: object) -> object:
    return words.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
