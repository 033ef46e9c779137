"""From captions and a metric to the table of drivers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from yoin import encoder
from yoin.drivers.answers import check_answers, corrected_lifts
from yoin.drivers.attribution import Attribution, attribute, check_attributions, no_attribution
from yoin.drivers.calibrate import calibrated
from yoin.drivers.concepts import Concepts, find_concepts, given_concepts
from yoin.drivers.effects import Interval, Shared, adjusted_of, intervals, lifts, q_values, share
from yoin.drivers.inputs import (
    cluster_numbers,
    features_of,
    finite_column,
    labels_of,
    row_ids_of,
    texts_of,
)
from yoin.drivers.interactions import interaction_notes, interactions
from yoin.drivers.notes import concept_notes
from yoin.drivers.nuisance import cross_fitted
from yoin.drivers.robust import Estimates, Floats, Ints
from yoin.drivers.unique import nesting, unique
from yoin.drivers.vocabulary import beside, concept_ids
from yoin.errors import UsageError
from yoin.features import FeatureEncoder, Part
from yoin.options import DriverOptions
from yoin.values import DRIVER_COLUMNS, DRIVER_INTERACTION_COLUMNS, Drivers, Embed

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is analysed: one entry a caption that is there and counts."""

    texts: list[str]
    y: Floats
    weight: Floats | None
    clusters: Ints | None
    features: pd.DataFrame | None
    row_ids: Ints
    notes: list[str]


def estimate_drivers(
    captions: Sequence[str] | pd.Series,
    metric: Sequence[float] | pd.Series,
    *,
    features: pd.DataFrame | Mapping[str, Sequence[object]] | None = None,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: Sequence[float] | pd.Series | None = None,
    media: Sequence[Hashable] | pd.Series | None = None,
    concepts: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    extend: bool = False,
    labels: pd.DataFrame | None = None,
    attributions: pd.DataFrame | None = None,
    embed: Embed | Literal["installed"] | None = "installed",
    options: DriverOptions | None = None,
    row_ids: Sequence[int] | None = None,
) -> Drivers:
    """Which described elements go with a higher or lower metric, by how much, and how sure that is.

    The concepts are chosen from the captions alone. Everything is matched by position, not by index.

    Args:
        captions: one a row; blank and missing ones are left out, with a note.
        metric: a number for each caption.
        features: the other columns of the table; ``adjusted`` compares rows in which they are alike.
        group: labels of rows that belong together, such as the campaign: they are counted as dependent.
        weight: how much each row counts, such as impressions; rows of weight zero are left out.
        media: labels of the rows' media: rows that share one are counted as dependent, as in a group.
        concepts: phrases, or concepts with their phrases, instead of those found in the captions; choose them without
            a look at the metric.
        extend: let ``concepts`` stand beside those found in the captions, not in their place.
        labels: what people saw in a sample of the images: a column a concept with true, false or blank, ``chance`` with
            which each row came into the sample (left out: the same for all), and ``row_id`` (left out: the index).
        attributions: out-of-fold explanations with `yoin.values.EXPLANATION_COLUMNS` and ``fold``.
        embed: a text encoder, with which phrases that mean the same are merged; by default the embedded one where it
            is installed. None merges by words alone.
        options: what counts as enough support.
        row_ids: the captions' ids in ``attributions`` and in the result; by default a Series' own whole-number index,
            else the positions from 0.

    Returns:
        A table with `yoin.values.DRIVER_COLUMNS`, effects in the metric's own unit, significant concepts first (by
        size of the effect), then the others by p; where the concepts stand in the captions; and which of them hang on
        each other, or on another column.
        ``opportunity`` is importance/100 x (1 - prevalence) for a concept that goes with a higher metric, and
        -importance/100 x prevalence for one that goes with a lower one. With ``labels``, ``corrected`` has the lifts
        of these concepts corrected for what the captions get wrong; see `yoin.drivers.corrected`.

    Raises:
        UsageError: lengths differ, an entry is not usable, the metric is the same in every row, or no row is left.
    """
    options = options or DriverOptions()
    rows = _rows(captions, metric, features, group, weight, media, row_ids)
    explained = answers = None
    all_ids = row_ids_of(captions, row_ids, len(captions))
    if labels is not None:
        answers = check_answers(labels, all_ids)
    if attributions is not None:
        lengths = pd.Series([len(text) for text in texts_of(captions)[0]], index=all_ids)
        explained = check_attributions(attributions, lengths)

    vocabulary = _vocabulary(rows, concepts, extend, embed, options)
    notes = [*rows.notes, *vocabulary.notes]
    count = len(vocabulary.labels)
    if not count:
        notes.append(
            f"no phrase stands in at least {options.min_rows} captions and is absent from at least {options.min_rows}"
        )

    spread = float(np.std(rows.y))
    lifted = lifts(rows.y, vocabulary.present, rows.weight, rows.clusters)
    shared, columns = _shared(rows, vocabulary, options, notes)
    nets = adjusted_of(shared) if shared is not None and rows.features is not None else Estimates.empty(count)
    lift, net = intervals(lifted, spread), intervals(nets, spread)
    alone = Estimates.empty(count) if shared is None else unique(shared, nesting(vocabulary.phrases))
    parts = (np.where(vocabulary.supported, part, np.nan) for part in (alone.value, alone.error, alone.df))
    own = intervals(Estimates(*parts), spread)
    main = lift if rows.features is None else net
    p = np.where(vocabulary.supported, main.p, np.nan)
    if shared is not None:
        p = calibrated(shared, lifted if rows.features is None else nets, p, options.seed)
    q = q_values(p)

    shares = no_attribution(count)
    if explained is not None and len(explained):
        shares = attribute(explained, vocabulary.occurrences, rows.row_ids, vocabulary.labels, lift.value)
        if count and shares.explained:
            notes.append(f"importance comes from {shares.explained} explained captions")
    pairs = pd.DataFrame(columns=list(DRIVER_INTERACTION_COLUMNS))
    if shared is not None and count:
        pairs = interactions(
            shared, vocabulary.labels, vocabulary.supported, columns, min_rows=options.min_rows, unit=spread
        )
    turning = interaction_notes(pairs)
    notes.extend(turning.pop("", []))
    table = _table(vocabulary, lift, net, own, p, q, shares, rows, options, turning)
    ids = dict(zip(vocabulary.labels, concept_ids(vocabulary.labels), strict=True))
    occurrences = vocabulary.occurrences.assign(
        row_id=rows.row_ids[vocabulary.occurrences["row_id"].to_numpy(dtype=int)],
        concept_id=vocabulary.occurrences["concept"].map(ids).astype("str"),
    )
    corrected = None
    if answers is not None:
        corrected, said = corrected_lifts(
            answers,
            vocabulary,
            lift,
            rows.y,
            rows.row_ids,
            weight=rows.weight,
            units=rows.clusters,
            min_rows=options.min_rows,
        )
        notes.extend(said)
    return Drivers(
        table=table,
        occurrences=occurrences,
        interactions=pairs,
        tested=int(np.isfinite(p).sum()),
        significant=int((q < SIGNIFICANT).sum()),
        uncovered=shares.uncovered,
        notes=tuple(notes),
        ids={concept: ids[concept] for concept in table["concept"]},
        corrected=corrected,
    )


