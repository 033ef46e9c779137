from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from tests.drivers.plain import estimate_drivers
from yoin.drivers.effects import share
from yoin.drivers.interactions import MOST, interaction_notes, interactions
from yoin.features import FeatureEncoder
from yoin.values import DRIVER_INTERACTION_COLUMNS

WORDS = ("dog", "night", "hat", "sky", "owl")


def drawn(seed: int, effect: float, rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    has = rng.random((rows, 5)) < [0.4, 0.5, 0.3, 0.5, 0.02]
    return has, effect * has[:, 0] * np.where(has[:, 1], 1, -1) + rng.normal(size=rows)


def pairs_of(
    metric: np.ndarray, has: np.ndarray, columns: pd.DataFrame | None = None, *, weight: np.ndarray | None = None
) -> pd.DataFrame:
    """The pairs; the columns adjust nothing unless they are columns of the design too."""
    encoder = None if columns is None else FeatureEncoder().fit(columns)
    design = None if encoder is None or columns is None else encoder.transform(columns)
    shared = share(metric, sparse.csc_array(has.astype(float)), design, weight, None)
    assert not isinstance(shared, str)
    parts = [] if encoder is None or columns is None else encoder.parts(columns)
    names = WORDS[: has.shape[1]]
    return interactions(shared, names, np.ones(len(names), dtype=bool), parts, min_rows=20, unit=1.0)


def captions_of(has: np.ndarray) -> list[str]:
    return [". ".join(["x", *(WORDS[k] for k in np.flatnonzero(row))]) for row in has]


def test_pairs_need_rows_of_all_four_kinds() -> None:
    has, metric = drawn(0, 0.0)
    found = pairs_of(metric, has)
    assert tuple(found) == DRIVER_INTERACTION_COLUMNS
    assert {frozenset(pair) for pair in zip(found["concept"], found["other"], strict=True)} == {
        frozenset((a, b)) for a in WORDS[:4] for b in WORDS[:4] if a != b
    }
    assert (found["column"] == "").all()


def test_the_value_is_the_difference_of_differences() -> None:
    has, metric = drawn(1, 1.0)
    found = pairs_of(metric, has[:, :2]).loc[0]
    cell = [[metric[(has[:, 0] == a) & (has[:, 1] == b)].mean() for b in (False, True)] for a in (False, True)]
    assert found["difference"] == pytest.approx(cell[1][1] - cell[1][0] - cell[0][1] + cell[0][0])
    assert found["difference_low"] < found["difference"] < found["difference_high"]
    assert found["with_other"] == pytest.approx(cell[1][1] - cell[0][1])
    assert found["without_other"] == pytest.approx(cell[1][0] - cell[0][0])
    assert found["other_with"] == pytest.approx(cell[1][1] - cell[1][0])
    assert found["n_both"] == (has[:, 0] & has[:, 1]).sum()
    assert found["turns"] in ("concept", "both")


def test_a_part_of_a_column_is_tested_like_a_concept() -> None:
    has, metric = drawn(1, 1.0)
    night = pd.DataFrame({"time": np.where(has[:, 1], "night", "day")})
    found = pairs_of(metric, has[:, :1], night).loc[0]
    as_concepts = pairs_of(metric, has[:, :2]).loc[0]
    assert (found["concept"], found["column"]) == ("dog", "time")
    assert found["other"] in ("time = day", "time = night")
    sign = 1 if found["other"] == "time = night" else -1
    assert sign * found["difference"] == pytest.approx(as_concepts["difference"], rel=1e-6)
    assert found["p"] == pytest.approx(as_concepts["p"], rel=1e-3)
    assert found["turns"] == "concept"
    assert np.isnan(found["other_with"])


def test_reversals_are_flagged_in_the_table() -> None:
    has, metric = drawn(2, 0.8)
    rng = np.random.default_rng(3)
    year = rng.integers(1950, 2020, size=len(metric))
    metric = metric + np.where(year >= 1985, 1.0, -1.0) * has[:, 2]
    found = estimate_drivers(captions_of(has), metric, features={"year": year})
    notes = found.table.set_index("concept")["note"]
    assert notes["dog"].startswith("no simple driver: turns with “night” (+0.")
    assert notes["hat"].startswith("no simple driver: turns with “year from 198")
    assert not notes["sky"].startswith("no simple driver")
    pairs = found.interactions.set_index(["concept", "column"])
    assert pairs.loc[("hat", "year"), "q"] < 0.05
    told = "6 pairs of concepts and 4 of a concept and a part of a column were tested for interaction, "
    assert any(note.startswith(told) for note in found.notes)


def test_one_correction_covers_concepts_and_columns() -> None:
    has, metric = drawn(4, 0.0)
    columns = pd.DataFrame({"kind": np.random.default_rng(5).choice(list("abcdef"), size=len(metric))})
    found = pairs_of(metric, has, columns)
    kinds = found["column"].ne("")
    assert kinds.any()
    assert (~kinds).any()
    p = np.sort(found["p"])
    assert found["q"].min() == pytest.approx(np.min(p * len(p) / np.arange(1, len(p) + 1)))


def test_none_is_found_where_there_is_none() -> None:
    hits = 0
    for seed in range(60):
        has, metric = drawn(100 + seed, 0.0, 300)
        year = np.random.default_rng(seed).normal(size=300)
        metric += 0.5 * has[:, 0] + 0.5 * has[:, 1] + year
        hits += bool((pairs_of(metric, has, pd.DataFrame({"year": year}))["q"] < 0.05).any())
    assert hits <= 8  # 3 expected, and three standard errors


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lognormal", "rare"])
def test_skewed_metrics_make_no_more_false_pairs(kind: str) -> None:
    """Of 100 data sets without effect, 200 pairs and more each."""
    hits, small, names = 0, [], [str(k) for k in range(25)]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        has = rng.random((500, 25)) < np.linspace(0.2, 0.5, 25)
        metric = rng.lognormal(size=500) if kind == "lognormal" else (rng.random(500) < 0.08).astype(float)
        shared = share(metric, sparse.csc_array(has.astype(float)), None, None, None)
        assert not isinstance(shared, str)
        found = interactions(shared, names, np.ones(25, dtype=bool), [], min_rows=20, unit=1.0)
        hits += bool((found["q"] < 0.05).any())
        small.append(np.mean(found["p"] < 0.001))
    assert hits <= 11  # 5 expected, and three standard errors
    assert np.mean(small) < 0.0015


def test_as_many_pairs_as_may_be_are_tested_and_no_more() -> None:
    rng = np.random.default_rng(0)
    has = rng.random((200, 40)) < 0.5
    shared = share(rng.normal(size=200), sparse.csc_array(has.astype(float)), None, None, None)
    assert not isinstance(shared, str)
    names = [str(k) for k in range(40)]
    assert len(interactions(shared, names, np.ones(40, dtype=bool), [], min_rows=20, unit=1.0)) == MOST


def test_without_a_pair_there_is_an_empty_table_and_no_note() -> None:
    has, metric = drawn(0, 0.0)
    found = pairs_of(metric, has[:, :1])
    assert tuple(found) == DRIVER_INTERACTION_COLUMNS
    assert found.empty
    assert interaction_notes(found) == {}
