from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tests.drivers.plain import estimate_drivers
from yoin.errors import UsageError
from yoin.options import DriverOptions
from yoin.values import DRIVER_COLUMNS, OCCURRENCE_COLUMNS

LINES = (
    ("warm palette", "cool palette"),
    ("large face", "small face", "no face"),
    ("much text", "no text"),
    ("dog", "cat", "owl"),
)


def planted(count: int = 240, seed: int = 0):
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    captions = [". ".join(rng.choice(pool) for pool in LINES) + "." for _ in range(count)]
    warm = np.array(["warm" in caption for caption in captions])
    return captions, 5 + 1.5 * warm + noise.normal(size=count), noise


def row(found, concept: str) -> pd.Series:
    return found.table.set_index("concept").loc[concept]


def test_lists_series_and_frames_give_the_same_table():
    captions, metric, noise = planted()
    year = noise.integers(1990, 2020, size=len(metric))
    found = estimate_drivers(captions, metric.tolist(), features={"year": year.tolist()})
    shuffled = pd.Series(captions, index=np.arange(len(captions))[::-1] + 7)
    again = estimate_drivers(shuffled, pd.Series(metric), features=pd.DataFrame({"year": year}))
    pd.testing.assert_frame_equal(found.table, again.table)
    assert tuple(found.table.columns) == DRIVER_COLUMNS
    assert tuple(found.occurrences.columns) == OCCURRENCE_COLUMNS
    assert found.occurrences["row_id"].min() == 0
    assert again.occurrences["row_id"].min() == 7


def test_the_planted_driver_is_found_with_its_numbers():
    captions, metric, _ = planted()
    found = estimate_drivers(captions, metric)
    top = found.table.iloc[0]
    assert top["concept"] in ("warm palette", "cool palette")
    has = np.array(["warm" in caption for caption in captions])
    oracle = scipy.stats.ttest_ind(metric[has], metric[~has], equal_var=False)
    warm = row(found, "warm palette")
    assert warm["lift"] == pytest.approx(metric[has].mean() - metric[~has].mean())
    assert warm["lift_low"] == pytest.approx(oracle.confidence_interval(0.95).low)
    assert warm["p"] == pytest.approx(oracle.pvalue)
    assert warm["n_with"] == has.sum()
    assert warm["n_with"] + warm["n_without"] == len(metric)
    assert warm["note"] == "in exactly the captions without “cool palette”"
    assert found.table[["adjusted", "importance"]].isna().all(axis=None)
    assert found.tested == len(found.table)
    assert found.significant == (found.table["q"] < 0.05).sum() >= 2
    np.testing.assert_allclose(found.table["q"], scipy.stats.false_discovery_control(found.table["p"]))


def test_significant_rows_come_first_by_size():
    captions, metric, _ = planted()
    table = estimate_drivers(captions, metric + 0.7 * np.array(["dog" in c for c in captions])).table
    significant = table["q"] < 0.05
    assert significant.sum() > 2
    assert not significant[~significant.cummin()].any()
    assert table.loc[significant, "lift"].abs().is_monotonic_decreasing
    assert table.loc[~significant, "p"].round(8).is_monotonic_increasing


def test_a_confounded_concept_goes_away_after_adjusting():
    captions, _, noise = planted(600)
    dog = np.array(["dog" in caption for caption in captions])
    year = 2000 + 10 * dog + noise.normal(0, 4, size=len(dog))
    metric = 0.2 * year + noise.normal(size=len(dog))
    found = estimate_drivers(captions, metric, features={"year": year})
    dog_row = row(found, "dog")
    assert dog_row["lift_low"] > 1
    assert dog_row["adjusted_low"] < 0 < dog_row["adjusted_high"]
    assert dog_row["note"] == "goes away after adjusting for the other columns"
    assert dog_row["p"] > 0.05


def test_a_sign_that_changes_is_said():
    captions, _, noise = planted(600)
    dog = np.array(["dog" in caption for caption in captions])
    year = 2000 + 10 * dog + noise.normal(0, 4, size=len(dog))
    found = estimate_drivers(captions, 0.4 * year - 1.5 * dog + noise.normal(size=len(dog)), features={"year": year})
    assert row(found, "dog")["note"] == "changes sign after adjusting for the other columns"


