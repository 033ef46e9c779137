"""Captions and metrics whose truth is known: what `planted.py` and `side_by_side.py` analyse.

The captions are sentences from templates: an element is stated in one of several wordings, some under two names, or
denied, or not mentioned. Elements go together through the mood of a picture: the first eight through one, of which five
move the metric, the others through another mood, which has nothing to do with the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

import numpy as np
import pandas as pd
from scipy.stats import multivariate_normal, norm

MOVED = 8  # elements that share the first mood
EFFECTS = {1: 0.5, 3: -0.4, 4: 0.3, 6: -0.2, 7: 0.1}
# An element under one name, or under two that the encoder takes for one thing.
ELEMENTS = [
    tuple(name.replace("_", " ") for name in names.split("/"))
    for names in """
    lighthouse bicycle/bike umbrella sofa/couch candle guitar refrigerator/fridge mountain
    balloon violin sailboat/sailing_boat river lantern smartphone/mobile_phone tractor bridge
    waterfall rabbit/bunny helmet suitcase telescope cactus parrot windmill ladder trumpet kettle pillow scarf tunnel
    wagon rocket statue orchard pumpkin feather anchor compass piano castle
    """.split()
]
STATED = (
    "A {} stands out.", "There is a {} in view.", "One sees a {} near the edge.", "It shows a {}.",
    "The eye falls on the {}.", "In front, a {}.",
)  # fmt: skip
TOGETHER = ("A {} is next to a {}.", "The {} and a {} share the frame.")
DENIED = ("There is no {}.", "The scene is without a {}.", "No {} is visible.")
ASIDE = ("The light is soft.", "The background is blurred.", "The colors are muted.", "The framing is tight.")


@lru_cache
def moods(count: int) -> np.ndarray:
    """How strongly each element goes with the two moods, shape (2, count); the same in every data set."""
    strength = np.random.default_rng(7).uniform(-0.9, 0.9, size=count)
    first = np.arange(count) < MOVED
    return np.stack([strength * first, strength * ~first])


@lru_cache
def rates(count: int) -> np.ndarray:
    """The share of pictures that have each element, from 0.1 to 0.5 in no order."""
    return np.random.default_rng(8).permutation(np.linspace(0.1, 0.5, count))


def draw(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """Which elements each picture has, shape (rows, count)."""
    loads = moods(count)
    score = rng.normal(size=(rows, 2)) @ loads + rng.normal(size=(rows, count))
    return score > norm.isf(rates(count)) * np.sqrt(1 + np.sum(loads**2, axis=0))


@lru_cache
def mean_differences(count: int) -> np.ndarray:
    """The population's difference of the metric's mean with and without each element, shape (count,)."""
    loads, share = moods(count), rates(count)
    spread = np.sqrt(1 + np.sum(loads**2, axis=0))
    limit = -norm.isf(share)
    found = np.zeros(count)
    for k in range(count):
        for j, effect in EFFECTS.items():
            shared = float(loads[:, k] @ loads[:, j] / spread[k] / spread[j])
            both = share[k] if j == k else multivariate_normal.cdf(limit[[j, k]], cov=[[1, shared], [shared, 1]])
            found[k] += effect * (both / share[k] - (share[j] - both) / (1 - share[k]))
    return found


def planted_effects(count: int) -> np.ndarray:
    """The planted coefficients, shape (count,)."""
    return np.array([EFFECTS.get(k, 0.0) for k in range(count)])


def tell(rng: np.random.Generator, has: np.ndarray) -> list[str]:
    """A caption for each picture."""
    random = Random(int(rng.integers(2**31)))  # single choices are far quicker with it
    captions = []
    for row in has.tolist():
        names = [random.choice(ELEMENTS[k]) for k, there in enumerate(row) if there]
        random.shuffle(names)
        said = []
        while names:
            if len(names) > 1 and random.random() < 0.3:
                said.append(random.choice(TOGETHER).format(names.pop(), names.pop()))
            else:
                said.append(random.choice(STATED).format(names.pop()))
        absent = [k for k, there in enumerate(row) if not there and random.random() < 0.06]
        said += [random.choice(DENIED).format(random.choice(ELEMENTS[k])) for k in absent]
        said += [aside for aside in ASIDE if random.random() < 0.2]
        random.shuffle(said)
        captions.append(" ".join(said) or "A plain picture.")
    return captions


def metric(rng: np.random.Generator, kind: str, mean: np.ndarray) -> tuple[np.ndarray, float]:
    """Numbers whose expected value is ``mean`` times a scale (which is returned too) and a constant."""
    rows = len(mean)
    if kind == "binary":
        return (rng.random(rows) < 0.4 + 0.4 * mean).astype(float), 0.4
    if kind == "rare":
        return (rng.random(rows) < 0.08 + 0.05 * mean).astype(float), 0.05
    if kind == "count":
        return rng.poisson(1.5 + mean).astype(float), 1.0
    noise = {
        "normal": lambda: rng.normal(size=rows),
        "exponential": lambda: rng.exponential(size=rows),
        "lognormal": lambda: rng.lognormal(0, 1, size=rows) / 2.16,
        "t3": lambda: rng.standard_t(3, size=rows) / 1.73,
        "unequal": lambda: rng.normal(size=rows) * np.where(mean > 0, 1.5, 0.6),
    }[kind]()
    return mean + noise, 1.0


@dataclass(frozen=True)
class Planted:
    """A data set and its truth.

    ``given`` are the other columns, groups and weights, named as `yoin.estimate_drivers` names them. ``effects`` are
    the elements' coefficients and ``differences`` the population's mean differences net of the columns, both in the
    metric's own unit.
    """

    has: np.ndarray  # (rows, elements)
    y: np.ndarray  # (rows,)
    effects: np.ndarray  # (elements,)
    differences: np.ndarray  # (elements,)
    given: dict[str, object] = field(default_factory=dict)


def nothing(rng: np.random.Generator, kind: str, rows: int, count: int) -> Planted:
    """No effect at all."""
    has = draw(rng, rows, count)
    return Planted(has, metric(rng, kind, np.zeros(rows))[0], np.zeros(count), np.zeros(count))


def direct(
    rng: np.random.Generator,
    kind: str,
    rows: int,
    count: int,
    *,
    columns: bool = False,
    weighted: bool = False,
    strength: float = 1.0,
) -> Planted:
    """Effects of five elements; with columns, a year that drives the metric and one more element is there too."""
    effects, differences = strength * planted_effects(count), strength * mean_differences(count)
    has, given = draw(rng, rows, count), {}
    mean = has @ effects
    if weighted:
        given["weight"] = rng.lognormal(0, 0.7, rows)
    if columns:
        year = rng.integers(1950, 2021, rows)
        last = count - 1
        has[:, last] = rng.random(rows) < np.where(year < 1985, 0.6, 0.2)
        effects[last] = differences[last] = 0.3
        mean = has @ effects + 0.02 * (year - 1985)
        given["features"] = pd.DataFrame({"year": year})
    y, scale = metric(rng, kind, mean)
    return Planted(has, y, scale * effects, scale * differences, given)


def behind(rng: np.random.Generator, kind: str, rows: int, count: int, *, curve: bool) -> Planted:
    """A column drives the first element and the metric, in a curve or a jump; no element does anything."""
    year = rng.integers(1930, 2021, rows)
    wave = np.sin((year - 1930) / 9) if curve else np.where(year < 1967, 1.0, -1.0)
    has = draw(rng, rows, count)
    has[:, 0] = rng.random(rows) < 0.4 + 0.3 * wave
    y = metric(rng, kind, 0.6 * wave)[0]
    features = pd.DataFrame({"year": year, "kind": rng.choice(["Drama", "Drama, Crime", "Comedy"], rows)})
    return Planted(has, y, np.zeros(count), np.zeros(count), {"features": features})


def between(rng: np.random.Generator, kind: str, rows: int, count: int, *, columns: bool = False) -> Planted:
    """The first element varies only between 40 groups, and there are group effects in the metric."""
    group = rng.choice(40, rows, p=rng.dirichlet(np.full(40, 3.0)))
    has = draw(rng, rows, count)
    has[:, 0] = (rng.random(40) < 0.4)[group]
    given: dict[str, object] = {"group": group}
    if columns:
        given["features"] = pd.DataFrame({"size": rng.normal(size=40)[group] + rng.normal(size=rows)})
    y = metric(rng, kind, rng.normal(size=40)[group])[0]
    return Planted(has, y, np.zeros(count), np.zeros(count), given)
