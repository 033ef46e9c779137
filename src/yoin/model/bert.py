"""A BERT-like encoder fine-tuned to the metric.

Small data decides the recipe. The head starts at zero, so that training starts from the mean, and learns faster
than the encoder. Dropout is off: it shifts the variance of a regression's output, and without it nothing in the
fit is random but the order of the batches. What is judged and kept is a running average of the weights.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from yoin import encoder
from yoin.errors import UsageError
from yoin.hub import best_device, faults, fetch_model
from yoin.model.base import HeldOut, Meter, inner_split
from yoin.model.checkpoints import Checkpoint
from yoin.model.kinds import Scale, check_kind, guess_kind
from yoin.model.quick import Outputs, outputs, quick_outputs, quick_ways
from yoin.model.tokens import Tokens
from yoin.model.training import Network, Training
from yoin.model.tune import require_tuning, tune
from yoin.options import FitOptions, Spec
from yoin.values import Epoch, Progress, silent

MAX = float(np.finfo(float).max)  # as JSON holds no infinity


@dataclass(slots=True)
class _Fitted:
    members: list[tuple[Network, Scale]]  # one a seed
    tokenizer: PreTrainedTokenizerBase
    window: int
    tokens: Tokens | None = None
    quick: dict[str, list[tuple[Outputs, Scale]]] = field(default_factory=dict)  # by way


class BertRegressor:
    """Fine-tune an encoder with a regression head on the mean of its token states.

    Args:
        argument: "" for the embedded all-MiniLM-L6-v2, else a folder or a Hugging Face name of any encoder with
            safetensors weights. No code that comes with a model is run.
        options: ``learning_rate`` is meant for an encoder 768 wide and scales with 768 / width (so the 384 wide
            MiniLM learns twice as fast); ``max_epochs`` is the number of rounds after which the inner error is
            looked at. A round is one pass over the rows, and several where 60 steps would else not be reached; beyond
            350 steps there are fewer rounds, but two.

    Raises:
        MissingExtraError: the embedded encoder, or with ``tune`` Optuna, is not installed.
        UsageError: the folder or the name holds no usable encoder.
    """

    def __init__(self, argument: str = "", *, options: FitOptions) -> None:
        self.notes: tuple[str, ...] = ()
        self.held_out: HeldOut | None = None
        self.history: tuple[Epoch, ...] = ()
        self.checkpoints: Path | None = None
        self.options = options
        self._source = fetch_model(argument) if argument else encoder.model_path()
        if options.tune:
            require_tuning()
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
        kind = self.options.metric_kind or guess_kind(metric)
        check_kind(metric, kind)
        tokenizer, window, body = read_encoder(self._source, self.options.max_tokens)
        ids = encoder.tokenize(tokenizer, captions, window)
        cut = sum(len(item) >= window for item in ids)
        self.notes = (
            (f"{cut} of {len(ids)} captions reach the model's {window} tokens and are cut there",) if cut else ()
        )
        learned, held = inner_split(len(ids), group, self.options.seed)
        scale, pad = Scale.of(metric[learned], weights[learned], kind), tokenizer.pad_token_id

        number = count()

        def train(options: FitOptions, seed: int, progress: Progress, *, trial: bool = False) -> Training:
            with _own_randomness():
                network = Network(copy.deepcopy(body))
            network.to(best_device()).eval()  # eval throughout: no dropout, also while training
            place = self.checkpoints / f"{next(number)}.safetensors" if self.checkpoints else None
            checkpoint = Checkpoint(place, weights=not trial)
            training = Training(network, ids, metric, weights, pad, scale, options, seed, checkpoint)
            training.run(learned, held, progress)
            if training.at_once < training.batch_size:
                told = f"short of memory: {training.batch_size} captions at once went in parts of {training.at_once}"
                self.notes = tuple(dict.fromkeys([*self.notes, told]))
            return training

        meter = Meter(progress, self.options.seeds + self.options.tune)
        chosen = self.options
        if self.options.tune:
            chosen = tune(
                lambda tried: train(tried, self.options.seed, meter.part(1, "tuning"), trial=True).inner_loss,
                self.options,
            )
            self.notes += (
                f"of {self.options.tune} settings the best on inner rows: learning rate {chosen.learning_rate:.2g},"
                f" layer decay {chosen.layer_decay:g}, batches of {chosen.batch_size}",
            )
        members, predicted, self.history = [], [], ()
        for seed in range(self.options.seed, self.options.seed + self.options.seeds):
            training = train(chosen, seed, meter.part(1, ""))
            found = outputs(training.network, [ids[row] for row in held], pad)
            members.append((training.network, scale.smeared(metric[held], found, weights[held])))
            predicted.append(members[-1][1].prediction(found))
            self.history += training.history
        self._fitted = _Fitted(members, tokenizer, window)
        self.held_out = HeldOut(held, np.mean(predicted, axis=0))

    def predict(self, captions: list[str]) -> np.ndarray:
        """Predictions (n,) in the metric's unit: the mean over the seeds."""
        return np.asarray(self.predict_each(captions).mean(axis=0))

    def predict_each(self, captions: list[str]) -> np.ndarray:
        """Predictions (seeds, n) of each seed's network."""
        fitted = self._ready()
        pad = fitted.tokenizer.pad_token_id
        return self._predict(
            [(partial(outputs, network, pad=pad), scale) for network, scale in fitted.members], captions
        )

    def predict_quickly(self, captions: list[str], way: str) -> np.ndarray:
        """As `predict`, by one of the ``ways``: in bfloat16 about twice as fast, in int8 about three times.

        Raises:
            ValueError: no such way here.
        """
        if way not in self.ways:
            raise ValueError(f"no way {way!r}")
        fitted = self._ready()
        if way not in fitted.quick:
            pad = fitted.tokenizer.pad_token_id
            fitted.quick[way] = [(quick_outputs(network, way, pad), scale) for network, scale in fitted.members]
        return np.asarray(self._predict(fitted.quick[way], captions).mean(axis=0))

    @property
    def ways(self) -> tuple[str, ...]:
        """What makes `predict_quickly` quicker here, the quickest first; empty where nothing does."""
        return quick_ways(self._ready().members[0][0])

    @property
    def mask_token(self) -> str:
        """What the encoder was trained to read as a word left out; "" where it knows none."""
        return str(self._ready().tokenizer.mask_token or "")

    def _predict(self, members: Sequence[tuple[Outputs, Scale]], captions: list[str]) -> np.ndarray:
        fitted = self._ready()
        distinct = list(dict.fromkeys(captions))
        if fitted.tokens is None:
            fitted.tokens = Tokens(fitted.tokenizer, fitted.window)
        ids = fitted.tokens.ids(distinct)
        value = np.stack([scale.prediction(outputs_of(ids)) for outputs_of, scale in members])
        position = {text: row for row, text in enumerate(distinct)}
        return np.asarray(value[:, [position[text] for text in captions]])

    def save(self, folder: Path) -> None:
        """Write ``model-K.safetensors`` (one a seed), ``head.json``, ``config.json`` and the tokenizer's files."""
        fitted = self._ready()
        for number, (network, _) in enumerate(fitted.members):
            state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
            (folder / f"model-{number}.safetensors").write_bytes(save(state))  # a full disk is then an OSError
        fitted.members[0][0].body.config.save_pretrained(folder)
        fitted.tokenizer.save_pretrained(folder)
        scales = [asdict(scale) | {"most": min(scale.most, MAX)} for _, scale in fitted.members]
        head = {"scales": scales, "window": fitted.window}
        (folder / "head.json").write_text(json.dumps(head), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; needs no other file."""
        head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        members = []
        with encoder.quiet(), _own_randomness():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            for number, scale in enumerate(head["scales"]):
                body = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
                network = Network(body)
                network.load_state_dict(load_file(folder / f"model-{number}.safetensors"))
                members.append((network.to(best_device()).eval(), Scale(**scale)))
        model = cls.__new__(cls)
        model.history, model.checkpoints = (), None
        model.notes, model.held_out, model.options, model._source = (), None, FitOptions(), folder
        model._fitted = _Fitted(members, tokenizer, head["window"])
        return model

    def _ready(self) -> _Fitted:
        if self._fitted is None:
            raise UsageError("the model has not been fitted", stage="model", remedy="call fit first")
        return self._fitted


def find_encoder(model: str) -> Path:
    """The folder of the encoder of ``bert:FOLDER`` or ``bert:NAME``; of any other model the embedded one's.

    Raises:
        MissingExtraError: the embedded encoder is not installed.
        UsageError: the folder or the name holds no usable encoder.
    """
    spec = Spec.parse(model)
    return fetch_model(spec.model) if spec.name == "bert" and spec.model else encoder.model_path()


def read_encoder(folder: Path, most_tokens: int) -> tuple[PreTrainedTokenizerBase, int, PreTrainedModel]:
    """The tokenizer in ``folder``, how many tokens its encoder takes at most, and the encoder, in float32.

    Raises:
        UsageError: the folder holds no usable encoder.
    """
    with faults(str(folder), stage="model", task="an encoder of text"), encoder.quiet(), _own_randomness():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        body = AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        )
    # RoBERTa and its kin count positions from after the padding token.
    offset = (body.config.pad_token_id or 0) + 1 if body.config.model_type not in ("bert", "distilbert") else 0
    positions = getattr(body.config, "max_position_embeddings", 512) - offset
    return tokenizer, min(most_tokens, positions, tokenizer.model_max_length), body


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave torch's global random state as it was, whatever a constructor draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
