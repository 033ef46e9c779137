"""Fine-tuning an epoch: Yoin's way against the usual recipe, on the same rows, encoder and number of epochs.

    python benchmarks/fit.py [--rows 2000] [--epochs 3] [--repeats 3] [--data videomem|posters] [--captions FILE]

Both fine-tune the embedded MiniLM on the training rows of one fold in a process of its own, which tells the seconds of
wall time and of CPU an epoch, peak memory, and the RMSE on the fold. The recipe: every caption padded to 500 tokens,
float32, 32 captions a batch. Ours: captions padded to the longest of a batch of about equally long ones, bfloat16 where
the processor has it, and the time to judge each epoch on inner rows counts. They take turns, so that both meet the same
machine. With few rows Yoin passes over them several times an epoch: take at least 20 steps an epoch (700 rows) and
three epochs to compare.

``--data videomem`` reads captions and memorability from the shared data, ``posters`` the captions of a study of the
posters, whose ``captions.parquet`` and ``table.parquet`` lie in the folder ``--captions``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).parents[2] / "shared" / "data"


def read(asked: argparse.Namespace) -> tuple[list[str], np.ndarray]:
    """Captions and metric, the first rows."""
    if asked.data == "videomem":
        table = pd.read_csv(DATA / "videomem" / "videomem.csv")
        texts, metric = table["caption"], table["memorability"]
    else:
        captions = pd.read_parquet(asked.captions / "captions.parquet").set_index("row_id")
        table = pd.read_parquet(asked.captions / "table.parquet").set_index("row_id").join(captions["caption"])
        table = table[table["caption"].notna()]
        texts, metric = table["caption"], table["metric"]
    return texts.astype(str).tolist()[: asked.rows], metric.to_numpy(float)[: asked.rows]


def contend(name: str, asked: argparse.Namespace) -> dict[str, float]:
    """Train once, in this process."""
    import torch

    from yoin.model.bert import BertRegressor, find_encoder, read_encoder
    from yoin.model.recipe import TOKENS, judged_rows, pad, predict, train
    from yoin.options import FitOptions

    torch.set_num_threads(os.cpu_count() or 1)
    captions, metric = read(asked)
    learned, judged = judged_rows(len(metric), 0)
    if name == "recipe":
        tokenizer, width, body = read_encoder(find_encoder("minilm"), TOKENS)
        text = pad(captions, tokenizer, width, mask=True)
        found: list[np.ndarray] = []
        torch.manual_seed(42)
        began, cpu = time.perf_counter(), time.process_time()
        train(
            body, text, torch.from_numpy(metric).float(), learned,
            lambda network, lost: found.append(predict(network, text, judged)), epochs=asked.epochs,
        )  # fmt: skip
        prediction, done = found[-1], asked.epochs
    else:
        model = BertRegressor(options=FitOptions(max_epochs=asked.epochs, metric_kind="real"))
        began, cpu = time.perf_counter(), time.process_time()
        model.fit([captions[row] for row in learned], metric[learned])
        prediction = model.predict([captions[row] for row in judged])
        done = max(one.epoch for one in model.history)
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    return {
        "wall": wall / done,
        "cpu": spent / done,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rmse": float(np.sqrt(np.mean((metric[judged] - prediction) ** 2))),
    }


def main() -> None:
    """Contend in a child, or let both contend in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", choices=("videomem", "posters"), default="videomem")
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--contend", choices=("recipe", "ours"))
    asked = parser.parse_args()
    if asked.contend:
        print(json.dumps(contend(asked.contend, asked)))
        return
    print(f"{asked.data}, {asked.rows:,} rows, {asked.epochs} epochs; {os.cpu_count()} cores, {platform.machine()}\n")
    taken: dict[str, list[dict[str, float]]] = {"ours": [], "recipe": []}
    for _ in range(asked.repeats):
        for name, runs in taken.items():
            child = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--contend", name], check=True, stdout=subprocess.PIPE
            )
            runs.append(json.loads(child.stdout.splitlines()[-1]))
    print("| contender | seconds an epoch | CPU seconds an epoch | peak MiB | RMSE |\n| --- | --- | --- | --- | --- |")
    for name, runs in taken.items():
        wall, cpu, peak, rmse = (np.median([run[what] for run in runs]) for what in ("wall", "cpu", "peak", "rmse"))
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {rmse:.4f} |")
    for what in ("wall", "cpu", "peak"):
        ratios = [theirs[what] / ours[what] for ours, theirs in zip(taken["ours"], taken["recipe"], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}, n = {len(ratios)}"
        print(f"- {what}: recipe / ours {np.median(ratios):.2f} ({spread})")


if __name__ == "__main__":
    main()
