"""Explained captions of a study as a page or a picture, in red and blue: what ``yoin explain --save`` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yoin.errors import UsageError

if TYPE_CHECKING:
    from yoin.study import Study

KINDS = (".html", ".png")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture of the explained captions of ``row_ids``, of all where that is None, at ``path``."""

    path: Path
    row_ids: tuple[int, ...] | None

    @classmethod
    def of(cls, save: Path | None, rows: str | None) -> Wanted | None:
        """From the options: a file, None for no picture; and numbers of the table's rows from 1, such as "1,5".

        Raises:
            UsageError: the file is neither .html nor .png, a row is not a number from 1, or rows come without a file.
        """
        if save is None:
            if rows is not None:
                raise UsageError("--rows says what to save", stage="explain", remedy="give --save FILE with it")
            return None
        if save.suffix.lower() not in KINDS:
            raise UsageError(
                f"--save cannot write {save.name!r}", stage="explain", remedy="give a name that ends in .html or .png"
            )
        if rows is None:
            return cls(save, None)
        numbers = [part.strip() for part in rows.split(",") if part.strip()]
        for number in numbers or [rows]:
            if not (number.isdecimal() and int(number)):
                raise UsageError(
                    f"--rows cannot be {number!r}", stage="explain", remedy="give numbers of rows from 1, such as 1,5"
                )
        return cls(save, tuple(dict.fromkeys(int(number) - 1 for number in numbers)))


def save_picture(study: Study, wanted: Wanted) -> int:
    """Write it; how many captions are on it.

    Raises:
        UsageError: a row is not explained, or the file cannot be written; see `yoin.explanations.pictures`.
    """
    from yoin.explanations import draw

    pictures = draw(study.explanations, study.captions.set_index("row_id")["caption"], wanted.row_ids)
    if wanted.path.suffix.lower() == ".html":
        pictures.save_html(wanted.path)
    else:
        pictures.save_png(wanted.path)
    return len(pictures.rows)
