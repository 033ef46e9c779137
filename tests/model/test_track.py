from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from yoin.errors import UsageError
from yoin.model.track import require_tracker, track
from yoin.values import HISTORY_COLUMNS

HISTORY = pd.DataFrame(
    [
        {"model": "minilm", "fold": fold, "seed": 42, "epoch": epoch, "train_loss": 1.0 - 0.1 * epoch,
         "inner_loss": 1.1 - 0.1 * epoch, "inner_rmse": 0.5, "learning_rate": 1e-4, "kept": epoch == 2}
        for fold in (0, 1) for epoch in (0, 1, 2)
    ],
    columns=list(HISTORY_COLUMNS),
)  # fmt: skip
HISTORY.loc[HISTORY["epoch"] == 0, "train_loss"] = float("nan")
RUNGS = [{"name": "bert:/a b", "rmse": 0.5, "r2": 0.1, "spearman": 0.3}]


def test_one_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("yoin.model.track.find_spec", lambda name: None if name == "wandb" else found(name))
    with pytest.raises(UsageError, match="--track wandb needs the package wandb") as caught:
        require_tracker("wandb")
    assert caught.value.remedy == "pip install wandb"


def test_every_curve_and_figure_is_in_the_event_file(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    track("tensorboard", HISTORY, RUNGS, {"model": "minilm", "folds": 2, "seeds": 1, "features": None}, tmp_path)
    events = EventAccumulator(str(tmp_path / "yoin"))
    events.Reload()
    curve = events.Scalars("minilm/fold-2/seed-42/inner_loss")
    assert [one.step for one in curve] == [0, 1, 2]
    assert [one.value for one in curve] == pytest.approx([1.1, 1.0, 0.9])
    assert [one.step for one in events.Scalars("minilm/fold-1/seed-42/train_loss")] == [1, 2]
    assert events.Scalars("bert--a-b/r2")[0].value == pytest.approx(0.1)


def test_a_tracker_that_fails_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "yoin").write_text("in the way")
    with pytest.raises(UsageError, match="the tracker tensorboard failed") as caught:
        track("tensorboard", HISTORY, RUNGS, {}, tmp_path)
    assert "the fit itself is kept" in caught.value.remedy
