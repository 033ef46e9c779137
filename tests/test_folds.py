import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.errors import UsageError
from yoin.table import assign_folds

labels = st.integers(2, 40).flatmap(
    lambda n: st.lists(
        st.lists(st.one_of(st.none(), st.sampled_from("abcdefghij")), min_size=n, max_size=n), min_size=1, max_size=3
    )
)


def blocks_by_hand(columns: list[list[str | None]]) -> list[int]:
    """Union of rows by repeated relabelling: slow, and obviously right."""
    block = list(range(len(columns[0])))
    for _ in block:
        for column in columns:
            for i, left in enumerate(column):
                for j, right in enumerate(column):
                    if left is not None and left == right:
                        block[i] = block[j] = min(block[i], block[j])
    return block


@given(labels, st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_rows_that_share_a_label_share_a_fold_and_folds_are_as_even_as_dealt(columns, k, seed):
    blocks = blocks_by_hand(columns)
    series = [pd.Series(column, dtype="string") for column in columns]
    sizes = pd.Series(blocks).value_counts()
    if len(sizes) < 2:
        with pytest.raises(UsageError, match="share one image, caption or group"):
            assign_folds(series, k, seed)
        return
    folds = assign_folds(series, k, seed)
    assert folds.dtype == np.int64
    assert set(folds) == set(range(min(k, len(sizes))))
    assert pd.Series(folds).groupby(blocks).nunique().eq(1).all()
    spread = np.bincount(folds)
    assert spread.max() - spread.min() <= sizes.max()
    assert (folds == assign_folds(series, k, seed)).all()


@given(st.integers(2, 300), st.integers(2, 10), st.integers(0, 1000))
def test_without_shared_labels_sizes_differ_by_at_most_one(n, k, seed):
    folds = assign_folds([pd.Series([f"m{i}" for i in range(n)])], k, seed)
    sizes = np.bincount(folds)
    assert len(sizes) == min(n, k)
    assert sizes.max() - sizes.min() <= 1


def test_na_is_no_label_and_the_index_does_not_matter():
    folds = assign_folds([pd.Series([None] * 10, index=range(50, 60)), pd.Series([np.nan] * 10)], 5, 0)
    assert np.bincount(folds).tolist() == [2, 2, 2, 2, 2]


def test_seeds_shuffle():
    rows = pd.Series(range(100))
    assert (assign_folds([rows], 5, 1) != assign_folds([rows], 5, 2)).any()


def test_a_chain_of_labels_is_one_block():
    images = pd.Series(["a", "a", "b", "b", "c"])
    groups = pd.Series(["x", "y", "y", "z", "w"])
    folds = assign_folds([images, groups], 5, 0)
    assert len(set(folds[:4])) == 1
    assert folds[4] != folds[0]


@pytest.mark.parametrize(
    ("given_labels", "k"), [([], 5), ([pd.Series([1, 2]), pd.Series([1])], 5), ([pd.Series([1])], 1)]
)
def test_a_wrong_call_is_a_value_error(given_labels, k):
    with pytest.raises(ValueError, match="must be"):
        assign_folds(given_labels, k, 0)


def test_no_rows_are_no_blocks():
    with pytest.raises(UsageError):
        assign_folds([pd.Series([], dtype="string")], 5, 0)
