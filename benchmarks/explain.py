"""Explanations against the usual recipe and its relatives: seconds a caption, and nearness to converged values.

    python benchmarks/explain.py [--captions N] [--recipe N] [--reference N] [--pairs N] [--many N] [--work DIR]
    python benchmarks/explain.py --only-many N [--budget N] [--work DIR]

The captions are seven human captions of videos in a row (about 77 tokens), the metric is the mean memorability of the
seven, the model is the embedded MiniLM fine-tuned on 700 of them; what is explained it has not seen. ``--work`` keeps
the model and the reference values for the next run. Other libraries (``rivals.py``) are measured too where they are
installed. Prints one block of Markdown for LOG.md. On a busy machine wall
seconds mean nothing; seconds of CPU do, with ``--threads 1``: more threads burn CPU while they wait for each other.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import shap
import torch

import rivals
from yoin.explanations import explain_captions
from yoin.explanations.api import Settings, explain_distinct
from yoin.explanations.game import Evaluator, Game
from yoin.explanations.interactions import phrase_totals
from yoin.explanations.players import split
from yoin.explanations.precision import measure
from yoin.explanations.sampling import draw_pairs, estimate, solve
from yoin.model.bert import BertRegressor
from yoin.model.shelf import FoldModel, Shelf
from yoin.options import ExplainOptions, FitOptions

DATA = Path(os.environ.get("YOIN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
TOGETHER = 7  # captions in a row
LEARNED = 700
PADDED = 500  # tokens, the recipe's


def captions() -> tuple[list[str], np.ndarray]:
    """Texts of seven captions each, and their mean memorability."""
    table = pd.read_csv(DATA / "videomem" / "videomem.csv").drop_duplicates("caption")
    order = np.random.default_rng(42).permutation(len(table))
    rows = order[: len(table) // TOGETHER * TOGETHER].reshape(-1, TOGETHER)
    said, metric = table["caption"].to_numpy()[rows], table["memorability"].to_numpy()[rows].mean(axis=1)
    return [" ".join(f"{one[0].upper()}{one[1:].rstrip('. ')}." for one in row) for row in said], metric


def fitted(work: Path, texts: list[str], metric: np.ndarray) -> FoldModel:
    """The model in ``work``, fitted now if it is not there."""
    folder = work / "model"
    if not (folder / "head.json").exists():
        model = BertRegressor(options=FitOptions(max_epochs=3))
        model.fit(texts[:LEARNED], metric[:LEARNED])
        folder.mkdir(parents=True, exist_ok=True)
        model.save(folder)
    return FoldModel(Shelf(BertRegressor), folder)


def converged(work: Path, model: FoldModel, text: str, pairs: int) -> tuple[np.ndarray, float]:
    """Phrase values from many pairs, in 32-bit arithmetic, and their largest standard error; kept in ``work``."""
    players = split(text)
    kept = work / f"{hashlib.sha256(f'{pairs}{players}'.encode()).hexdigest()[:16]}.npy"
    if not kept.exists():
        game, count = Game(players), len(players.phrases)
        phrase = np.repeat(np.arange(count), [last - first for first, last in players.phrases])
        drawn = draw_pairs(count, min(pairs, 2 ** (count - 1) - 1), np.random.default_rng(1))
        masks = drawn.coalitions[:, phrase]
        asked = [game.text(mask) for mask in np.concatenate([masks, ~masks])]
        values = model([*asked, "", text])
        total = float(values[-1] - values[-2])
        np.save(kept, np.stack(estimate(drawn, values[: len(masks)], values[len(masks) : -2], total)))
    values, errors = np.load(kept)
    return values, float(errors.max() / np.abs(values).max())


def recipe(model: FoldModel, *, padded: bool) -> Callable[[str], tuple[np.ndarray, list[tuple[int, int]], int]]:
    """The usual way, shap on tokens: values and (start, end) of a text's tokens, and the calls they took."""
    fitted_model = model._shelf.read(model._folder)._fitted
    tokenizer, (network, scale), calls = fitted_model.tokenizer, fitted_model.members[0], []

    def predict(texts: np.ndarray) -> np.ndarray:
        given = [str(text) for text in texts]
        calls.append(len(given))
        how = {"padding": "max_length", "max_length": PADDED} if padded else {"padding": True}
        told = tokenizer(given, truncation=True, return_tensors="pt", **how)
        with torch.no_grad():
            return scale.prediction(network(told["input_ids"], told["attention_mask"]).numpy())

    explainer = shap.Explainer(predict, tokenizer)

    def explained(text: str) -> tuple[np.ndarray, list[tuple[int, int]], int]:
        calls.clear()
        found = explainer([text], silent=True)
        offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        return found.values[0], offsets, sum(calls)

    return explained


