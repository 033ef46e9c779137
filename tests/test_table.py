import csv
import io
import json
import os
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yoin.errors import NothingLeftError, TableError, UsageError
from yoin.options import TableOptions
from yoin.table import read
from yoin.table.load import load

DATA = Path(os.environ.get("YOIN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def rows(n: int = 40, **columns: list[object]) -> list[dict[str, object]]:
    """n records with an image and a rating, and what is given instead or beside them."""
    base = {"image": [f"{i}.jpg" for i in range(n)], "rating": [i / 10 for i in range(n)]} | columns
    return [dict(zip(base, cells, strict=True)) for cells in zip(*base.values(), strict=True)]


def write(path: Path, records: list[dict[str, object]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path


def options(path: Path, **changes: object) -> TableOptions:
    return TableOptions(**({"table": path, "metric": "rating", "image": "image"} | changes))


def refusal(path: Path, **changes: object) -> str:
    """The sentence with which the table is refused: one line, exit code 2."""
    with pytest.raises(UsageError) as caught:
        read(options(path, **changes))
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("table")
    return str(caught.value)


# --- formats: the same table in each ---

RECORDS = rows(
    title=[
        "007",
        "NA",
        "nan",
        "真夜中のライブラリー",
        'say "hi", twice',
        "two\nlines",
        " padded ",
        "=1+1",
        "<b>",
        "null",
    ]
    * 4,
    year=[1990 + i for i in range(40)],
)


def as_parquet(path: Path) -> None:
    pd.DataFrame(RECORDS).to_parquet(path)


def as_jsonl(path: Path) -> None:
    path.write_text("\n".join(json.dumps(record) for record in RECORDS), encoding="utf-8")


def as_json(path: Path) -> None:
    path.write_text(json.dumps(RECORDS, ensure_ascii=False, indent=1), encoding="utf-8")


def as_excel(path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(list(RECORDS[0]))
    for record in RECORDS:
        book.active.append([None, *record.values()][1:])
    for cell in book.active["C"]:
        cell.data_type = "s"  # "=1+1" is a title here, not a formula
    book.save(path)


WRITERS = {
    "t.csv": lambda path: write(path, RECORDS),
    "t.tsv": lambda path: write(path, RECORDS, "\t"),
    "semicolon.csv": lambda path: write(path, RECORDS, ";"),
    "pipe.txt": lambda path: write(path, RECORDS, "|"),
    "bom.csv": lambda path: write(path, RECORDS, encoding="utf-8-sig"),
    "utf16.csv": lambda path: write(path, RECORDS, encoding="utf-16"),
    "cp932.csv": lambda path: write(path, RECORDS, encoding="cp932"),
    "t.parquet": as_parquet,
    "t.jsonl": as_jsonl,
    "t.json": as_json,
    "t.xlsx": as_excel,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_reads_the_same(tmp_path, name):
    WRITERS[name](tmp_path / name)
    table = read(options(tmp_path / name, features=("year", "title"), caption="title"))
    assert table.read == 40
    assert table.dropped == {}
    assert table.rows.index.tolist() == list(range(40))
    assert table.rows.index.name == "row_id"
    assert table.rows["metric"].tolist() == [i / 10 for i in range(40)]
    assert table.rows["image"].tolist() == [f"{i}.jpg" for i in range(40)]
    assert table.rows["caption"].tolist() == [record["title"] for record in RECORDS]
    assert table.features["year"].tolist() == [float(year) for year in range(1990, 2030)]
    assert table.features["title"].tolist() == [record["title"] for record in RECORDS]
    assert [column.kind for column in table.columns] == ["image", "number", "category", "number"]
    assert table.preview.shape == (8, 4)
    assert table.preview.iloc[7].tolist() == ["7.jpg", "0.7", "=1+1", "1997"]


def test_western_text_is_not_mistaken_for_japanese(tmp_path):
    titles = ["Amélie", "Léon", "Das Boot – für “alle”", "Señor", "£5 naïve café", "Ça va"] * 7
    path = write(tmp_path / "t.csv", rows(42, title=titles), encoding="cp1252")
    assert read(options(path, caption="title")).rows["caption"].tolist() == titles


@pytest.mark.parametrize("titles", [["Amélie"] * 42, ["À la carte", "Noël"] * 21])
def test_accents_that_are_sound_cp932_bytes_are_still_accents(tmp_path, titles):
    path = write(tmp_path / "t.csv", rows(42, title=titles), encoding="cp1252")
    assert load(path)["title"].tolist() == titles


@pytest.mark.parametrize("titles", [["男", "女"] * 20, ["七人の侍"] * 40, ["東京物語 (1953)", "ｱﾆﾒ"] * 20])
def test_japanese_text_in_cp932(tmp_path, titles):
    path = write(tmp_path / "t.csv", rows(title=titles), encoding="cp932")
    assert load(path)["title"].tolist() == titles


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("image,rating,映画\n".encode() * 50 + b"a.jpg,\xff\n", "UTF-8 but for a damaged character in line 51"),
        (b"image,rating\n\x81\x8d\x90 \xff\xfe\x9d,1\n", "encoding of t.csv cannot be told"),
        (b"\xff\xfea\x00b", "damaged UTF-16"),
        (b"image,rating\na\x00b,1\n", "binary file"),
        (b"PK\x03\x04rest", "zip archive or an Excel workbook"),
        (b"PAR1rest", "Parquet"),
        (b"", "empty (zero bytes)"),
        (b"\n\n", "has no rows"),
        (b"image,rating\n", "has no rows"),
        (b"image,rating\na.jpg,1\nb.jpg,2,3\n", "table, row 2: t.csv has 3 cells in this row and 2 in its header"),
        (b"image,rating\na.jpg\n", "table, row 1: t.csv has 1 cells"),
        (b'image,rating\n"a.jpg,1\nb.jpg,2\n', "ends inside a quoted cell"),
        (b"image,rating,image\na,1,b\n", "more than one column named 'image'"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, content, says):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert says in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.parquet", b"PAR1 not really", "not a sound Parquet file"),
        ("t.xlsx", b"not a zip", "not a sound Excel workbook"),
        ("t.xls", b"\xd0\xcf\x11\xe0", "format that Yoin does not read"),
        ("t.jsonl", b'{"image": "a"}\n{"image":\n', "table, row 2: t.jsonl is not valid JSON"),
        ("t.jsonl", b'{"image": "a"}\n[1]\n', "table, row 2: t.jsonl holds something that is not an object"),
        ("t.jsonl", b'{"image": "a", "image": "b"}\n', "more than one value named 'image'"),
        ("t.json", b"[1, 2]", "not an object"),
        ("t.json", b"[]", "has no rows"),
        ("t.json", b"[" * 100_000, "not valid JSON"),
    ],
)
def test_bad_files_of_other_formats(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    assert says in refusal(path)


def test_a_zip_that_is_no_workbook(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "not a sound Excel workbook" in refusal(tmp_path / "t.xlsx")


def test_parquet_with_two_columns_of_one_name(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["image", "image"])
    pq.write_table(table, tmp_path / "t.parquet")
    assert "more than one column named 'image'" in refusal(tmp_path / "t.parquet")


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "movies.csv", rows())
    assert refusal(tmp_path / "Movie.csv").endswith("; use movies.csv.")
    assert "there is no folder" in refusal(tmp_path / "nowhere" / "movies.csv")


def test_a_folder_is_not_a_table(tmp_path):
    (tmp_path / "t.csv").mkdir()
    assert "is a folder" in refusal(tmp_path / "t.csv")


def test_excel_sheets(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["other"])
    book.active.append(["x"])
    page = book.create_sheet("Films")
    page.append([])
    page.append(["image", "rating", None])
    for i in range(35):
        page.append([f"{i}.jpg", i])
    page.append([None, None])
    book.save(tmp_path / "t.xlsx")
    assert read(options(tmp_path / "t.xlsx", sheet="Films")).read == 35
    assert "no sheet named 'films'; use one of: Sheet, Films" in refusal(tmp_path / "t.xlsx", sheet="films")
    assert "no column named 'rating'" in refusal(tmp_path / "t.xlsx")
    path = write(tmp_path / "t.csv", rows())
    assert "has no sheets" in refusal(path, sheet="Films")


def test_typed_cells_become_what_a_person_would_write(tmp_path):
    frame = pd.DataFrame(
        {
            "day": [datetime(2024, 1, 2), None],
            "moment": [datetime(2024, 1, 2, 3, 4), datetime(2024, 1, 2)],
            "whole": [7.0, None],
            "flag": [True, False],
            "tags": [["a", "b"], []],
            "date": [date(2020, 5, 6), None],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    loaded = load(tmp_path / "t.parquet")
    assert loaded.iloc[0].tolist() == ["2024-01-02", "2024-01-02 03:04:00", "7", "true", "a, b", "2020-05-06"]
    assert loaded.iloc[1].isna().tolist() == [True, False, True, False, True, True]


def test_json_lines_may_leave_values_out_and_hold_odd_ones(tmp_path):
    (tmp_path / "t.jsonl").write_text(
        '{"a": 1}\n\n{"b": {"x": [1]}, "a": NaN}\n{"b": "\\ud83d x\u2028y"}\n', encoding="utf-8"
    )
    loaded = load(tmp_path / "t.jsonl")
    assert loaded.fillna("").to_numpy().tolist() == [["1", ""], ["", '{"x": [1]}'], ["", "? x\u2028y"]]


def test_blank_lines_trailing_delimiters_and_unnamed_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",a\n1,x\n\n2,y,\n", encoding="utf-8")
    loaded = load(path)
    assert loaded.columns.tolist() == ["column 1", "a"]
    assert loaded["a"].tolist() == ["x", "y"]


def test_excels_own_delimiter_hint(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sep=;\na,b;c\n1;2\n", encoding="utf-8")
    assert load(path).columns.tolist() == ["a,b", "c"]


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_any_cells_come_back_as_written(tmp_path_factory, cells, delimiter):
    path = tmp_path_factory.mktemp("cells") / "t.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("left", "right"), *cells])
    path.write_bytes(text.getvalue().encode())
    expected = [[text if text.strip() else "" for text in row] for row in cells]
    assert load(path).fillna("").to_numpy().tolist() == expected


# --- columns ---


def test_a_wrong_column_gets_the_nearest_right_ones(tmp_path):
    path = write(tmp_path / "t.csv", rows(**{" Votes ": list(range(40))}))
    assert refusal(path, metric="Rating").endswith("; use 'rating'.")
    assert refusal(path, metric="ratng").endswith("; use 'rating'.")
    assert refusal(path, features=("votes",)).endswith("; use ' Votes '.")
    assert refusal(path, image="poster_url").endswith("; use one of its columns: 'image', 'rating', ' Votes '.")
    with pytest.raises(TableError):
        read(options(path, group="studio"))


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "rating"},
        {"caption": "rating"},
        {"group": "rating"},
        {"weight": "rating"},
        {"features": ("x", "rating")},
    ],
)
def test_the_metric_has_no_second_use(tmp_path, changes):
    assert "is used as the metric and as" in refusal(write(tmp_path / "t.csv", rows()), **changes)


def test_an_image_or_a_caption_is_needed(tmp_path):
    path = write(tmp_path / "t.csv", rows())
    assert "neither an image column nor a caption column" in refusal(path, image=None)
    assert "image" not in read(options(path, image=None, caption="image")).rows


# --- rows ---


def test_rows_left_out_are_counted_by_reason(tmp_path):
    records = rows(
        rating=["28,744", "1,000", "", "N/A", "n.c.", *range(35)],
        image=["", "  ", *(f"{i}.jpg" for i in range(38))],
        caption=["", *"abc" * 13],
        group=[*("g " * 30).split(), *[" g"] * 8, "", ""],
        weight=[*[1] * 20, "0", "-1", "x", "", *[2] * 16],
    )
    table = read(options(write(tmp_path / "t.csv", records), group="group", weight="weight", caption="caption"))
    assert table.dropped == {"no_metric": 2, "metric_not_a_number": 1, "bad_weight": 4, "no_group": 2}
    assert table.read == len(table.rows) + sum(table.dropped.values())
    assert table.rows["metric"].head(2).tolist() == [28744, 1000]
    assert table.rows["image"].isna().sum() == 2
    assert table.rows["caption"].isna().sum() == 1
    assert set(table.rows["group"]) == {"g"}
    assert table.rows["weight"].gt(0).all()
    assert table.rows.index.tolist()[:3] == [0, 1, 5]
    assert table.features.index.equals(table.rows.index)
    rating = next(column for column in table.columns if column.name == "rating")
    assert (rating.kind, rating.blanks, rating.unread, rating.unread_example) == ("number", 2, 1, "n.c.")
    assert (rating.low, rating.high) == ("0", "28744")


def test_limit_comes_before_everything(tmp_path):
    path = write(tmp_path / "t.csv", rows(rating=[*range(35), *["x"] * 5]))
    table = read(options(path, limit=35))
    assert (table.read, len(table.rows), table.columns[1].unread) == (35, 35, 0)
    with pytest.raises(NothingLeftError, match="only 20 of 20 rows are usable; give at least 30"):
        read(options(path, limit=20))


def test_a_metric_of_text_shows_a_cell_and_suggests_a_number(tmp_path):
    path = write(tmp_path / "t.csv", rows(rating=["", *["good"] * 39], votes=list(range(40))))
    message = refusal(path)
    assert message.startswith("table, row 2: the metric column 'rating' is not numeric: 'good' is not read as a number")
    assert message.endswith("use a numeric column, such as 'votes'.")


def test_a_metric_with_two_readings_is_not_guessed(tmp_path):
    path = write(tmp_path / "t.csv", rows(rating=["1.234", "1,234"] * 20))
    assert "could be read in two ways" in refusal(path)


def test_a_metric_missing_everywhere_leaves_nothing(tmp_path):
    path = write(tmp_path / "t.csv", rows(rating=["", "N/A"] * 20))
    with pytest.raises(NothingLeftError, match="blank in every row") as caught:
        read(options(path))
    assert caught.value.exit_code == 3


def test_a_constant_metric_has_nothing_to_explain(tmp_path):
    assert "has the same value in every row" in refusal(write(tmp_path / "t.csv", rows(rating=["5", "5.0"] * 20)))


def test_fewer_than_30_usable_rows_are_too_few(tmp_path):
    path = write(tmp_path / "t.csv", rows(rating=[*range(29), *[""] * 11]))
    with pytest.raises(NothingLeftError, match=r"only 29 of 40 rows are usable \(11 without a metric\)"):
        read(options(path))


# --- profiles ---


def test_kinds_of_columns(tmp_path):
    columns = {
        "number": [str(i) for i in range(40)],
        "code": [f"{i:03}" for i in range(40)],
        "text": [f"A film about {i} things, and more of them" for i in range(40)],
        "category": ["R", "PG"] * 20,
        "list": ["Drama, Crime", "Drama", "Comedy, Drama, War", "War, Crime"] * 10,
        "date": [f"2024-02-{1 + i % 28:02}" for i in range(40)],
        "day": [f"2024年2月{1 + i % 28}日" for i in range(40)],
        "url": [f"https://example.org/{i}.jpg" for i in range(39)] + ["n/a"],
        "empty": ["", " "] * 20,
        "mixed": [str(i) for i in range(30)] + [f"about {i}" for i in range(10)],
        "nearly": [str(i) for i in range(38)] + ["many", ""],
    }
    names = tuple(columns)
    table = read(options(write(tmp_path / "t.csv", rows(**columns)), features=names))
    profiles = {column.name: column for column in table.columns}
    assert {name: profiles[name].kind for name in names} == {
        "number": "number", "code": "text", "text": "text", "category": "category", "list": "list", "date": "date",
        "day": "date", "url": "url", "empty": "empty", "mixed": "text", "nearly": "number",
    }  # fmt: skip
    assert (profiles["date"].low, profiles["date"].high) == ("2024-02-01", "2024-02-28")
    assert (profiles["url"].unread, profiles["url"].unread_example) == (1, "n/a")
    assert profiles["empty"].blanks == 40
    assert (profiles["nearly"].unread, profiles["nearly"].blanks) == (1, 1)
    assert profiles["category"].distinct == 2
    assert profiles["category"].examples == ("R", "PG")
    assert profiles["image"].kind == "image"
    assert table.features["code"].iloc[7] == "007"
    assert table.features["mixed"].tolist() == columns["mixed"]
    assert table.features["nearly"].isna().sum() == 2
    assert table.features["empty"].isna().all()


def test_real_posters():
    path = DATA / "posters" / "posters.csv"
    if not path.exists():
        pytest.skip(f"needs {path}")
    table = read(options(path, features=("year", "genres")))
    assert (table.read, len(table.rows), table.dropped) == (2000, 2000, {})
    assert {column.name: column.kind for column in table.columns} == {
        "image": "image", "rating": "number", "votes": "number", "title": "text", "year": "number", "genres": "list",
        "runtime_min": "number", "tconst": "text",
    }  # fmt: skip


def test_real_captions_with_memorability():
    path = DATA / "videomem" / "videomem.csv"
    if not path.exists():
        pytest.skip(f"needs {path}")
    table = read(TableOptions(table=path, metric="memorability", caption="caption", group="caption"))
    assert len(table.rows) == table.read
    assert table.rows["metric"].between(0, 1).all()
