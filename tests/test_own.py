"""A user's list of concepts and a sheet that people filled in, as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from yoin.errors import TableError, UsageError
from yoin.own import NO, YES, checked_concepts, checked_labels, concepts_file, labels_of, own_concepts, read_labels

RED, BLUE, GONE = "a" * 64, "b" * 64, "c" * 64


def sheet(folder: Path, **columns: object) -> Path:
    path = folder / "sheet.csv"
    pd.DataFrame({name.replace("_", ": "): cells for name, cells in columns.items()}).to_csv(path, index=False)
    return path


def test_a_list_with_and_without_a_plus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.txt").write_text("dog\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert checked_concepts(None) is None
    assert checked_concepts(Path("mine.txt")) == str(tmp_path / "mine.txt")
    both = checked_concepts("+mine.txt")
    assert both == f"+{tmp_path / 'mine.txt'}"
    assert own_concepts(both) == ({"dog": ("dog",)}, True)
    assert own_concepts("mine.txt") == ({"dog": ("dog",)}, False)
    assert own_concepts(None) == (None, False)
    assert concepts_file(both) == str(tmp_path / "mine.txt")
    (tmp_path / "+odd.txt").write_text("cat\n", "utf-8")
    assert own_concepts("./+odd.txt") == ({"cat": ("cat",)}, False)
    with pytest.raises(UsageError, match=r"concepts: the list of concepts 'none\.txt' cannot be read"):
        checked_concepts("+none.txt")


def test_every_answer_that_is_understood(tmp_path: Path) -> None:
    cells = [*YES, *NO, " Yes ", "ＹＥＳ", "TRUE", "1.0", "NO", "0.0", "Ｎｏ", "x", ""]
    expected = [1.0] * len(YES) + [0.0] * len(NO) + [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    found = read_labels(sheet(tmp_path, row=range(1, len(cells) + 1), shows_dog=cells))
    assert found.answers["dog"].tolist() == expected  # the blank row is left out
    assert found.chance.tolist() == [1.0] * len(expected)
    assert (found.media_id == "").all()
    assert not set(YES) & set(NO)


def test_a_sheet_as_spreadsheets_save_it(tmp_path: Path) -> None:
    text = "row;file;chance;shows: 富士山;shows:  red\u3000barn\n3;x/" + RED + ".png;0,25;はい;\n1;;0,5;いいえ;yes\n"
    (tmp_path / "s.csv").write_bytes(text.encode("cp932"))
    found = read_labels(tmp_path / "s.csv")
    assert list(found.answers) == ["富士山", "red barn"]
    assert found.row.tolist() == [3, 1]
    assert found.chance.tolist() == [0.25, 0.5]
    assert found.media_id.tolist() == [RED, ""]
    pd.DataFrame({"row": [3, 1], "chance": [0.25, 0.5], "shows: 富士山": [True, False]}).to_excel(
        tmp_path / "s.xlsx", index=False
    )
    assert read_labels(tmp_path / "s.xlsx").answers["富士山"].tolist() == [1, 0]
    assert checked_labels(tmp_path / "s.xlsx") == tmp_path / "s.xlsx"
    assert checked_labels(None) is None


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"row": [1, 2], "shows_dog": ["yes", "maybe"]}, r"labels, row 2: 'maybe' under 'shows: dog' is neither"),
        ({"row": [1, 2], "shows_dog": ["yes", "2"]}, r"row 2: '2' under"),
        ({"row": [1, 2], "shows_dog": ["", " "]}, r"labels: nobody filled in sheet\.csv; write yes or no under"),
        ({"row": [1, 2], "dog": ["yes", "no"]}, "no column that begins with 'shows:'"),
        ({"place": [1, 2], "shows_dog": ["yes", "no"]}, "no column 'row' or 'file'"),
        ({"row": ["", "x"], "shows_dog": ["", "no"]}, "row 2: what stands under 'row' in sheet.csv is not a whole"),
        ({"row": [1, 1.5], "shows_dog": ["yes", "no"]}, "row 2: what stands under 'row'"),
        ({"row": [1, 0], "shows_dog": ["yes", "no"]}, "row 2: what stands under 'row'"),
        ({"row": [1, 2], "chance": [0, 0.5], "shows_dog": ["yes", "no"]}, "row 1: what stands under 'chance'"),
        ({"row": [1, 2], "chance": ["", 0.5], "shows_dog": ["yes", "no"]}, "row 1: what stands under 'chance'"),
        ({"row": [1, 2], "shows_dog": ["yes", "no"], "shows_ dog": ["yes", ""]}, "two columns for 'dog'"),
        ({"row": [1], "shows_dog": ["yes"], "Shows_ cat": ["yes"]}, r"column 'Shows: +cat' .* begin it with 'shows:'"),
        ({"row": [1], "shows_dog": ["yes"], "show_cat": ["yes"]}, "column 'show: cat' of sheet.csv is none of a sheet"),
        ({"row": [1, 2], "rater": ["Ann", " "], "shows_dog": ["yes", "no"]}, "row 2: nobody is named under 'rater'"),
    ],
)
def test_a_sheet_that_cannot_be_understood(tmp_path: Path, columns: dict[str, object], says: str) -> None:
    with pytest.raises(TableError, match=says):
        read_labels(sheet(tmp_path, **columns))


def test_labels_go_to_every_row_with_the_image(tmp_path: Path) -> None:
    media = pd.Series([RED, BLUE, RED, pd.NA, pd.NA], index=[0, 1, 4, 5, 7], dtype="string")
    path = sheet(
        tmp_path, row=[2, 9, 6, 8, 30, 1], file=[f"m/{RED}.png", f"m\\{BLUE}.jpg", "own.png", "", "", f"m/{GONE}.png"],
        chance=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], shows_dog=["yes", "no", "yes", "no", "yes", "yes"],
    )  # fmt: skip
    found, said, agreement = labels_of(read_labels(path), media)
    assert agreement == {}
    rows = found.set_index("row_id").sort_index()
    assert rows.index.tolist() == [0, 1, 4, 5, 7]  # the file tells the image, whatever the row
    assert rows["dog"].tolist() == [1, 0, 1, 1, 0]
    assert rows["chance"].tolist() == [0.1, 0.2, 0.1, 0.3, 0.4]
    assert said == ["2 labelled images are not among the rows analysed"]
    none, said, _ = labels_of(read_labels(sheet(tmp_path, row=[30], shows_dog=["yes"])), media)
    assert none.empty
    assert said == ["1 labelled images are not among the rows analysed"]
    twice = read_labels(sheet(tmp_path, row=[1, 4, 5], shows_dog=["yes", "", "no"]))
    with pytest.raises(TableError, match="labels, row 3: there are labels for this image in an earlier row too"):
        labels_of(twice, media)
    assert np.isnan(twice.row).sum() == 0


def test_the_majority_of_raters_counts_and_ties_do_not(tmp_path: Path) -> None:
    media = pd.Series([RED, BLUE, RED, GONE], index=[0, 1, 4, 5], dtype="string")
    path = sheet(
        tmp_path,
        row=[1, 2, 6, 1, 2, 5, 9, 2],  # the third row of the table has the first one's image
        chance=[0.5, 0.25, 1, 0.5, 0.25, 0.5, 1, 0.25],
        rater=["Ann", "Ann", "Ann", "bob", " BOB ", "Cy", "Cy", "Cy"],
        shows_dog=["yes", "yes", "no", "no", "no", "yes", "yes", "no"],
        shows_cat=["no", "", "yes", "yes", "", "", "no", ""],
    )
    found, said, agreement = labels_of(read_labels(path), media)
    rows = found.set_index("row_id").sort_index()
    assert rows["dog"].tolist() == [1, 0, 1, 0]
    assert rows["cat"].isna().tolist() == [True, True, True, False]
    assert rows["chance"].tolist() == [0.5, 0.25, 0.5, 1]
    assert said == ["1 rows of labels are for images that are not among the rows analysed"]
    dog, cat = agreement["dog"], agreement["cat"]
    assert (dog["raters"], dog["images"], dog["ties"]) == (3, 2, 0)
    assert dog["agreed"] == pytest.approx(2 / 6)  # of six pairs of answers two agree
    assert cat == {"raters": 2, "images": 1, "agreed": 0, "kappa": 0, "ties": 1}
    nothing, said, agreement = labels_of(read_labels(path), media.iloc[:0])
    assert nothing.empty
    assert said == ["8 rows of labels are for images that are not among the rows analysed"]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"shows_dog": ["yes", "no", "no"]}, r"row 3: 'ann' says both yes and no of 'dog' for this image; keep one"),
        (
            {"shows_dog": ["yes", "no", ""], "shows_cat": ["no", "", "yes"]},
            "row 3: 'ann' says both yes and no of 'cat'",
        ),
        ({"shows_dog": ["yes", "no", "yes"], "chance": [1, 1, 0.5]}, "row 3: the chance of this image is another one"),
    ],
)
def test_what_one_rater_cannot_say(tmp_path: Path, columns: dict[str, object], says: str) -> None:
    media = pd.Series([RED, BLUE, RED], dtype="string")
    labels = read_labels(sheet(tmp_path, row=[1, 2, 3], rater=["Ann", "ann", "ANN"], **columns))
    with pytest.raises(TableError, match=says):
        labels_of(labels, media)


def test_a_rater_may_say_the_same_twice(tmp_path: Path) -> None:
    media = pd.Series([RED, BLUE, RED], dtype="string")
    columns = {"shows_dog": ["yes", "no", ""], "shows_cat": ["", "", "yes"]}
    labels = read_labels(sheet(tmp_path, row=[1, 2, 3], rater=["ann"] * 3, **columns))
    found, _, agreement = labels_of(labels, media)
    assert found.set_index("row_id").loc[0, ["dog", "cat"]].tolist() == [1, 1]
    assert agreement["dog"] == {"raters": 1, "images": 0, "agreed": None, "kappa": None, "ties": 0}
