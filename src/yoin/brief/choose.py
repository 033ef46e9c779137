"""Which drivers a brief may build on, and why the other significant ones are left out."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from yoin.language import lemma, words

SIGNIFICANT = 0.05
STABLE = 0.8  # the least share of folds in which the model gives it the direction of its lift


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A driver to build on; ``effect`` with its 95% interval is ``adjusted`` where there are features, else ``lift``.

    ``per_arm`` images in each of two arms of an A/B test find an effect of this size four times in five, ``cautious``
    is the same for the end of the interval that is nearer to zero.
    """

    concept: str
    effect: float
    low: float
    high: float
    n_with: int
    n_without: int
    prevalence: float
    q: float
    sign_agreement: float
    per_arm: int | None = None
    cautious: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Drivers to build on, largest effects first, and what was left out: concepts by reason, and sensitive ones."""

    drivers: tuple[Chosen, ...]
    left_out: dict[str, str]
    sensitive: int


def choose(drivers: pd.DataFrame, sensitive: Collection[str]) -> Choice:
    """The significant drivers that are sign-stable, not ``sensitive``, and not another one in other words.

    Sign-stable: ``adjusted`` and ``lift`` have one direction, the interval leaves out zero, and in at least `STABLE` of
    the folds the model reads the concept that way. Without explained captions that is not known, and not assumed.
    """
    chosen: list[Chosen] = []
    left_out: dict[str, str] = {}
    set_apart = 0
    for row in drivers[drivers["q"].astype(float) < SIGNIFICANT].to_dict("records"):
        concept = str(row["concept"])
        if concept in sensitive:
            set_apart += 1
            continue
        one = _driver(row)
        reason = _unstable(row, one)
        if reason:
            left_out[concept] = reason
        else:
            chosen.append(one)
    kept: list[Chosen] = []
    for one in sorted(chosen, key=lambda one: (-abs(one.effect), one.concept)):
        double = next((other for other in kept if _same_words(one.concept, other.concept)), None)
        if double is None:
            kept.append(one)
        else:
            left_out[one.concept] = f"says the same as “{double.concept}”"
    return Choice(tuple(kept), left_out, set_apart)


def _driver(row: Mapping[Hashable, object]) -> Chosen:
    def number(name: str) -> float:
        value = row[name]
        return float("nan") if value is None else float(str(value))

    net = "adjusted" if math.isfinite(number("adjusted")) else "lift"
    return Chosen(
        concept=str(row["concept"]),
        effect=number(net),
        low=number(f"{net}_low"),
        high=number(f"{net}_high"),
        n_with=int(number("n_with")),
        n_without=int(number("n_without")),
        prevalence=number("prevalence"),
        q=number("q"),
        sign_agreement=number("sign_agreement"),
    )


def _unstable(row: Mapping[Hashable, object], one: Chosen) -> str:
    """Why its direction is not sure, "" where it is."""
    lift = float(str(row["lift"]))
    if not one.low * one.high > 0:
        return "its interval holds zero"
    if lift * one.effect < 0:
        return "it changes direction when the other columns are taken into account"
    if "no simple driver" in str(row["note"]):
        return "it turns with another concept or column"
    if math.isnan(one.sign_agreement):
        return "no explained caption tells how the model reads it"
    if one.sign_agreement < STABLE:
        return "the models of the folds do not agree on its direction"
    return ""


def _same_words(one: str, other: str) -> bool:
    """Whether all words of one of the two stand in the other."""
    a, b = ({lemma(word.text) for word in words(text)} for text in (one, other))
    return a <= b or b <= a
