from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions, make_metric
from yoin.model.base import outer_folds
from yoin.model.card import make_card
from yoin.model.ladder import fit
from yoin.model.reliability import reliability_of
from yoin.options import FitOptions
from yoin.values import Fit

ROWS = 60
CAPTIONS = make_captions(ROWS)
METRIC = make_metric(CAPTIONS, 0.3)
FOLDS = outer_folds(ROWS, None, 3, 0)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fit:
    return fit(
        CAPTIONS, METRIC, FOLDS, row_ids=np.arange(ROWS), features=None, group=None, weight=None,
        options=FitOptions(model="tfidf", folds=3, permutations=19, bootstrap=200), folder=tmp_path_factory.mktemp("m"),
    )  # fmt: skip


def card(fitted: Fit, captions: list[str] = CAPTIONS, metric: np.ndarray = METRIC, name: str = "rating") -> str:
    found = reliability_of(fitted, None, None)
    return make_card(fitted, found, captions, metric, FOLDS, name=name, table="t.csv", captioner="describe")


def test_it_says_what_was_learned_from_and_how_well(fitted: Fit) -> None:
    told = card(fitted)
    top = next(rung for rung in fitted.rungs if rung.name == "tfidf")
    assert f"| tfidf | {top.rmse:.4g} | {top.r2:.3f} |" in told
    assert "Rows: 60" in told
    assert "fold 1: 20, fold 2: 20, fold 3: 20" in told
    assert f"Verdict: **{fitted.signal.verdict}**" in told
    assert "## Limits" in told


def test_the_fingerprint_is_that_of_captions_and_metric(fitted: Fit) -> None:
    def mark(text: str) -> str:
        return next(line for line in text.splitlines() if "Fingerprint" in line)

    changed = METRIC.copy()
    changed[7] += 1e-9
    assert mark(card(fitted)) == mark(card(fitted, name="other"))
    assert mark(card(fitted)) != mark(card(fitted, metric=changed))
    assert mark(card(fitted)) != mark(card(fitted, captions=[*CAPTIONS[:-1], "another"]))


def test_hostile_names_stay_text(fitted: Fit) -> None:
    told = card(fitted, name="a`<script>\n# Big | [x](http://evil)")
    assert "<script>" not in told.replace("\\<script\\>", "")
    assert "\n# Big" not in told
    assert "[x](" not in told.replace("\\[x\\]\\(", "")


def test_it_lies_beside_the_models_of_a_study(tmp_path: Path) -> None:
    import pandas as pd

    import yoin

    table = tmp_path / "t.csv"
    pd.DataFrame({"caption": CAPTIONS, "score": METRIC}).to_csv(table, index=False)
    study = yoin.run(table, caption="caption", metric="score", model="tfidf", explain=0, out=tmp_path / "s")
    told = (study.folder / "models" / "README.md").read_text("utf-8")
    assert told.startswith("---\nlibrary_name: yoin\n")
    assert "captions by the table" in told
