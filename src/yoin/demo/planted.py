"""Posters whose ratings follow from known facts, so that what is found can be held against what was planted.

The rating is a sum: `BASE`, half of each effect up where its fact holds and half of it down where it does not, `SLOPE`
points a year, and noise. A coloured poster is warm or cool, and goes half of `WARM` up or down; a black and white one
is neither and stays between the two. Warm and cool being equally common in every year, black and white itself moves
nothing: old posters are rated lower and are more often black and white, and that is all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from yoin.demo.paint import PosterFacts, paint, title

BASE, NOISE = 5.8, 0.5
WARM, DARK, FACE, TEXT = 1.2, -1.0, 1.0, -1.0
SLOPE = 0.025
YEARS = np.arange(1930, 2024)
_PLAIN = ("black_and_white", "dark", "face", "text", "symmetrical", "busy", "square", "framed")
_TURN, _PACE = 1966.0, 6.0  # the year in which half of the posters are black and white, and how fast that passes

Kind = Literal["driver", "follows_year", "null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One fact and what it does to the rating.

    ``column`` is its name among the facts; ``says`` and ``says_not`` are the phrases with which the describer tells
    that it holds or that its opposite does. ``effect`` is the difference in rating points between posters with and
    without it beside a straight line in the year; ``raw`` is the plain difference. Both are the population's.
    """

    name: str
    column: str
    kind: Kind
    says: tuple[str, ...]
    says_not: tuple[str, ...] = ()
    effect: float = 0.0
    raw: float = 0.0


def grey_share(year: np.ndarray) -> np.ndarray:
    """The share of posters of a year, from 0 to 1, that is black and white."""
    share: np.ndarray = 1 / (1 + np.exp((year - _TURN) / _PACE))
    return share


def _truth() -> tuple[Planted, ...]:
    """The effects as differences between posters with and without each fact, exact over the years."""
    grey = grey_share(YEARS)
    trend = SLOPE * YEARS
    from_year = np.average(trend, weights=grey) - np.average(trend, weights=1 - grey)
    warm = (1 - grey) / 2
    # A warm poster stands WARM / 2 above grey ones and WARM above cool ones, which together are the others; beside a
    # straight line in the year less of warm's variance is left, and what is left is more often warm against cool.
    share, spread = warm.mean(), YEARS.var()
    from_line = np.mean((warm - share) * (YEARS - YEARS.mean())) ** 2 / spread
    warm_effect = WARM / 2 * share / (share * (1 - share) - from_line)
    warm_raw = WARM / 2 / (1 - share) + np.average(trend, weights=warm) - np.average(trend, weights=1 - warm)
    return (
        Planted(name="warm palette", column="warm", kind="driver", says=("warm palette",), says_not=("cool palette",),
                effect=float(warm_effect), raw=float(warm_raw)),
        Planted(name="dark image", column="dark", kind="driver", says=("dark image",), says_not=("bright image",),
                effect=DARK, raw=DARK),
        Planted(name="one large face", column="face", kind="driver", says=("one large face", "large face"),
                says_not=("no faces", "no face"), effect=FACE, raw=FACE),
        Planted(name="much text", column="text", kind="driver", says=("much text",),
                says_not=("no text", "little text"), effect=TEXT, raw=TEXT),
        Planted(name="black and white", column="black_and_white", kind="follows_year", says=("black and white",),
                raw=float(from_year)),
        Planted(name="symmetrical layout", column="symmetrical", kind="null", says=("symmetrical layout",),
                says_not=("asymmetrical layout",)),
        Planted(name="busy detail", column="busy", kind="null", says=("busy detail", "moderate detail"),
                says_not=("smooth surfaces",)),
        Planted(name="square format", column="square", kind="null", says=("square format",),
                says_not=("portrait format",)),
    )  # fmt: skip


PLANTED: tuple[Planted, ...] = _truth()


def draw_facts(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """The facts of ``n`` posters (the fields of `PosterFacts`), a row each; only black and white follows the year."""
    year = rng.choice(YEARS, n)
    grey = rng.random(n) < grey_share(year)
    warm = pd.array([None] * n, dtype="boolean")
    warm[~grey] = _some(int((~grey).sum()), 0.5, rng)
    return pd.DataFrame(
        {
            "title": [title(rng) for _ in range(n)],
            "year": year,
            "black_and_white": grey,
            "warm": warm,
            "dark": _some(n, 0.45, rng),
            "face": _some(n, 0.5, rng),
            "text": _some(n, 0.45, rng),
            "symmetrical": _some(n, 0.5, rng),
            "busy": _some(n, 0.45, rng),
            "square": _some(n, 0.4, rng),
            "framed": _some(n, 0.4, rng),
        }
    )


def ratings(facts: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """The ratings (n,) that the facts bring, from 1 to 10 with one decimal."""
    warmth = np.where(facts["black_and_white"], 0.0, facts["warm"].fillna(False).to_numpy(bool) - 0.5)
    exact = BASE + WARM * warmth + SLOPE * (facts["year"].to_numpy() - YEARS.mean())
    for column, effect in (("dark", DARK), ("face", FACE), ("text", TEXT)):
        exact = exact + effect * (facts[column].to_numpy(bool) - 0.5)
    rated: np.ndarray = np.clip(exact + rng.normal(0, NOISE, len(facts)), 1, 10).round(1)
    return rated


def plant(n: int = 150, seed: int = 42) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Planted, ...]]:
    """The table (image, title, year, rating), the facts behind it row by row, and the truth; nothing is painted."""
    rng = np.random.default_rng(seed)
    facts = draw_facts(n, rng)
    table = pd.DataFrame(
        {
            "image": [f"images/poster-{number:03d}.jpg" for number in range(1, n + 1)],
            "title": facts["title"],
            "year": facts["year"],
            "rating": ratings(facts, rng),
        }
    )
    return table, facts, PLANTED


def posters(facts: pd.DataFrame) -> list[PosterFacts]:
    """The facts as records, one a row."""
    return [
        PosterFacts(
            title=str(row["title"]),
            year=int(row["year"]),
            warm=None if row["black_and_white"] else bool(row["warm"]),
            **{name: bool(row[name]) for name in _PLAIN},
        )
        for row in facts.to_dict("records")
    ]


def write(folder: Path, n: int = 150, seed: int = 42) -> Path:
    """Paint the posters into ``folder``/images and return the path of the table beside them, posters.csv.

    The table comes last and at once, so that where there is a table there are all its posters.
    """
    table, facts, _ = plant(n, seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number, (name, poster) in enumerate(zip(table["image"], posters(facts), strict=True)):
        paint(poster, np.random.default_rng([seed, number])).save(folder / name, quality=90)
    path = folder / "posters.csv"
    table.to_csv(unfinished := path.with_suffix(".part"), index=False)
    unfinished.replace(path)
    return path


def _some(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) booleans in random order, of which ``share`` are true: no draw leaves a side too small to test."""
    chosen: np.ndarray = rng.permutation(n) < round(share * n)
    return chosen
