"""New rows under the models of a study of given captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import yoin as yoin_package
from tests.e2e.conftest import captions_and_metric
from yoin.errors import NothingLeftError, StudyError, UsageError
from yoin.options import ExplainOptions
from yoin.score import SCORE_COLUMNS, Scores, explain_by_all, score_new
from yoin.terminal import show_scores
from yoin.values import EXPLANATION_COLUMNS


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    captions_and_metric().to_csv(folder / "scores.csv", index=False)
    made = yoin_package.run(
        folder / "scores.csv", caption="caption", metric="score", model="tfidf", explain=4, out=folder / "s"
    )
    return made.folder


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    texts = ["A red barn near a forest. An empty bench in front.", "", "A stone wall near the sea. A sleeping cat."]
    pd.DataFrame({"caption": texts}).to_csv(path, index=False)
    return path


def test_predictions_intervals_and_spans(study: Path, new: Path) -> None:
    found = score_new(study, new)
    assert tuple(found.table) == SCORE_COLUMNS
    assert tuple(found.spans) == EXPLANATION_COLUMNS
    assert found.table["status"].tolist() == ["ok", "missing", "ok"]
    barn, blank, wall = found.table.to_dict("records")
    assert barn["prediction"] - wall["prediction"] == pytest.approx(1.5, abs=0.5)
    assert np.isnan(blank["prediction"])
    for row in (barn, wall):
        assert row["low"] < row["prediction"] < row["high"]
        spans = found.spans[found.spans["row_id"] == row["row_id"]]
        assert spans["value"].sum() + spans["base_value"].iloc[0] == pytest.approx(row["prediction"], abs=1e-6)
    assert found.caution == ""
    assert len(pd.read_csv(study / "scores.csv")) == 3
    assert set(pd.read_parquet(study / "score_explanations.parquet")["row_id"]) == {0, 2}


def test_intervals_cover_new_rows(study: Path, tmp_path: Path) -> None:
    rows = captions_and_metric(rows=200, seed=5)
    rows.to_csv(tmp_path / "more.csv", index=False)
    table = score_new(study, tmp_path / "more.csv").table
    inside = (table["low"] <= rows["score"]) & (rows["score"] <= table["high"])
    assert 0.9 <= inside.mean() <= 0.99


def test_what_is_shown(study: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = score_new(study, new)
    show_scores(found, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["metric"] == "score"
    assert told["rows"][1]["prediction"] is None
    assert len(told["spans"]) == len(found.spans)
    show_scores(found, as_json=False)
    said = capsys.readouterr().out
    assert "row 2: no caption (no_caption)" in said
    assert "barn (+" in said
    assert "wall (-" in said


def test_what_cannot_be_scored(study: Path, new: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        score_new(study, tmp_path / "nothing.csv")
    (tmp_path / "new.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"captions of this study were given.* give a table with the column 'caption'"):
        score_new(study, tmp_path / "new.png")
    pd.DataFrame({"text": ["x"]}).to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UsageError, match=r"other\.csv has no column 'caption'.* it has 'text'"):
        score_new(study, tmp_path / "other.csv")
    pd.DataFrame({"caption": [" ", None]}).to_csv(tmp_path / "blank.csv", index=False)
    with pytest.raises(NothingLeftError, match="none of 2 rows has a caption"):
        score_new(study, tmp_path / "blank.csv")
    with pytest.raises(StudyError, match="is not a study"):
        score_new(tmp_path, new)


class Rough:
    """A model whose quicker way is a little off."""

    ways: tuple[str, ...] = ("rough",)
    mask_token = "[MASK]"

    def __init__(self, shift: float) -> None:
        self.shift, self.asked, self.asked_roughly = shift, 0, 0

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.asked += len(texts)
        return np.array([len(text.split()) + self.shift + sum(map(ord, text)) / 1e4 for text in texts])

    def quickly(self, texts: list[str], way: str) -> np.ndarray:
        assert way == "rough"
        self.asked_roughly += len(texts)
        self.asked -= len(texts)
        return self(texts) + 1e-6 * np.array([len(text) % 7 for text in texts])


@pytest.mark.parametrize(("rows", "quickly"), [(6, False), (12, True)])
def test_many_captions_are_explained_by_the_models_quicker_way(
    rows: int, quickly: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [Rough(0.1 * fold) for fold in range(5)]
    captions = captions_and_metric(rows=rows, seed=5)["caption"].set_axis(range(3, rows + 3))
    found = explain_by_all(captions, models, ExplainOptions(budget=100))
    spans = found.table.groupby("row_id")
    assert sorted(spans.groups) == list(range(3, rows + 3))
    middle = np.median([model(captions.tolist()) for model in models], axis=0)
    np.testing.assert_allclose(spans["value"].sum() + spans["base_value"].first(), middle, atol=1e-9)
    assert all((model.asked_roughly > 3 * model.asked) is quickly for model in models)
    precision = found.facts["precision"]
    assert (precision is not None) is quickly
    table = pd.DataFrame(columns=list(SCORE_COLUMNS))
    show_scores(Scores(metric="m", table=table, spans=found.table, precision=precision, caution=""), as_json=False)
    assert ("Explained in rough arithmetic, which on 64 texts was" in capsys.readouterr().out) is quickly
