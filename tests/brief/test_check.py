from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from yoin.brief.check import Line, Share, unsupported
from yoin.report.words import Unit, count, percent

FACTS = {"barn": [1.4305, -0.25, 98765.0, 1234, 40, 3, Share(0.576), Share(0.312)], "": []}


def wrong(said: str) -> list[str]:
    """The numbers that are not there."""
    names = ("3 people",)
    return [one.removesuffix(f" in: {said.format(*names)}") for one in unsupported([Line(said, "barn", names)], FACTS)]


@pytest.mark.parametrize(
    "said",
    [
        "it is +1.43", "it is 1.4", "it is 1", "0.25 lower", "−0.25", "-0.3", "1,234 rows", "1234", "57.6% of it",
        "58%", "1.43e+00", "9.9e+04", "98,765", "no number", "in {0} of it", "about 31%", "0.58", "58 percent",
        "31–58%", "31% to 57.6%", "between 40 and 1,234", "3 in 40", "three in 40", "40 of 1,234", "R² is 31%",
        "１，２３４行", "５８％", "31〜58％", "1\u202f234 rows", "1,234 and 40,1.4", "of it (-0.25)", "差は-0.25",
        "３枚", "one of them, and the first", "1.43.",
    ],
)  # fmt: skip
def test_a_number_of_the_table_passes(said: str) -> None:
    assert wrong(said) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("it is +1.44", "+1.44"), ("it is 1.5", "1.5"), ("it is 2", "2"), ("+0.25", "+0.25"), ("−1.43", "-1.43"),
        ("1,235 rows", "1,235"), ("57.7%", "57.7%"), ("57.6", "57.6"), ("1.44e+00", "1.44e+00"), ("about 3.7", "3.7"),
        ("x7", "7"), ("{0} 7", "7"), ("٣.٧", "3.7"), ("1.44.", "1.44"), (".44", ".44"), ("差は+0.25", "+0.25"),
        # rounded too far, whatever stands before it
        ("about 30%", "30%"), ("some 1,200 rows", "1,200"), ("over 60%", "60%"), ("1.2e+03", "1.2e+03"),
        # of another unit
        ("143%", "143%"), ("25%", "25%"), ("3%", "3%"), ("40 percent", "40 percent"), ("31 rows", "31"),
        ("３０％", "30%"), ("31‰", "31"),
        ("1.43k", "1.43"), ("1 thousand", "1"), ("3x", "3"), ("3 times", "3"), ("3-fold", "3"), ("3倍", "3"),
        ("3割", "3"), ("v3", "3"), ("3rd", "3"),
        # a ratio of what is no count, and numbers in words
        ("1 in 3", "1"), ("1 in three", "1"), ("1 out of 40", "1"), ("3/4", "4"), ("58-60%", "60%"), ("30–58%", "30"),
        ("three of four", "four"), ("a third of them", "a third of"), ("half of them", "half"), ("twice", "twice"),
        ("a dozen", "dozen"), ("thirty percent", "thirty"), ("one in three", "one in "), ("三割", "三割"),
        ("半分", "半分"), ("½ of it", "½"),
        # thousands and dates
        ("1,23", "23"), ("12,34", "12"), ("1.234", "1.234"), ("2024-03-01", "2024"), ("03/40/3", "03"),
        ("1 234", "234"),
    ],
)  # fmt: skip
def test_a_number_that_is_not_there_is_found(said: str, found: str) -> None:
    assert found in wrong(said)


def test_a_share_is_no_whole_number() -> None:
    assert unsupported([Line("it is 1", "a")], {"a": [Share(0.576)]}) == ["1 in: it is 1"]


def test_a_number_of_another_subject_does_not_count() -> None:
    assert unsupported([Line("it is 1.43", "sea"), Line("1.43")], FACTS) == ["1.43 in: it is 1.43", "1.43 in: 1.43"]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e5), st.integers(0, 10**7), st.floats(0, 1))
def test_whatever_the_report_writes_is_supported(value: float, sd: float, rows: int, share: float) -> None:
    unit = Unit.of("m", sd)
    said = f"{unit.signed(value)} and {unit.plain(value)}, {count(rows)}, {percent(share, 1)}"
    assert unsupported([Line(said, "a")], {"a": [value, rows, Share(share)]}) == []


NUMBERS = st.decimals(-2000, 2000, places=4)


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.integers(0, 4), st.data())
def test_a_number_passes_where_it_is_one_of_the_table_rounded_as_shown(
    table: list[Decimal], places: int, data: st.DataObject
) -> None:
    near = st.sampled_from(table).map(lambda one: one + data.draw(st.decimals(-3, 3, places=4)) / 10**places)
    shown = round(data.draw(st.one_of(NUMBERS, near)), places)
    assume(not shown.is_zero())  # which has no sign
    half = Decimal(5) / 10 ** (places + 1)
    gaps = [abs(shown - value) for value in table]
    assume(all(gap == 0 or abs(gap - half) > Decimal("1e-9") for gap in gaps))  # a tie may go either way
    passes = unsupported([Line(f"it is {shown:+,.{places}f}", "a")], {"a": [float(value) for value in table]}) == []
    assert passes == any(gap <= half for gap in gaps)


@given(st.decimals(0, 1, places=5), st.integers(0, 3), st.integers(0, 100_000))
def test_a_percentage_passes_where_it_is_a_share_rounded_as_shown(share: Decimal, places: int, written: int) -> None:
    half = Decimal(5) / 10 ** (places + 1)
    for shown in (round(100 * share, places), Decimal(written) / 1000):
        shown = round(shown, places)
        gap = abs(shown - 100 * share)
        assume(abs(gap - half) > Decimal("1e-9"))
        said = [Line(f"{shown:.{places}f}%", "a")]
        assert (unsupported(said, {"a": [Share(share)]}) == []) == (gap <= half)
        assert unsupported(said, {"a": [float(share), float(100 * share), 30]}) != []


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_count_is_exact(rows: int, written: int) -> None:
    assert unsupported([Line(f"{rows:,} rows", "a")], {"a": [rows]}) == []
    assert (unsupported([Line(f"{written} rows", "a")], {"a": [rows]}) == []) == (written == rows)
