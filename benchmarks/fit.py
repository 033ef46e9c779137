"""Fine-tuning an epoch: Yoin's way against the usual recipe, on the same rows, encoder and number of epochs.

    python benchmarks/fit.py [--rows 2000] [--epochs 3] [--steps 8] [--repeats 3] [--data videomem] [--captions DIR]

Both fine-tune the embedded MiniLM on the training rows of one fold in a process of its own, which tells the seconds of
wall time and of CPU an epoch, and peak memory. The recipe: every caption padded to 500 tokens, float32, 32 captions a
batch; of it so many steps are timed, after a first one, and an epoch is that many times longer as it has steps. Ours:
captions padded to the longest of a batch of about equally long ones, bfloat16 where the processor has it, and the time
to judge each epoch on inner rows counts. They take turns, so that both meet the same machine. With few rows Yoin passes
over them several times an epoch: take at least 20 steps an epoch (700 rows) and three epochs to compare.

The RMSE on the fold is of all epochs. The recipe's is found with captions padded to the longest one: where padding is
masked it changes no prediction but by rounding, and hours become minutes.

``--data videomem`` reads captions and memorability from the shared data, ``posters`` the captions of a study of the
posters, whose ``captions.parquet`` and ``table.parquet`` lie in the folder ``--captions``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd

from contest import let, print_ratios, time_steps
from yoin.values import Progress

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
    return texts.astype(str).tolist()[: asked.rows], np.array(metric[: asked.rows], dtype=float)


def time_recipe(captions: list[str], metric: np.ndarray, steps: int) -> dict[str, float]:
    """Seconds an epoch of the recipe's training, from so many steps of it, and the peak memory in MiB."""
    import torch

    from yoin.model.bert import find_encoder, read_encoder
    from yoin.model.recipe import BATCH, TOKENS, judged_rows, pad, train

    learned, _ = judged_rows(len(metric), 0)
    tokenizer, width, body = read_encoder(find_encoder("minilm"), TOKENS)
    text = pad(captions, tokenizer, width, mask=True)
    wanted = torch.from_numpy(metric).float()

    def work(told: Progress) -> None:
        train(body, text, wanted, learned, lambda network, lost: None, told, epochs=1)

    wall, cpu = (taken * (len(learned) // BATCH) for taken in time_steps(work, steps))
    return {"wall": wall, "cpu": cpu, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def judge_recipe(captions: list[str], metric: np.ndarray, epochs: int) -> dict[str, float]:
    """The RMSE on the fold after the recipe's training."""
    import torch

    from yoin.model.bert import find_encoder, read_encoder
    from yoin.model.recipe import TOKENS, judged_rows, pad, predict, train

    learned, judged = judged_rows(len(metric), 0)
    tokenizer, width, body = read_encoder(find_encoder("minilm"), TOKENS)
    longest = max(len(ids) for ids in tokenizer(captions, truncation=True, max_length=width)["input_ids"])
    text = pad(captions, tokenizer, longest, mask=True)
    found: list[np.ndarray] = []
    torch.manual_seed(42)
    train(
        body, text, torch.from_numpy(metric).float(), learned,
        lambda network, lost: found.append(predict(network, text, judged)), epochs=epochs,
    )  # fmt: skip
    return {"rmse": root_mean_square(metric[judged] - found[-1])}


def train_ours(captions: list[str], metric: np.ndarray, epochs: int) -> dict[str, float]:
    """Seconds an epoch of ours, the peak memory in MiB, and the RMSE on the fold."""
    from yoin.model.bert import BertRegressor
    from yoin.model.recipe import judged_rows
    from yoin.options import FitOptions

    learned, judged = judged_rows(len(metric), 0)
    model = BertRegressor(options=FitOptions(max_epochs=epochs, metric_kind="real"))
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit([captions[row] for row in learned], metric[learned])
    done = max(one.epoch for one in model.history)
    wall, cpu = (time.perf_counter() - wall) / done, (time.process_time() - cpu) / done
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gap = metric[judged] - model.predict([captions[row] for row in judged])
    return {"wall": wall, "cpu": cpu, "peak": peak, "rmse": root_mean_square(gap)}


def root_mean_square(gap: np.ndarray) -> float:
    """Of errors (n,)."""
    return float(np.sqrt(np.mean(gap**2)))


def contend(asked: argparse.Namespace) -> dict[str, float]:
    """One contender's part, in this process."""
    import torch

    torch.set_num_threads(os.cpu_count() or 1)
    captions, metric = read(asked)
    if asked.contend == "recipe":
        return time_recipe(captions, metric, asked.steps)
    return (train_ours if asked.contend == "ours" else judge_recipe)(captions, metric, asked.epochs)


def main() -> None:
    """Contend in a child, or let both contend in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", choices=("videomem", "posters"), default="videomem")
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--contend", choices=("recipe", "recipe's error", "ours"))
    asked = parser.parse_args()
    if asked.contend:
        print(json.dumps(contend(asked)))
        return
    print(f"{asked.data}, {asked.rows:,} rows, {asked.epochs} epochs; {os.cpu_count()} cores, {platform.machine()}\n")
    taken: dict[str, list[dict[str, float]]] = {"ours": [], "recipe": []}
    for _ in range(asked.repeats):
        for name, runs in taken.items():
            runs.append(let(name))
    errors = {"ours": np.median([run["rmse"] for run in taken["ours"]]), "recipe": let("recipe's error")["rmse"]}
    print("| contender | seconds an epoch | CPU seconds an epoch | peak MiB | RMSE |\n| --- | --- | --- | --- | --- |")
    for name, runs in taken.items():
        wall, cpu, peak = (np.median([run[what] for run in runs]) for what in ("wall", "cpu", "peak"))
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {peak:.0f} | {errors[name]:.4f} |")
    for what in ("wall", "cpu", "peak"):
        print_ratios(what, "recipe / ours", taken["recipe"], taken["ours"])


if __name__ == "__main__":
    main()