def _vocabulary(
    rows: _Rows,
    concepts: Sequence[str] | Mapping[str, Sequence[str]] | None,
    extend: bool,
    embed: Embed | Literal["installed"] | None,
    options: DriverOptions,
) -> Concepts:
    """The concepts to test: the user's own, those found, or both."""
    own = None if concepts is None else given_concepts(rows.texts, concepts, options, clusters=rows.clusters)
    if own is not None and not extend:
        return own
    merge = (encoder.embed if encoder.installed() else None) if embed == "installed" else embed
    reads = encoder.reads if merge is encoder.embed else (lambda text: True)
    found = find_concepts(rows.texts, options, clusters=rows.clusters, embed=merge, reads=reads)
    return found if own is None else beside(own, found, options.max_concepts)


def _rows(
    captions: Sequence[str] | pd.Series,
    metric: ArrayLike,
    features: pd.DataFrame | Mapping[str, Sequence[object]] | None,
    group: Sequence[Hashable] | pd.Series | None,
    weight: ArrayLike | None,
    media: Sequence[Hashable] | pd.Series | None,
    row_ids: Sequence[int] | None,
) -> _Rows:
    texts, usable = texts_of(captions)
    count, notes = len(texts), []
    if not count:
        raise UsageError("there are no captions", stage="drivers", remedy="give at least one")
    y = finite_column("metric", metric, rows=count)
    frame = features_of(features, count)
    ids = row_ids_of(captions, row_ids, count)
    keep = np.asarray(usable, dtype=bool)
    if not keep.all():
        notes.append(f"{int((~keep).sum())} rows without a caption were left out")
    w = None if weight is None else finite_column("weight", weight, rows=count, positive=True)
    if w is not None and (w[keep] == 0).any():
        notes.append(f"{int((w[keep] == 0).sum())} rows of weight zero were left out")
        keep &= w > 0
    if not keep.any():
        raise UsageError("no row has a caption and a weight above zero", stage="drivers")
    y = y[keep]
    if np.ptp(y) == 0:
        raise UsageError("the metric is the same in every row", stage="drivers", remedy="choose one that varies")
    if w is not None:
        w = w[keep] / w[keep].mean()
        w = None if np.ptp(w) == 0 else w
    labels = [
        labels_of(name, given, count)[keep] for name, given in (("group", group), ("media", media)) if given is not None
    ]
    clusters = cluster_numbers(int(keep.sum()), labels)
    if clusters is not None:
        number = int(clusters.max()) + 1
        notes.append(f"rows are counted as dependent within {number} group{'s' if number > 1 else ''}")
    return _Rows(
        texts=[text for text, kept in zip(texts, keep, strict=True) if kept],
        y=y,
        weight=w,
        clusters=clusters,
        features=None if frame is None else frame[keep].reset_index(drop=True),
        row_ids=ids[keep],
        notes=notes,
    )