def test_a_concept_that_a_column_determines():
    captions, metric, _ = planted()
    found = estimate_drivers(captions, metric, features={"animal": [c.split()[-1] for c in captions]})
    assert np.isnan(row(found, "dog")["adjusted"])
    assert np.isnan(row(found, "dog")["p"])
    assert row(found, "dog")["note"] == "determined by the other columns"
    assert found.tested == len(found.table) - 3


def test_a_column_that_determines_the_metric():
    captions, metric, _ = planted()
    found = estimate_drivers(captions, metric, features={"copy": metric * 2})
    assert found.tested == 0
    assert any("determine the metric" in note for note in found.notes)
    assert found.table["note"].str.contains("could not be adjusted").all()


def test_awkward_columns_give_a_result():
    captions, metric, noise = planted()
    count = len(metric)
    frame = pd.DataFrame(
        {
            "blanks": np.where(noise.random(count) < 0.3, np.nan, noise.normal(size=count)),
            "many": [f"level {i}" for i in noise.integers(10_000, size=count)],
            "date": pd.date_range("2020-01-01", periods=count).astype(str),
            "genres": noise.choice(["Drama, Crime", "Drama", "Comedy"], size=count),
            "constant": 1,
        }
    )
    found = estimate_drivers(captions, metric, features=frame)
    assert row(found, "warm palette")["adjusted_low"] > 0
    assert found.notes


def test_one_group_gives_no_p_and_says_why():
    captions, metric, _ = planted()
    found = estimate_drivers(captions, metric, group=["a"] * len(metric))
    assert found.tested == found.significant == 0
    assert len(found.table)
    assert found.table["note"].str.contains("fewer than 5 groups").all()


def test_distinct_groups_are_no_groups():
    captions, metric, _ = planted()
    plain, grouped = estimate_drivers(captions, metric), estimate_drivers(captions, metric, group=range(len(metric)))
    pd.testing.assert_frame_equal(plain.table, grouped.table)


def test_shared_media_are_dependent_without_a_group():
    captions, metric, noise = planted(120)
    twice = captions * 2
    media = [*range(120), *range(120)]
    doubled = np.concatenate([metric, metric + noise.normal(0, 0.01, 120)])
    plain = row(estimate_drivers(twice, doubled), "warm palette")
    clustered = row(estimate_drivers(twice, doubled, media=media), "warm palette")
    single = row(estimate_drivers(captions, metric), "warm palette")
    assert plain["lift_high"] - plain["lift_low"] < 0.8 * (clustered["lift_high"] - clustered["lift_low"])
    assert clustered["lift_high"] - clustered["lift_low"] == pytest.approx(
        single["lift_high"] - single["lift_low"], rel=0.05
    )


