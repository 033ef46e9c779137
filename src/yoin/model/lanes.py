"""How many folds are fine-tuned side by side, each on which device and with how many threads."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from yoin.hub import accelerators
from yoin.options import FitOptions, Spec
from yoin.workers import cpus

SIDE_BY_SIDE = ("minilm", "bert")  # models whose size is known beforehand; others are fitted a fold at a time
# Share of a fold's time that more threads do not shorten: a step of MiniLM on short captions, 32 a batch, takes 0.25 s
# with one thread and 0.165 s with two.
SERIAL = 0.33
SMALLEST = 2_000_000  # numbers of an encoder; a smaller one is fitted before another process has started
# What a worker holds for each number of the encoder: the weights as read, those that learn, gradients, AdamW's two
# moments, the running average, the best so far, and as much again for what a batch goes through.
BYTES_A_NUMBER = 4 * 7 * 1.5
BYTES_A_WORKER = 0.7 * 2**30  # the libraries, before any encoder
MEMORY_SHARE = 0.5  # of the machine's, for all workers together
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Lane:
    """Where one worker fits its folds: ``cpu``, or an accelerator such as ``cuda:1``; and its threads."""

    device: str
    threads: int


def lanes_for(folds: int, options: FitOptions) -> list[Lane]:
    """The lanes in which so many folds are fitted; with one, nothing is gained by a process of its own.

    Raises:
        UsageError: there is no such encoder.
    """
    asked = options.fit_workers
    if Spec.parse(options.model).name not in SIDE_BY_SIDE or folds < 2 or asked == 1:
        return [Lane("cpu", threads())]
    from yoin.model.bert import find_encoder

    numbers = numbers_in(find_encoder(options.model))
    if asked is None and numbers < SMALLEST:
        return [Lane("cpu", threads())]
    found = accelerators()
    if found:
        return on_accelerators(folds, found, threads(), asked)
    most = int(MEMORY_SHARE * memory() / (BYTES_A_WORKER + BYTES_A_NUMBER * numbers))
    return on_processor(folds, threads(), most, asked)


def on_accelerators(folds: int, devices: list[str], cores: int, asked: int | None) -> list[Lane]:
    """A lane a device, whole folds each; where more are ``asked`` for, devices are shared."""
    workers = min(folds, asked or len(devices))
    return [Lane(devices[number % len(devices)], max(1, cores // workers)) for number in range(workers)]


def on_processor(folds: int, cores: int, most: int, asked: int | None) -> list[Lane]:
    """As many lanes as are reckoned to be quickest on so many cores, at most ``most``; or as were ``asked`` for."""
    workers = min(folds, asked) if asked else quickest(folds, cores, max(1, most))
    return [Lane("cpu", max(1, cores // workers))] * workers


def quickest(folds: int, cores: int, most: int) -> int:
    """How many folds at once are reckoned to be done first."""
    return min(range(1, min(folds, cores, most) + 1), key=lambda workers: reckoned(folds, workers, cores, most))


@lru_cache
def reckoned(folds: int, workers: int, cores: int, most: int) -> float:
    """How long ``folds`` take, ``workers`` at once, in units of one fold on one thread, by Amdahl's law.

    Small batches do not use many threads well, so that several folds with a few each are quicker than one with all.
    What does not fill all lanes is left to be arranged anew.
    """
    rounds, left = divmod(folds, workers)
    time = rounds * (SERIAL + (1 - SERIAL) / (cores // workers))
    return time + (reckoned(left, quickest(left, cores, most), cores, most) if left else 0.0)


def threads() -> int:
    """Threads that torch uses in one process: the cores, unless the environment says otherwise."""
    import torch

    return min(torch.get_num_threads(), cpus())


def numbers_in(folder: Path) -> int:
    """How many numbers the weights in ``folder`` hold."""
    from safetensors import safe_open

    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            count += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return count


def memory() -> int:
    """Bytes that the processes here may hold together, the machine's or the container's; 0 where nobody knows.

    What is free just now would be nearer the truth, but another number of threads in each run rounds otherwise.
    """
    known = []
    with suppress(AttributeError, ValueError, OSError):  # not everywhere
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            known.append(int(Path(name).read_text("utf-8")))
    return min(known, default=0)
