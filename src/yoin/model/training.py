"""One fine-tuning: the network, its batches and steps, and what each round came to."""

from __future__ import annotations

import contextlib
import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import PreTrainedModel

from yoin import encoder
from yoin.hub import has_bfloat16
from yoin.model.kinds import Scale
from yoin.model.losses import losses
from yoin.model.quick import outputs
from yoin.options import FitOptions
from yoin.values import Epoch, Progress

FEWEST_STEPS = 60  # with few rows a round passes over them several times, until training takes so many steps
MOST_STEPS = 350  # with many rows there are fewer rounds, but two: a slow fall of the rate learns captions by heart
FEWEST_BATCHES = 6  # with few rows batches are smaller, so that a pass has so many steps
PATIENCE = 2  # rounds without a better inner error, after which training stops
WARM_UP = 0.1  # share of the steps
WEIGHT_DECAY = 0.01
CLIP = 1.0
CENTRE_ROWS = 256  # rows enough to know the mean pooled output by
AVERAGE = 0.9  # what is judged and kept is the running average of the weights: single steps of small batches jump
USUAL_WIDTH = 768  # the width the usual learning rates are meant for
HEAD_RATE = 10.0  # the head learns so much faster than the encoder


class Network(nn.Module):
    """Encoder → mean over tokens → one number, on the scale of `yoin.model.kinds.Scale`."""

    def __init__(self, body: PreTrainedModel) -> None:
        super().__init__()
        self.body: PreTrainedModel = body
        self.head = nn.Linear(body.config.hidden_size, 1)
        # Mean and one over the sd of the untouched encoder's pooled output: what most captions share would
        # otherwise drown what tells them apart.
        self.middle: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("middle", torch.zeros(body.config.hidden_size))
        self.register_buffer("scale", torch.ones(()))

    def pooled(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, tokens) → (batch, width)."""
        states = self.body(input_ids=tokens, attention_mask=mask).last_hidden_state
        return (encoder.mean_over_tokens(states.float(), mask) - self.middle) * self.scale

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, tokens) → (batch,)."""
        value: torch.Tensor = self.head(self.pooled(tokens, mask)).squeeze(-1)
        return value


