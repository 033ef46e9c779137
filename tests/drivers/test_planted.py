"""Data sets whose truth is known, analysed many times: false drivers, coverage, confounding, groups.

A cut of the benchmark of that name, which has more scenarios, larger data sets and hundreds of each. Both tiers allow
for the Monte-Carlo error of their few data sets.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from tests.drivers.plain import estimate_drivers

WORDS = [a + b for a in ("dog", "cat", "owl", "sky", "car", "hat", "sun", "ice", "red", "box") for b in "bdfghklmnp"]


@pytest.fixture(autouse=True)
def _one_thread():
    """Data sets this small gain nothing from threads, and those of parallel test processes hinder each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def record(request) -> Callable[[str, float], None]:
    """Note a measured rate with the test (`--junitxml` shows it)."""
    return lambda name, value: request.node.user_properties.append((name, float(value)))


def captions_of(indicators: np.ndarray) -> list[str]:
    """A caption that says the k-th word where the k-th column is true."""
    return [". ".join(["picture", *(WORDS[k] for k in np.flatnonzero(row))]) + "." for row in indicators]


def correlated(rng: np.random.Generator, n: int, concepts: int) -> np.ndarray:
    """Indicators (n, concepts) with prevalences from 0.1 to 0.6, correlated in threes."""
    shared = np.repeat(rng.normal(size=(n, concepts // 3 + 1)), 3, axis=1)[:, :concepts]
    score = 0.7 * shared + 0.7 * rng.normal(size=(n, concepts))
    return score < np.quantile(score, np.linspace(0.1, 0.6, concepts), axis=0).diagonal()


def at_most(rate: float, limit: float, sets: int) -> bool:
    """Whether ``rate`` of ``sets`` is no more than ``limit`` and three Monte-Carlo standard errors."""
    return rate <= limit + 3 * np.sqrt(limit * (1 - limit) / sets)


NOISE: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "normal": lambda rng, c: rng.normal(size=len(c)),
    "skewed": lambda rng, c: rng.exponential(size=len(c)),
    "binary": lambda rng, c: (rng.random(len(c)) < 0.4).astype(float),
    "heavy": lambda rng, c: rng.standard_t(3, size=len(c)),
    "unequal variance": lambda rng, c: rng.normal(size=len(c)) * (1 + c[:, 0] + 2 * c[:, 5]),
}


@pytest.mark.parametrize(
    ("noise", "n", "concepts", "sets"),
    [
        ("skewed", 200, 15, 15),
        *(pytest.param(noise, 250, 20, 60, marks=pytest.mark.slow) for noise in NOISE),
        pytest.param("normal", 600, 60, 20, marks=pytest.mark.slow),
    ],
)
def test_no_false_driver_where_there_is_none(noise, n, concepts, sets, record):
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(sets):
        present = correlated(rng, n, concepts)
        found = estimate_drivers(captions_of(present), NOISE[noise](rng, present))
        assert found.tested >= concepts - 1
        hits += found.significant > 0
    record("rate", hits / sets)
    assert at_most(hits / sets, 0.05, sets)


@pytest.mark.parametrize(
    ("noise", "weighted", "sets"),
    [
        ("unequal variance", False, 10),
        *(pytest.param(noise, w, 40, marks=pytest.mark.slow) for noise in NOISE for w in (False, True)),
    ],
)
def test_intervals_cover_planted_effects(noise, weighted, sets, record):
    """Of `lift` the population's mean difference; of `adjusted` the same net of a feature that drives both."""
    rng = np.random.default_rng(2)
    effects = np.array([0.1, -0.2, 0.3, 0.5, 0.0, -0.4])
    lift, net = [], []
    for _ in range(sets):
        x = rng.normal(size=400)
        present = rng.random((400, 6)) < np.linspace(0.1, 0.6, 6)
        metric = present @ effects + NOISE[noise](rng, present)
        weight = rng.lognormal(0, 0.7, size=400) if weighted else None
        table = estimate_drivers(
            captions_of(present), metric + 0.5 * x, features={"x": x}, weight=weight, concepts=WORDS[:6]
        ).table.set_index("concept").loc[WORDS[:6]]  # fmt: skip
        lift.append((table["lift_low"] <= effects) & (effects <= table["lift_high"]))
        net.append((table["adjusted_low"] <= effects) & (effects <= table["adjusted_high"]))
    for name, covered in (("lift", lift), ("adjusted", net)):
        share = np.mean(covered)
        record(name, share)
        slack = 3 * np.sqrt(0.05 * 0.95 / (6 * sets))
        assert 0.93 - slack <= share <= 0.97 + slack, (name, share)


@pytest.mark.parametrize("sets", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_confounded_concept_is_not_sold_as_a_driver(sets, record):
    rng = np.random.default_rng(3)
    raw = net = flagged = 0
    for _ in range(sets):
        old = rng.integers(1950, 2020, size=400)
        present = rng.random((400, 6)) < 0.3
        present[:, 0] = rng.random(400) < np.where(old < 1970, 0.8, 0.05)  # black and white because it is old
        metric = np.where(old < 1970, 1.2, 0.01 * (2020 - old)) + rng.normal(size=400)  # it jumps, as the concept does
        table = estimate_drivers(captions_of(present), metric, features=pd.DataFrame({"year": old})).table
        row = table.set_index("concept").loc[WORDS[0]]
        raw += row["lift_low"] > 0
        net += row["p"] < 0.05
        flagged += "after adjusting" in row["note"]
    record("adjusted", net / sets)
    assert raw == sets
    assert at_most(net / sets, 0.05, sets)
    assert flagged >= 0.9 * sets


@pytest.mark.parametrize(
    ("sizes", "sets"), [("unequal", 8), *(pytest.param(s, 60, marks=pytest.mark.slow) for s in ("equal", "unequal"))]
)
def test_a_concept_that_varies_between_groups(sizes, sets, record):
    rng = np.random.default_rng(4)
    plain = clustered = net = 0
    for _ in range(sets):
        share = np.full(40, 1 / 40) if sizes == "equal" else rng.dirichlet(np.full(40, 2.0))
        group = rng.choice(40, size=600, p=share)
        present = rng.random((600, 6)) < 0.3
        present[:, 0] = (rng.permutation(40) < 14)[group]
        metric = rng.normal(size=40)[group] + rng.normal(size=600)
        x = rng.normal(size=600) + rng.normal(size=40)[group]
        captions = captions_of(present)
        one = estimate_drivers(captions, metric, concepts=WORDS[:6]).table.set_index("concept").loc[WORDS[0]]
        two = estimate_drivers(captions, metric, concepts=WORDS[:6], group=group).table.set_index("concept")
        three = estimate_drivers(captions, metric, concepts=WORDS[:6], group=group, features={"x": x}).table
        plain += one["p"] < 0.05
        clustered += two.loc[WORDS[0], "p"] < 0.05
        net += three.set_index("concept").loc[WORDS[0], "p"] < 0.05
    record("lift", clustered / sets)
    record("adjusted", net / sets)
    assert plain / sets > 0.3  # what the groups are for
    assert at_most(clustered / sets, 0.05, sets)
    assert at_most(net / sets, 0.05, sets)
