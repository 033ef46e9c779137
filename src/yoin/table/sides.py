"""Two sides drawn from a table: rows that choose something, and rows that judge the choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from yoin.errors import NothingLeftError
from yoin.table.folds import blocks

FEWEST_BLOCKS = 5  # on either side, where there are as many: one for each fold


def two_sides(
    labels: Sequence[pd.Series], sample: int, seed: int, *, used: np.ndarray, fewest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows that choose, and rows that are locked away from the choice.

    Rows that share a label never come to both sides. Rows that helped to choose before come first to choose again, and
    never to the other side; so the same call with these marked draws the same rows.

    Args:
        labels: of the n rows, as for `yoin.table.blocks`.
        sample: rows wanted on each side; the first has at most half of all.
        seed: of the draw.
        used: (n,) whether a row helped to choose before.
        fewest: rows on either side.

    Returns:
        positions of the rows of either side, ascending.

    Raises:
        NothingLeftError: a side has too few rows, or all its rows belong together.
    """
    block = blocks(labels)
    rows, random = len(block), np.random.default_rng(seed)
    priority = random.random(rows)  # which rows of blocks that hold more than are wanted
    order = random.permutation(block.max(initial=-1) + 1)
    before = np.isin(order, block[used])
    order = np.concatenate([order[before], order[~before]])
    sizes = np.bincount(block, minlength=len(order))
    half = rows // 2
    first = _take(order, sizes, wanted=min(sample, half), most=half)
    second = _take(order[~np.isin(order, [*first, *block[used]])], sizes, wanted=sample, most=rows)
    sides = []
    for taken, wanted in ((first, min(sample, half)), (second, sample)):
        members = np.flatnonzero(np.isin(block, taken))
        if len(members) < fewest or len(taken) < 2:
            raise NothingLeftError(
                f"{rows} rows are too few, or too many of them belong together: "
                f"at least {fewest} are needed to choose, and {fewest} others to judge the choice",
                stage="table",
                remedy="use a table with more rows",
            )
        turn = pd.Series(priority[members]).groupby(block[members]).rank().to_numpy()
        picked = np.lexsort((priority[members], turn))[:wanted]  # one row of every block, then a second one, …
        sides.append(np.sort(members[picked]))
    return sides[0], sides[1]


def _take(order: np.ndarray, sizes: np.ndarray, *, wanted: int, most: int) -> list[int]:
    """The first blocks of ``order`` that hold the rows wanted, and are enough; too large ones are passed over."""
    taken: list[int] = []
    total = 0
    for block in order:
        if total >= wanted and len(taken) >= FEWEST_BLOCKS:
            break
        if total + sizes[block] <= most:
            taken.append(int(block))
            total += int(sizes[block])
    return taken
