"""Are the drivers to be believed? Data sets whose truth is known, analysed many times; and how long it takes.

    python benchmarks/drivers.py planted [--sets 200] [--workers 2]    fails where a target is missed
    python benchmarks/drivers.py speed [--rows 10000] [--concepts 300]

The captions are sentences from templates: an element is stated in one of several wordings, denied, or not mentioned,
and elements go together through two moods that a picture has.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

import yoin

ELEMENTS = """dog lighthouse umbrella bicycle candle guitar bridge mountain balloon violin castle river lantern piano
tractor sailboat waterfall helmet suitcase telescope carpet fountain parrot cactus windmill ladder trumpet harbor
kettle pillow scarf tunnel wagon rocket statue orchard pumpkin feather anchor compass""".split()
STATED = ("A {} stands out.", "There is a {} in view.", "One sees a {} near the edge.", "It shows a {}.")
DENIED = ("There is no {}.", "The scene is without a {}.")
METRICS = ("normal", "exponential", "lognormal", "t3", "rare", "count")


def draw(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """Which elements each picture has, shape (rows, count); prevalences from 0.08 to 0.5."""
    moods = rng.normal(size=(rows, 2)) @ rng.normal(0, 0.5, size=(2, count))
    score = moods + rng.normal(size=(rows, count))
    return score > np.quantile(score, 1 - np.linspace(0.08, 0.5, count), axis=0).diagonal()


def tell(rng: np.random.Generator, has: np.ndarray) -> list[str]:
    """A caption for each picture."""
    captions = []
    for row in has:
        said = [rng.choice(STATED).format(ELEMENTS[k]) for k in np.flatnonzero(row)]
        said += [rng.choice(DENIED).format(ELEMENTS[k]) for k in np.flatnonzero(~row) if rng.random() < 0.05]
        captions.append(" ".join(rng.permutation(said)) or "A plain picture.")
    return captions


def noise(rng: np.random.Generator, kind: str, rows: int) -> np.ndarray:
    """Errors with spread about 1."""
    return {
        "normal": lambda: rng.normal(size=rows),
        "exponential": lambda: rng.exponential(size=rows),
        "lognormal": lambda: rng.lognormal(0, 1, size=rows) / 2.16,
        "t3": lambda: rng.standard_t(3, size=rows) / 1.73,
        "rare": lambda: (rng.random(rows) < 0.08) / 0.27,
        "count": lambda: rng.poisson(1, size=rows).astype(float),
    }[kind]()


def null(rng: np.random.Generator, kind: str, rows: int, count: int) -> dict[str, float]:
    """No effect at all."""
    has = draw(rng, rows, count)
    found = yoin.estimate_drivers(tell(rng, has), noise(rng, kind, rows), embed=None)
    return {"any false driver": found.significant > 0}


def direct(rng: np.random.Generator, kind: str, rows: int, count: int) -> dict[str, float]:
    """Effects of 0.1 to 0.5 of five elements; the lift's truth is the mean difference of a far larger sample."""
    effects = np.zeros(count)
    effects[[1, 4, 7, 11, 15]] = [0.5, -0.4, 0.3, -0.2, 0.1]
    seed = int(rng.integers(2**31))
    large = draw(np.random.default_rng(seed), 100_000, count)
    mean = large @ effects
    lift = np.array([mean[one].mean() - mean[~one].mean() for one in large.T])
    has = large[rng.choice(len(large), rows, replace=False)]
    weight = rng.lognormal(0, 0.5, rows)
    metric = has @ effects + noise(rng, kind, rows)
    found = yoin.estimate_drivers(tell(rng, has), metric, weight=weight, embed=None).table.set_index("concept")
    found = found[found.index.isin(ELEMENTS) & found["p"].notna()]
    place = [ELEMENTS.index(name) for name in found.index]
    sold = (found["q"] < 0.05).to_numpy()
    real = np.abs(lift[place]) > 0.03
    return {
        "false discoveries": float((sold & ~real).sum() / max(sold.sum(), 1)),
        "lift covers": float(((found["lift_low"] <= lift[place]) & (lift[place] <= found["lift_high"])).mean()),
        "unique covers": float(
            ((found["unique_low"] <= effects[place]) & (effects[place] <= found["unique_high"])).mean()
        ),
        "recall": float(sold[np.abs(effects[place]) > 0].mean()),
    }


def confounded(rng: np.random.Generator, kind: str, rows: int, count: int) -> dict[str, float]:
    """A column drives the first element and the metric, in a curve or a jump; the element does nothing."""
    year = rng.integers(1930, 2021, rows)
    wave = np.sin((year - 1930) / 9) if kind == "curve" else np.where(year < 1967, 1.0, -1.0)
    has = draw(rng, rows, count)
    has[:, 5] = rng.random(rows) < 0.4 + 0.3 * wave
    metric = 0.6 * wave + rng.normal(size=rows)
    features = pd.DataFrame({"year": year, "kind": rng.choice(["Drama", "Drama, Crime", "Comedy"], rows)})
    table = yoin.estimate_drivers(tell(rng, has), metric, features=features, embed=None).table
    line = table.set_index("concept").loc[ELEMENTS[5]]
    return {
        "adjusted significant": line["p"] < 0.05,
        "raw lift clear": line["lift_low"] > 0,
        "gap flagged": "adjusting" in line["note"],
    }


