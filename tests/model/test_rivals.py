"""Several captions of the same rows: the one that says most is found, and flattered; fresh rows set it right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from yoin.errors import UsageError
from yoin.model import compare_captions
from yoin.model.rivals import Rival
from yoin.table import assign_folds

THINGS = ("barn", "cat", "sea", "forest", "wall", "street", "sky", "lamp")


def folds(rows: int, seed: int = 0) -> np.ndarray:
    return assign_folds([pd.Series(range(rows))], 5, seed)


def noise(rows: int, random: np.random.Generator) -> list[str]:
    """Captions of a prompt that sees things which have nothing to do with any metric."""
    seen = random.random((rows, len(THINGS))) < 0.4
    return ["A picture of " + ", ".join(np.array(THINGS)[row]) + "." for row in seen]


def told(metric: np.ndarray, threshold: float, random: np.random.Generator) -> list[str]:
    bright = metric + random.normal(0, threshold, len(metric)) > 0
    return [f"A {'bright' if b else 'dark'} {THINGS[random.integers(8)]}." for b in bright]


def test_the_set_that_says_more_has_the_higher_r2_and_the_others_are_behind_by_the_difference() -> None:
    random = np.random.default_rng(0)
    metric = random.normal(size=120)
    sets = [noise(120, random), told(metric, 0.2, random), told(metric, 2.0, random)]
    idle, best, worse = compare_captions(sets, metric, folds(120))
    assert best.r2 > worse.r2 > idle.r2 - 0.05
    assert best.r2_low > 0.3
    assert (best.behind, best.behind_low, best.behind_high) == (0, 0, 0)
    for rival in (idle, worse):
        assert rival.behind == pytest.approx(best.r2 - rival.r2)
        assert 0 < rival.behind_low < rival.behind < rival.behind_high
    assert idle.r2_low <= idle.r2 <= idle.r2_high


def test_with_features_what_they_know_is_no_gain() -> None:
    random = np.random.default_rng(1)
    era, own = random.random(150) < 0.5, random.random(150) < 0.5
    metric = 2.0 * era + 1.0 * own + random.normal(0, 0.5, 150)
    echoes = [f"A {'new' if e else 'old'} picture." for e in era]
    telling = [f"A {'red' if o else 'blue'} picture." for o in own]
    features = pd.DataFrame({"era": np.where(era, "new", "old")})
    echo, new = compare_captions([echoes, telling], metric, folds(150), features=features)
    assert abs(echo.r2) < 0.02
    assert new.r2_low > 0.05
    echo_alone, new_alone = compare_captions([echoes, telling], metric, folds(150))
    assert echo_alone.r2 > new_alone.r2  # without the features it is the other way round


def test_groups_widen_the_intervals() -> None:
    random = np.random.default_rng(2)
    group = np.repeat(np.arange(30), 5)
    metric = np.repeat(random.normal(size=30), 5) + random.normal(0, 0.3, 150)
    sets = [told(metric, 0.5, random), noise(150, random)]
    inner = assign_folds([pd.Series(group)], 5, 0)
    alone, grouped = compare_captions(sets, metric, inner)[0], compare_captions(sets, metric, inner, group=group)[0]
    assert grouped.r2_high - grouped.r2_low > alone.r2_high - alone.r2_low


def test_a_metric_that_never_changes_is_refused() -> None:
    with pytest.raises(UsageError, match="the same in every row"):
        compare_captions([["a"] * 30, ["b"] * 30], np.ones(30), folds(30))


@pytest.mark.slow
def test_the_best_of_several_that_say_nothing_looks_good_where_it_was_chosen_and_not_elsewhere() -> None:
    """Metric and captions are independent. The truth is the mean R² of a prompt that nobody chose.

    Learned from noise and judged out of fold, it is a little below 0, and so the interval may be too.
    """
    data_sets, rows, prompts = 100, 100, 5
    free: list[Rival] = []
    chosen: list[Rival] = []
    judged: list[Rival] = []
    for number in range(data_sets):
        random = np.random.default_rng(number)
        metric = random.normal(size=2 * rows)
        sets = [noise(2 * rows, random) for _ in range(prompts)]
        first = compare_captions([one[:rows] for one in sets], metric[:rows], folds(rows, number), bootstrap=500)
        best = int(np.argmin([one.behind for one in first]))
        free.append(first[0])
        chosen.append(first[best])
        judged += compare_captions([sets[best][rows:]], metric[rows:], folds(rows, number), bootstrap=500)

    def mean(rivals: list[Rival]) -> float:
        return float(np.mean([one.r2 for one in rivals]))

    truth = mean(free)
    assert mean(chosen) > truth + 0.015
    assert abs(mean(judged) - truth) < 0.015
    above = sum(one.r2_low > 0 for one in judged)
    assert binomtest(above, data_sets, 0.025, alternative="greater").pvalue > 0.01
    covered = sum(one.r2_low <= truth <= one.r2_high for one in judged)
    assert binomtest(covered, data_sets, 0.95, alternative="less").pvalue > 0.01
