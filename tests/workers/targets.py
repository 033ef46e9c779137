"""What worker processes of the tests are told to do; imported in the children."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from yoin.workers.serve import Answer, Tell


def scripted() -> Answer:
    """Do what the request says."""
    served = 0

    def answer(request: Mapping[str, object], tell: Tell) -> dict[str, object]:
        nonlocal served
        served += 1
        do = request.get("do")
        if do == "die":
            os._exit(9)
        if do == "die once" and not (marker := Path(str(request["marker"]))).exists():
            marker.touch()
            os._exit(9)
        if do == "raise":
            raise ValueError("no\nsuch thing")
        if do == "print":
            print("noise", flush=True)  # noqa: T201 - a library that prints
            os.write(1, b"more noise\n")
            sys.stderr.write("and more\n")
        if do == "count":
            for number in range(3):
                tell([number, "ü"])
        if do == "hang":
            Path(str(request["marker"])).write_text(str(os.getpid()))
            time.sleep(600)
        return {"pid": os.getpid(), "served": served, "threads": os.environ["OMP_NUM_THREADS"]}

    return answer


def broken() -> Answer:
    """A target that cannot load."""
    raise RuntimeError("the weights are not what they should be")


def dead() -> Answer:
    """A target that takes its process down while loading."""
    os._exit(3)