def grouped(rng: np.random.Generator, kind: str, rows: int, count: int) -> dict[str, float]:
    """An element that varies only between 40 groups, and group effects in the metric."""
    group = rng.choice(40, rows, p=rng.dirichlet(np.full(40, 3.0)))
    has = draw(rng, rows, count)
    has[:, 5] = (rng.random(40) < 0.4)[group]
    metric = rng.normal(size=40)[group] + rng.normal(size=rows)
    table = yoin.estimate_drivers(tell(rng, has), metric, group=group, embed=None).table.set_index("concept")
    return {"significant": table.loc[ELEMENTS[5], "p"] < 0.05} if ELEMENTS[5] in table.index else {}


# (name, function, kind, rows, concepts, {measure: (least, most)})
SCENARIOS = (
    *((f"null {kind} n={rows}", null, kind, rows, 30, {"any false driver": (0, 0.05)})
      for kind in METRICS for rows in (300, 1000)),
    *((f"direct {kind} n={rows}", direct, kind, rows, 20,
       {"false discoveries": (0, 0.05), "lift covers": (0.93, 0.97), "unique covers": (0.93, 0.97)})
      for kind in METRICS for rows in (300, 1000)),
    *((f"confounded {kind} n={rows}", confounded, kind, rows, 12, {"adjusted significant": (0, 0.05)})
      for kind in ("curve", "jump") for rows in (300, 1000)),
    ("groups", grouped, "", 600, 12, {"significant": (0, 0.05)}),
)  # fmt: skip


def one(scenario: int, seed: int) -> dict[str, float]:
    """One data set of a scenario."""
    _, function, kind, rows, count, _ = SCENARIOS[scenario]
    return function(np.random.default_rng([seed, scenario]), kind, rows, count)


def planted(sets: int, workers: int, only: str) -> bool:
    """Every scenario; whether all targets are met within three Monte-Carlo standard errors."""
    fine = True
    with ProcessPoolExecutor(workers) as pool:
        for number, (name, *_, targets) in enumerate(SCENARIOS):
            if only not in name:
                continue
            results = pd.DataFrame(list(pool.map(partial(one, number), range(sets), chunksize=4))).astype(float)
            for measure in results:
                mean, error = results[measure].mean(), results[measure].std() / np.sqrt(len(results))
                least, most = targets.get(measure, (-np.inf, np.inf))
                slack = 3 * max(error, np.sqrt(0.05 * 0.95 / sets) if most <= 0.05 else 0.0)
                good = least - slack <= mean <= most + slack
                fine = fine and good
                print(f"{name} | {measure} | {mean:.3f} ± {1.96 * error:.3f} | {'' if good else 'MISSED'}", flush=True)
    return fine


def speed(rows: int, concepts: int) -> None:
    """Seconds for all concepts, without and with columns and groups; and for a refit a concept, on a sample of ten."""
    rng = np.random.default_rng(0)
    letters = list("bcdfghklmnprst")
    named = ["w" + "".join(rng.choice(letters, 6)) for _ in range(concepts)]
    has = rng.random((rows, concepts)) < np.linspace(0.02, 0.4, concepts)
    captions = [". ".join([*(named[k] for k in np.flatnonzero(row)), "x"]) + "." for row in has]
    features = pd.DataFrame({"year": rng.integers(1930, 2021, rows), "genre": rng.choice(list("abcdefgh"), rows)})
    metric = rng.normal(size=rows)
    group = rng.integers(0, rows // 3, rows)
    spent = {}
    for name, given in (("plain", {}), ("columns", {"features": features}),
                        ("columns and groups", {"features": features, "group": group})):  # fmt: skip
        start = time.perf_counter()
        yoin.estimate_drivers(captions, metric, embed=None, **given)
        spent[name] = time.perf_counter() - start
        print(f"{name}: {spent[name]:.1f} s", flush=True)
    from yoin.drivers.nuisance import cross_fitted

    start = time.perf_counter()
    cross_fitted(features, np.column_stack([metric, has]), None, None, 0)
    together = time.perf_counter() - start
    start = time.perf_counter()
    for k in range(10):
        cross_fitted(features, np.column_stack([metric, has[:, k]]), None, None, 0)
    apart = (time.perf_counter() - start) / 10 * concepts
    print(f"nuisances of {concepts} concepts: {together:.1f} s together, {apart:.0f} s one by one (ten, scaled up)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("planted", "speed"))
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--concepts", type=int, default=300)
    given = parser.parse_args()
    if given.what == "speed":
        speed(given.rows, given.concepts)
    else:
        sys.exit(0 if planted(given.sets, given.workers, given.only) else 1)
