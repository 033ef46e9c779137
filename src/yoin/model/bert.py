"""A BERT-like encoder fine-tuned to the metric.

Small data decides the recipe. The head starts at zero, so that training starts from the mean, and learns faster
than the encoder. Dropout is off: it shifts the variance of a regression's output, and without it nothing in the
fit is random but the order of the batches. What is judged and kept is a running average of the weights.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors.torch import load_file, save
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from yoin import encoder
from yoin.errors import UsageError
from yoin.model.base import HeldOut, inner_split
from yoin.model.quick import TOKENS_A_BATCH, halved, has_bfloat16, outputs
from yoin.model.tokens import Tokens
from yoin.options import FitOptions
from yoin.values import Progress, silent

FEWEST_STEPS = 60  # with few rows a round passes over them several times, until training takes so many steps
FEWEST_BATCHES = 6  # with few rows batches are smaller, so that a pass has so many steps
PATIENCE = 2  # rounds without a better inner error, after which training stops
WARM_UP = 0.1  # share of the steps
WEIGHT_DECAY = 0.01
CLIP = 1.0
CENTRE_ROWS = 256  # rows enough to know the mean pooled output by
AVERAGE = 0.9  # what is judged and kept is the running average of the weights: single steps of small batches jump
USUAL_WIDTH = 768  # the width the usual learning rates are meant for
HEAD_RATE = 10.0  # the head learns so much faster than the encoder


class _Network(nn.Module):
    """Encoder → mean over tokens → one number, in standard deviations of the training metric."""

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


@dataclass(slots=True)
class _Fitted:
    network: _Network
    tokenizer: PreTrainedTokenizerBase
    mean: float
    sd: float
    window: int
    tokens: Tokens | None = None
    halved: nn.Module | None = None


class BertRegressor:
    """Fine-tune an encoder with a regression head on the mean of its token states.

    Args:
        argument: "" for the embedded all-MiniLM-L6-v2, else a folder or a Hugging Face name of any encoder with
            safetensors weights. No code that comes with a model is run.
        options: ``learning_rate`` is meant for an encoder 768 wide and scales with 768 / width (so the 384 wide
            MiniLM learns twice as fast); ``max_epochs`` is the number of rounds after which the inner error is
            looked at. A round is one pass over the rows, and several where 60 steps would else not be reached.

    Raises:
        MissingExtraError: the embedded encoder is not installed.
        UsageError: the folder or the name holds no usable encoder.
    """

    def __init__(self, argument: str = "", *, options: FitOptions) -> None:
        self.notes: tuple[str, ...] = ()
        self.held_out: HeldOut | None = None
        self.options = options
        self._source = _resolve(argument) if argument else encoder.model_path()
        self._fitted: _Fitted | None = None

    def fit(
        self,
        captions: list[str],
        metric: np.ndarray,
        *,
        group: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        progress: Progress = silent,
    ) -> None:
        """Fine-tune on n ≥ 8 rows; the round is chosen by the error on an inner split that keeps groups whole.

        The training mean counts as round 0. Where captions say nothing, fitting makes the inner error worse, and
        the mean is kept, instead of whatever the last round has learned by heart.
        With some thirty rows the inner split holds seven, and by bad luck the mean may win where there is an effect.
        """
        weights = np.ones(len(metric)) if weight is None else weight / np.mean(weight)
        mean = float(np.average(metric, weights=weights))
        sd = float(np.sqrt(np.average((metric - mean) ** 2, weights=weights))) or 1.0
        scaled = (metric - mean) / sd
        network, tokenizer, window = _read(self._source, self.options.max_tokens)
        ids = encoder.tokenize(tokenizer, captions, window)
        cut = sum(len(item) >= window for item in ids)
        self.notes = (
            (f"{cut} of {len(ids)} captions reach the model's {window} tokens and are cut there",) if cut else ()
        )
        learned, held = inner_split(len(ids), group, self.options.seed)
        self._fitted = _Fitted(network, tokenizer, mean, sd, window)
        training = _Training(network, ids, scaled, weights, tokenizer.pad_token_id, self.options)
        training.run(learned, held, progress)

    def predict(self, captions: list[str]) -> np.ndarray:
        """Predictions (n,) in the metric's unit."""
        return self._predict(self._ready().network, captions, encoder.TOKENS_A_BATCH)

    def predict_quickly(self, captions: list[str]) -> np.ndarray:
        """The same in bfloat16, about twice as fast (more with AMX), where the processor has it; else as `predict`."""
        fitted = self._ready()
        if not has_bfloat16():
            return self.predict(captions)
        if fitted.halved is None:
            fitted.halved = halved(fitted.network, "body")
        return self._predict(fitted.halved, captions, TOKENS_A_BATCH)

    @property
    def quick(self) -> str:
        """What makes `predict_quickly` quicker here; "" where nothing does."""
        return "bfloat16" if has_bfloat16() else ""

    @property
    def mask_token(self) -> str:
        """What the encoder was trained to read as a word left out; "" where it knows none."""
        return str(self._ready().tokenizer.mask_token or "")

    def _predict(self, network: nn.Module, captions: list[str], tokens: int) -> np.ndarray:
        fitted = self._ready()
        distinct = list(dict.fromkeys(captions))
        if fitted.tokens is None:
            fitted.tokens = Tokens(fitted.tokenizer, fitted.window)
        ids = fitted.tokens.ids(distinct)
        value = outputs(network, ids, fitted.tokenizer.pad_token_id, tokens) * fitted.sd + fitted.mean
        position = {text: row for row, text in enumerate(distinct)}
        return value[[position[text] for text in captions]]

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors``, ``head.json``, the encoder's ``config.json`` and the tokenizer's files."""
        fitted = self._ready()
        state = {name: tensor.contiguous() for name, tensor in fitted.network.state_dict().items()}
        (folder / "model.safetensors").write_bytes(save(state))  # a full disk is then an OSError like any other
        fitted.network.body.config.save_pretrained(folder)
        fitted.tokenizer.save_pretrained(folder)
        head = {"mean": fitted.mean, "sd": fitted.sd, "window": fitted.window}
        (folder / "head.json").write_text(json.dumps(head), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; needs no other file."""
        head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        with encoder.quiet(), _own_randomness():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            body = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
            network = _Network(body)
        network.load_state_dict(load_file(folder / "model.safetensors"))
        model = cls.__new__(cls)
        model.notes, model.held_out, model.options, model._source = (), None, FitOptions(), folder
        model._fitted = _Fitted(network.eval(), tokenizer, head["mean"], head["sd"], head["window"])
        return model

    def _ready(self) -> _Fitted:
        if self._fitted is None:
            raise UsageError("the model has not been fitted", stage="model", remedy="call fit first")
        return self._fitted