def by_phrase(text: str, spans: list[tuple[int, int]], values: np.ndarray) -> np.ndarray:
    """Values of spans summed by phrase; what belongs to no phrase (special tokens) is left out."""
    players = split(text)
    inside = [place for place, (start, end) in enumerate(spans) if end > start]
    return phrase_totals(players, [spans[place] for place in inside], values[inside])


def by_table(text: str, table: pd.DataFrame) -> np.ndarray:
    """A caption's rows of an explanations table summed by phrase."""
    spans = list(zip(table["start"].tolist(), table["end"].tolist(), strict=True))
    return by_phrase(text, spans, table["value"].to_numpy())


def timed(work: Callable[[], object]) -> tuple[tuple[float, float], object]:
    """Wall seconds and CPU seconds of ``work``, and what it returned."""
    start = np.array([time.perf_counter(), time.process_time()])
    found = work()
    wall, cpu = np.array([time.perf_counter(), time.process_time()]) - start
    return (float(wall), float(cpu)), found


def correlation(found: list[np.ndarray], truth: list[np.ndarray]) -> str:
    """The mean over captions, and the range."""
    each = [float(np.corrcoef(one, other)[0, 1]) for one, other in zip(found, truth, strict=False)]
    return f"{np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f}, n = {len(each)})" if each else "–"


def peak(dtype: torch.dtype) -> float:
    """Measured GFLOP/s of a large matrix product."""
    one, other = torch.randn(2048, 1536, dtype=dtype), torch.randn(1536, 1536, dtype=dtype)
    best = min(min(timed(lambda: one @ other)[0]) for _ in range(12))
    return 2 * 2048 * 1536 * 1536 / best / 1e9


