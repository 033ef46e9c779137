"""Lifts corrected by what people saw, on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from tests.drivers.plain import estimate_drivers
from yoin.drivers.corrected import FEWEST_ANSWERS, correct
from yoin.drivers.sampling import chances, draw
from yoin.errors import UsageError
from yoin.values import CORRECTED_COLUMNS

TRUTH = 0.4


def planted(rng: np.random.Generator, rows: int, missed: float, invented: float) -> tuple[np.ndarray, ...]:
    """The metric, what the captions say (rows, 4) and what the images show (rows, 4)."""
    shows = rng.random((rows, 4)) < (0.3, 0.05, 0.5, 0.15)
    wrong = rng.random((rows, 4)) < np.where(shows, missed, invented)
    return TRUTH * shows[:, 0] + rng.normal(size=rows), (shows ^ wrong).astype(float), shows


@pytest.mark.parametrize(
    ("missed", "invented", "sets"),
    [(0.2, 0.1, 150), *(pytest.param(*rates, 1000, marks=pytest.mark.slow) for rates in ((0.1, 0.2), (0.4, 0.02)))],
)
def test_the_corrected_interval_covers_what_the_captions_attenuate(
    missed: float, invented: float, sets: int, record_property: pytest.FixtureRequest
) -> None:
    rng = np.random.default_rng(7)
    covered, naive, lifts = [], [], []
    for seed in range(sets):
        metric, said, shows = planted(rng, 1000, missed, invented)
        chance = chances(said, 100)
        drawn = draw(said, chance, seed)
        found = correct(metric, said[:, 0], np.where(drawn, shows[:, 0], np.nan), chance)
        covered.append(found.low <= TRUTH <= found.high)
        lifts.append(found.lift)
        naive.append(metric[said[:, 0] > 0].mean() - metric[said[:, 0] == 0].mean())
    record_property("coverage", float(np.mean(covered)))
    assert np.mean(naive) < 0.8 * TRUTH
    assert np.mean(lifts) == pytest.approx(TRUTH, abs=4 * np.std(lifts) / np.sqrt(sets))
    slack = 3 * np.sqrt(0.05 * 0.95 / sets)
    assert 0.93 - slack <= np.mean(covered) <= 0.97 + slack


def test_errors_that_go_with_the_metric_are_corrected_too() -> None:
    """A captioner that invents the concept where the metric is high: no effect, and a large naive lift."""
    rng = np.random.default_rng(8)
    covered, naive, sets = 0, [], 100
    for seed in range(sets):
        metric, shows = rng.normal(size=1000), rng.random(1000) < 0.3
        said = np.where(rng.random(1000) < 0.15 + 0.15 * np.sign(metric), True, shows).astype(float)
        chance = chances(said[:, None], 100)
        found = correct(metric, said, np.where(draw(said[:, None], chance, seed), shows, np.nan), chance)
        covered += found.low <= 0 <= found.high
        naive.append(metric[said > 0].mean() - metric[said == 0].mean())
    assert np.mean(naive) > 0.3
    assert covered / sets >= 0.93 - 3 * np.sqrt(0.05 * 0.95 / sets)


def test_all_rows_labelled_give_the_lift_of_the_labels() -> None:
    rng = np.random.default_rng(0)
    metric, said, shows = planted(rng, 400, 0.3, 0.2)
    weight = rng.uniform(0.5, 2, 400)
    found = correct(metric, said[:, 0], shows[:, 0].astype(float), np.ones(400), weight=weight)
    yes = shows[:, 0]
    expected = np.average(metric[yes], weights=weight[yes]) - np.average(metric[~yes], weights=weight[~yes])
    assert found.lift == pytest.approx(expected)
    plain = correct(metric, said[:, 0], shows[:, 0].astype(float), np.ones(400))
    both = metric[yes].var(ddof=1) / yes.sum() + metric[~yes].var(ddof=1) / (~yes).sum()
    assert plain.high - plain.low == pytest.approx(2 * 1.97 * np.sqrt(both), rel=0.03)
    assert plain.sensitivity == pytest.approx(said[yes, 0].mean())
    assert plain.specificity == pytest.approx(1 - said[~yes, 0].mean())
    assert plain.kappa == pytest.approx(cohen_kappa_score(said[:, 0], yes))
    assert (plain.yes, plain.no) == (yes.sum(), (~yes).sum())


def test_captions_without_an_error_keep_their_lift() -> None:
    rng = np.random.default_rng(0)
    metric, said, _ = planted(rng, 400, 0, 0)
    found = correct(metric, said[:, 0], np.where(rng.random(400) < 0.3, said[:, 0], np.nan), np.full(400, 0.3))
    assert found.lift == pytest.approx(metric[said[:, 0] > 0].mean() - metric[said[:, 0] == 0].mean())
    assert (found.sensitivity, found.specificity, found.kappa) == pytest.approx((1, 1, 1))


def test_rows_that_belong_together_count_as_such() -> None:
    rng = np.random.default_rng(1)
    metric, said, shows = planted(rng, 300, 0.2, 0.1)
    answer = np.where(rng.random(300) < 0.3, shows[:, 0], np.nan)
    once = correct(metric, said[:, 0], answer, np.full(300, 0.3))
    thrice = correct(
        np.tile(metric, 3), np.tile(said[:, 0], 3), np.tile(answer, 3), np.full(900, 0.3),
        units=np.tile(np.arange(300), 3),
    )  # fmt: skip
    assert thrice.lift == pytest.approx(once.lift)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.05)
    grouped = correct(metric, said[:, 0], answer, np.full(300, 0.3), units=np.arange(300) % 4)
    assert grouped.reason == "the answers are for too few independent groups"


def test_too_few_answers_give_none() -> None:
    metric, said = np.arange(60.0), np.tile([0.0, 1.0], 30)
    chance = np.ones(60)
    answer = np.zeros(60)
    assert correct(metric, said, answer, chance).reason == "only 0 answers are yes"
    answer = np.where(said > 0, 1.0, np.nan)
    assert correct(metric, said, answer, chance).reason == "only 0 answers are no"
    some = np.where(np.arange(60) % 12 < 2, 1.0, 0.0)
    assert correct(metric, said, some, chance).reason == "only about 10 rows show it"
    answer[:: 60 // FEWEST_ANSWERS] = 0.0
    answer[-2::-2] = np.nan
    answer[[1, 3, 5, 7, 9]] = 0.0
    found = correct(metric, said, answer, chance)
    assert found.reason == "only 0 answers are for captions that do not name it"
    assert np.isnan(found.lift)


def test_chances_add_up_and_rare_concepts_get_their_images() -> None:
    rng = np.random.default_rng(2)
    said = (rng.random((2000, 5)) < (0.01, 0.03, 0.3, 0.5, 0.99)).astype(float)
    chance = chances(said, 100)
    assert chance.sum() == pytest.approx(100)
    assert (chance > 0).all()
    assert (chance <= 1).all()
    assert (chance @ said[:, :2] > 8).all()  # an even draw: 1 and 3
    assert chance @ (1 - said[:, 4]) > 8
    assert chances(np.zeros((50, 0)), 20) == pytest.approx(np.full(50, 0.4))
    assert chances(said, 2000).tolist() == [1.0] * 2000


def test_images_are_drawn_with_their_chances() -> None:
    said = np.stack([np.arange(60) < 6, np.arange(60) % 2 == 0], axis=1).astype(float)
    chance = chances(said, 20)
    times = np.zeros(60)
    for seed in range(2000):
        drawn = draw(said, chance, seed)
        assert drawn.sum() == 20
        assert abs(said[drawn, 0].sum() - chance @ said[:, 0]) < 1
        times += drawn
    assert np.abs(times / 2000 - chance).max() < 4 * np.sqrt(0.25 / 2000)
    np.testing.assert_array_equal(draw(said, chance, 5), draw(said, chance, 5))
    assert draw(np.zeros((7, 0)), np.ones(7), 0).all()


def labelled(rows: int = 300) -> tuple[list[str], np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(3)
    metric, said, shows = planted(rng, rows, 0.2, 0.1)
    captions = [f"A {'red barn' if one else 'wall'}. {'Rain' if two else 'Sun'}." for one, *_, two in said > 0]
    asked = rng.random(rows) < 0.3
    cells = pd.DataFrame({"red barn": shows[:, 0], "Rain": shows[:, 3], "owl": True}, dtype=object)[asked]
    return captions, metric, cells.assign(chance=0.3)


def test_estimate_drivers_takes_labels() -> None:
    captions, metric, labels = labelled()
    labels.iloc[::9, 0] = None
    found = estimate_drivers(captions, metric, concepts=["red barn", "rain"], labels=labels)
    table = found.corrected
    assert tuple(table.columns) == CORRECTED_COLUMNS
    assert table["concept"].tolist() == ["red barn", "rain"]  # Rain is rain by its id
    assert table["concept_id"].tolist() == ["barn+red", "rain"]
    assert any("labels for “owl”" in note for note in found.notes)
    barn = table.iloc[0]
    assert barn["yes"] + barn["no"] == labels["red barn"].notna().sum()
    assert barn["lift"] == found.table.set_index("concept").loc["red barn", "lift"]
    assert barn["corrected_low"] < barn["corrected"] < barn["corrected_high"]
    assert barn["note"] == ""
    listed = labels.rename_axis("row_id").reset_index()
    again = estimate_drivers(captions, metric, concepts=["red barn", "rain"], labels=listed).corrected
    pd.testing.assert_frame_equal(table, again)
    assert estimate_drivers(captions, metric, concepts=["red barn"]).corrected is None
    few = estimate_drivers(captions, metric, concepts=["rain"], labels=labels[["Rain"]].head(6)).corrected
    assert few["note"].str.startswith("not corrected: only").all()
    assert few["corrected"].isna().all()


def test_what_is_said_of_a_correction() -> None:
    rng = np.random.default_rng(4)
    shows, other = rng.random((2, 600)) < 0.4
    noise, everything = rng.normal(size=600), {"barn": shows}

    def note(said: np.ndarray, metric: np.ndarray) -> str:
        captions = [f"A {'barn' if one else 'wall'}." for one in said]
        labels = pd.DataFrame(everything)
        return estimate_drivers(captions, metric, concepts=["barn"], labels=labels).corrected["note"][0]

    assert note(shows, 2 * shows + noise) == ""
    assert note(other, 2 * other + noise) == "captions and people agree little; clear by the captions alone"
    found = note(other, 2 * shows + noise)
    assert found == "captions and people agree little; clear by what people saw, not by the captions"
    assert note(~shows, 2 * shows + noise).endswith("the captions have it the wrong way round")
    assert note(shows ^ (rng.random(600) < 0.1), 2 * shows + noise) == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: [1, 2], "labels is not a DataFrame"),
        (lambda t: t.assign(owl="maybe"), "row 1: the label 'maybe' of 'owl' is neither true nor false"),
        (lambda t: t.assign(chance=0.0), "row 1: a chance is not a number above 0"),
        (lambda t: t.assign(chance="often"), "row 1: a chance is not a number above 0"),
        (lambda t: t.set_axis(t.index + 1000), "which has no caption"),
        (lambda t: pd.concat([t, t]), "the same row twice"),
        (lambda t: t.set_axis(["owl", "x", "owl", "chance"], axis=1), "the same column twice"),
    ],
)
def test_labels_that_are_none(change, says: str) -> None:
    captions, metric, labels = labelled()
    with pytest.raises(UsageError, match=says):
        estimate_drivers(captions, metric, concepts=["rain"], labels=change(labels))
