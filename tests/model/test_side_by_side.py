"""Folds fitted by several processes: the same numbers, every fold once, and what goes wrong told in one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from safetensors.numpy import load_file

from tests.model.conftest import make_captions, make_metric
from tests.workers.test_processes import wait_until_gone
from yoin import encoder
from yoin.errors import StudyError, UsageError
from yoin.model import fit
from yoin.model.base import outer_folds
from yoin.model.lanes import Lane
from yoin.model.parts import Parts
from yoin.model.rungs import Rows, Rungs
from yoin.model.side_by_side import Job, fit_side_by_side
from yoin.options import FitOptions
from yoin.values import Fit, Progress, silent
from yoin.workers import WorkError

ROOT = Path(__file__).parents[2]
CAPTIONS = make_captions(60)
METRIC = make_metric(CAPTIONS, 0.3)
TWO = [Lane("cpu", 1), Lane("cpu", 1)]


def climb(model: str, folder: Path, workers: int, progress: Progress = silent) -> Fit:
    return fit(
        CAPTIONS, METRIC, outer_folds(60, None, 2, 0), row_ids=np.arange(60), features=None, group=None, weight=None,
        options=FitOptions(
            model=model, folds=2, max_epochs=1, bootstrap=100, permutations=19, fit_workers=workers
        ),
        folder=folder, progress=progress,
    )  # fmt: skip


def job(model: str, folder: Path) -> Job:
    group = np.arange(60) // 2
    rows = Rows(CAPTIONS, METRIC, None, group, np.linspace(0.5, 1.5, 60))
    options = FitOptions(model=model, folds=3, max_epochs=1, metric_kind="real")
    Parts(folder, "these inputs")
    return Job(rows, outer_folds(60, group, 3, 0), options, folder, "these inputs", 2)


def children() -> list[psutil.Process]:
    return psutil.Process().children()


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path: Path, tiny_bert: Path) -> None:
    torch = pytest.importorskip("torch")
    told: list[int] = []
    beside = climb(f"bert:{tiny_bert}", tmp_path / "two", 2, lambda done, total, note: told.append(done))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(max(1, before // 2))  # as many as each worker has: another number rounds otherwise
        alone = climb(f"bert:{tiny_bert}", tmp_path / "one", 1)
    finally:
        torch.set_num_threads(before)
    keys = ["row_id", "model", "fold"]
    pd.testing.assert_frame_equal(beside.predictions[keys], alone.predictions[keys])
    np.testing.assert_allclose(beside.predictions.prediction, alone.predictions.prediction, atol=1e-5 * METRIC.std())
    pd.testing.assert_frame_equal(beside.history, alone.history, check_exact=False, rtol=1e-4)
    assert beside.notes == alone.notes
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"fold-0", "fold-1", "model.json"}
    assert told == sorted(told)
    assert told[-1] == 100
    assert children() == []


@pytest.mark.slow
def test_every_fold_is_fitted_once_and_every_lane_is_used(tmp_path: Path, tiny_bert: Path) -> None:
    told: list[float] = []
    asked = job(f"bert:{tiny_bert}", tmp_path)
    found = fit_side_by_side(asked, [2, 0, 1], TWO, lambda done, total, note: told.append(done / total))
    assert set(found) == {0, 1, 2}
    assert (found[2], found[0]) == (0, 1)
    assert told == sorted(told)
    assert told[-1] == 1
    parts = Parts(tmp_path, "these inputs")
    for fold in range(3):
        part = parts.find(2, fold)
        assert part is not None
        assert part.predictions.shape == (int(np.sum(asked.folds == fold)),)
        assert part.seconds > 0


@pytest.mark.slow
def test_two_runs_are_equal_to_the_bit(tmp_path: Path, tiny_bert: Path) -> None:
    first, again = (climb(f"bert:{tiny_bert}", tmp_path / name, 2).predictions for name in ("first", "again"))
    pd.testing.assert_frame_equal(first, again, check_exact=True)


@pytest.mark.slow
def test_what_a_worker_meets_is_raised_here(tmp_path: Path, tiny_bert: Path) -> None:
    with pytest.raises(UsageError, match=r"^model: there is no folder '/nowhere'; give a folder"):
        fit_side_by_side(job("bert:/nowhere", tmp_path / "a"), [0, 1], TWO, silent)
    asked = job(f"bert:{tiny_bert}", tmp_path / "b")
    for fold in range(2):
        (tmp_path / "b" / f"fold-{fold}").touch()  # a file stands where the fold's folder goes
    with pytest.raises(StudyError, match="could not be written"):
        fit_side_by_side(asked, [0, 1], TWO, silent)
    with pytest.raises(WorkError, match="ValidationError"):  # a fault of ours: no sentence for a user, but not lost
        fit_side_by_side(replace(asked, options=asked.options.model_copy(update={"loss": "?"})), [0, 1], TWO, silent)
    assert children() == []


@pytest.mark.slow
def test_a_process_that_is_killed_costs_its_fold_alone(tmp_path: Path, tiny_bert: Path) -> None:
    def kill(done: int, total: int, note: str) -> None:
        if done >= total / 3:  # the first fold is done, or two are half-way
            for child in children():
                child.kill()

    with pytest.raises(
        UsageError, match=r"^model: the process that fitted fold \d was ended .* with --fit-workers 1\.$"
    ):
        climb(f"bert:{tiny_bert}", tmp_path, 2, kill)
    assert children() == []


@pytest.mark.slow
def test_an_interrupted_fit_goes_on_with_another_number_of_workers(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, parts = f"bert:{tiny_bert}", tmp_path / "models" / "parts"
    number = 3 if encoder.installed() else 2  # on the ladder, with or without frozen

    def interrupt(done: int, total: int, note: str) -> None:
        if any(parts.glob(f"{number}-*.safetensors")):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        climb(model, tmp_path / "models", 2, interrupt)
    assert children() == []
    kept = {
        int(path.stem.split("-")[1]): load_file(path)["predictions"] for path in parts.glob(f"{number}-*.safetensors")
    }
    assert kept
    fitted: list[int] = []
    before = Rungs.fit

    def noted(self: Rungs, name: str, fold: int, *others: object) -> object:
        if name == model:
            fitted.append(fold)
        return before(self, name, fold, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(Rungs, "fit", noted)
    found = climb(model, tmp_path / "models", 1)
    assert set(fitted) == {0, 1} - set(kept)
    rows = found.predictions[found.predictions.model == model]
    for fold, predictions in kept.items():
        assert rows.loc[rows.fold == fold, "prediction"].tolist() == predictions.tolist()


@pytest.mark.slow
def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path, tiny_bert: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from tests.model.test_side_by_side import children, climb\n"
        "def tell(done, total, note):\n"
        "    if len(children()) == 2 and 'epoch' in note:\n"
        "        print(*(child.pid for child in children()), flush=True)\n"
        "        time.sleep(600)\n"
        f"climb({f'bert:{tiny_bert}'!r}, Path({str(tmp_path / 'models')!r}), 2, tell)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=os.sep) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
        for pid in pids:
            wait_until_gone(pid)
