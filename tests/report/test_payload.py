from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from yoin.report.payload import (
    Explained,
    Row,
    choose_examples,
    concept_rows,
    first_rows,
    marks_of,
    read_rows,
    rows_that_fit,
)
from yoin.values import CAPTION_COLUMNS, EXPLANATION_COLUMNS, OCCURRENCE_COLUMNS, PREDICTION_COLUMNS


def row(
    row_id: int, metric: float | None = 0.0, *, caption: str = "", media_id: str = "", explained: bool = False
) -> Row:
    return Row(row_id, media_id, "", caption, metric, None, Explained(0, 0, []) if explained else None)


def occurrences(*found: tuple[int, str, int, int, bool]) -> pd.DataFrame:
    return pd.DataFrame([(*one, one[1]) for one in found], columns=list(OCCURRENCE_COLUMNS))


def test_a_mention_under_a_negation_does_not_count() -> None:
    rows = {number: row(number) for number in range(3)}
    table = occurrences((0, "text", 0, 4, False), (1, "text", 3, 7, True), (9, "text", 0, 4, False))
    assert concept_rows(table, ["text", "other"], rows) == [[0], []]


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=60), st.sets(st.integers(0, 59)), st.integers(0, 8))
def test_examples_are_on_their_side_distinct_and_as_many_as_asked(
    values: list[float], held: set[int], count: int
) -> None:
    rows = {number: row(number, value) for number, value in enumerate(values)}
    found = choose_examples(rows, sorted(held & rows.keys()), count)
    assert set(found.rows_with) <= held
    assert not set(found.rows_without) & held
    for side, size in ((found.rows_with, len(held & rows.keys())), (found.rows_without, len(rows.keys() - held))):
        assert len(side) == len(set(side)) == min(count, size)
        assert [values[number] for number in side] == sorted(values[number] for number in side)


def test_examples_spread_over_the_metric_and_prefer_explained_rows() -> None:
    rows = {number: row(number, float(number), explained=number % 10 == 0) for number in range(100)}
    assert choose_examples(rows, list(range(100)), 5).rows_with == [10, 30, 50, 70, 90]
    few = {number: row(number, float(number), explained=number == 99) for number in range(100)}
    assert 99 in choose_examples(few, list(range(100)), 4).rows_with


def test_the_same_image_is_shown_once() -> None:
    rows = {number: row(number, float(number), media_id="same") for number in range(5)}
    assert len(choose_examples(rows, [0, 1, 2, 3, 4], 3).rows_with) == 1


@given(st.sets(st.integers(0, 40), min_size=1), st.sets(st.integers(0, 40)))
def test_every_row_is_in_the_order_once(ids: set[int], explained: set[int]) -> None:
    rows = {number: row(number, explained=number in explained) for number in sorted(ids)}
    first, rest = first_rows(rows, [])
    assert sorted(first + rest) == sorted(ids)
    assert set(first) == ids & explained


def test_what_does_not_fit_is_left_out_from_the_end_of_the_order() -> None:
    rows = {number: row(number, caption="猫" * 100) for number in range(10)}  # 300 bytes each
    order = [9, 0, 8, 1, 7, 2, 6, 3, 5, 4]
    assert rows_that_fit(rows, order, budget=4 * 360) == [0, 1, 8, 9]
    assert rows_that_fit(rows, order) == list(range(10))


def test_marks_are_ordered_apart_and_inside_the_caption() -> None:
    shown = [row(0, caption="🙂 big big"), row(1, caption="big")]
    places = [(0, 6, 9, False), (0, 2, 5, False), (0, 3, 5, False), (1, 0, 99, False), (1, 0, 3, True)]
    table = occurrences(*((row_id, "big", start, end, negated) for row_id, start, end, negated in places))
    assert marks_of(table, "big", shown) == [[3, 6, 7, 10], [0, 3]]


def test_an_image_inside_the_table_is_no_name() -> None:
    captions = pd.DataFrame([(row_id, None, "a", "ok", "", "c", "1", "") for row_id in range(3)],
                            columns=list(CAPTION_COLUMNS))  # fmt: skip
    labels = pd.Series(["data:image/png;base64," + "A" * 9000, " DATA:,x", "a/data:b.png"])
    spans, predictions = (pd.DataFrame(columns=list(names)) for names in (EXPLANATION_COLUMNS, PREDICTION_COLUMNS))
    found = read_rows(captions, pd.Series([1.0, 2.0, 3.0]), labels, predictions, spans, "m")
    assert [found[row_id].label for row_id in range(3)] == ["", "", "a/data:b.png"]
