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

    from yoin.drivers.raters import Agreement

EXTENDS = "+"  # before the list's name: beside the concepts found
SHOWS = "shows:"  # before a concept's name, in the head of the sheet
CORRECTED = ("corrected.csv", "corrected.parquet")  # what becomes of a sheet
ROW, IMAGE, FILE, CHANCE, CAPTION, RATER = "row", "image", "file", "chance", "caption", "rater"
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
    that of the image's file or "", ``chance`` that with which it was drawn, 1 where the sheet has no such column;
    ``rater`` who answered, None where the sheet does not say.
    """

    answers: pd.DataFrame
    row: pd.Series
    media_id: pd.Series
    chance: pd.Series
    rater: pd.Series | None


def read_labels(path: Path) -> Labels:
    """Read a sheet.

    Raises:
        TableError: it cannot be read, names no concept, has no answer, or has a column or a cell that cannot be
            understood.
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
    for column in sheet.columns:
        if column not in named and re.match(r"shows?\s*:", unicodedata.normalize("NFKC", column).strip().casefold()):
            raise TableError(
                f"the column {column[:60]!r} of {path.name} is none of a sheet", stage="labels",
                remedy=f"begin it with {SHOWS!r}, then the concept",
            )  # fmt: skip
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
    rater = sheet[RATER].loc[found.index].fillna("").map(_name) if RATER in sheet.columns else None
    media_id = files.loc[found.index].fillna("").map(_media_id)
    labels = Labels(found, numbers(ROW, np.nan), media_id, numbers(CHANCE, 1.0), rater)
    _check(path, ROW, (labels.row >= 1) & (labels.row % 1 == 0) | (labels.media_id != ""), "a whole number from 1")
    _check(path, CHANCE, (labels.chance > 0) & (labels.chance <= 1), "a number above 0 and up to 1")
    if rater is not None and (rater == "").any():
        raise TableError(
            f"nobody is named under {RATER!r} in {path.name}", stage="labels", row=int(rater.index[rater == ""][0]) + 1,
            remedy="write who answered",
        )  # fmt: skip
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


def _name(cell: object) -> str:
    """A rater's name, whatever its case and blanks."""
    return " ".join(unicodedata.normalize("NFKC", str(cell)).casefold().split())


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


def labels_of(labels: Labels, media: pd.Series) -> tuple[pd.DataFrame, list[str], dict[str, Agreement]]:
    """The labels by row, as `yoin.estimate_drivers` takes them, sentences on those that are for no row, and agreement.

    Where the sheet names raters, the majority's answer for an image counts, and their agreement is told by concept_id.

    Args:
        labels: a sheet.
        media: the media_id of each row by row_id, NA where it has no image; rows with the same image share its labels.

    Raises:
        TableError: two rows of the sheet are for the same image and the same rater, and do not say the same.
    """
    import pandas as pd

    from yoin.drivers.raters import settled
    from yoin.drivers.vocabulary import concept_ids

    known = media.dropna()
    first = pd.Series(known.index, index=known).groupby(level=0).first()  # a row_id for each media_id
    row_id = labels.row - 1
    row_id = row_id.where(~labels.media_id.isin(first.index), labels.media_id.map(first))
    elsewhere = ~row_id.isin(media.index) | ((labels.media_id != "") & ~labels.media_id.isin(first.index))
    here = row_id[~elsewhere].astype(int)
    unit = here.map(media).where(here.map(media).notna(), here.astype(str))
    table, agreement = labels.answers.loc[here.index], {}
    chance = labels.chance.loc[here.index]
    if labels.rater is None:
        if unit.duplicated().any():
            raise _twice("there are labels for this image in an earlier row too", unit.duplicated(),
                         f"keep one row, or name who answered in a column {RATER!r}")  # fmt: skip
        table.index = pd.Index(unit)
    else:
        _check_raters(table, unit, labels.rater.loc[here.index], chance)
        table, found = settled(table, unit, labels.rater.loc[here.index])
        agreement = dict(zip(concept_ids(list(found)), found.values(), strict=True))
    table = table.assign(**{CHANCE: chance.groupby(unit.to_numpy()).first().reindex(table.index)})
    every = media.where(media.notna(), media.index.astype(str).to_series(index=media.index))
    every = every[every.isin(table.index)]
    spread = table.loc[every].reset_index(drop=True).assign(row_id=every.index.to_numpy())
    count = int(elsewhere.sum())
    left_out = f"{count} labelled images are not among the rows analysed" if labels.rater is None else (
        f"{count} rows of labels are for images that are not among the rows analysed")  # fmt: skip
    return spread, [left_out] if count else [], agreement


def _check_raters(table: pd.DataFrame, unit: pd.Series, rater: pd.Series, chance: pd.Series) -> None:
    """See that nobody contradicts herself, and that an image has one chance."""
    import pandas as pd

    key = pd.MultiIndex.from_arrays([unit.to_numpy(), rater.to_numpy()])
    for concept in table.columns:
        said = table[concept].groupby(key).transform("first")
        wrong = table[concept].notna() & (table[concept] != said)
        if wrong.any():
            who = rater[wrong].iloc[0]
            raise _twice(
                f"{who[:40]!r} says both yes and no of {concept[:60]!r} for this image", wrong, "keep one answer"
            )
    other = chance != chance.groupby(unit.to_numpy()).transform("first")
    if other.any():
        raise _twice(f"the {CHANCE} of this image is another one in an earlier row", other,
                     "put back what yoin label wrote there")  # fmt: skip


def _twice(what: str, where: pd.Series, remedy: str) -> TableError:
    return TableError(what, stage="labels", row=int(where.index[where][0]) + 1, remedy=remedy)
