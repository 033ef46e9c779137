from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.report import words


@given(st.text())
def test_offsets_are_those_of_utf_16(text: str) -> None:
    offsets = words.utf16_offsets(text)
    # surrogatepass: Python's strings may hold half a pair, and so may a script's
    units = text.encode("utf-16-le", "surrogatepass")
    for start in range(len(text)):
        piece = units[2 * offsets[start] : 2 * offsets[start + 1]]
        assert piece.decode("utf-16-le", "surrogatepass") == text[start]
    assert 2 * offsets[-1] == len(units)


def test_an_emoji_counts_twice() -> None:
    assert words.utf16_offsets("a🙂b") == [0, 1, 3, 4]


@given(st.text())
def test_clean_text_can_be_written_and_keeps_its_offsets(text: str) -> None:
    made = words.clean(text)
    assert len(made) == len(text)
    assert not any(ord(character) < 32 and character not in "\t\n" for character in made)
    made.encode("utf-8")


@pytest.mark.parametrize(
    ("sd", "value", "written"),
    [
        (1.08, 6.1234, "6.12"),
        (0.012, 0.03456, "0.0346"),
        (28744.0, 1234567.8, "1,234,568"),
        (1.08, -0.001, "0.00"),
        (1.08, -1.5, "−1.50"),
        (1e-9, 1.5e-9, "1.50e-09"),
        (None, 1.0, "1.00"),
    ],
)
def test_numbers_fit_the_spread_of_the_metric(sd: float | None, value: float, written: str) -> None:
    assert words.Unit.of("m", sd).plain(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.5, "+0.50"), (-0.5, "−0.50"), (0.0, "0.00"), (-0.001, "0.00"), (0.001, "0.00")]
)
def test_signs_are_shown_where_there_is_a_difference(value: float, written: str) -> None:
    assert words.Unit.of("m", 1.0).signed(value) == written


@pytest.mark.parametrize("value", [None, math.nan, math.inf, pd.NA, np.float64("nan"), "text"])
def test_what_is_no_number_is_a_dash(value: object) -> None:
    unit = words.Unit.of("m", 1.0)
    assert {
        unit.plain(value),
        unit.signed(value),
        words.fixed(value),
        words.count(value),
        words.probability(value),
        words.percent(value),
        words.points(value),
        words.duration(value),
    } == {words.NONE}


def test_small_numbers_read_as_people_write_them() -> None:
    assert words.probability(0.0004) == "< 0.001"
    assert words.probability(0.0496) == "0.050"
    assert words.percent(0.433) == "43%"
    assert words.points(-0.01) == "0.0%"
    assert words.points(-3) == "−3.0%"
    assert words.count(12345) == "12,345"
    assert [words.duration(value) for value in (3.21, 61, 7260)] == ["3.2 s", "1 min 1 s", "2 h 1 min"]


def test_codes_become_words_and_sentences_stay() -> None:
    sentences = {"bomb": "The image has more pixels than the limit."}
    assert words.code_in_words("not_found", sentences) == "not found"
    assert words.code_in_words("bomb", sentences) == "The image has more pixels than the limit."
    assert words.code_in_words("bad_weight", sentences) == "the weight is not a number above 0"
    assert words.code_in_words("The API_KEY is wrong.", sentences) == "The API_KEY is wrong."


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.02, "0.1 s"), (4.2, "4.2 s"), (9.96, "10 s"), (12.4, "12 s"), (59.6, "1 min 0 s"), (65, "1 min 5 s"),
     (3720, "1 h 2 min"), (math.nan, "–")],
)  # fmt: skip
def test_a_videos_length_is_short(seconds: float, written: str) -> None:
    assert words.length(seconds) == written


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (9960, "10 kB"), (48_300_000, "48 MB"),
     (999_600_000, "1.0 GB"), (2.5e16, "25000 TB"), (None, "–")],
)  # fmt: skip
def test_sizes_have_a_fitting_unit(size: float | None, written: str) -> None:
    assert words.size(size) == written


def test_options_are_flattened_in_order() -> None:
    given_options = {"b": {"y": (1, 2), "x": None}, "a": ""}
    assert words.flat(given_options) == [("b.y", "1, 2"), ("b.x", "–"), ("a", "–")]
