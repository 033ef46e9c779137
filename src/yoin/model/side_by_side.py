"""Folds of the fine-tuned rung fitted side by side, each as a whole by one of several worker processes.

A fold is small and independent of the others, so it is never spread over devices: nothing has to be exchanged, and the
numbers are those of one device but for rounding. A worker commits its folds itself (`yoin.model.parts`), so that
whatever ends the fit, what is done is there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from yoin import encoder
from yoin.errors import StudyError, UsageError, YoinError
from yoin.hub import use_device
from yoin.model.lanes import Lane
from yoin.model.parts import Part, Parts
from yoin.model.rungs import Rows, Rungs
from yoin.options import FitOptions
from yoin.values import Progress
from yoin.workers import WorkerDiedError, Workers, WorkerStartError
from yoin.workers.serve import Answer, Tell

_TARGET = "yoin.model.side_by_side:answer"
_LOOK = 0.5  # seconds: an interruption just before a wait would not end it
_STEPS = 1000  # of the progress, a fold


@dataclass(frozen=True, slots=True)
class Job:
    """The rung whose folds are to be fitted, by its place on the ladder; ``digest`` is that of the fit's inputs."""

    rows: Rows
    folds: np.ndarray
    options: FitOptions
    folder: Path
    digest: str
    number: int

    def asked(self, fold: int, lane: Lane) -> dict[str, object]:
        """What a worker is asked, in what JSON holds."""
        group, weight = self.rows.group, self.rows.weight
        return {
            "captions": self.rows.captions,
            "metric": self.rows.metric.tolist(),
            "group": None if group is None else group.tolist(),
            "weight": None if weight is None else weight.tolist(),
            "folds": self.folds.tolist(),
            "options": self.options.model_dump(mode="json"),
            "folder": str(self.folder.absolute()),
            "digest": self.digest,
            "number": self.number,
            "fold": fold,
            "device": lane.device,
            "threads": lane.threads,
        }


def fit_side_by_side(job: Job, wanted: Sequence[int], lanes: Sequence[Lane], progress: Progress) -> dict[int, int]:
    """Fit the ``wanted`` folds of the model asked for, a worker a lane; each ends as a part in the job's folder.

    Args:
        job: the fit that they belong to.
        wanted: at least as many folds as there are lanes; each lane begins with its own, and takes the next when done.
        lanes: devices and threads.
        progress: told in this thread.

    Returns:
        by fold, the number of the lane in which it was fitted.

    Raises:
        YoinError: what one of them met; the others are stopped.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    for fold in wanted[len(lanes) :]:
        waiting.put(fold)
    # Fold, lane, and how far it is, the answer, or what went wrong.
    news: SimpleQueue[tuple[int, int, object]] = SimpleQueue()
    workers = [Workers(_TARGET, timeout=None, again=False) for _ in lanes]

    def go_through(number: int, fold: int) -> None:
        try:
            while True:
                hear = partial(_pass_on, news, fold, number)
                hear(workers[number].ask(job.asked(fold, lanes[number]), hear))
                fold = waiting.get_nowait()
        except Empty:
            return
        except BaseException as error:  # noqa: BLE001 - raised by the one who waits
            news.put((fold, number, error))

    done: dict[int, float] = dict.fromkeys(wanted, 0.0)
    found: dict[int, int] = {}
    with ThreadPoolExecutor(len(lanes), thread_name_prefix="fold") as threads:
        try:
            for number in range(len(lanes)):
                threads.submit(go_through, number, wanted[number])
            while len(found) < len(wanted):
                try:
                    fold, number, told = news.get(timeout=_LOOK)
                except Empty:
                    continue
                detail = ""
                if isinstance(told, list):
                    done[fold], detail = float(told[0]), str(told[1])
                else:
                    _check(fold, told)
                    found[fold], done[fold] = number, 1.0
                progress(int(_STEPS * sum(done.values())), _STEPS * len(wanted), f"fold {fold + 1} {detail}".strip())
        finally:
            for own in workers:
                own.close()
    return found


def _pass_on(news: SimpleQueue[tuple[int, int, object]], fold: int, number: int, told: object) -> None:
    news.put((fold, number, told))


def _check(fold: int, told: object) -> None:
    """Raise what a fold met in place of an answer."""
    kept = "what is done is kept: go on with --fit-workers 1"
    if isinstance(told, WorkerStartError):
        raise UsageError(f"processes beside this one cannot start ({told})", stage="model", remedy=kept) from told
    if isinstance(told, WorkerDiedError):
        raise UsageError(
            f"the process that fitted fold {fold + 1} was ended from outside, most likely for want of memory",
            stage="model",
            remedy=kept,
        ) from told
    if isinstance(told, BaseException):
        raise told
    if isinstance(told, dict) and "error" in told:
        raise (StudyError if told["kind"] == StudyError.__name__ else UsageError)(**told["error"])


def answer() -> Answer:
    """The child's side: fits the fold that a request of `Job.asked` names, tells how far it is, commits its part."""
    import torch

    def fit_fold(request: Mapping[str, Any], tell: Tell) -> dict[str, object]:
        torch.set_num_threads(request["threads"])
        use_device(request["device"])
        group, weight, folder = request["group"], request["weight"], Path(request["folder"])
        rows = Rows(
            captions=request["captions"],
            metric=np.array(request["metric"], dtype=float),
            features=None,
            group=None if group is None else np.array(group),
            weight=None if weight is None else np.array(weight, dtype=float),
        )
        folds, options, fold = np.array(request["folds"]), FitOptions(**request["options"]), request["fold"]
        try:
            rungs = Rungs(rows, folds, options, encoder.embed_depths, folder)
            started = time.perf_counter()
            part = rungs.fit(
                options.model, fold, _none_before, lambda done, total, note: tell([done / max(1, total), note])
            )
            Parts(folder, request["digest"]).keep(
                request["number"], fold, replace(part, seconds=time.perf_counter() - started)
            )
        except YoinError as error:
            told = {"problem": error.problem, "stage": error.stage, "row": error.row, "remedy": error.remedy}
            return {"error": told, "kind": type(error).__name__}
        return {}

    return fit_fold


def _none_before(name: str) -> Part:
    raise LookupError(f"the fine-tuned rung stands on no other, so not on {name}")
