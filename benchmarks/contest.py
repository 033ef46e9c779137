"""What the scripts share that let two ways of fine-tuning contend, each in processes of its own, in turns."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yoin.model import fit
from yoin.options import FitOptions
from yoin.values import Fit, Progress


def let(name: str) -> dict[str, Any]:
    """What the running script tells on its last line, as JSON, when started anew with ``--contend NAME``."""
    command = [sys.executable, *sys.argv, "--contend", name]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    told: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return told


def print_ratios(what: str, over: str, ones: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> None:
    """The median of ``what`` of the ones by that of the others, turn by turn, and its range; ``over`` says who."""
    ratios = [one[what] / other[what] for one, other in zip(ones, others, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}, n = {len(ratios)}"
    print(f"- {what}: {over} {np.median(ratios):.2f} ({spread})")


class EnoughError(Exception):
    """So many steps have been timed."""


def time_steps(work: Callable[[Progress], object], steps: int, before: int = 1) -> tuple[float, float]:
    """Seconds by the clock and of CPU a step of ``work``: the mean of so many after those ``before``; then it ends."""
    clocks: list[tuple[float, float]] = []

    def step(done: int, total: int, detail: str) -> None:
        clocks.append((time.perf_counter(), time.process_time()))
        if done == before + steps:
            raise EnoughError

    with contextlib.suppress(EnoughError):
        work(step)
    wall, cpu = np.subtract(clocks[-1], clocks[before - 1]) / (len(clocks) - before)
    return float(wall), float(cpu)


def climb(captions: list[str], metric: np.ndarray, options: FitOptions) -> tuple[Fit, float, float]:
    """The ladder in folds of every so many rows, and the seconds by the clock and of CPU of its fine-tuned rung.

    Those of worker processes count, from the rung's first fold to the next rung.
    """
    clocks: dict[str, tuple[float, float]] = {}

    def told(done: int, total: int, note: str) -> None:
        for mark in (options.model, "stacked"):
            if note.startswith(mark):
                clocks.setdefault(mark, (time.perf_counter(), sum(os.times()[:4])))

    rows = np.arange(len(metric))
    with tempfile.TemporaryDirectory() as folder:
        found = fit(
            captions, metric, rows % options.folds, row_ids=rows, features=None, group=None, weight=None,
            options=options, folder=Path(folder), progress=told,
        )  # fmt: skip
    wall, cpu = np.subtract(clocks["stacked"], clocks[options.model])
    return found, float(wall), float(cpu)
