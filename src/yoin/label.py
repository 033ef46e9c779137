"""The sheet on which people say what they see: a sample of a study's images against its top concepts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoin.errors import TableError, UsageError
from yoin.files import neutralise, put
from yoin.options import LabelOptions
from yoin.own import CAPTION, CHANCE, EXTENDS, FILE, IMAGE, ROW, SHOWS
from yoin.pipeline import checked
from yoin.rows import analysed
from yoin.study import Study, locked
from yoin.values import Medium

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet that was written: ``images`` of the ``among`` ones of the study, and the concepts to look for.

    ``rare`` are those of them that too few captions of these images name, or do not name, for a correction. ``seed`` is
    that of the draw.
    """

    path: Path
    images: int
    among: int
    concepts: tuple[str, ...]
    rare: tuple[str, ...]
    seed: int
    pictured: bool


def make_sheet(
    study: str | Path,
    *,
    out: str | Path | None = None,
    captions: bool = False,
    overwrite: bool = False,
    **given: Any,
) -> Sheet:
    """Draw images and write a sheet to fill in: a row an image, a column a concept.

    Captions are not on it, so that they sway nobody. Every image had a known chance to be drawn, which stands in the
    sheet; see `yoin.drivers.sampling`. The metric plays no part in the draw.

    Args:
        study: a study with drivers.
        out: the sheet, a CSV file; ``labels.csv`` in the study by default.
        captions: show the captions all the same.
        overwrite: also over a sheet that is filled in, or a file that is no sheet.
        given: options of `yoin.options.LabelOptions`.

    Raises:
        UsageError: wrong options, or the file is there and not to be overwritten, or cannot be written.
        StudyError: the study has no drivers yet.
    """
    import numpy as np
    import pandas as pd

    from yoin import media
    from yoin.drivers import sampling
    from yoin.drivers.corrected import FEWEST_ANSWERS

    options = checked(LabelOptions, **given)
    opened = Study(study)
    path = Path(out) if out is not None else opened.folder / "labels.csv"
    _check_place(path, overwrite)
    with locked(opened.folder):
        kept = Study(opened.folder)
        rows = analysed(kept, kept.options)
        concepts = _top(kept.drivers, options.top, own=_only_own(kept.options.concepts))
        found = kept.frame("concepts.parquet")
        items = kept.media()
    units = rows["media_id"].where(rows["media_id"].notna(), rows.index.astype(str).to_series(index=rows.index))
    first = units.drop_duplicates()  # a row for each image
    said = pd.DataFrame(0.0, index=first.to_numpy(), columns=concepts)
    named = found[~found["negated"].astype(bool) & found["concept"].isin(concepts) & found["row_id"].isin(units.index)]
    for concept, row_ids in named.groupby("concept")["row_id"]:
        said.loc[units.loc[row_ids.unique()].unique(), concept] = 1.0
    chance = sampling.chances(said.to_numpy(), options.images)
    drawn = np.flatnonzero(sampling.draw(said.to_numpy(), chance, options.seed))
    drawn = np.random.default_rng(options.seed).permutation(drawn)
    ids = first.index[drawn]
    columns: dict[str, object] = {ROW: ids + 1}
    if kept.options.image:
        columns[IMAGE] = rows.loc[ids, "image"].map(media.shown, na_action="ignore").to_numpy()
        columns[FILE] = [_file(items, media_id, path) for media_id in rows.loc[ids, "media_id"]]
    columns[CHANCE] = chance[drawn].round(6)
    if captions:
        columns[CAPTION] = rows.loc[ids, "caption"].to_numpy()
    sheet = pd.DataFrame({**columns, **{f"{SHOWS} {concept}": "" for concept in concepts}})
    _write(path, sheet)
    held = said.iloc[drawn].sum()
    few = np.minimum(held, len(drawn) - held) < FEWEST_ANSWERS
    return Sheet(
        path=path,
        images=len(drawn),
        among=len(first),
        concepts=tuple(concepts),
        rare=tuple(held.index[few & (held > 0)]),
        seed=options.seed,
        pictured=bool(kept.options.image),
    )


def _only_own(concepts: str | None) -> bool:
    """Whether the study's concepts are a user's list alone."""
    return concepts is not None and not concepts.startswith(EXTENDS)


def _top(drivers: pd.DataFrame, count: int, own: bool) -> list[str]:
    """The first concepts of the table that were tested; of a user's ``own`` list any, as captions may overlook one.

    Raises:
        UsageError: there is none.
    """
    tested = drivers.loc[drivers["p"].notna() | own, "concept"].astype(str)
    if tested.empty:
        raise UsageError(
            "no concept of this study was tested, so that there is nothing to look for", stage="label",
            remedy="name concepts of your own: yoin drivers STUDY --concepts FILE",
        )  # fmt: skip
    return tested.head(count).tolist()


def _file(items: Mapping[str, Medium], media_id: object, sheet: Path) -> str:
    """Where the image lies, seen from the sheet; "" without one."""
    medium = items.get(str(media_id))
    if medium is None:
        return ""
    place, folder = medium.path.resolve(), sheet.resolve().parent
    try:
        return Path(os.path.relpath(place, folder)).as_posix()
    except ValueError:  # on another drive
        return place.as_posix()


def _check_place(path: Path, overwrite: bool) -> None:
    """Raise a `UsageError` where the sheet cannot go, or would take somebody's work."""
    from yoin import table

    remedy = "give another --out, or --overwrite"
    if path.suffix.lower() != ".csv":
        raise UsageError(f"{path.name!r} is no CSV file", stage="label", remedy="end its name in .csv")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {str(path.parent)!r}", stage="label", remedy="make it first")
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder", stage="label", remedy="give another --out")
    if overwrite or not path.exists():
        return
    try:
        there = table.load(path)
    except TableError:
        there = None
    concepts = [] if there is None else [name for name in there.columns if name.startswith(SHOWS)]
    if there is None or not concepts:
        raise UsageError(f"{str(path)!r} is there and is not a sheet of labels", stage="label", remedy=remedy)
    if there[concepts].notna().any(axis=None):
        raise UsageError(f"somebody filled in {str(path)!r}", stage="label", remedy=remedy)


def _write(path: Path, sheet: pd.DataFrame) -> None:
    """Put the sheet at ``path``, with the mark by which spreadsheets know UTF-8."""
    try:
        put(path, lambda place: neutralise(sheet).to_csv(place, index=False, encoding="utf-8-sig", lineterminator="\n"))
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} cannot be written: {error.strerror or error}", stage="label", remedy="give another --out"
        ) from error
