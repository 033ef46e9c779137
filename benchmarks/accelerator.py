"""A large encoder on an accelerator: rows a second, the share of its peak, and how many folds it carries at once.

    python benchmarks/accelerator.py [--rows 10000] [--tokens 100] [--width 768] [--layers 12] [--at-once 1 2 3]
        [--recipe-steps 40]

The encoder has random weights, so that only speed is told: by default it is as large as BERT-base. The captions are
made-up words, of so many tokens on average, from three fifths to seven fifths of it. The peak is what a product of two
large bfloat16 matrices reaches in the same run; the share counts the products that the captions' own tokens need, so
padding, the optimizer and everything else lower it. The recipe: captions padded to 500 tokens, 32 a batch, in fp16, as
long as so many steps take. Then the whole fine-tuned rung of five folds, so many of them at once.

On a processor it runs too; then choose a small encoder.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from contest import climb, time_steps
from yoin import encoder
from yoin.hub import best_device
from yoin.model.bert import BertRegressor, read_encoder
from yoin.model.recipe import BATCH, TOKENS, pad, train
from yoin.options import FitOptions
from yoin.values import Progress

WORDS = 5000


def make_encoder(folder: Path, width: int, layers: int) -> None:
    """A BERT with random weights in ``folder``, of whose words one is w0."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{number}" for number in range(WORDS))]
    tokenizer = Tokenizer(WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names), hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
        intermediate_size=4 * width,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)


def make_rows(rows: int, tokens: int) -> tuple[list[str], np.ndarray]:
    """Captions, and a metric that their commonest words move."""
    random = np.random.default_rng(0)
    lengths = random.integers(tokens * 3 // 5, tokens * 7 // 5, size=rows) - 2
    words = [np.minimum(random.zipf(1.3, size=length) - 1, WORDS - 1) for length in lengths]
    effect = random.normal(size=WORDS) * (np.arange(WORDS) < 200)
    metric = np.array([effect[np.unique(row)].sum() for row in words])
    return [" ".join(f"w{word}" for word in row) for row in words], metric + random.normal(size=rows)


@dataclass
class Clock:
    """A progress that notes when each step of an epoch was done."""

    times: list[float] = field(default_factory=list)
    epochs: list[str] = field(default_factory=list)

    def __call__(self, done: int, total: int, detail: str) -> None:
        """One step more."""
        if detail:
            self.times.append(time.perf_counter())
            self.epochs.append(detail)

    def step(self) -> float:
        """Seconds a step, the mean within epochs without the first fifth, in which kernels are chosen and compiled."""
        gaps = [
            after - before
            for before, after, same in zip(
                self.times, self.times[1:], np.equal(self.epochs[1:], self.epochs[:-1]), strict=False
            )
            if same
        ]
        return float(np.mean(gaps[len(gaps) // 5 :]))


def products(tokens: np.ndarray, width: int, layers: int) -> float:
    """Operations of the matrix products that texts of so many tokens need on the way forward; backward twice that."""
    return float(np.sum(layers * (24 * width**2 * tokens + 4 * width * tokens**2)))


def peak(device: torch.device) -> float:
    """Operations a second in a product of two bfloat16 matrices, the best of five goes."""
    size = 8192 if device.type != "cpu" else 2048
    one, other = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return max(2 * size**3 * 10 / seconds(lambda: [one @ other for _ in range(10)], device) for _ in range(6))


def seconds(act: Callable[[], object], device: torch.device) -> float:
    """How long it takes, until the device is done."""
    synchronise(device)
    started = time.perf_counter()
    act()
    synchronise(device)
    return time.perf_counter() - started


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def time_recipe(folder: Path, captions: list[str], metric: np.ndarray, steps: int) -> float:
    """Seconds a step of the recipe's training, in fp16 on an accelerator, after five others."""
    tokenizer, width, body = read_encoder(folder, TOKENS)
    text = pad(captions, tokenizer, width, mask=True)
    wanted, half = torch.from_numpy(metric).float(), best_device().type != "cpu"

    def work(told: Progress) -> None:
        train(body, text, wanted, np.arange(len(metric)), lambda network, lost: None, told, epochs=1, half=half)

    return time_steps(work, steps, before=5)[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--recipe-steps", type=int, default=40)
    parser.add_argument("--at-once", type=int, nargs="*", default=[1, 2, 3])
    asked = parser.parse_args()
    device = best_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    captions, metric = make_rows(asked.rows, asked.tokens)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_encoder(folder, asked.width, asked.layers)
        tokenizer, window, _ = read_encoder(folder, 512)
        lengths = np.array([len(ids) for ids in encoder.tokenize(tokenizer, captions, window)])
        forward = products(lengths, asked.width, asked.layers) / len(lengths)
        best = peak(device)
        about = f"{asked.rows:,} rows of {lengths.mean():.0f} tokens; peak {best / 1e12:.1f} T a second"
        print(f"{name}, torch {torch.__version__}; {about}\n")
        print("| what | rows a second | share of the peak |\n| --- | --- | --- |")

        def row(what: str, rate: float, work: float) -> None:
            print(f"| {what} | {rate:.0f} | {rate * work / best:.1%} |", flush=True)

        clock, model = Clock(), BertRegressor(str(folder), options=FitOptions(metric_kind="real"))
        whole = seconds(lambda: model.fit(captions, metric, progress=clock), device)
        size = model.options.batch_size
        row("ours, a step of training", size / clock.step(), 3 * forward)
        rounds = max(one.epoch for one in model.history)
        row("ours, a whole fit: reading, judging, training", rounds * asked.rows / whole, 3 * forward)
        for way in ("", *model.ways):
            took = seconds(lambda: model.predict_quickly(captions, way) if way else model.predict(captions), device)  # noqa: B023
            row(f"ours, predicting{f' in {way}' if way else ''}", len(captions) / took, forward)
        if asked.recipe_steps:
            step = time_recipe(folder, captions, metric, asked.recipe_steps)
            row("the recipe, a step of training in fp16, padded to 500", BATCH / step, 3 * forward)
            print(f"\n- training: ours / the recipe {size / clock.step() / (BATCH / step):.2f}")
        if device.type == "cuda":
            print(f"- memory, at most: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
        for at_once in asked.at_once:
            options = FitOptions(
                model=f"bert:{folder}", metric_kind="real", bootstrap=100, permutations=19, fit_workers=at_once
            )
            took = climb(captions, metric, options)[1]
            print(f"- the rung of {options.folds} folds, {at_once} at once: {took:.1f} s", flush=True)


if __name__ == "__main__":
    main()