class _Training:
    """One fine-tuning of ``network``, in place: on return it holds its best weights."""

    def __init__(
        self,
        network: _Network,
        ids: list[list[int]],
        metric: np.ndarray,
        weight: np.ndarray,
        pad: int | None,
        options: FitOptions,
    ) -> None:
        self.network, self.ids, self.pad, self.options = network, ids, pad, options
        self.metric, self.weight = metric, weight
        self.batch_size = options.batch_size
        self.random = np.random.default_rng(options.seed)

    def run(self, learned: np.ndarray, held: np.ndarray, progress: Progress) -> None:
        """Train by rounds and keep the best on the ``held`` rows; round 0 is the mean."""
        options = self.options
        self.batch_size = min(options.batch_size, max(8, len(learned) // FEWEST_BATCHES))
        a_pass = math.ceil(len(learned) / self.batch_size)
        passes = max(1, math.ceil(FEWEST_STEPS / (a_pass * options.max_epochs)))
        total = passes * a_pass * options.max_epochs
        optimizer = self._optimizer()
        warm = math.ceil(WARM_UP * total)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm, (total - step) / (total - warm))
        )
        nn.init.zeros_(self.network.head.weight)
        nn.init.zeros_(self.network.head.bias)
        self._centre(learned)
        best, best_error = _weights(self.network), self._error(self.network, held)
        mean_of = get_ema_multi_avg_fn(AVERAGE)  # type: ignore[no-untyped-call]
        average = AveragedModel(self.network, multi_avg_fn=mean_of)
        waited = done = 0
        for round_ in range(1, options.max_epochs + 1):
            for _ in range(passes):
                for batch in self._batches(learned):
                    self._step(batch, optimizer)
                    schedule.step()
                    average.update_parameters(self.network)
                    done += 1
                    progress(done, total, f"epoch {round_}")
            error = self._error(average.module, held)
            if error < best_error:
                best, best_error, waited = _weights(average.module), error, 0
            else:
                waited += 1
                if waited == PATIENCE:
                    break
        self.network.load_state_dict(best)
        progress(total, total, "")

    def _centre(self, learned: np.ndarray) -> None:
        some = [self.ids[row] for row in learned[:CENTRE_ROWS]]
        pooled = torch.from_numpy(_pooled(self.network, some, self.pad))
        self.network.middle.copy_(pooled.mean(dim=0))
        self.network.scale.copy_(1 / (pooled - self.network.middle).square().mean().sqrt().clamp(min=1e-6))

    def _optimizer(self) -> torch.optim.AdamW:
        width = self.network.head.in_features
        rate = self.options.learning_rate * USUAL_WIDTH / width
        # Word vectors stay: a few thousand captions move only the words they hold, away from their neighbours.
        self.network.body.get_input_embeddings().requires_grad_(False)
        body = [item for item in self.network.body.parameters() if item.requires_grad]
        return torch.optim.AdamW(
            [
                {"params": [item for item in body if item.ndim > 1], "lr": rate, "weight_decay": WEIGHT_DECAY},
                {"params": [item for item in body if item.ndim <= 1], "lr": rate, "weight_decay": 0.0},
                {"params": self.network.head.parameters(), "lr": rate * HEAD_RATE, "weight_decay": 0.0},
            ]
        )

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

    def _step(self, rows: np.ndarray, optimizer: torch.optim.Optimizer) -> None:
        tokens, mask = encoder.padded([self.ids[row] for row in rows], self.pad)
        with _half_precision():
            pooled = self.network.pooled(tokens, mask)
        gap = self.network.head(pooled).squeeze(-1) - torch.from_numpy(self.metric[rows]).float()
        loss = (torch.from_numpy(self.weight[rows]).float() * gap**2).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()

    def _error(self, network: nn.Module, rows: np.ndarray) -> float:
        """Weighted mean squared error on ``rows``."""
        output = outputs(network, [self.ids[row] for row in rows], self.pad)
        return float(np.average((output - self.metric[rows]) ** 2, weights=self.weight[rows]))


