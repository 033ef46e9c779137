from __future__ import annotations

import pandas as pd
import pytest

from yoin.captions import brought
from yoin.errors import UsageError
from yoin.values import CAPTION_COLUMNS

ROWS = pd.DataFrame(
    {"image": ["a.png", "b.png", "a.png", None], "media_id": ["m1", "m2", "m1", None]},
    index=pd.Index([3, 4, 6, 9], name="row_id"),
    dtype="string",
)


def file(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="string")


def captions_of(frame: pd.DataFrame, *, image: str | None = "Poster", rows: pd.DataFrame = ROWS) -> list[str]:
    made = brought(frame, rows, image=image, name="captions.csv")
    assert tuple(made.frame.columns) == CAPTION_COLUMNS
    assert made.frame["row_id"].tolist() == rows.index.tolist()
    assert made.captioner == "given"
    return made.frame["caption"].tolist()


def test_by_the_column_of_images_before_all_others() -> None:
    frame = file(Poster=["b.png", "a.png"], media_id=["m1", "m2"], row_id=["3", "4"], caption=["B.", "A."])
    assert captions_of(frame) == ["A.", "B.", "A.", ""]


def test_by_the_media_before_the_row() -> None:
    frame = file(media_id=["m2", "m1"], row_id=["3", "4"], caption=["B.", "A."])
    assert captions_of(frame) == ["A.", "B.", "A.", ""]


@pytest.mark.parametrize("nine", ["9", "9.0"])
def test_by_the_row(nine: str) -> None:
    assert captions_of(file(row_id=["4", nine], caption=["Four.", "Nine."])) == ["", "Four.", "", "Nine."]


def test_by_the_row_without_images_although_a_media_id_is_there() -> None:
    rows = ROWS.assign(media_id=pd.NA)
    frame = file(media_id=["m1", "m2"], row_id=["3", "4"], caption=["Three.", "Four."])
    assert captions_of(frame, image=None, rows=rows) == ["Three.", "Four.", "", ""]


def test_rows_without_a_caption_are_missing() -> None:
    frame = brought(file(Poster=["a.png", "b.png"], caption=["A.", " "]), ROWS, image="Poster", name="c").frame
    assert frame["status"].tolist() == ["ok", "missing", "ok", "missing"]
    assert frame["reason"].tolist() == ["", "no_caption", "", "no_caption"]
    assert frame["media_id"].isna().tolist() == [False, False, False, True]


def test_what_another_study_knew_of_a_caption_is_kept() -> None:
    frame = file(
        media_id=["m1", "m2"], caption=["A.", ""], status=["ok", "blocked"], reason=["", "SAFETY"],
        captioner=["gemini", "gemini"], model_version=["g-1", "g-1"], prompt_id=["p", "p"],
    )  # fmt: skip
    made = brought(frame, ROWS, image="Poster", name="c").frame
    assert made["status"].tolist() == ["ok", "blocked", "ok", "missing"]
    assert made["reason"].tolist() == ["", "SAFETY", "", "no_caption"]
    assert made["captioner"].tolist() == ["gemini", "gemini", "gemini", "given"]
    assert made["prompt_id"].tolist() == ["p", "p", "p", ""]


def test_captions_of_no_row_are_told() -> None:
    made = brought(file(Poster=["a.png", "x.png"], caption=["A.", "X."]), ROWS, image="Poster", name="c.csv")
    assert made.notes == ("1 captions of c.csv belong to no row of the table.",)


def test_the_same_twice_is_no_contradiction() -> None:
    assert captions_of(file(Poster=["a.png", "a.png"], caption=["A.", "A."]))[0] == "A."


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (file(Poster=["a.png"], text=["A."]), "has no column 'caption'"),
        (file(name=["a.png"], caption=["A."]), "'Poster' or 'media_id' or 'row_id'"),
        (file(Poster=["a.png", "b.png", "a.png"], caption=["A.", "B.", "C."]), "row 3: .* two different captions"),
        (file(row_id=["3", "three"], caption=["A.", "B."]), "row 2: .* the row_id 'three'"),
        (file(Poster=["a.png"], caption=["A."], status=["good"]), "row 1: .* the unknown status 'good'"),
        (file(Poster=["x.png"], caption=["A."]), "no caption of captions.csv belongs to a row"),
        (file(Poster=["a.png"], caption=[None]), "no caption of captions.csv belongs to a row"),
    ],
)
def test_files_that_cannot_be_used(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        captions_of(frame)
