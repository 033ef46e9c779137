"""A fit's curves and figures for an experiment tracker, through accelerate.

Only who asks is tracked, and on this machine: what would go out by itself (Weights & Biases) is kept in its offline
mode unless the environment says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from yoin.errors import UsageError
from yoin.options import Tracker

PROJECT = "yoin"
_MEASURED = ("train_loss", "inner_loss", "inner_rmse", "learning_rate")


def require_tracker(name: str) -> None:
    """Nothing where the tracker ``name`` can be used here.

    Raises:
        UsageError: it is not installed; the remedy names the command that installs it.
    """
    missing = [package for package in ("accelerate", name) if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"--track {name} needs the package {missing[-1]}",
            stage="model",
            remedy=f"pip install {' '.join(missing)}",
        )


def track(
    name: Tracker, history: pd.DataFrame, rungs: Sequence[Mapping[str, Any]], config: Mapping[str, object], folder: Path
) -> None:
    """Log a fit: at the step of each epoch the losses of every fold and seed, at the last one every rung's figures.

    Args:
        name: of the tracker.
        history: `yoin.values.HISTORY_COLUMNS`.
        rungs: the ladder, as `yoin.values.Rung` has it.
        config: what the fit was asked for.
        folder: where trackers that write files write them.

    Raises:
        UsageError: the tracker is not installed, or it refuses.
    """
    require_tracker(name)
    os.environ.setdefault("WANDB_MODE", "offline")
    from accelerate import Accelerator

    folder.mkdir(parents=True, exist_ok=True)
    plain = {key: value if isinstance(value, (bool, int, float)) else str(value) for key, value in config.items()}
    try:
        accelerator = Accelerator(cpu=True, log_with=name, project_dir=folder)
        accelerator.init_trackers(PROJECT, config=plain, init_kwargs={"wandb": {"dir": str(folder)}})
        last = 0
        for last in sorted(set(history["epoch"].tolist())):
            accelerator.log(_told(history[history["epoch"] == last]), step=last)
        accelerator.log(
            {f"{_key(rung['name'])}/{what}": rung[what] for rung in rungs for what in ("rmse", "r2", "spearman")},
            step=last,
        )
        accelerator.end_training()
    except Exception as error:
        raise UsageError(
            f"the tracker {name} failed ({type(error).__name__}: {error})".split("\n")[0],
            stage="model",
            remedy="leave out --track; the fit itself is kept",
        ) from error


def _told(rounds: pd.DataFrame) -> dict[str, float]:
    found = {
        f"{_key(row['model'])}/fold-{row['fold'] + 1}/seed-{row['seed']}/{what}": float(row[what])
        for row in rounds.to_dict("records")
        for what in _MEASURED
    }
    return {key: value for key, value in found.items() if np.isfinite(value)}


def _key(name: str) -> str:
    """A rung's name as every tracker takes it."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in name)
