from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from yoin.drivers.subgroups import BLANK, OTHER, drift, grouped, read_dates, subgroup_errors


def planted(seed: int = 0, rows: int = 400) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """A metric that a prediction gets right but for the south, where it is one too low."""
    random = np.random.default_rng(seed)
    region = random.choice(["north", "south", "west"], rows)
    prediction = random.normal(size=rows)
    metric = prediction + random.normal(size=rows) + 1.0 * (region == "south")
    return metric, prediction, pd.DataFrame({"region": region, "size": random.normal(size=rows)})


def test_the_group_that_the_model_misses_is_found_and_no_other_column() -> None:
    metric, prediction, columns = planted()
    found = subgroup_errors(metric, prediction, columns).set_index("group")
    south = (columns["region"] == "south").to_numpy()
    off = metric - prediction
    assert found.loc["south", "residual"] == pytest.approx(off[south].mean() - off[~south].mean())
    assert found.loc["south", "rmse"] == pytest.approx(np.sqrt(np.mean(off[south] ** 2)))
    assert found.loc["south", "mean"] == pytest.approx(metric[south].mean())
    assert found.loc["south", "low"] < 1.0 < found.loc["south", "high"]
    assert found.loc["south", "p_adjusted"] < 0.001
    size = found[found["column"] == "size"]
    assert len(size) == 4
    assert (size["p_adjusted"] > 0.05).all()


def test_false_alarms_are_held_over_all_groups() -> None:
    alarms = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        columns = pd.DataFrame({name: random.choice(list("abcd"), 160) for name in ("x", "y")})
        found = subgroup_errors(random.normal(size=160), np.zeros(160), columns)
        alarms.append((found["p_adjusted"] < 0.05).any())
    assert np.mean(alarms) <= 0.1  # 5%, and Monte-Carlo error


def test_a_small_group_has_no_interval() -> None:
    metric, prediction, _ = planted(rows=100)
    columns = pd.DataFrame({"c": ["rare"] * 19 + ["common"] * 81})
    found = subgroup_errors(metric, prediction, columns).set_index("group")
    assert found[["low", "high", "p_adjusted"]].isna().all(axis=None)
    assert found["rmse"].notna().all()


def test_no_columns_no_rows() -> None:
    assert subgroup_errors(np.arange(5.0), np.zeros(5), pd.DataFrame(index=range(5))).empty


def test_columns_become_few_groups() -> None:
    assert grouped(pd.Series(np.arange(100.0))).nunique() == 4
    assert grouped(pd.Series([1.0, 2.0, np.nan])).tolist() == ["1", "2", BLANK]
    many = grouped(pd.Series([f"v{n}" for n in range(40)] + ["v1"] * 5))
    assert many.nunique() == 13
    assert (many == OTHER).sum() == 28


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["2020-01-05", "2020/2/3 10:00", "2020年3月4日"], ["2020-01-05", "2020-02-03", "2020-03-04"]),
        (["later", None, "2020-13-40"], ["", "", ""]),
        (["13/01/2020", "02/03/2020"], ["2020-01-13", "2020-03-02"]),
        (["01/13/2020", "02/03/2020"], ["2020-01-13", "2020-02-03"]),
    ],
)  # fmt: skip
def test_dates(cells: list[str | None], days: list[str]) -> None:
    assert read_dates(pd.Series(cells)).dt.strftime("%Y-%m-%d").fillna("").tolist() == days


def test_drift_is_told_and_whether_the_captions_account_for_it() -> None:
    random = np.random.default_rng(2)
    days = pd.Series(pd.date_range("2020-01-01", periods=300))
    step = 2.0 * (np.arange(300) >= 150)
    noise = random.normal(size=300)
    said = drift("day", days, noise + step, noise + step)
    assert "higher" in said
    assert "do not account" in said
    assert "may account" in drift("day", days, noise + step, noise)
    assert drift("day", days, noise, noise) == ""
    assert drift("day", pd.Series([pd.NaT] * 300), noise + step, noise) == ""
    assert drift("day", days[:30], noise[:30], noise[:30]) == ""
