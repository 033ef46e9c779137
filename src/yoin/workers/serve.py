"""The child's side of a worker process: one JSON line in, an answer of one JSON line out, until its input ends."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

Tell = Callable[[object], None]
"""Tells the parent how far a request is, in anything that JSON holds."""
Answer = Callable[[Mapping[str, object], Tell], dict[str, object]]


def serve(target: str) -> None:
    """Call the function named ``module:function``, then give each line of standard input to what it returned.

    The first line written is ``{"ready": true}``, or ``{"failure": why}`` and the process ends. Standard
    output belongs to the answers alone: whatever else prints goes nowhere.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        _serve(target, answers)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone: nobody is left to tell


def _serve(target: str, answers: TextIO) -> None:
    module, _, name = target.partition(":")
    try:
        answer: Answer = getattr(importlib.import_module(module), name)()
    except Exception as error:  # noqa: BLE001 - told to the parent, which raises
        _say(answers, {"failure": reason_of(error)})
        return
    _say(answers, {"ready": True})

    def tell(what: object) -> None:
        _say(answers, {"told": what})

    for line in sys.stdin:
        try:
            outcome = answer(json.loads(line), tell)
        except Exception as error:  # noqa: BLE001 - one item's failure is its own record
            outcome = {"failure": reason_of(error)}
        _say(answers, outcome)


def reason_of(error: BaseException) -> str:
    """An exception in one line of at most 200 characters: its class and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200].rstrip(": ")


def _say(answers: TextIO, message: dict[str, object]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()
