from __future__ import annotations

import math

import pandas as pd

from yoin.brief.choose import choose
from yoin.values import DRIVER_COLUMNS


def driver(concept: str, lift: float, **changes: object) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(DRIVER_COLUMNS, math.nan)
    return row | {
        "concept": concept, "phrases": concept, "n_with": 40, "n_without": 60, "prevalence": 0.4, "lift": lift,
        "lift_low": lift - 0.1, "lift_high": lift + 0.1, "p": 0.001, "q": 0.01, "sign_agreement": 1.0, "note": "",
    } | changes  # fmt: skip


def chosen(*rows: dict[str, object], sensitive: tuple[str, ...] = ()) -> tuple[list[str], dict[str, str], int]:
    found = choose(pd.DataFrame(rows, columns=list(DRIVER_COLUMNS)), sensitive)
    return [one.concept for one in found.drivers], found.left_out, found.sensitive


def test_significant_ones_by_size_of_effect() -> None:
    names, left_out, _ = chosen(
        driver("sea", 0.3), driver("barn", -0.9), driver("cat", 2.0, q=0.06), driver("dog", 2.0, q=math.nan)
    )
    assert names == ["barn", "sea"]
    assert left_out == {}


def test_sensitive_ones_are_counted_and_not_named() -> None:
    assert chosen(driver("sea", 0.3), driver("woman", 0.9), sensitive=("woman",)) == (["sea"], {}, 1)


def test_what_is_not_steady_is_left_out_with_a_reason() -> None:
    names, left_out, _ = chosen(
        driver("steady", 0.5),
        driver("bent", 0.5, note="no simple driver: turns with “sea”"),
        driver("split", 0.5, sign_agreement=0.6),
        driver("unread", 0.5, sign_agreement=math.nan),
        driver("turned", 0.5, adjusted=-0.4, adjusted_low=-0.5, adjusted_high=-0.3),
        driver("unsure", 0.5, adjusted=0.4, adjusted_low=-0.5, adjusted_high=1.3),
    )
    assert names == ["steady"]
    assert {name: reason.split()[-1] for name, reason in left_out.items()} == {
        "bent": "column", "split": "direction", "unread": "it", "turned": "account", "unsure": "zero",
    }  # fmt: skip


def test_with_features_the_effect_is_the_adjusted_one() -> None:
    (one,) = choose(
        pd.DataFrame([driver("sea", 0.9, adjusted=0.4, adjusted_low=0.3, adjusted_high=0.5)]), ()
    ).drivers  # fmt: skip
    assert (one.effect, one.low, one.high) == (0.4, 0.3, 0.5)


def test_the_same_words_are_said_once() -> None:
    names, left_out, _ = chosen(driver("barn", 0.5), driver("red barns", 0.9), driver("red sea", 0.2))
    assert names == ["red barns", "red sea"]
    assert left_out == {"barn": "says the same as “red barns”"}