def test_media_and_groups_join():
    captions, metric, _ = planted(40)
    found = estimate_drivers(
        captions, metric, group=[i // 2 for i in range(40)], media=[(i + 1) // 2 for i in range(40)],
        options=DriverOptions(min_rows=5),
    )  # fmt: skip
    assert "rows are counted as dependent within 1 group" in found.notes


def test_weights():
    captions, metric, noise = planted()
    weight = noise.uniform(0.1, 5, size=len(metric))
    found, scaled = (estimate_drivers(captions, metric, weight=w) for w in (weight, 1000 * weight))
    pd.testing.assert_frame_equal(found.table, scaled.table)
    has = np.array(["warm" in caption for caption in captions])
    expected = np.average(metric[has], weights=weight[has]) - np.average(metric[~has], weights=weight[~has])
    assert row(found, "warm palette")["lift"] == pytest.approx(expected)
    plain = estimate_drivers(captions, metric)
    pd.testing.assert_frame_equal(plain.table, estimate_drivers(captions, metric, weight=[3] * len(metric)).table)
    weight[:10] = 0
    left = estimate_drivers(captions, metric, weight=weight)
    pd.testing.assert_frame_equal(left.table, estimate_drivers(captions[10:], metric[10:], weight=weight[10:]).table)
    assert "10 rows of weight zero were left out" in left.notes


def test_blank_captions_are_left_out_with_a_note():
    captions, metric, _ = planted()
    blank = ["", None, float("nan"), "  "]
    found = estimate_drivers([*blank, *captions], [9.0] * 4 + metric.tolist())
    pd.testing.assert_frame_equal(found.table, estimate_drivers(captions, metric).table)
    assert "4 rows without a caption were left out" in found.notes
    assert found.occurrences["row_id"].min() == 4


def test_no_concept_has_support():
    found = estimate_drivers(["a dog", "a cat", "two owls"], [1.0, 2.0, 4.0], features={"x": [1, 2, 3]})
    assert found.table.empty
    assert tuple(found.table.columns) == DRIVER_COLUMNS
    assert (found.tested, found.significant) == (0, 0)
    assert any("no phrase" in note for note in found.notes)


def test_a_users_concepts_with_and_without_support():
    captions, metric, _ = planted()
    found = estimate_drivers(
        captions,
        metric,
        concepts={"warmth": ["warm palette"], "end": ["palette"], "zebra": ["zebra"], "pet": ["dog", "cat"]},
    )
    assert set(found.table["concept"]) == {"warmth", "end", "zebra", "pet"}
    assert row(found, "zebra")["note"] == "in no caption"
    assert row(found, "end")["note"] == "in every caption: nothing to compare with"
    assert row(found, "pet")["phrases"] == "dog; cat"
    assert found.tested == 2
    few = estimate_drivers(["zebra. " + captions[0], *captions[1:]], metric, concepts=["zebra", "dog", "dogs"])
    assert row(few, "zebra")["note"] == "too few captions to test: 1 with it"
    assert row(few, "dog")["note"] == "in the same captions as “dogs”"


def test_a_metric_with_two_values():
    captions, metric, _ = planted()
    found = estimate_drivers(captions, metric > 5.5)
    assert -1 <= found.table["lift"].min() <= found.table["lift"].max() <= 1
    assert row(found, "warm palette")["lift_low"] > 0


def test_more_concepts_than_rows():
    rng = random.Random(0)
    captions = [" ".join(f"{a}{rng.randrange(2)}." for a in "bcdfghjklmnpqrstvwxz" * 2) for _ in range(30)]
    found = estimate_drivers(captions, np.random.default_rng(0).normal(size=30), options=DriverOptions(min_rows=3))
    assert found.tested > 20


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"captions": "one text"}, "captions is not a list"),
        ({"captions": [1, 2, 3]}, "row 1: the caption is not a text"),
        ({"captions": []}, "no captions"),
        ({"captions": ["", "", ""]}, "no row"),
        ({"metric": [1.0, 2.0]}, "metric has 2 entries and captions 3"),
        ({"metric": [1.0, float("nan"), 2.0]}, "row 2: the metric is missing"),
        ({"metric": [1.0, 2.0, "high"]}, "row 3: the metric is not a number: 'high'"),
        ({"metric": [1.0, 2.0, float("inf")]}, "row 3: the metric is not a number"),
        ({"metric": [2.0, 2.0, 2.0]}, "same in every row"),
        ({"weight": [1.0, -1.0, 1.0]}, "row 2: the weight is negative"),
        ({"weight": [1.0, None, 1.0]}, "row 2: the weight is missing"),
        ({"weight": [1.0]}, "weight has 1 entries"),
        ({"weight": [0, 0, 0]}, "weight above zero"),
        ({"group": ["a"]}, "group has 1 entries"),
        ({"group": "abc"}, "group is not a list"),
        ({"media": ["a"]}, "media has 1 entries"),
        ({"features": {"x": [1]}}, "feature 'x' has 1 entries"),
        ({"features": pd.DataFrame({"x": [1]})}, "features has 1 rows"),
        ({"features": [1, 2, 3]}, "features is not a table"),
        ({"row_ids": [1, 2]}, "row_ids"),
        ({"row_ids": [1, 1, 2]}, "twice"),
        ({"concepts": []}, "concepts is empty"),
        ({"attributions": [1]}, "not a DataFrame"),
        ({"attributions": pd.DataFrame({"row_id": [0]})}, "no column 'start'"),
    ],
)
def test_bad_input_is_one_sentence(change, says):
    given = {"captions": ["a dog", "a cat", "an owl"], "metric": [1.0, 2.0, 3.0], **change}
    with pytest.raises(UsageError, match=says):
        estimate_drivers(given.pop("captions"), given.pop("metric"), **given)
