import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.table import parse_numbers


def read(*cells: str | None) -> list[float | str | None]:
    """The values, None where blank and "unread" where not read."""
    values, unread, _ = parse_numbers(pd.Series(cells, dtype="string"))
    assert values.dtype == np.float64
    assert unread.dtype == bool
    return [
        "unread" if bad else None if math.isnan(value) else value for value, bad in zip(values, unread, strict=True)
    ]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("28,744", 28744), ("1,234,567.5", 1234567.5), ("1 234", 1234), ("1\u202f234", 1234), ("1'234", 1234),
        ("1,234", 1234), ("1.234", 1.234), ("1.234.567", 1234567), ("1.234,5", 1234.5), ("3,5", 3.5), ("0,123", 0.123),
        ("7", 7), ("007", 7), (" 7 ", 7), ("+5", 5), ("-5", -5), ("\u22125", -5), ("- 5", -5), (".5", 0.5), ("5.", 5),
        ("1e3", 1000), ("2.5E-3", 0.0025), ("12%", 0.12), ("12 ％", 0.12), ("-1.5%", -0.015),
        ("$5", 5), ("-$5", -5), ("$-5", -5), ("1,200 €", 1200), ("£3.50", 3.5), ("￥1,200", 1200), ("1200円", 1200),
        ("１２．５", 12.5), ("(12)", -12), ("($1,200.50)", -1200.5), ("true", 1), ("FALSE", 0),
    ],
)  # fmt: skip
def test_one_cell_as_a_person_means_it(cell, value):
    assert read(cell) == [pytest.approx(value)]


@pytest.mark.parametrize(
    "cell", ["-", "–", "—", "N/A", "n/a", "NA", "nan", "NULL", "None", "", "  ", "\\N", "#N/A", None]
)
def test_blanks(cell):
    assert read(cell, "1") == [None, 1]


@pytest.mark.parametrize(
    "cell",
    [
        "1.2k", "3M", "inf", "-Infinity", "1e999", "12 34", "1,23,456", "1_000", "0x10", "5²", "½", "٣", "1/2", "--5",
        "(-5)", "(5", "5)", "$5€", "5%%", "$5%", "1,2,3", "1.2.3", "12-", "7.5/10", "a", ",", ".", "e5", "1 2,5", "?",
        "9" * 70,
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_unread_and_never_guessed(cell):
    assert read(cell, "1") == ["unread", 1]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,234", "5.5"], [1234, 5.5]),
        (["3,5", "4,25", "7"], [3.5, 4.25, 7]),
        (["1,234", "0,512"], [1.234, 0.512]),  # commas with three digits behind them are decimal here
        (["1.234", "1.234,5"], [1234, 1234.5]),
        (["3,5", "1,234"], [3.5, "unread"]),  # could be 1234 or 1.234
        (["1,234", "1.234"], ["unread", "unread"]),
        (["3.5", "4,5", "1.5"], [3.5, "unread", 1.5]),
        (["3.5", "4,5"], ["unread", "unread"]),
        ([*["1,234"] * 40, "3,5"], [*[1234] * 40, "unread"]),  # one stray cell does not turn the column
        ([*["1,5"] * 40, "3.5"], [*[1.5] * 40, "unread"]),
        (["12%", "50 %", None], [0.12, 0.5, None]),
        (["12%", "13%", "5"], [0.12, 0.13, "unread"]),
        (["12%", "5", "6"], ["unread", 5, 6]),
        (["12%", "5"], ["unread", 5]),
        (["$5", "$6", "€7", "8"], [5, 6, "unread", 8]),
        (["$5", "€7", "8"], ["unread", "unread", 8]),
        (["¥5", "6円"], [5, 6]),
    ],
)
def test_the_convention_is_the_columns(cells, values):
    assert read(*cells) == [value if isinstance(value, str | None) else pytest.approx(value) for value in values]


def test_the_note_says_what_signs_were_taken_to_mean():
    notes = {
        cells: parse_numbers(pd.Series(cells))[2]
        for cells in [("7", "8"), ("1,234",), ("3,5",), ("5%",), ("1,5", "2.5")]
    }
    assert notes["7", "8"] == ""
    assert notes["1,234",] == "a comma separates thousands"
    assert notes["3,5",] == "a comma is the decimal sign"
    assert notes["5%",] == "a percent sign means hundredths"
    assert "mixed" in notes["1,5", "2.5"]


def test_index_name_and_numeric_input_are_kept():
    cells = pd.Series([1.5, np.nan, np.inf], index=[7, 3, 9], name="x")
    values, unread, note = parse_numbers(cells)
    assert values.index.tolist() == unread.index.tolist() == [7, 3, 9]
    assert values.name == "x"
    assert values.tolist()[0] == 1.5
    assert values.isna().tolist() == [False, True, True]
    assert unread.tolist() == [False, False, True]
    assert note == ""


def test_an_empty_column_has_no_numbers():
    values, unread, note = parse_numbers(pd.Series([], dtype="string"))
    assert (len(values), len(unread), note) == (0, 0, "")
    assert read(None, None) == [None, None]


finite = st.floats(allow_nan=False, allow_infinity=False)
cents = st.decimals(-10_000_000, 10_000_000, places=2).map(float)


@given(st.lists(finite, min_size=1))
def test_plain_floats_come_back_exactly(numbers):
    assert read(*map(repr, numbers)) == numbers


@given(st.lists(cents, min_size=1), st.sampled_from([",", " ", "'", "\u00a0", ""]))
def test_grouped_amounts_with_a_point_come_back(numbers, separator):
    assert read(*(f"{number:,.2f}".replace(",", separator) for number in numbers)) == numbers


@given(st.lists(cents, min_size=1), st.sampled_from([".", " ", "\u202f", ""]))
def test_grouped_amounts_with_a_decimal_comma_come_back(numbers, separator):
    swap = str.maketrans({",": separator, ".": ","})
    assert read(*(f"{number:,.2f}".translate(swap) for number in numbers)) == numbers


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1))
def test_grouped_whole_numbers_come_back(numbers):
    assert read(*(f"{number:,}" for number in numbers)) == numbers


@given(st.lists(st.integers(-1000, 1000), min_size=1))
def test_percentages_come_back(numbers):
    assert read(*(f"{number}%" for number in numbers)) == [pytest.approx(number / 100) for number in numbers]


@given(st.lists(st.text(max_size=12)), st.randoms())
def test_any_text_is_a_number_a_blank_or_unread_whatever_its_place(cells, random):
    outcome = read(*cells)
    order = list(range(len(cells)))
    random.shuffle(order)
    assert read(*(cells[place] for place in order)) == [outcome[place] for place in order]
