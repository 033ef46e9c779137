from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.report.example import make_example
from yoin.report.summary import (
    MetricSummary,
    MissingSummary,
    Summary,
    summarize_metric,
    summarize_preview,
    write_schema,
)

SCHEMA = Path(__file__).parents[2] / "docs" / "summary.schema.json"


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return make_example(tmp_path_factory.mktemp("images"), rows=40, explained=3).summary


def test_the_published_schema_is_current(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    made = json.loads((tmp_path / "schema.json").read_text("utf-8"))
    assert json.loads(SCHEMA.read_text("utf-8")) == made, (
        "run: python -c 'from yoin.report.summary import write_schema; from pathlib import Path; "
        'write_schema(Path("docs/summary.schema.json"))\''
    )


def test_a_summary_fulfils_the_schema(summary: Summary) -> None:
    schema = Summary.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(summary.to_json()), schema)


def test_the_schema_refuses_a_wrong_verdict(summary: Summary) -> None:
    wrong = json.loads(summary.to_json())
    wrong["signal"]["verdict"] = "perhaps"
    with pytest.raises(jsonschema.ValidationError, match="perhaps"):
        jsonschema.validate(wrong, Summary.json_schema())


def test_json_and_back(summary: Summary) -> None:
    assert Summary.model_validate_json(summary.to_json()) == summary


def test_a_summary_cannot_be_changed(summary: Summary) -> None:
    with pytest.raises(ValidationError):
        summary.title = "other"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan"), pd.NA, None])
def test_what_is_no_number_is_null(summary: Summary, value: object) -> None:
    record = MissingSummary(n_missing=1, difference=value, low=value, high=value, p=value, sentence="")  # type: ignore[arg-type]
    text = summary.model_copy(update={"missing": record}).to_json()
    assert json.loads(text, parse_constant=pytest.fail)["missing"]["p"] is None


def test_options_become_plain_json(summary: Summary) -> None:
    given_options = {"path": Path("a") / "b", "features": ("x", "y"), "budget": np.int64(3), "limit": math.nan}
    made = Summary.model_validate({**summary.model_dump(), "options": given_options})
    assert json.loads(made.to_json())["options"] == {
        "path": str(Path("a") / "b"),
        "features": ["x", "y"],
        "budget": 3,
        "limit": None,
    }


def test_half_a_surrogate_pair_can_be_written(summary: Summary, tmp_path: Path) -> None:
    text = summary.model_copy(update={"title": "bad \ud800 title"}).to_json()
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")
    assert json.loads(text)["title"] == "bad ? title"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60))
def test_the_histogram_counts_every_value(values: list[float]) -> None:
    found = summarize_metric("m", pd.Series(values))
    assert found.n == len(values)
    assert found.low == min(values)
    assert found.high == max(values)
    if found.histogram:
        assert sum(each.count for each in found.histogram) == len(values)
        assert found.histogram[0].low <= min(values) <= max(values) <= found.histogram[-1].high


def test_a_whole_number_metric_gets_a_bar_a_value() -> None:
    found = summarize_metric("stars", pd.Series([1, 2, 2, 5, 5, 5]))
    assert [each.count for each in found.histogram] == [1, 2, 0, 0, 3]


def test_an_empty_metric_has_no_numbers() -> None:
    assert summarize_metric("m", pd.Series([], dtype=float)) == MetricSummary(
        name="m", n=0, mean=None, sd=None, low=None, high=None
    )


def test_the_preview_keeps_row_numbers_and_blanks() -> None:
    made = summarize_preview(pd.DataFrame({"a": ["1", None], "b": [pd.NA, "x"]}, index=[0, 7]))
    assert made.columns == ("a", "b")
    assert [(row.row_id, row.cells) for row in made.rows] == [(0, ("1", "")), (7, ("", "x"))]
