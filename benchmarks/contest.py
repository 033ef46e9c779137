"""Two contenders, each in processes of its own, in turns: what the scripts that hold such contests share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np


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
