from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from yoin.drivers.raters import settled


def asked(*raters: list[float]) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """The answers of some people about the same images, in long form."""
    rows = [
        (number, f"rater {who}", answer) for who, answers in enumerate(raters) for number, answer in enumerate(answers)
    ]
    frame = pd.DataFrame(rows, columns=["image", "rater", "dog"])
    return frame[["dog"]], frame["image"], frame["rater"]


def kappa(one: list[float], two: list[float]) -> float:
    """Cohen's, from the table of both."""
    table = np.zeros((2, 2))
    for left, right in zip(one, two, strict=True):
        table[int(left), int(right)] += 1 / len(one)
    chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return (float(np.trace(table)) - chance) / (1 - chance)


def test_a_textbook_kappa() -> None:
    # 20 both yes, 5 and 10 apart, 15 both no: agreement 0.7, by chance 0.5
    one, two = [1.0] * 25 + [0.0] * 25, [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15
    answers, found = settled(*asked(one, two))
    assert found["dog"] == {"raters": 2, "images": 50, "agreed": pytest.approx(0.7), "kappa": pytest.approx(0.4),
                            "ties": 15}  # fmt: skip
    assert answers["dog"].sum() == 20
    assert answers["dog"].isna().sum() == 15


@pytest.mark.parametrize("seed", range(5))
def test_of_three_raters_the_majority_and_the_mean_of_the_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.random(60) < 0.4
    raters = [np.where(random.random(60) < 0.8, truth, ~truth).astype(float).tolist() for _ in range(3)]
    answers, found = settled(*asked(*raters))
    assert answers["dog"].tolist() == [float(sum(each) >= 2) for each in zip(*raters, strict=True)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    assert found["dog"]["kappa"] == pytest.approx(np.mean([kappa(raters[one], raters[two]) for one, two in pairs]))
    assert found["dog"]["ties"] == 0


def test_pairs_count_by_their_images_and_blanks_do_not() -> None:
    nan = float("nan")
    one, two = [1.0, 0.0, 1.0, 0.0, nan, nan], [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    three = [nan, nan, nan, nan, 0.0, 1.0]
    answers, found = settled(*asked(one, two, three))
    assert found["dog"]["images"] == 6
    assert found["dog"]["agreed"] == pytest.approx((4 * 0.75 + 2 * 0.0) / 6)
    assert found["dog"]["kappa"] == pytest.approx((4 * kappa(one[:4], two[:4]) + 2 * kappa(two[4:], three[4:])) / 6)
    assert answers["dog"].isna().tolist() == [False, False, True, False, True, True]


def test_where_nobodys_answers_vary_there_is_no_kappa() -> None:
    _, found = settled(*asked([1.0, 1.0], [1.0, 1.0]))
    assert found["dog"] == {"raters": 2, "images": 2, "agreed": 1.0, "kappa": None, "ties": 0}