class Training:
    """One fine-tuning of ``network``, in place: on return it holds its best weights."""

    def __init__(
        self,
        network: Network,
        ids: list[list[int]],
        metric: np.ndarray,
        weight: np.ndarray,
        pad: int | None,
        scale: Scale,
        options: FitOptions,
        seed: int,
    ) -> None:
        self.network, self.ids, self.pad, self.scale, self.options = network, ids, pad, scale, options
        self.metric, self.weight = metric, weight
        self.batch_size = self.at_once = options.batch_size
        self.seed, self.random = seed, np.random.default_rng(seed)
        self.history: tuple[Epoch, ...] = ()

    def run(self, learned: np.ndarray, held: np.ndarray, progress: Progress) -> None:
        """Train by rounds and keep the best on the ``held`` rows; round 0 is the mean. Each is noted in ``history``."""
        options = self.options
        self.batch_size = min(options.batch_size, max(8, len(learned) // FEWEST_BATCHES))
        self.at_once = self.batch_size
        a_pass = math.ceil(len(learned) / self.batch_size)
        most = min(options.max_epochs, max(2, MOST_STEPS // a_pass))
        passes = max(1, math.ceil(FEWEST_STEPS / (a_pass * most)))
        total = passes * a_pass * most
        optimizer = self._optimizer()
        warm = math.ceil(WARM_UP * total)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, (total - step) / (total - warm))
        )
        nn.init.zeros_(self.network.head.weight)
        nn.init.zeros_(self.network.head.bias)
        self._centre(learned)
        best = _weights(self.network)
        rounds = [self._judged(0, float("nan"), self.network, held, 0.0)]
        best_error = rounds[0].inner_loss
        mean_of = get_ema_multi_avg_fn(AVERAGE)  # type: ignore[no-untyped-call]
        average = AveragedModel(self.network, multi_avg_fn=mean_of)
        waited = done = chosen = 0
        for round_ in range(1, most + 1):
            lost = []
            for _ in range(passes):
                for batch in self._batches(learned):
                    lost.append(self._step(batch, optimizer))
                    schedule.step()
                    average.update_parameters(self.network)
                    done += 1
                    progress(done, total, f"epoch {round_}")
            rate = float(schedule.get_last_lr()[0])
            rounds.append(self._judged(round_, float(np.mean(lost)), average.module, held, rate))
            if rounds[-1].inner_loss < best_error:
                best, best_error, waited, chosen = _weights(average.module), rounds[-1].inner_loss, 0, round_
            else:
                waited += 1
                if waited == PATIENCE:
                    break
        self.network.load_state_dict(best)
        self.history = tuple(replace(one, kept=one.epoch == chosen) for one in rounds)
        progress(total, total, "")

    @property
    def inner_loss(self) -> float:
        """The error on the inner held-out rows of the weights that were kept."""
        return next(one.inner_loss for one in self.history if one.kept)

    def _centre(self, learned: np.ndarray) -> None:
        some = [self.ids[row] for row in learned[:CENTRE_ROWS]]
        network = self.network
        found = encoder.by_padded_batch(network.pooled, some, self.pad, network.middle.device)
        pooled = torch.from_numpy(found).double()
        middle = pooled.mean(dim=0)
        network.middle.copy_(middle)
        network.scale.copy_(1 / (pooled - middle).square().mean().sqrt().clamp(min=1e-6))

    def _optimizer(self) -> torch.optim.AdamW:
        width = self.network.head.in_features
        rate = self.options.learning_rate * USUAL_WIDTH / width
        # Word vectors stay: a few thousand captions move only the words they hold, away from their neighbours.
        self.network.body.get_input_embeddings().requires_grad_(False)
        head = {"params": list(self.network.head.parameters()), "lr": rate * HEAD_RATE, "weight_decay": 0.0}
        groups: list[dict[str, Any]] = []
        for depth, layer in enumerate(_layers(self.network.body)):
            slower = rate * self.options.layer_decay**depth
            for matrices, decay in ((True, WEIGHT_DECAY), (False, 0.0)):  # biases and norms do not decay
                params = [item for item in layer if (item.ndim > 1) == matrices]
                groups += [{"params": params, "lr": slower, "weight_decay": decay}] if params else []
        return torch.optim.AdamW([*groups, head])

    def _batches(self, rows: np.ndarray) -> list[np.ndarray]:
        """Shuffled batches of rows of similar length: sorted within pools of 16 batches, in shuffled order."""
        size = self.batch_size
        order = self.random.permutation(rows)
        groups = []
        for start in range(0, len(order), 16 * size):
            pool = order[start : start + 16 * size]
            pool = pool[np.argsort([len(self.ids[row]) for row in pool], kind="stable")]
            groups += [pool[at : at + size] for at in range(0, len(pool), size)]
        return [groups[at] for at in self.random.permutation(len(groups))]

    def _step(self, rows: np.ndarray, optimizer: torch.optim.Optimizer) -> float:
        """One step on ``rows``, passed through by ``at_once``, which is halved where memory does not suffice."""
        while True:
            try:
                parts = [rows[at : at + self.at_once] for at in range(0, len(rows), self.at_once)]
                mean = sum(self._pass(part, len(rows)) for part in parts)
                break
            except RuntimeError as error:
                optimizer.zero_grad()
                if not should_reduce_batch_size(error) or self.at_once == 1:
                    raise
                self.at_once = math.ceil(self.at_once / 2)
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        return mean

    def _pass(self, rows: np.ndarray, whole: int) -> float:
        """Add the gradients of ``rows`` to those there are; their share of the mean loss of ``whole`` rows."""
        device = self.network.middle.device
        tokens, mask = encoder.padded([self.ids[row] for row in rows], self.pad)
        with _half_precision(device):
            pooled = self.network.pooled(tokens.to(device), mask.to(device))
        lost = self._losses(self.network.head(pooled).squeeze(-1), rows)
        share = (torch.from_numpy(self.weight[rows]).float().to(device) * lost).sum() / whole
        share.backward()  # type: ignore[no-untyped-call]
        return float(share.detach())

    def _judged(self, epoch: int, train_loss: float, network: nn.Module, rows: np.ndarray, rate: float) -> Epoch:
        """The round with its weighted mean loss and error on ``rows``."""
        output = outputs(network, [self.ids[row] for row in rows], self.pad)
        weight, metric = self.weight[rows], self.metric[rows]
        lost = self._losses(torch.from_numpy(output).float(), rows).numpy()
        gap = metric - self.scale.smeared(metric, output, weight).prediction(output)
        return Epoch(
            seed=self.seed,
            epoch=epoch,
            train_loss=train_loss,
            inner_loss=float(np.average(lost, weights=weight)),
            inner_rmse=float(np.sqrt(np.average(gap**2, weights=weight))),
            learning_rate=rate,
        )

    def _losses(self, output: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        return losses(
            output, torch.from_numpy(self.metric[rows]).float().to(output.device), self.scale, self.options.loss
        )


def _layers(body: PreTrainedModel) -> list[list[nn.Parameter]]:
    """The parameters that learn, by layer, the top one first; what belongs to no layer is lowest."""
    stacks = [list(module) for module in body.modules() if isinstance(module, nn.ModuleList)]
    blocks = max(stacks, key=len, default=[])
    layers = [[item for item in block.parameters() if item.requires_grad] for block in reversed(blocks)]
    known = {id(item) for layer in layers for item in layer}
    return [*layers, [item for item in body.parameters() if item.requires_grad and id(item) not in known]]


def _weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(network.state_dict())


def _half_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bfloat16 for the matrix products of training, where the processor has them: twice as fast there."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))
