import math

import numpy as np
import pandas as pd
import pytest

from yoin.demo import PLANTED, Recovered, compare, plant
from yoin.values import DRIVER_COLUMNS, OCCURRENCE_COLUMNS

FACTS = plant(150, 0)[1]
NAMES = [planted.name for planted in PLANTED]


def driver(concept: str, *, lift: float, adjusted: float, q: float, phrases: str = "") -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(DRIVER_COLUMNS, math.nan)
    row |= {"concept": concept, "phrases": phrases or concept, "note": "", "lift": lift, "adjusted": adjusted}
    row |= {"lift_low": lift - 0.4, "lift_high": lift + 0.4, "p": q / 2, "q": q}
    row |= {"adjusted_low": adjusted - 0.4, "adjusted_high": adjusted + 0.4}
    return row


TRUE = (
    driver("warm palette", lift=1.5, adjusted=1.0, q=1e-5),
    driver("dark image", lift=-1.0, adjusted=-1.1, q=1e-5),
    driver("large face", lift=1.0, adjusted=0.9, q=1e-5, phrases="one large face; large face"),
    driver("much text", lift=-0.9, adjusted=-1.0, q=1e-5),
    driver("black and white image", lift=-1.1, adjusted=0.1, q=0.7),
)


def table(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(DRIVER_COLUMNS))


def said(**rows_of: object) -> pd.DataFrame:
    records = [
        (int(row), concept.replace("_", " "), 0, 5, False, concept)
        for concept, rows in rows_of.items()
        for row in np.asarray(rows)
    ]
    return pd.DataFrame(records, columns=list(OCCURRENCE_COLUMNS))


def fact(name: str, *rows: dict[str, object]) -> Recovered:
    return compare(table(*rows), said(), FACTS).facts[NAMES.index(name)]


def test_all_as_planted():
    recovery = compare(table(*TRUE), said(), FACTS)
    assert recovery.ok
    assert [record.fact for record in recovery.facts] == NAMES
    assert [record.outcome for record in recovery.facts] == ["found"] * 4 + ["left to the year"] + ["not described"] * 3
    face = recovery.facts[2]
    assert (face.concept, face.opposite, face.planted, face.adjusted, face.q) == ("large face", False, 1.0, 0.9, 1e-5)
    assert (face.lift_low, face.adjusted_high) == pytest.approx((0.6, 1.3))
    assert recovery.nulls == 0
    assert recovery.sentences[0] == "4 of 4 planted drivers were found with the right sign."


def test_an_opposite_counts_with_its_own_sign():
    found = fact("dark image", driver("bright image", lift=1.0, adjusted=1.1, q=0.001))
    assert (found.outcome, found.opposite, found.concept) == ("found", True, "bright image")
    assert fact("dark image", driver("bright image", lift=-1.0, adjusted=-1.1, q=0.001)).outcome == "wrong sign"


def test_a_wrong_sign_is_not_hidden_by_a_right_one():
    wrong = driver("cool palette", lift=0.5, adjusted=0.6, q=0.04)
    record = fact("warm palette", *TRUE, wrong)
    assert (record.outcome, record.concept, record.ok) == ("wrong sign", "cool palette", False)


def test_the_fact_itself_comes_before_its_opposite_and_then_the_least_q():
    rows = (
        driver("bright image", lift=1.0, adjusted=0.8, q=0.001),
        driver("dark image", lift=-1, adjusted=-1, q=0.01),
        driver("very dark image", lift=-1, adjusted=-1, q=0.002),
    )
    assert fact("dark image", *rows).concept == "very dark image"
    assert fact("dark image", rows[0], driver("dark image", lift=0, adjusted=0, q=0.5)).concept == "bright image"


def test_missed_when_not_significant_or_not_said_or_not_tested():
    assert fact("much text", driver("much text", lift=-0.3, adjusted=-0.2, q=0.2)).outcome == "missed"
    unsaid = fact("much text", *TRUE[:3])
    assert (unsaid.outcome, unsaid.concept, unsaid.ok) == ("missed", "", False)
    assert math.isnan(unsaid.lift)
    assert fact("much text", driver("much text", lift=-1, adjusted=-1, q=math.nan)).outcome == "missed"


@pytest.mark.parametrize(
    ("lift", "q", "outcome"),
    [
        (-1.1, 0.6, "left to the year"),
        (-1.1, 0.01, "taken for a driver"),
        (-0.1, 0.6, "no difference seen"),
        (1.1, 0.6, "no difference seen"),
    ],
)
def test_the_fact_that_follows_the_year(lift: float, q: float, outcome: str):
    record = fact("black and white", driver("black and white", lift=lift, adjusted=0.0, q=q))
    assert record.outcome == outcome
    assert record.ok == (outcome == "left to the year")


def test_phrases_match_as_whole_words_only():
    for other in ("lukewarm palette", "warm palettes", "palette", "non-warm palette"):
        assert fact("warm palette", driver(other, lift=1, adjusted=1, q=0.001)).concept == ""
    assert fact("warm palette", driver("palette", phrases="palette; Warm palette", lift=1, adjusted=1, q=0.001)).ok
    both = driver("palette", phrases="warm palette; cool palette", lift=1, adjusted=1, q=0.001)
    assert fact("warm palette", both).outcome == "missed"


def test_a_concept_that_goes_along_with_a_fact_is_its_shadow_and_others_are_nulls():
    dark_rows = np.flatnonzero(FACTS["dark"])
    spread = np.random.default_rng(1).permutation(150)[:60]
    rows = (
        *TRUE,
        driver("low contrast", lift=-0.8, adjusted=-0.8, q=0.001),
        driver("soft light", lift=0.1, adjusted=0.1, q=0.9),
        driver("rare thing", lift=0.1, adjusted=0.1, q=math.nan),
    )
    recovery = compare(table(*rows), said(low_contrast=dark_rows, soft_light=spread), FACTS)
    (shadow,) = recovery.shadows
    assert (shadow.concept, shadow.fact) == ("low contrast", "dark image")
    assert shadow.correlation == pytest.approx(1.0)
    assert (recovery.nulls, recovery.false_drivers, recovery.ok) == (1, (), True)


def test_a_null_called_a_driver_is_named():
    spread = np.random.default_rng(1).permutation(150)[:60]
    rows = (*TRUE, driver("busy detail", lift=0.7, adjusted=0.7, q=0.01))
    recovery = compare(table(*rows), said(busy_detail=spread), FACTS)
    assert (recovery.nulls, recovery.false_drivers, recovery.ok) == (1, ("busy detail",), False)
    assert recovery.facts[NAMES.index("busy detail")].outcome == "taken for a driver"
    assert recovery.sentences[-1].endswith("1 came out significant: busy detail.")
    assert abs(np.corrcoef(FACTS.index.isin(spread), FACTS["dark"])[0, 1]) < 0.2


def test_a_null_fact_that_goes_along_with_a_driver_is_not_held_against_the_analysis():
    rows = (*TRUE, driver("busy detail", lift=-0.7, adjusted=-0.7, q=0.01))
    recovery = compare(table(*rows), said(busy_detail=np.flatnonzero(FACTS["text"])), FACTS)
    assert recovery.facts[NAMES.index("busy detail")].outcome == "shadow"
    assert recovery.ok


def test_denied_mentions_are_not_presence():
    dark_rows = np.flatnonzero(FACTS["dark"])
    occurrences = said(low_contrast=dark_rows).assign(negated=True)
    recovery = compare(table(driver("low contrast", lift=0, adjusted=0, q=0.9)), occurrences, FACTS)
    assert (recovery.shadows, recovery.nulls) == ((), 1)
