"""One fine-tuning: the network, its batches and steps, and what each round came to."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import PreTrainedModel

from yoin import encoder
from yoin.hub import has_bfloat16
from yoin.model.checkpoints import Checkpoint, Standing
from yoin.model.graphs import MULTIPLE, Recorder
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
SHORT = 128  # tokens, up to which a processor learns quicker with attention by plain products than in blocks
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
    """One fine-tuning of ``network``, in place: on return it holds its best weights.

    What ``checkpoint`` kept of the same training is not done again.
    """

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
        checkpoint: Checkpoint,
    ) -> None:
        self.network, self.ids, self.pad, self.scale, self.options = network, ids, pad, scale, options
        self.metric, self.weight = metric, weight
        self.batch_size = self.at_once = options.batch_size
        self.seed, self.random = seed, np.random.default_rng(seed)
        self._checkpoint = checkpoint
        self._device = network.middle.device
        # Word vectors stay: a few thousand captions move only the words they hold, away from their neighbours.
        network.body.get_input_embeddings().requires_grad_(False)
        self._longest = max(map(len, ids))
        self._learning = [item for item in network.parameters() if item.requires_grad]
        self._optimizer = self._make_optimizer()
        self._rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        self._recorder = Recorder(self._whole_step) if self._device.type == "cuda" else None
        # Where it stands: steps, rounds, the losses of the one that is under way, the best weights so far.
        self._done, self._rounds, self._lost = 0, list[Epoch](), list[torch.Tensor]()
        self._best: dict[str, torch.Tensor] = {}
        self._average: Network

    def run(self, learned: np.ndarray, held: np.ndarray, progress: Progress) -> None:
        """Train by rounds and keep the best on the ``held`` rows; round 0 is the mean. Each is noted in ``history``."""
        options = self.options
        self.batch_size = min(options.batch_size, max(8, len(learned) // FEWEST_BATCHES))
        self.at_once = self.batch_size
        a_pass = math.ceil(len(learned) / self.batch_size)
        most = min(options.max_epochs, max(2, MOST_STEPS // a_pass))
        passes = max(1, math.ceil(FEWEST_STEPS / (a_pass * most)))
        a_round, total = passes * a_pass, passes * a_pass * most
        if not self._go_on():
            self._begin(learned, held)
        batches = (batch for _ in range(passes * most) for batch in self._batches(learned))
        for batch in islice(batches, self._done, None):  # those passed over are drawn, so that the rest are the same
            if self._rounds[-1].epoch - self._chosen == PATIENCE:
                break
            self._set_rate(self._done, total)
            self._lost.append(self._step(batch))
            self._move_average()
            self._done += 1
            progress(self._done, total, f"epoch {math.ceil(self._done / a_round)}")
            if self._done % a_round == 0:
                self._end_round(self._done // a_round, held, self._set_rate(self._done, total))
            if self._checkpoint.due:
                self._checkpoint.write(self._standing(over=False))
        if self._checkpoint.late:
            self._checkpoint.write(self._standing(over=True))
        self.network.load_state_dict(self._best, strict=False)
        progress(total, total, "")

    @property
    def history(self) -> tuple[Epoch, ...]:
        """The rounds, with that whose weights are kept."""
        return tuple(replace(one, kept=one.epoch == self._chosen) for one in self._rounds)

    @property
    def inner_loss(self) -> float:
        """The error on the inner held-out rows of the weights that were kept."""
        return self._rounds[self._chosen].inner_loss

    @property
    def _chosen(self) -> int:
        return min(self._rounds, key=lambda one: one.inner_loss).epoch

    def _begin(self, learned: np.ndarray, held: np.ndarray) -> None:
        """Start from the mean."""
        nn.init.zeros_(self.network.head.weight)
        nn.init.zeros_(self.network.head.bias)
        self._centre(learned)
        self._average = copy.deepcopy(self.network)
        self._keep_best()
        self._rounds = [self._judged(0, float("nan"), held, 0.0)]

    def _end_round(self, round_: int, held: np.ndarray, rate: float) -> None:
        train_loss = float(torch.stack(self._lost).cpu().double().mean())
        self._rounds.append(self._judged(round_, train_loss, held, rate))
        self._lost = []
        if self._chosen == round_:
            self._keep_best()

    def _keep_best(self) -> None:
        self._best = {name: value.clone() for name, value in _weights(self._average).items()}

    def _standing(self, *, over: bool) -> Standing:
        """What a checkpoint keeps; when training is ``over``, only what came of it and is of use."""
        tensors = _under("best", self._best) if self._checkpoint.weights or not over else {}
        if not over:
            tensors |= _under("network", _weights(self.network)) | _under("average", _weights(self._average))
            states = (self._optimizer.state[item] for item in self._learning)
            tensors |= {f"adam.{at}.{name}": value for at, state in enumerate(states) for name, value in state.items()}
        return Standing(self._done, self.at_once, tuple(self._rounds), tuple(float(one) for one in self._lost), tensors)

    def _go_on(self) -> bool:
        """Stand where the checkpoint says, if there is one of a network like this."""
        kept = self._checkpoint.read()
        if kept is None:
            return False
        own = {name: value.shape for name, value in _weights(self.network).items()}
        parts = {name: _below(name, kept.tensors) for name in ("best", "network", "average")}
        if any(part and {name: value.shape for name, value in part.items()} != own for part in parts.values()):
            return False
        self.network.load_state_dict(parts["network"], strict=False)
        self._average = copy.deepcopy(self.network)
        self._average.load_state_dict(parts["average"], strict=False)
        for at, item in enumerate(self._learning):
            state = {name: value.to(self._device) for name, value in _below(f"adam.{at}", kept.tensors).items()}
            if state:
                self._optimizer.state[item] = state
        self._best = {name: value.to(self._device) for name, value in parts["best"].items()}
        self._done, self.at_once, self._rounds = kept.steps, kept.at_once, list(kept.rounds)
        self._lost = [torch.tensor(one, device=self._device) for one in kept.lost]
        return True

    def _centre(self, learned: np.ndarray) -> None:
        some = [self.ids[row] for row in learned[:CENTRE_ROWS]]
        network = self.network
        found = encoder.by_padded_batch(network.pooled, some, self.pad, self._device)
        pooled = torch.from_numpy(found).double()
        middle = pooled.mean(dim=0)
        network.middle.copy_(middle)
        network.scale.copy_(1 / (pooled - middle).square().mean().sqrt().clamp(min=1e-6))

    def _make_optimizer(self) -> torch.optim.AdamW:
        width = self.network.head.in_features
        rate = self.options.learning_rate * USUAL_WIDTH / width
        head = {"params": list(self.network.head.parameters()), "lr": rate * HEAD_RATE, "weight_decay": 0.0}
        groups: list[dict[str, Any]] = []
        for depth, layer in enumerate(_layers(self.network.body)):
            slower = rate * self.options.layer_decay**depth
            for matrices, decay in ((True, WEIGHT_DECAY), (False, 0.0)):  # biases and norms do not decay
                params = [item for item in layer if (item.ndim > 1) == matrices]
                groups += [{"params": params, "lr": slower, "weight_decay": decay}] if params else []
        groups.append(head)
        recorded = self._device.type == "cuda"
        for group in groups if recorded else []:
            group["lr"] = torch.tensor(group["lr"], device=self._device)  # a number would stay what it was
        return torch.optim.AdamW(groups, fused=True, capturable=recorded)

    def _set_rate(self, step: int, total: int) -> float:
        """Let the rates be those of so many steps done, up to the full ones and down to none; that of the top layer."""
        warm = math.ceil(WARM_UP * total)
        share = min((step + 1) / warm, (total - step) / (total - warm))
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate * share)
            else:
                group["lr"] = rate * share
        return self._rates[0] * share

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

    def _step(self, rows: np.ndarray) -> torch.Tensor:
        """One step on ``rows``, passed through by ``at_once``, which is halved where memory does not suffice: the loss.

        It does not wait for an accelerator to be done.
        """
        while True:
            try:
                if self._recorder and self.at_once == self.batch_size:
                    return self._recorder(*self._tensors(rows, len(rows), even=True))
                parts = [rows[at : at + self.at_once] for at in range(0, len(rows), self.at_once)]
                mean = torch.stack([self._pass(*self._tensors(part, len(rows))) for part in parts]).sum()
                self._move()
                return mean
            except RuntimeError as error:
                self._optimizer.zero_grad()
                if not should_reduce_batch_size(error) or self.at_once == 1:
                    raise
                self.at_once = math.ceil(self.at_once / 2)

    def _tensors(self, rows: np.ndarray, whole: int, *, even: bool = False) -> tuple[torch.Tensor, ...]:
        """Token ids, mask, metric, and the weight of each of ``rows`` in the mean loss of ``whole`` rows.

        ``even`` fills a batch up to few shapes: the last one of a pass with rows of no weight.
        """
        longest, count = max(len(self.ids[row]) for row in rows), len(rows)
        weight = self.weight[rows] / whole
        if even:
            longest = min(math.ceil(longest / MULTIPLE) * MULTIPLE, self._longest)
            rows = np.append(rows, np.repeat(rows[:1], self.batch_size - count))
            weight = np.append(weight, np.zeros(self.batch_size - count))
        tokens, mask = encoder.padded([self.ids[row] for row in rows], self.pad, longest)
        metric, share = (torch.from_numpy(values).float() for values in (self.metric[rows], weight))
        return tuple(item.to(self._device) for item in (tokens, mask, metric, share))

    def _whole_step(self, *tensors: torch.Tensor) -> torch.Tensor:
        lost = self._pass(*tensors)
        self._move()
        return lost

    def _pass(
        self, tokens: torch.Tensor, mask: torch.Tensor, metric: torch.Tensor, weight: torch.Tensor
    ) -> torch.Tensor:
        """Add the gradients of rows to those there are; their weighted loss."""
        with _half_precision(self._device), _quick_attention(tokens):
            pooled = self.network.pooled(tokens, mask)
        lost = losses(self.network.head(pooled).squeeze(-1), metric, self.scale, self.options.loss)
        share = (weight * lost).sum()
        share.backward()  # type: ignore[no-untyped-call]
        return share.detach()

    def _move(self) -> None:
        """Move the weights along the gradients."""
        nn.utils.clip_grad_norm_(self._learning, CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=self._recorder is None)  # what is recorded finds them where they were

    def _move_average(self) -> None:
        averaged = [item for item in self._average.parameters() if item.requires_grad]
        if self._done == 0:
            with torch.no_grad():
                for mean, item in zip(averaged, self._learning, strict=True):
                    mean.copy_(item)
        else:
            get_ema_multi_avg_fn(AVERAGE)(averaged, self._learning, 0)  # type: ignore[no-untyped-call]

    def _judged(self, epoch: int, train_loss: float, rows: np.ndarray, rate: float) -> Epoch:
        """The round with the weighted mean loss and error of the averaged weights on ``rows``."""
        output = outputs(self._average, [self.ids[row] for row in rows], self.pad)
        weight, metric = self.weight[rows], self.metric[rows]
        told, wanted = (torch.from_numpy(values).float() for values in (output, metric))
        lost = losses(told, wanted, self.scale, self.options.loss).numpy()
        gap = metric - self.scale.smeared(metric, output, weight).prediction(output)
        return Epoch(
            seed=self.seed,
            epoch=epoch,
            train_loss=train_loss,
            inner_loss=float(np.average(lost, weights=weight)),
            inner_rmse=float(np.sqrt(np.average(gap**2, weights=weight))),
            learning_rate=rate,
        )


def _layers(body: PreTrainedModel) -> list[list[nn.Parameter]]:
    """The parameters that learn, by layer, the top one first; what belongs to no layer is lowest."""
    stacks = [list(module) for module in body.modules() if isinstance(module, nn.ModuleList)]
    blocks = max(stacks, key=len, default=[])
    layers = [[item for item in block.parameters() if item.requires_grad] for block in reversed(blocks)]
    known = {id(item) for layer in layers for item in layer}
    return [*layers, [item for item in body.parameters() if item.requires_grad and id(item) not in known]]


def _weights(network: Network) -> dict[str, torch.Tensor]:
    """What training changes in ``network``, as it is there."""
    fixed = {name for name, item in network.named_parameters() if not item.requires_grad}
    return {name: value for name, value in network.state_dict().items() if name not in fixed}


def _under(part: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{part}.{name}": value for name, value in tensors.items()}


def _below(part: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}


def _half_precision(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bfloat16 for the matrix products of training, where the processor has them: twice as fast there."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def _quick_attention(tokens: torch.Tensor) -> contextlib.AbstractContextManager[object]:
    """The kind of attention whose way back is the quicker one for token ids (batch, tokens)."""
    plain = tokens.device.type == "cpu" and tokens.shape[1] <= SHORT
    return sdpa_kernel(SDPBackend.MATH) if plain else contextlib.nullcontext()
