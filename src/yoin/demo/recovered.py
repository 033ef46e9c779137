"""What the analysis found, held against what was planted."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from yoin.demo.planted import PLANTED, Kind, Planted

LEVEL = 0.05
ASSOCIATED = 0.2

Outcome = Literal[
    "found",
    "wrong sign",
    "missed",
    "left to the year",
    "taken for a driver",
    "no difference seen",
    "quiet",
    "shadow",
    "not described",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One planted fact and the concept that tells most of it.

    ``planted`` and ``planted_raw`` are rating points net of the year and with it, for the fact itself. ``concept`` is
    "" where no concept speaks of the fact; ``opposite`` is true where the concept says that the fact does not hold, so
    that its numbers (rating points with 95% intervals, NaN where absent) have the other sign. A null fact whose concept
    goes along with a driver in these posters has the outcome "shadow". ``ok`` is true where nothing speaks against the
    truth and a driver was found.
    """

    fact: str
    kind: Kind
    planted: float
    planted_raw: float
    concept: str
    opposite: bool
    lift: float
    lift_low: float
    lift_high: float
    adjusted: float
    adjusted_low: float
    adjusted_high: float
    q: float
    outcome: Outcome
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A concept that goes along with a planted driver it does not name (``correlation`` from -1 to 1)."""

    concept: str
    fact: str
    correlation: float
    q: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Planted against recovered.

    ``facts`` has one record a planted fact; ``shadows`` the concepts that go along with a driver in these
    posters; ``nulls`` counts the other concepts that were tested, and ``false_drivers`` names those with q < 0.05.
    """

    facts: tuple[Recovered, ...]
    shadows: tuple[Shadow, ...]
    nulls: int
    false_drivers: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every fact came out as planted and no other concept was called a driver."""
        return all(fact.ok for fact in self.facts) and not self.false_drivers

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the table of facts does not show, in plain words."""
        drivers = [fact for fact in self.facts if fact.kind == "driver"]
        found = sum(fact.ok for fact in drivers)
        loud = sum(shadow.q < LEVEL for shadow in self.shadows)
        sentences = [f"{found} of {len(drivers)} planted drivers were found with the right sign."]
        sentences += [
            f"The difference that goes with {fact.fact} is left to the year, as planted."
            if fact.ok
            else f"The difference that goes with {fact.fact} should be left to the year: {fact.outcome}."
            for fact in self.facts
            if fact.kind == "follows_year"
        ]
        if self.shadows:
            sentences.append(
                f"{len(self.shadows)} other concepts go along with a planted driver in these posters (such as "
                f"{self.shadows[0].concept} with {self.shadows[0].fact}); {loud} of them are significant with it."
            )
        named = f": {', '.join(self.false_drivers)}" if self.false_drivers else ""
        sentences.append(
            f"Of {self.nulls} concepts that go along with none, {len(self.false_drivers)} came out significant{named}."
        )
        return tuple(sentences)


def compare(
    drivers: pd.DataFrame,
    occurrences: pd.DataFrame,
    facts: pd.DataFrame,
    truth: Sequence[Planted] = PLANTED,
) -> Recovery:
    """Hold a driver table (`yoin.values.DRIVER_COLUMNS`) against the facts it was made from.

    ``occurrences`` (`yoin.values.OCCURRENCE_COLUMNS`) says which rows say which concept; the index of ``facts`` is
    their row_id. A concept that names no planted driver but whose presence correlates with one beyond 0.2 either way is
    a shadow: what goes with it is that driver's difference. One that goes along with the year's fact alone has no
    effect net of the year, and counts among the nulls.
    """
    told = {planted.name: _telling(drivers, planted) for planted in truth}
    spoken = {place for planted in truth if planted.kind != "null" for place, _ in told[planted.name]}
    said = occurrences[~occurrences["negated"].astype(bool)]
    shadows: dict[int, Shadow] = {}
    nulls, false_drivers = 0, []
    for place, (concept, q) in enumerate(zip(drivers["concept"], drivers["q"].astype(float), strict=True)):
        if place in spoken or math.isnan(q):
            continue
        present = facts.index.isin(said.loc[said["concept"] == concept, "row_id"])
        fact, correlation = _nearest(present, facts, truth)
        if abs(correlation) > ASSOCIATED:
            shadows[place] = Shadow(concept=str(concept), fact=fact, correlation=correlation, q=q)
            continue
        nulls += 1
        if q < LEVEL:
            false_drivers.append(str(concept))
    return Recovery(
        facts=tuple(_recover(drivers, told[planted.name], planted, shadows) for planted in truth),
        shadows=tuple(shadows.values()),
        nulls=nulls,
        false_drivers=tuple(false_drivers),
    )


