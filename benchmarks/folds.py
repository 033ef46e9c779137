"""The fine-tuned rung as a whole: its folds one after another against side by side, on the same rows and folds.

    python benchmarks/folds.py [--rows 1500] [--folds 5] [--epochs 5] [--repeats 3] [--workers N] [--model minilm]

Each climbs the ladder over captions and memorability of the shared data in a process of its own, one fold at a time
(``--fit-workers 1``) and side by side (``--workers``, by default as many as Yoin chooses), in turns. Seconds by the
clock and of CPU, those of the workers too, from the rung's first fold to the next rung; and how far predictions lie
apart, in the metric's standard deviations.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contest import climb, let, print_ratios
from yoin.model.lanes import lanes_for
from yoin.options import FitOptions

DATA = Path(os.environ.get("YOIN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def contend(asked: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the fine-tuned rung and its predictions, in this process."""
    table = pd.read_csv(DATA / "videomem" / "videomem.csv")[: asked.rows]
    options = FitOptions(
        model=asked.model, folds=asked.folds, max_epochs=asked.epochs, metric_kind="real", bootstrap=100,
        permutations=19, fit_workers=1 if asked.contend == "one" else asked.workers,
    )  # fmt: skip
    found, wall, cpu = climb(table["caption"].astype(str).tolist(), table["memorability"].to_numpy(float), options)
    predicted = found.predictions.loc[found.predictions["model"] == asked.model, "prediction"]
    return {"wall": wall, "cpu": cpu, "lanes": len(lanes_for(asked.folds, options)), "predicted": predicted.tolist()}


def main() -> None:
    """Contend in a child, or let both contend in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--contend", choices=("one", "beside"))
    asked = parser.parse_args()
    if asked.contend:
        print(json.dumps(contend(asked)))
        return
    print(f"{asked.rows:,} rows, {asked.folds} folds, {asked.model}; {os.cpu_count()} cores, {platform.machine()}\n")
    taken: dict[str, list[dict[str, Any]]] = {"one": [], "beside": []}
    for _ in range(asked.repeats):
        for name, runs in taken.items():
            runs.append(let(name))
    print("| folds at once | seconds | CPU seconds |\n| --- | --- | --- |")
    for runs in taken.values():
        wall, cpu = (np.median([run[what] for run in runs]) for what in ("wall", "cpu"))
        print(f"| {runs[0]['lanes']} | {wall:.1f} | {cpu:.1f} |")
    for what in ("wall", "cpu"):
        print_ratios(what, "one after another / side by side", taken["one"], taken["beside"])
    sd = pd.read_csv(DATA / "videomem" / "videomem.csv")["memorability"][: asked.rows].std()
    gap = np.subtract(taken["one"][0]["predicted"], taken["beside"][0]["predicted"]) / sd
    print(
        f"- predictions apart by {np.sqrt(np.mean(gap**2)):.4f} sd (root mean square), {np.abs(gap).max():.4f} at most"
    )


if __name__ == "__main__":
    main()
