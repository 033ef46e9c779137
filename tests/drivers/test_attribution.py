from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.drivers.plain import estimate_drivers
from yoin.errors import UsageError
from yoin.options import DriverOptions

# 40 captions: "a dog" in the even ones, "no dog" in the odd ones; a third also says "red sky".
CAPTIONS = [("a dog" if i % 2 == 0 else "no dog") + (", red sky" if i % 3 == 0 else ", grass") for i in range(40)]
METRIC = [float(i % 2 == 0) + 0.01 * i for i in range(40)]
OPTIONS = DriverOptions(min_rows=5)


def spans(rows, dog=1.0, no_dog=-0.5, rest=0.25):
    made = []
    for i in rows:
        caption = CAPTIONS[i]
        comma = caption.index(",")
        made.append((i, 0, comma, dog if i % 2 == 0 else no_dog, i % 2 + i % 5))
        made.append((i, comma, len(caption), rest if i % 3 == 0 else 0.0, i % 2 + i % 5))
    return pd.DataFrame(made, columns=["row_id", "start", "end", "value", "fold"])


def estimate(attributions, concepts=None, **given):
    found = estimate_drivers(CAPTIONS, METRIC, attributions=attributions, concepts=concepts, options=OPTIONS, **given)
    return found, found.table.set_index("concept")


def test_shares_of_the_explanations():
    found, table = estimate(spans(range(40)), ["dog", "red sky"])
    dog, sky = 20 * 1.0 + 20 * 0.5, 14 * 0.25
    assert table.loc["dog", "importance"] == pytest.approx(100 * dog / (dog + sky))
    assert table["importance"].sum() == pytest.approx(100)
    assert found.uncovered == pytest.approx(0)
    assert table.loc["dog", "shap_with"] == pytest.approx(1.0)
    assert table.loc["dog", "shap_without"] == pytest.approx(-0.5)
    assert np.isnan(table.loc["red sky", "shap_without"])
    assert table.loc["dog", "sign_agreement"] == 1.0
    prevalence, importance = 0.5, table.loc["dog", "importance"]
    assert table.loc["dog", "opportunity"] == pytest.approx(importance / 100 * (1 - prevalence))
    assert "importance comes from 40 explained captions" in found.notes


def test_a_shared_span_is_split_and_an_unlisted_one_uncovered():
    found, table = estimate(spans(range(40)), {"dog": ["dog"], "pet": ["dog"], "cloud": ["cloud"]})
    assert table.loc["dog", "importance"] == table.loc["pet", "importance"] == pytest.approx(50)
    assert table.loc["cloud", "importance"] == 0
    assert found.uncovered == pytest.approx(14 * 0.25 / (30 + 14 * 0.25))
    assert table.loc["dog", "shap_with"] == pytest.approx(1.0)  # not halved


def test_a_model_that_reads_it_the_other_way():
    _, table = estimate(spans(range(40), dog=-1.0), ["dog"])
    assert table.loc["dog", "sign_agreement"] == 0.0
    assert table.loc["dog", "note"] == "the model reads it the other way"


def test_over_used_negative_drivers():
    _, table = estimate(spans(range(40)), {"bare": ["no dog"]})
    assert table.loc["bare", "lift"] < 0
    assert table.loc["bare", "opportunity"] == pytest.approx(-table.loc["bare", "importance"] / 100 * 0.5)


def test_folds_and_ids():
    rows = range(0, 40, 2)
    given = spans(rows)
    given.loc[given["fold"] == 0, "value"] *= -1
    folds = given["fold"].nunique()
    _, table = estimate(given, ["dog"])
    assert table.loc["dog", "sign_agreement"] == pytest.approx((folds - 1) / folds)
    moved = given.assign(row_id=given["row_id"] + 100)
    _, again = estimate(moved, ["dog"], row_ids=range(100, 140))
    pd.testing.assert_frame_equal(table, again)
    _, without = estimate(given.drop(columns="fold"), ["dog"])
    assert without["sign_agreement"].isna().all()


def test_nothing_explained():
    found, table = estimate(spans([]), ["dog"])
    assert table[["importance", "shap_with", "sign_agreement", "opportunity"]].isna().all(axis=None)
    assert np.isnan(found.uncovered)


def test_found_concepts_share_all_of_it():
    found, table = estimate(spans(range(40)))
    assert table["importance"].sum() == pytest.approx(100)
    assert 0 <= found.uncovered <= 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"row_id": 99}, "row_id 99"),
        ({"end": 500}, "leave their caption"),
        ({"start": 3, "end": 1}, "leave their caption"),
        ({"value": float("nan")}, "not a number"),
    ],
)
def test_explanations_of_other_captions(change, says):
    wrong = spans(range(4))
    for name, value in change.items():
        wrong.loc[7, name] = value
    with pytest.raises(UsageError, match=says):
        estimate(wrong, ["dog"])
    overlapping = pd.concat([spans([0]), pd.DataFrame([(0, 1, 4, 1.0, 0)], columns=spans([0]).columns)])
    with pytest.raises(UsageError, match="overlap"):
        estimate(overlapping, ["dog"])