def curve(model: FoldModel, texts: list[str], truths: list[np.ndarray], budgets: tuple[int, ...]) -> None:
    """Error of the phrases for several budgets, ours and by least squares, and the standard errors claimed."""
    print("\n| calls for phrases | error, ours | claimed | error, least squares | correlation, ours | least squares |")
    print("| --- | --- | --- | --- | --- | --- |")
    most = max(budgets)
    drawn = []
    for text in texts:
        players = split(text)
        game, count = Game(players), len(players.phrases)
        phrase = np.repeat(np.arange(count), [last - first for first, last in players.phrases])
        pairs = draw_pairs(count, most // 2 - 1, np.random.default_rng(7))
        masks = pairs.coalitions[:, phrase]
        values = model.quickly([game.text(mask) for mask in np.concatenate([masks, ~masks])], model.ways[0])
        ends = model(["", text])
        drawn.append((pairs, values[: len(masks)], values[len(masks) :], float(ends[1] - ends[0])))
    for budget in budgets:
        sums: list[list[float]] = []
        for (pairs, values, others, total), truth in zip(drawn, truths, strict=True):
            some = pairs.first((budget // 2 - 1) / (most // 2 - 1))
            count = len(some.coalitions)
            ours, claimed = estimate(some, values[:count], others[:count], total)
            plain, _ = solve(some, values[:count], others[:count], total)
            size = np.abs(truth).max()
            errors = [np.mean(((one - truth) / size) ** 2) for one in (ours, plain)]
            alike = [np.corrcoef(one, truth)[0, 1] for one in (ours, plain)]
            sums.append([errors[0], np.mean((claimed / size) ** 2), errors[1], *alike])
        mean = np.mean(sums, axis=0)
        error, claim, squares = np.sqrt(mean[:3])
        print(f"| {budget} | {error:.3f} | {claim:.3f} | {squares:.3f} | {mean[3]:.3f} | {mean[4]:.3f} |")


def rivalled(
    model: FoldModel, texts: list[str], truths: list[np.ndarray], quickly: Callable[[list[str]], np.ndarray] | None
) -> None:
    """What else is installed: other ways to ask the network, integrated gradients, other estimators."""
    print("\nOther ways to ask the network, for half of the words of a caption:\n")
    rng, halves = np.random.default_rng(3), []
    for text in (texts * 40)[:200]:
        players = split(text)
        halves.append(Game(players).text(rng.random(len(players.words)) < 0.5))
    for name, found in rivals.predicting(model, halves):
        print(f"- {name}: {found}")
    texts = texts[: len(truths)]
    try:
        explained = rivals.gradients(model)
        (_, cpu), found = timed(lambda: [explained(text) for text in texts])
        sums = [by_phrase(text, spans, values) for text, (values, spans, _) in zip(texts, found, strict=True)]
        told = f"{cpu / max(len(texts), 1):.1f} CPU s a caption, correlation {correlation(sums, truths)}"
    except ModuleNotFoundError as error:
        told = f"left out: no {error.name}"
    print(f"- integrated gradients (captum, {rivals.STEPS} steps): {told}")
    rows: dict[tuple[str, int], list[tuple[float, float]]] = {}
    try:
        for text, truth in zip(texts, truths, strict=True):
            for name, calls, values in rivals.approximators(text, quickly or model, (120, 240, 480), seed=0):
                error = float(np.mean(((values - truth) / np.abs(truth).max()) ** 2))
                rows.setdefault((name, calls), []).append((error, float(np.corrcoef(values, truth)[0, 1])))
    except ModuleNotFoundError as error:
        print(f"- shapiq: left out: no {error.name}")
    for (name, calls), found in rows.items():
        error, alike = np.mean(found, axis=0)
        print(f"- shapiq, {name}, {calls} calls: error {np.sqrt(error):.3f}, correlation {alike:.3f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=20)
    parser.add_argument("--recipe", type=int, default=5, help="captions for the recipe, which is slow")
    parser.add_argument("--reference", type=int, default=20, help="captions with converged values")
    parser.add_argument("--pairs", type=int, default=2000, help="pairs for the converged values")
    parser.add_argument("--many", type=int, default=1000, help="captions for wall time and memory; 0 to leave it out")
    parser.add_argument("--only-many", type=int, default=0, help="only so many captions' time and memory")
    parser.add_argument("--budget", type=int, help="calls a caption, instead of the default")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--work", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if asked.only_many:
            torch.set_num_threads(asked.threads)
            many(asked.only_many, asked.budget, asked.work or Path(scratch))
        else:
            run(asked, asked.work or Path(scratch))


def run(asked: argparse.Namespace, work: Path) -> None:
    """Everything, with what can be kept in ``work``."""
    torch.set_num_threads(asked.threads)
    texts, metric = captions()
    model = fitted(work, texts, metric)
    unseen = texts[LEARNED:]
    chosen = unseen[: asked.captions]
    model(chosen[:2])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    load = os.getloadavg()[0]
    machine = f"{os.cpu_count()} cores, {asked.threads} threads, load {load:.1f}"
    print(f"Commit {commit.strip()}, {machine}, torch {torch.__version__}, {model.ways}\n")
    held = metric[LEARNED:]
    print(f"- model: correlation with the metric out of sample {np.corrcoef(model(unseen), held)[0, 1]:.2f}")
    print(f"- players: {np.mean([len(split(text).phrases) for text in chosen]):.1f} phrases a caption")

    measured = [converged(work, model, text, asked.pairs) for text in chosen[: asked.reference]]
    truths = [values for values, _ in measured]
    if measured:
        print(f"- reference: {asked.pairs} pairs in fp32, largest error {max(error for _, error in measured):.1%}")

    lines = []
    for name, padded in (("recipe, padded to 500", True), ("shap, padded to the longest of a batch", False)):
        explained = recipe(model, padded=padded)
        seconds, found = timed(lambda explained=explained: [explained(text) for text in chosen[: asked.recipe]])
        sums = [by_phrase(text, spans, values) for text, (values, spans, _) in zip(chosen, found, strict=False)]
        calls = np.mean([each[2] for each in found])
        lines.append((name, np.array(seconds) / asked.recipe, calls, correlation(sums[: len(truths)], truths)))

    precision = measure(model, chosen, seed=0)
    print(
        f"- {precision.kind} against fp32 on {precision.texts} texts: mean error {precision.mean_error:.1e}, largest "
        f"{precision.largest_error:.1e}, sd {precision.spread:.1e}, rank correlation {precision.rank_correlation:.5f}"
    )
    settings = Settings(budget=asked.budget, tolerance=0.0, mask="", seed=0)
    ways = {way: partial(_quickly, model, way) for way in reversed(model.ways)}
    quickest = ways[precision.kind] if precision.used else None
    for way, quick in {"fp32": None, **ways}.items():
        name = f"ours, {way}"
        if quick:
            quick(chosen[:2])  # made once a fold
        evaluate = Evaluator(model, quick)
        seconds, table = timed(lambda evaluate=evaluate: explain_distinct(evaluate, chosen, settings))
        ours = [by_table(text, table[table["row_id"] == number]) for number, text in enumerate(chosen)]
        calls = evaluate.calls / len(chosen)
        lines.append((name, np.array(seconds) / len(chosen), calls, correlation(ours[: len(truths)], truths)))
    tolerant = Settings(budget=asked.budget, tolerance=0.2, mask="", seed=0)
    evaluate = Evaluator(model, quickest)
    seconds, table = timed(lambda: explain_distinct(evaluate, chosen, tolerant))
    ours = [by_table(text, table[table["row_id"] == number]) for number, text in enumerate(chosen)]
    calls = evaluate.calls / len(chosen)
    lines.append(
        ("ours, tolerance 0.2", np.array(seconds) / len(chosen), calls, correlation(ours[: len(truths)], truths))
    )

    first = lines[0][1]
    print(
        "\n| how | s a caption | CPU s | calls | calls a CPU s | × faster | by CPU | correlation with the reference |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (wall, cpu), calls, alike in lines:
        print(
            f"| {name} | {wall:.2f} | {cpu:.2f} | {calls:.0f} | {calls / cpu:.0f} "
            f"| {first[0] / wall:.0f} | {first[1] / cpu:.0f} | {alike} |"
        )
    rivalled(model, chosen, truths, quickest)
    if truths:
        curve(model, chosen[: len(truths)], truths, (64, 96, 128, 144, 192, 256, 384))

    tokens = sum(map(len, model._shelf.read(model._folder)._fitted.tokens.ids(chosen))) / len(chosen) / 2
    work_done = lines[-2][2] / lines[-2][1][1] * tokens * 2 * 10.6e6 / 1e9  # 10.6 million weights in the layers
    reached = peak(torch.bfloat16 if model.ways else torch.float32)
    print(
        f"\n- matrix products by the quickest way: {work_done:.0f} G a CPU second; large ones reach {reached:.0f} "
        f"GFLOP/s now in {'bfloat16' if model.ways else 'fp32'}"
    )
    for count in filter(None, (asked.many // 4, asked.many)):  # each in a process of its own, for its memory
        command = [sys.executable, __file__, "--only-many", str(count), "--work", str(work)]
        told = ["--threads", str(asked.threads), *(["--budget", str(asked.budget)] if asked.budget else [])]
        subprocess.run([*command, *told], check=True)


def many(count: int, budget: int | None, work: Path) -> None:
    """Wall and CPU seconds and peak memory of ``count`` captions, as a study explains them."""
    texts, metric = captions()
    model = fitted(work, texts, metric)
    model(texts[:2])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    table = pd.DataFrame({"row_id": range(count), "caption": (texts * 2)[:count], "fold": 0})
    options = ExplainOptions(budget=budget, interactions=0)
    with tempfile.TemporaryDirectory() as folder:
        (wall, cpu), found = timed(lambda: explain_captions(table, {0: model}, options=options, folder=Path(folder)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    calls = found.facts["calls"] / count
    print(
        f"- {count} captions, {calls:.0f} calls each: {wall:.0f} s, {cpu:.0f} s of CPU, peak memory {memory:.2f} GiB, "
        f"{before:.2f} before"
    )


def _quickly(model: FoldModel, way: str, texts: list[str]) -> np.ndarray:
    return model.quickly(texts, way)


if __name__ == "__main__":
    main()
