"""Are corrected lifts to be believed? Captions that misread a concept at known rates, and 100 labelled rows.

    python benchmarks/labels.py alone [--sets 400]      the correction alone, over kinds of errors and of metrics
    python benchmarks/labels.py captions [--sets 60]    from captions through `estimate_drivers`

Each fails where the corrected intervals cover the truth in less than 93% of the data sets, by more than three
Monte-Carlo standard errors. More than 97% is no failure: with few answers that contradict captions they are cautious.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd

import yoin
from yoin.drivers.corrected import correct
from yoin.drivers.sampling import chances, draw

EFFECT, LABELLED, LEAST = 0.4, 100, 0.93
ELEMENTS = "dog lighthouse umbrella bicycle candle guitar bridge mountain balloon violin castle river".split()
# rows with it, missed, invented, and how far both go with the metric
ERRORS = ((0.3, 0.15, 0.15, 0), (0.1, 0.2, 0.1, 0), (0.3, 0, 0.02, 0), (0.5, 0.1, 0.1, 0), (0.15, 0.4, 0.01, 0),
          (0.3, 0.2, 0.1, 0.1))  # fmt: skip
METRICS = ("normal", "exponential", "lognormal", "t3", "rare", "count")


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


def alone(
    rng: np.random.Generator, kind: str, rows: int, share: float, missed: float, invented: float, tilt: float
) -> dict[str, float]:
    """One of eight concepts that the sheet asks for; ``tilt``: its errors go with the metric."""
    has = rng.random((rows, 8)) < np.concatenate([[share], rng.uniform(0.08, 0.5, 7)])
    error = noise(rng, kind, rows)
    wrong = np.where(has, [missed] + [0.15] * 7, [invented] + [0.1] * 7)
    wrong[:, 0] += tilt * np.sign(error - np.median(error)) * np.where(has[:, 0], -1, 1)
    said = (has ^ (rng.random(has.shape) < wrong)).astype(float)
    metric = EFFECT * has[:, 0] + error
    chance = chances(said, LABELLED)
    drawn = draw(said, chance, int(rng.integers(2**31)))
    found = correct(metric, said[:, 0], np.where(drawn, has[:, 0], np.nan), chance)
    nothing = bool(found.reason)
    return {
        "corrected covers": np.nan if nothing else found.low <= EFFECT <= found.high,
        "corrected at all": not nothing,
        "width": found.high - found.low,
        "captions' lift": metric[said[:, 0] > 0].mean() - metric[said[:, 0] == 0].mean(),
    }


def told(rng: np.random.Generator, said: np.ndarray) -> list[str]:
    """A caption for each row of ``said``."""
    stated = ("A {} stands out.", "There is a {} in view.", "One sees a {} near the edge.", "It shows a {}.")
    lines = [[rng.choice(stated).format(ELEMENTS[k]) for k in rng.permutation(np.flatnonzero(row))] for row in said]
    return [" ".join(line) or "A plain picture." for line in lines]


def captions(rng: np.random.Generator, kind: str, rows: int) -> dict[str, float]:
    """Correlated elements of which captions miss 10 to 20% and invent 10%; the truth is that of a far larger sample."""
    count, asked = len(ELEMENTS), 8
    effects = np.zeros(count)
    effects[[1, 4, 7]] = [0.5, -0.4, 0.3]
    score = rng.normal(size=(100_000, 2)) @ rng.normal(0, 0.5, size=(2, count)) + rng.normal(size=(100_000, count))
    large = score > np.quantile(score, 1 - np.linspace(0.08, 0.5, count), axis=0).diagonal()
    mean = large @ effects
    lift = np.array([mean[one].mean() - mean[~one].mean() for one in large.T])
    has = large[rng.choice(len(large), rows, replace=False)]
    said = has ^ (rng.random(has.shape) < np.where(has, rng.uniform(0.1, 0.2, count), 0.1))
    chance = chances(said[:, :asked].astype(float), LABELLED)
    drawn = draw(said[:, :asked].astype(float), chance, int(rng.integers(2**31)))
    seen = pd.DataFrame(has[:, :asked], columns=ELEMENTS[:asked])[drawn].assign(chance=chance[drawn])
    metric = has @ effects + noise(rng, kind, rows)
    found = yoin.estimate_drivers(told(rng, said), metric, concepts=ELEMENTS, labels=seen, embed=None)
    table = found.corrected.dropna(subset="corrected")
    truth = pd.Series(lift, ELEMENTS)[table["concept"]].to_numpy()
    strong = np.abs(truth) > 0.2
    return {
        "corrected covers": np.mean((table["corrected_low"] <= truth) & (truth <= table["corrected_high"])),
        "captions' lift covers": np.mean((table["lift_low"] <= truth) & (truth <= table["lift_high"])),
        "sign of captions' lift right": np.mean((np.sign(table["lift"]) == np.sign(truth))[strong]),
        "corrected at all": len(table) / asked,
        "width": (table["corrected_high"] - table["corrected_low"]).median(),
        "captions' width": (table["lift_high"] - table["lift_low"]).median(),
    }


def judged(name: str, results: pd.DataFrame) -> bool:
    """Print the means with their Monte-Carlo intervals; whether the coverage is what it has to be."""
    mean, error = results.mean(), results.std() / np.sqrt(results.notna().sum())
    slack = 3 * max(error["corrected covers"], np.sqrt(LEAST * (1 - LEAST) / len(results)))
    good = bool(mean["corrected covers"] >= LEAST - slack)
    print(name, *(f"{key} {mean[key]:.3f} ± {1.96 * error[key]:.3f}" for key in results), sep=" | ", end="")
    print("" if good else " | MISSED", flush=True)
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("alone", "captions"))
    parser.add_argument("--sets", type=int)
    given = parser.parse_args()
    fine = True
    for kind in METRICS:
        if given.what == "captions":
            results = [captions(np.random.default_rng([seed, 1]), kind, 1000) for seed in range(given.sets or 60)]
            fine &= judged(kind, pd.DataFrame(results).astype(float))
            continue
        for rows in (400, 2000):
            for share, missed, invented, tilt in ERRORS:
                results = [
                    alone(np.random.default_rng([seed, rows]), kind, rows, share, missed, invented, tilt)
                    for seed in range(given.sets or 400)
                ]
                name = f"{kind}, {rows} rows, {share:.0%} have it, {missed:.0%} missed, {invented:.0%} invented"
                fine &= judged(f"{name}, tilt {tilt}", pd.DataFrame(results).astype(float))
    sys.exit(0 if fine else 1)
