from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tests.drivers.plain import estimate_drivers
from yoin.drivers.effects import Shared, share
from yoin.drivers.interactions import interactions, pairs_of


def drawn(seed: int, effect: float, rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    has = rng.random((rows, 5)) < [0.4, 0.5, 0.3, 0.5, 0.02]
    return has, effect * has[:, 0] * np.where(has[:, 1], 1, -1) + rng.normal(size=rows)


def prepared(metric: np.ndarray, has: np.ndarray) -> Shared:
    shared = share(metric, sparse.csc_array(has.astype(float)), None, None, None)
    assert isinstance(shared, Shared)
    return shared


def test_pairs_need_rows_of_all_four_kinds() -> None:
    has, metric = drawn(0, 0.0)
    assert {place for pair in pairs_of(prepared(metric, has), 20) for place in pair} == {0, 1, 2, 3}
    assert len(pairs_of(prepared(metric, has), 20)) == 6


def test_the_value_is_the_difference_of_differences() -> None:
    has, metric = drawn(1, 1.0)
    found = interactions(prepared(metric, has), [(0, 1)], 1.0)[0]
    cell = [[metric[(has[:, 0] == a) & (has[:, 1] == b)].mean() for b in (False, True)] for a in (False, True)]
    assert found.value == pytest.approx(cell[1][1] - cell[1][0] - cell[0][1] + cell[0][0])
    assert found.sides[:2] == pytest.approx((cell[1][1] - cell[0][1], cell[1][0] - cell[0][0]))
    assert found.turns[0]


def test_a_reversal_is_flagged_in_the_table() -> None:
    has, metric = drawn(2, 0.8)
    words = ("dog", "night", "hat", "sky", "owl")
    captions = [". ".join(["x", *(words[k] for k in np.flatnonzero(row))]) for row in has]
    found = estimate_drivers(captions, metric)
    note = found.table.set_index("concept").loc["dog", "note"]
    assert note.startswith("no simple driver: turns with “night” (+0.")
    assert any("pairs of concepts tested for interaction, " in note for note in found.notes)


def test_none_is_found_where_there_is_none() -> None:
    hits = 0
    for seed in range(60):
        has, metric = drawn(100 + seed, 0.0, 300)
        metric += 0.5 * has[:, 0] + 0.5 * has[:, 1]
        shared = prepared(metric, has)
        hits += bool(interactions(shared, pairs_of(shared, 20), 1.0))
    assert hits <= 8  # 3 expected, and three standard errors