def _shared(
    rows: _Rows, vocabulary: Concepts, options: DriverOptions, notes: list[str]
) -> tuple[Shared | None, list[Part]]:
    """What the estimates net of the other columns share (None, with a note, where there can be none); their parts."""
    design, expected, parts = None, None, list[Part]()
    if rows.features is not None:
        encoder = FeatureEncoder().fit(rows.features)
        notes.extend(encoder.notes)
        design, parts = np.asarray(encoder.transform(rows.features), dtype=np.float64), encoder.parts(rows.features)
        if design.shape[1] and vocabulary.labels:
            targets = np.column_stack([rows.y, vocabulary.present.toarray()])
            expected = cross_fitted(rows.features, targets, rows.weight, rows.clusters, options.seed)
    shared = share(rows.y, vocabulary.present, design, rows.weight, rows.clusters, expected)
    if isinstance(shared, str):
        notes.append(shared)
        return None, []
    return shared, parts


def _table(
    vocabulary: Concepts,
    lift: Interval,
    net: Interval,
    own: Interval,
    p: Floats,
    q: Floats,
    shares: Attribution,
    rows: _Rows,
    options: DriverOptions,
    turning: dict[str, list[str]],
) -> pd.DataFrame:
    n_with = np.asarray(vocabulary.present.sum(axis=0)).astype(np.int64)
    prevalence = n_with / len(rows.y)
    main = np.where(np.isfinite(net.value), net.value, lift.value)
    spread = float(np.std(rows.y))
    adjusts = rows.features is not None
    said = concept_notes(vocabulary, lift, net, shares, options, adjusts=adjusts, clusters=rows.clusters)
    columns: dict[str, object] = {
        "concept": list(vocabulary.labels),
        "phrases": ["; ".join(phrases) for phrases in vocabulary.phrases],
        "n_with": n_with,
        "n_without": len(rows.y) - n_with,
        "prevalence": prevalence,
        "lift": lift.value,
        "lift_low": lift.low,
        "lift_high": lift.high,
        "adjusted": net.value,
        "adjusted_low": net.low,
        "adjusted_high": net.high,
        "unique": own.value,
        "unique_low": own.low,
        "unique_high": own.high,
        "p": p,
        "q": q,
        "importance": shares.importance,
        "shap_with": shares.shap_with,
        "shap_without": shares.shap_without,
        "sign_agreement": shares.sign_agreement,
        "opportunity": np.where(
            main >= 0, shares.importance / 100 * (1 - prevalence), -shares.importance / 100 * prevalence
        ),
        "note": [
            "; ".join([*turning.get(label, []), *filter(None, [note])])
            for label, note in zip(vocabulary.labels, said, strict=True)
        ],
    }
    table = pd.DataFrame(columns, columns=list(DRIVER_COLUMNS))
    order = np.lexsort(
        (
            np.asarray(vocabulary.labels, dtype=np.str_),
            # rounded, so that what is equal but for the last digits stays in the same order everywhere
            np.round(np.where(q < SIGNIFICANT, -np.abs(main) / (spread or 1.0), np.where(np.isnan(p), 2.0, p)), 9),
            ~(q < SIGNIFICANT),
        )
    )
    return table.iloc[order].reset_index(drop=True)
