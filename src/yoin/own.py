"""What a user brings to the drivers: a list of concepts, and a sheet with what people saw."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from yoin.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

EXTENDS = "+"  # before the list's name: beside the concepts found
SHOWS = "shows:"  # before a concept's name, in the head of the sheet
CORRECTED = ("corrected.csv", "corrected.parquet")  # what becomes of a sheet
ROW, IMAGE, FILE, CHANCE, CAPTION = "row", "image", "file", "chance", "caption"
YES = ("yes", "y", "true", "t", "1", "x", "✓", "✔", "○", "◯", "はい", "有", "あり")
NO = ("no", "n", "false", "f", "0", "×", "✗", "いいえ", "無", "なし")


def own_concepts(given: str | None) -> tuple[dict[str, tuple[str, ...]] | None, bool]:
    """The concepts of the list that ``--concepts`` names, and whether they stand beside those found; None without one.

    Raises:
        UsageError: it cannot be read, or is no such list.
    """
    from yoin.drivers.vocabulary import read_concepts

    if given is None:
        return None, False
    return read_concepts(Path(given.removeprefix(EXTENDS))), given.startswith(EXTENDS)


def concepts_file(given: str | None) -> str | None:
    """The file that ``--concepts`` names."""
    return None if given is None else given.removeprefix(EXTENDS)


def checked_concepts(given: str | Path | None) -> str | None:
    """``given`` with an absolute path: what is wrong with the list is said before any work is done."""
    if given is None:
        return None
    _, extends = own_concepts(str(given))
    return (EXTENDS if extends else "") + str(Path(str(given).removeprefix(EXTENDS)).resolve())


def checked_labels(given: str | Path | None) -> Path | None:
    """The absolute path of a sheet, which is one: likewise."""
    if given is None:
        return None
    read_labels(Path(given))
    return Path(given).resolve()


@dataclass(frozen=True, slots=True)
class Labels:
    """A sheet that people filled in, without the rows that nobody did; all is indexed by the position in the sheet.

    ``answers`` has a column a concept with 1, 0 or NaN; ``row`` is the row of the table from 1 or NaN, ``media_id``
    that of the image's file or "", ``chance`` that with which it was drawn, 1 where the sheet has no such column.
    """

    answers: pd.DataFrame
    row: pd.Series
    media_id: pd.Series
    chance: pd.Series


def read_labels(path: Path) -> Labels:
    """Read a sheet.

    Raises:
        TableError: it cannot be read, names no concept, has no answer, or has a cell that cannot be understood.
    """
    import numpy as np
    import pandas as pd

    from yoin import table

    sheet = table.load(path)
    named = [name for name in sheet.columns if name.startswith(SHOWS)]
    if not named or not {ROW, FILE} & set(sheet.columns):
        missing = f"{ROW!r} or {FILE!r}" if named else f"that begins with {SHOWS!r}"
        raise TableError(
            f"{path.name} has no column {missing}", stage="labels", remedy="fill in a sheet that yoin label wrote"
        )
    answers = {}
    for column in named:
        concept = " ".join(column.removeprefix(SHOWS).split())
        if concept in answers:
            raise TableError(f"{path.name} has two columns for {concept!r}", stage="labels", remedy="keep one of them")
        answers[concept] = [_answer(cell, place, column) for place, cell in enumerate(sheet[column])]
    found = pd.DataFrame(answers, index=sheet.index)
    found = found[found.notna().any(axis=1)]
    if found.empty:
        raise TableError(
            f"nobody filled in {path.name}", stage="labels", remedy=f"write yes or no under {named[0]!r} and the others"
        )

    def numbers(name: str, blank: float) -> pd.Series:
        if name not in sheet.columns:
            return pd.Series(blank, index=found.index)
        return table.parse_numbers(sheet[name])[0].loc[found.index]

    files = sheet[FILE] if FILE in sheet.columns else pd.Series("", index=sheet.index)
    labels = Labels(found, numbers(ROW, np.nan), files.loc[found.index].fillna("").map(_media_id), numbers(CHANCE, 1.0))
    _check(path, ROW, (labels.row >= 1) & (labels.row % 1 == 0) | (labels.media_id != ""), "a whole number from 1")
    _check(path, CHANCE, (labels.chance > 0) & (labels.chance <= 1), "a number above 0 and up to 1")
    return labels


def _answer(cell: object, place: int, column: str) -> float:
    """1 for yes, 0 for no, NaN for a blank."""
    if not isinstance(cell, str):
        return float("nan")
    said = unicodedata.normalize("NFKC", cell).strip().casefold().removesuffix(".0")
    if said in YES or said in NO:
        return float(said in YES)
    raise TableError(
        f"{cell[:40]!r} under {column[:60]!r} is neither yes nor no", stage="labels", row=place + 1,
        remedy="write yes or no, or leave the cell blank where nobody can tell",
    )  # fmt: skip


def _media_id(cell: str) -> str:
    """The media_id in a path of the study's media folder, "" of any other path."""
    stem = PurePosixPath(cell.strip().replace("\\", "/")).stem
    return stem if re.fullmatch(r"[0-9a-f]{64}", stem) else ""


def _check(path: Path, column: str, good: pd.Series, what: str) -> None:
    if not good.all():
        place = good.index[~good.to_numpy()].to_list()[0]
        raise TableError(
            f"what stands under {column!r} in {path.name} is not {what}", stage="labels", row=place + 1,
            remedy="put back what yoin label wrote there",
        )  # fmt: skip


def labels_of(labels: Labels, media: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """The labels by row, as `yoin.estimate_drivers` takes them, and sentences on those that are for no row.

    Args:
        labels: a sheet.
        media: the media_id of each row by row_id, NA where it has no image; rows with the same image share its labels.

    Raises:
        TableError: two rows of the sheet are for the same image.
    """
    import pandas as pd

    known = media.dropna()
    first = pd.Series(known.index, index=known).groupby(level=0).first()  # a row_id for each media_id
    row_id = labels.row - 1
    row_id = row_id.where(~labels.media_id.isin(first.index), labels.media_id.map(first))
    elsewhere = ~row_id.isin(media.index) | ((labels.media_id != "") & ~labels.media_id.isin(first.index))
    here = row_id[~elsewhere].astype(int)
    unit = here.map(media).where(here.map(media).notna(), here.astype(str))
    if unit.duplicated().any():
        place = int(unit.index[unit.duplicated()][0])
        raise TableError(
            "there are labels for this image in an earlier row too",
            stage="labels",
            row=place + 1,
            remedy="keep one row",
        )
    table = labels.answers.loc[here.index].assign(**{CHANCE: labels.chance.loc[here.index]})
    table.index = pd.Index(unit)
    every = media.where(media.notna(), media.index.astype(str).to_series(index=media.index))
    every = every[every.isin(table.index)]
    spread = table.loc[every].reset_index(drop=True).assign(row_id=every.index.to_numpy())
    count = int(elsewhere.sum())
    return spread, [f"{count} labelled images are not among the rows analysed"] if count else []