def _weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(network.state_dict())


def _pooled(network: _Network, ids: list[list[int]], pad: int | None) -> np.ndarray:
    value = np.empty((len(ids), network.head.in_features))
    with torch.inference_mode():
        for batch in encoder.batches([len(item) for item in ids]):
            value[batch] = network.pooled(*encoder.padded([ids[row] for row in batch], pad)).numpy()
    return value


def _resolve(source: str) -> Path:
    """The folder of a model given as a folder or a hub name."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        _require(folder, source)
        return folder
    remedy = "give a folder with config.json, tokenizer files and model.safetensors, or use --model minilm"
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise UsageError(f"there is no folder {source!r}", stage="model", remedy=remedy)
    try:
        with encoder.quiet(), _no_bars():
            folder = Path(snapshot_download(source, allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"]))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise UsageError(f"the model {source!r} could not be fetched", stage="model", remedy=remedy) from error
    _require(folder, source)
    return folder


def _require(folder: Path, source: str) -> None:
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise UsageError(
                f"the model {source!r} has no {pattern}",
                stage="model",
                remedy="give a folder with config.json, tokenizer files and model.safetensors",
            )


def _read(folder: Path, most_tokens: int) -> tuple[_Network, PreTrainedTokenizerBase, int]:
    """A fresh network on the encoder in ``folder``, its tokenizer, and how many tokens it takes."""
    try:
        with encoder.quiet(), _own_randomness():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            body = AutoModel.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
            )
            network = _Network(body)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(
            f"the model in {folder} cannot be loaded as an encoder ({error})".split("\n")[0],
            stage="model",
            remedy="use a BERT-like encoder with safetensors weights",
        ) from error
    # RoBERTa and its kin count positions from after the padding token.
    offset = (body.config.pad_token_id or 0) + 1 if body.config.model_type not in ("bert", "distilbert") else 0
    positions = getattr(body.config, "max_position_embeddings", 512) - offset
    window = min(most_tokens, positions, tokenizer.model_max_length)
    return network.eval(), tokenizer, window  # eval throughout: no dropout, also while training


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave torch's global random state as it was, whatever a constructor draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()


def _half_precision() -> contextlib.AbstractContextManager[object]:
    """bfloat16 for the matrix products of training, where the processor has them: twice as fast there."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())
