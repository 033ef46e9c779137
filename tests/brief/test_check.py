from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.brief.check import Line, unsupported
from yoin.report.words import Unit, percent

FACTS = {"barn": [1.4305, -0.25, 1234.0, 0.576], "": []}


@pytest.mark.parametrize(
    "said",
    [
        "it is +1.43", "it is 1.4", "it is 1", "0.25 lower", "−0.25", "-0.3", "1,234 rows", "57.6% of it", "58%",
        "1.43e+00", "1.2e+03", "no number", "in {0} of it",
    ],
)  # fmt: skip
def test_a_number_of_the_table_passes(said: str) -> None:
    assert unsupported([Line(said, "barn", ("3 people",))], FACTS) == []


@pytest.mark.parametrize(
    "said",
    [
        "it is +1.44", "it is 1.5", "it is 2", "+0.25", "−1.43", "1,235 rows", "57.7%", "57.6", "1.44e+00", "about 3.7",
        "x7", "{0} 7", "٣",
    ],
)  # fmt: skip
def test_a_number_that_is_not_there_is_found(said: str) -> None:
    (found,) = unsupported([Line(said, "barn", ("3 people",))], FACTS)
    assert found.endswith(f"in: {said.format('3 people')}")


def test_a_number_of_another_subject_does_not_count() -> None:
    assert unsupported([Line("it is 1.43", "sea"), Line("1.43")], FACTS) == ["1.43 in: it is 1.43", "1.43 in: 1.43"]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e5))
def test_whatever_the_report_writes_is_supported(value: float, sd: float) -> None:
    unit = Unit.of("m", sd)
    said = f"{unit.signed(value)} and {unit.plain(value)}, {percent(value / 1e6, 1)}"
    assert unsupported([Line(said, "a")], {"a": [value, value / 1e6]}) == []