def _telling(drivers: pd.DataFrame, planted: Planted) -> list[tuple[int, int]]:
    """The rows of the table that tell of a fact, with +1 where they say that it holds and -1 that it does not."""
    found = []
    for place, (concept, phrases) in enumerate(zip(drivers["concept"], drivers["phrases"], strict=True)):
        text = f"{concept}; {phrases}"
        says, says_not = _says(text, planted.says), _says(text, planted.says_not)
        if says != says_not:
            found.append((place, 1 if says else -1))
    return found


def _says(text: str, phrases: Sequence[str]) -> bool:
    """Whether one of the phrases stands in the text as whole words."""
    return any(re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", text, re.IGNORECASE) for phrase in phrases)


# Where several concepts tell of one fact, the first of these outcomes stands for it, so that what speaks against the
# truth is never hidden behind what speaks for it; then the fact itself comes before its opposite, then the least q.
_ORDER: tuple[Outcome, ...] = (
    "wrong sign", "taken for a driver", "found", "left to the year", "missed", "no difference seen", "quiet", "shadow"
)  # fmt: skip


def _recover(
    drivers: pd.DataFrame, told: list[tuple[int, int]], planted: Planted, shadows: Mapping[int, Shadow]
) -> Recovered:
    """The record of the concept that stands for a fact."""
    judged: list[tuple[Outcome, int, int]] = [
        ("shadow" if place in shadows else _judge(drivers.iloc[place], sign, planted), place, sign)
        for place, sign in told
        if not math.isnan(float(drivers["q"].iloc[place]))
    ]
    if judged:
        outcome, place, sign = min(
            judged, key=lambda item: (_ORDER.index(item[0]), -item[2], float(drivers["q"].iloc[item[1]]))
        )
        row, concept = drivers.iloc[place], str(drivers["concept"].iloc[place])
    else:
        outcome = "not described" if planted.kind == "null" else "missed"
        row, concept, sign = pd.Series(dtype=float), "", 1
    return Recovered(
        fact=planted.name,
        kind=planted.kind,
        planted=planted.effect,
        planted_raw=planted.raw,
        concept=concept,
        opposite=sign < 0,
        lift=_number(row, "lift"),
        lift_low=_number(row, "lift_low"),
        lift_high=_number(row, "lift_high"),
        adjusted=_number(row, "adjusted"),
        adjusted_low=_number(row, "adjusted_low"),
        adjusted_high=_number(row, "adjusted_high"),
        q=_number(row, "q"),
        outcome=outcome,
        ok=outcome in ("found", "left to the year", "quiet", "shadow", "not described"),
    )


def _judge(row: pd.Series, sign: int, planted: Planted) -> Outcome:
    """What one row of the table says about a fact."""
    significant = float(row["q"]) < LEVEL
    if planted.kind == "null":
        return "taken for a driver" if significant else "quiet"
    if planted.kind == "follows_year":
        if significant:
            return "taken for a driver"
        right = sign * planted.raw * float(row["lift"]) > 0
        apart = float(row["lift_low"]) * float(row["lift_high"]) > 0
        return "left to the year" if right and apart else "no difference seen"
    if not significant:
        return "missed"
    return "found" if sign * planted.effect * float(row["adjusted"]) > 0 else "wrong sign"


def _nearest(said: np.ndarray, facts: pd.DataFrame, truth: Sequence[Planted]) -> tuple[str, float]:
    """The planted driver with which a concept's presence (n,) correlates most, and how much."""
    best, name = 0.0, ""
    for planted in truth:
        if planted.kind != "driver":
            continue
        column = facts[planted.column]
        # Where a fact has no value (a grey poster is neither warm nor cool) it lies between true and false.
        holds = column.astype("Float64").fillna(0.5).to_numpy(float)
        if said.std() == 0 or holds.std() == 0:
            continue
        correlation = float(np.corrcoef(said, holds)[0, 1])
        if abs(correlation) > abs(best):
            best, name = correlation, planted.name
    return name, best


def _number(row: pd.Series, column: str) -> float:
    return float(row[column]) if column in row.index else math.nan
