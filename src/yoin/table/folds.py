"""Folds: rows that belong together stay together."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import pandas as pd

from yoin.errors import UsageError


def assign_folds(labels: Sequence[pd.Series], k: int, seed: int) -> np.ndarray:
    """Deal rows into folds so that rows sharing a label never part.

    Rows that share any label (the same image, caption or group), directly or through other rows, form a block.
    Blocks are shuffled with ``seed`` and dealt, largest first, each to the smallest fold so far.

    Args:
        labels: one or more Series of length n, aligned by position; NA is no label.
        k: the number of folds wanted, at least 2; fewer blocks than ``k`` make as many folds as blocks.
        seed: of the shuffle.

    Returns:
        int64 array (n,) with values 0 to k - 1, every fold non-empty. Without shared labels the sizes of the folds
        differ by at most 1.

    Raises:
        UsageError: all rows form fewer than two blocks.
        ValueError: no labels, labels of different lengths, or ``k`` below 2.
    """
    if not labels or len({len(series) for series in labels}) != 1:
        raise ValueError("labels must be one or more Series of the same length")
    if k < 2:
        raise ValueError("k must be at least 2")
    block_of_row = blocks(labels)
    sizes = np.bincount(block_of_row)
    if len(sizes) < 2:
        raise UsageError(
            "all usable rows share one image, caption or group, so no model can be tested on rows it has not seen",
            stage="table",
            remedy="use rows from at least two, or another --group",
        )
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold_of_block = np.empty(len(sizes), dtype=np.int64)
    folds = [(0, fold) for fold in range(min(k, len(sizes)))]  # a heap of (rows so far, fold)
    for block in order:
        rows, fold = folds[0]
        fold_of_block[block] = fold
        heapq.heapreplace(folds, (rows + int(sizes[block]), fold))
    folds_of_rows: np.ndarray = fold_of_block[block_of_row]
    return folds_of_rows


def blocks(labels: Sequence[pd.Series]) -> np.ndarray:
    """Return the block of each row, int64 (n,) counted from 0: rows that share any label, directly or through others.

    Blocks are the connected components of the graph that joins rows to their labels; NA is no label.
    """
    from scipy.sparse import coo_array  # reading a table does without it
    from scipy.sparse.csgraph import connected_components

    n = len(labels[0])
    if not n:
        return np.empty(0, dtype=np.int64)
    rows, nodes, next_node = [], [], n
    for series in labels:
        codes, distinct = pd.factorize(series)
        named = np.flatnonzero(codes >= 0)
        rows.append(named)
        nodes.append(codes[named] + next_node)
        next_node += len(distinct)
    row, node = np.concatenate(rows), np.concatenate(nodes)
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, node)), shape=(next_node, next_node))
    components = connected_components(graph, directed=False)[1][:n]
    numbered: np.ndarray = pd.factorize(components)[0]  # numbered by first appearance, labels without rows left out
    return numbered
