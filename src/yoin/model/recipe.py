"""The usual recipe of fine-tuning on captions, as articles have it, to compare with.

One fold of five judges. A linear head reads the first token's last state; AdamW at 5e-5 with a rate that falls to zero,
32 captions a batch, every caption padded to 500 tokens, five epochs, squared error of the metric as it is, float32 or
fp16. Two faults come with it: the padding is read as if it were text, and the epoch is chosen on the fold that judges.
Each can be repaired alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.model_selection import KFold
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from yoin import encoder
from yoin.errors import UsageError
from yoin.hub import best_device
from yoin.model.bert import find_encoder, read_encoder
from yoin.model.signal import r2_interval
from yoin.options import FitOptions, RecipeOptions
from yoin.values import Progress, Recipe, RecipeEpoch, silent

FOLDS, SEED = 5, 42
EPOCHS = 5
RATE = 5e-5
BATCH = 32
TOKENS = 500
HEAD_SD = 0.02


class FirstToken(nn.Module):
    """Encoder → last state of the first token → one number."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, 1)
        nn.init.normal_(self.head.weight, std=HEAD_SD)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, tokens) → (batch,)."""
        states = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state
        value: torch.Tensor = self.head(states[:, 0]).squeeze(-1)
        return value


@dataclass(frozen=True, slots=True)
class Padded:
    """Captions as the recipe reads them: token ids and mask (n, tokens), all of one length."""

    tokens: torch.Tensor
    mask: torch.Tensor


def judged_rows(rows: int, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows that judge, of the recipe's own folds: they know no groups.

    Raises:
        UsageError: fewer rows to learn from than one batch, and incomplete batches are dropped.
    """
    if rows * (FOLDS - 1) // FOLDS < BATCH:
        raise UsageError(
            f"{rows} rows are too few for the article's recipe, which drops incomplete batches of {BATCH}",
            stage="model",
            remedy="leave out --recipe",
        )
    split = list(KFold(FOLDS, shuffle=True, random_state=SEED).split(np.arange(rows)))[fold]
    return split[0], split[1]


def follow_recipe(
    captions: Sequence[str],
    metric: np.ndarray,
    ours: np.ndarray,
    *,
    model: str,
    group: np.ndarray | None,
    weight: np.ndarray | None,
    chosen: RecipeOptions,
    options: FitOptions,
    progress: Progress = silent,
) -> Recipe:
    """Train one fold by the recipe, and compare its predictions with others of the same rows.

    Args:
        captions: n texts.
        metric: (n,).
        ours: (n,) out-of-fold predictions to compare with.
        model: what made them, ``minilm``, ``bert:FOLDER`` or a linear rung, beside which the embedded encoder stands.
        group: (n,) rows that belong together, for the intervals; or None.
        weight: (n,) for the judging; the recipe itself knows none. Or None.
        chosen: the fold, and which faults are repaired.
        options: the bootstrap and its seed.
        progress: told of each step.

    Raises:
        UsageError: too few rows, or no such encoder.
    """
    learned, judged = judged_rows(len(metric), chosen.recipe_fold)
    tokenizer, width, body = read_encoder(find_encoder(model), TOKENS)
    started = time.perf_counter()
    text = pad(list(captions), tokenizer, width, mask=chosen.recipe_mask)
    wanted = torch.tensor(metric, dtype=torch.float32)
    epochs: list[RecipeEpoch] = []
    predicted: list[np.ndarray] = []

    def judge(network: nn.Module, lost: float) -> None:
        predicted.append(predict(network, text, judged))
        error = float(np.sqrt(np.average((metric[judged] - predicted[-1]) ** 2)))
        epochs.append(RecipeEpoch(epoch=len(epochs) + 1, train_loss=lost, rmse=error))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        train(body, text, wanted, learned, judge, progress, half=chosen.recipe_half)
    best = len(epochs) - 1 if chosen.recipe_last_epoch else int(np.argmin([one.rmse for one in epochs]))

    def take(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[judged]

    def score(prediction: np.ndarray, baseline: np.ndarray | None = None) -> tuple[float, float, float]:
        return r2_interval(
            metric[judged], prediction, baseline=baseline, group=take(group), weight=take(weight),
            bootstrap=options.bootstrap, seed=options.seed,
        )  # fmt: skip

    def rmse(prediction: np.ndarray) -> float:
        return float(np.sqrt(np.average((metric[judged] - prediction) ** 2, weights=take(weight))))

    theirs = predicted[best]
    gain, gain_low, gain_high = score(ours[judged], theirs)
    return Recipe(
        model=model,
        fold=chosen.recipe_fold,
        rows=len(judged),
        half=chosen.recipe_half,
        mask=chosen.recipe_mask,
        last_epoch=chosen.recipe_last_epoch,
        epoch=best + 1,
        epochs=tuple(epochs),
        seconds=time.perf_counter() - started,
        rmse=rmse(theirs),
        r2=score(theirs)[0],
        ours_rmse=rmse(ours[judged]),
        ours_r2=score(ours[judged])[0],
        gain=gain,
        gain_low=gain_low,
        gain_high=gain_high,
    )


def pad(captions: list[str], tokenizer: PreTrainedTokenizerBase, width: int, *, mask: bool) -> Padded:
    """Captions as token ids, all of ``width``; without ``mask`` padding counts as text."""
    ids = encoder.tokenize(tokenizer, captions, width)
    tokens, real = encoder.padded(ids, tokenizer.pad_token_id, width)
    return Padded(tokens, real if mask else torch.ones_like(real))


def train(
    body: PreTrainedModel,
    text: Padded,
    wanted: torch.Tensor,
    learned: np.ndarray,
    judge: Callable[[nn.Module, float], None],
    progress: Progress = silent,
    *,
    epochs: int = EPOCHS,
    half: bool = False,
) -> None:
    """Train ``body`` and a new head, in fp16 if ``half``; ``judge`` gets the network and its loss each epoch."""
    device = best_device()
    network = FirstToken(body, body.config.hidden_size).to(device)
    scaler = torch.amp.GradScaler(device.type, enabled=half)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    steps = len(learned) // BATCH  # the last batch, where it is not full, is dropped
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (steps * epochs))
    for epoch in range(epochs):
        network.train()
        order = learned[torch.randperm(len(learned)).numpy()]
        lost = 0.0
        for step in range(steps):
            rows = torch.from_numpy(order[step * BATCH : (step + 1) * BATCH])
            with torch.autocast(device.type, torch.float16, enabled=half):
                output = network(text.tokens[rows].to(device), text.mask[rows].to(device))
            loss = nn.functional.mse_loss(output.float(), wanted[rows].to(device))
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:  # else the gradients were too large for fp16, and the step was left out
                schedule.step()
            optimizer.zero_grad()
            lost += float(loss.detach())
            progress(epoch * steps + step + 1, epochs * steps, f"the article's recipe, epoch {epoch + 1}")
        judge(network.eval(), lost / steps)


def predict(network: nn.Module, text: Padded, rows: np.ndarray) -> np.ndarray:
    """Predictions (k,) of the rows, in the metric's unit."""
    found = []
    device = next(network.parameters()).device
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            some = torch.from_numpy(rows[start : start + BATCH])
            output = network(text.tokens[some].to(device), text.mask[some].to(device))
            found.append(output.cpu().double().numpy())
    return np.concatenate(found)
