"""Rows that choose and rows that judge: apart, whatever belongs together, and the same again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.errors import NothingLeftError
from yoin.table import blocks, two_sides

FRESH = np.zeros(0, dtype=bool)


def draw(labels: pd.Series, sample: int, seed: int = 1, used: np.ndarray = FRESH) -> tuple[np.ndarray, np.ndarray]:
    marks = used if len(used) else np.zeros(len(labels), dtype=bool)
    return two_sides([labels], sample, seed, used=marks, fewest=30)


@given(st.integers(60, 300), st.integers(1, 12), st.integers(30, 200), st.integers(0, 5))
def test_the_sides_share_no_block_and_are_drawn_alike_when_they_are_marked(
    rows: int, most: int, sample: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    labels = pd.Series(random.integers(0, max(2, rows // most), rows))
    try:
        first, second = draw(labels, sample, seed)
    except NothingLeftError:
        assert rows < 2 * (30 + 5 * most)  # or there are enough rows, and of small enough blocks
        return
    assert min(len(first), len(second)) >= 30
    assert len(first) <= min(sample, rows // 2)
    assert len(second) <= sample
    block = blocks([labels])
    assert not set(block[first]) & set(block[second])
    for side in (first, second):
        assert (np.diff(side) > 0).all()
    used = np.isin(np.arange(rows), first)
    again = draw(labels, sample, seed, used)
    np.testing.assert_array_equal(again[0], first)
    np.testing.assert_array_equal(again[1], second)


def test_single_rows_give_exactly_what_is_asked_for() -> None:
    first, second = draw(pd.Series(range(1000)), 200)
    assert (len(first), len(second)) == (200, 200)
    first, second = draw(pd.Series(range(300)), 200)
    assert (len(first), len(second)) == (150, 150)
    other, _ = draw(pd.Series(range(300)), 200, seed=2)
    assert set(other) != set(first)


def test_rows_that_chose_before_choose_first_and_are_never_locked() -> None:
    labels = pd.Series(range(400))
    used = np.zeros(400, dtype=bool)
    used[50:150] = True
    first, second = draw(labels, 120, used=used)
    assert set(range(50, 150)) < set(first)
    assert len(first) == 120
    first, second = draw(labels, 60, used=used)
    assert set(first) < set(range(50, 150))
    assert not set(second) & set(range(50, 150))


def test_groups_larger_than_the_sample_are_sampled_from_several() -> None:
    labels = pd.Series(np.repeat(np.arange(12), 500))
    first, second = draw(labels, 200)
    assert (len(first), len(second)) == (200, 200)
    for side in (first, second):
        assert len(set(labels[side])) >= 5
    assert not set(labels[first]) & set(labels[second])


@pytest.mark.parametrize("labels", [range(59), [0] * 500, [0] * 470 + [*range(1, 31)], [0] * 250 + [1] * 250])
def test_too_few_rows_or_too_much_that_belongs_together(labels: list[int]) -> None:
    with pytest.raises(NothingLeftError, match=f"{len(labels)} rows are too few, or too many of them belong together"):
        draw(pd.Series(labels), 200)
