"""A fine-tuned BERT whose matrix products are of whole numbers of eight bits, where the processor is quick at them.

Weights keep a scale for each row. What a layer multiplies them with has one scale a layer, from the range it takes on
texts of random tokens: so the result for a text never depends on what else is asked, and rounding needs no look at the
numbers first. Everything else is bfloat16. In attention alone texts of one length go together; so nothing is padded.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from yoin import encoder

if TYPE_CHECKING:
    from yoin.model.training import Network

_ROWS = 64  # a batch's tokens are filled up to a multiple, as torch makes and keeps code for each new number of rows
_RANGE_TEXTS = 32
_RANGE_TOKENS = (8, 96)  # of the shortest and the longest of them
_LEVELS = 255
_PROCESSOR = torch.device("cpu")
_LOWEST_GELU = 0.171  # below 0
_ROOM = (
    1.5  # times the largest GELU of other tokens is kept of a first or last token's, which has a few ten times as large
)
_MOST_EXPONENT = 75.0  # so that 512 of them, times a value, stay finite; in a fine-tuned MiniLM they are below 45


@lru_cache(maxsize=1)
def has_int8() -> bool:
    """Whether the processor has products of eight-bit numbers (AVX-512 VNNI) and torch offers them.

    The operator is one that torch keeps for its own compiler and may change, so it is tried.
    """
    probe = getattr(torch.cpu, "_is_vnni_supported", None)
    if not (probe and probe()):
        return False
    whole = torch.arange(64, dtype=torch.uint8).view(4, 16)
    try:
        product = _Product(2 * torch.eye(16), torch.ones(16))(whole, _Steps(0.5, 8))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(product.float(), whole.float() - 7, atol=0.5)


def fits(network: Network) -> bool:
    """Whether ``network`` is a BERT as it was published: then what this module computes is what it computes."""
    config: Any = network.body.config
    absolute = getattr(config, "position_embedding_type", "absolute") == "absolute"
    encodes = config.model_type == "bert" and not getattr(config, "is_decoder", False)
    return bool(encodes and absolute and config.hidden_act == "gelu")


class _Ranges:
    """The range of each number (inputs,) that a layer is given, while texts pass through; of ``inner`` tokens alone?"""

    def __init__(self, layer: nn.Linear, *, inner: bool = False) -> None:
        self._inner = inner
        self.low, self.high = torch.zeros(layer.in_features), torch.zeros(layer.in_features)
        self._hook = layer.register_forward_pre_hook(self._look)

    def _look(self, _layer: Any, given: tuple[torch.Tensor, ...]) -> None:
        states = given[0][:, 1:-1] if self._inner else given[0]
        low, high = torch.aminmax(states.flatten(0, -2), dim=0)
        self.low, self.high = torch.minimum(self.low, low), torch.maximum(self.high, high)

    def close(self) -> None:
        self._hook.remove()


@dataclass(frozen=True, slots=True)
class _Steps:
    """Eight bits: a whole number n from 0 to 255 stands for (n - zero) * scale."""

    scale: float
    zero: int

    @classmethod
    def over(cls, low: float, high: float) -> _Steps:
        """From ``low``, at most 0, to ``high``."""
        scale = max(high - low, 1e-6) / _LEVELS
        return cls(scale, round(-low / scale))


class _Linear:
    """Linear layers side by side on one input: weights (outputs, inputs) in eight bits, a scale for each row.

    The input is taken in eight bits too, in the same steps for all texts, from its ``ranges``. With
    ``smooth``, inputs that take large numbers are made smaller, and their weights larger, by as much on both sides
    (Xiao et al., 2023, "SmoothQuant"): else a single one of them would leave the others few levels.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, ranges: _Ranges, *, smooth: bool = True) -> None:
        divisor = torch.ones(weight.shape[1])
        if smooth:
            sizes = torch.maximum(ranges.high, -ranges.low).clamp(min=1e-5)
            divisor = (sizes / weight.abs().amax(dim=0).clamp(min=1e-5)).sqrt()
        low, high = float((ranges.low / divisor).min()), float((ranges.high / divisor).max())
        self._steps = _Steps.over(low, high)
        self._into = 1 / (divisor * self._steps.scale)
        self._offset = torch.tensor(self._steps.zero + 0.5)  # cutting off then rounds
        self._product = _Product(weight * divisor, bias)

    def __call__(self, states: torch.Tensor, gelu: _Steps | None = None) -> torch.Tensor:
        """(tokens, inputs) → (tokens, outputs) bfloat16, or their GELU as uint8 in the given steps."""
        whole = torch.addcmul(self._offset, states.float(), self._into).clamp_(0, _LEVELS + 0.5)
        # Cut off to whole numbers; by way of int32 it is three times as fast.
        return self._product(whole.to(torch.int32).to(torch.uint8), self._steps, gelu)


class _Product:
    """Products with weights (outputs, inputs) in eight bits, plus a bias (outputs,)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self._scale = weight.abs().amax(dim=1).clamp(min=1e-12) / 127
        whole = (weight / self._scale[:, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(whole, [encoder.TOKENS_A_THREAD, weight.shape[1]])
        self._zero = torch.zeros(len(weight), dtype=torch.int32)
        self._bias = bias

    def __call__(self, whole: torch.Tensor, steps: _Steps, gelu: _Steps | None = None) -> torch.Tensor:
        """(tokens, inputs) uint8 in ``steps`` → (tokens, outputs) bfloat16, or their GELU as uint8 in those steps."""
        into, kind, then = (gelu, torch.uint8, "gelu") if gelu else (_Steps(1.0, 0), torch.bfloat16, "none")
        product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            whole, steps.scale, steps.zero, self._weight, self._scale, self._zero, self._bias, into.scale, into.zero,
            kind, then, [], "none",
        )  # fmt: skip
        return product


class _Layer:
    """One layer of the encoder."""

    def __init__(self, layer: Any, ranges: Sequence[_Ranges]) -> None:
        attention, middle, last = layer.attention, layer.intermediate.dense, layer.output
        own, mix = attention.self, attention.output.dense
        into, mixed, inner, active = ranges
        shrink = own.attention_head_size**-0.5
        weights = [own.query.weight * shrink, own.key.weight, own.value.weight]
        biases = [own.query.bias * shrink, own.key.bias, own.value.bias]
        self._heads = own.num_attention_heads
        self._ask = _Linear(torch.cat(weights), torch.cat(biases), into)
        self._mix = _Linear(mix.weight, mix.bias, mixed, smooth=False)
        self._widen = _Linear(middle.weight, middle.bias, inner)
        self._narrow = _Product(last.dense.weight, last.dense.bias)
        self._active = _Steps.over(-_LOWEST_GELU, _ROOM * float(active.high.max()))
        self._norms = [_halved(attention.output.LayerNorm), _halved(last.LayerNorm)]

    def __call__(self, states: torch.Tensor, groups: Sequence[_Group]) -> torch.Tensor:
        """(tokens, width) → the same; of what is behind the last group nothing is mixed."""
        asked = self._ask(states)
        mixed = torch.zeros_like(states)
        for group in groups:
            mixed[group.tokens] = self._attend(asked[group.tokens], group.texts)
        states = self._norms[0](states + self._mix(mixed))
        wide = self._widen(states, self._active)
        narrowed: torch.Tensor = self._norms[1](states + self._narrow(wide, self._active))
        return narrowed

    def _attend(self, asked: torch.Tensor, texts: int) -> torch.Tensor:
        """Queries, keys and values (texts * length, 3 * width) → (texts * length, width)."""
        split = asked.view(texts, -1, 3, self._heads, asked.shape[1] // 3 // self._heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).flatten(1, 2)  # (texts * heads, length, size) each
        # A softmax, but divided by the sum last, and held in range by a limit instead of the largest of each row.
        weights = torch.bmm(query, key.transpose(1, 2)).clamp_(-_MOST_EXPONENT, _MOST_EXPONENT).exp_()
        mixed = torch.bmm(weights, value).div_(weights.sum(2, keepdim=True))
        return mixed.view(texts, self._heads, -1, split.shape[-1]).transpose(1, 2).reshape(len(asked), -1)


@dataclass(frozen=True, slots=True)
class _Group:
    """Texts of one length in a batch, whose tokens follow each other."""

    tokens: slice
    texts: int


class Int8Network:
    """The same as ``network``, whose body `fits`, a little less exact; where `has_int8`."""

    def __init__(self, network: Network) -> None:
        _keep_memory()
        body: Any = network.body
        layers = list(body.encoder.layer)
        with torch.inference_mode():
            ranges = [_ranges(layer) for layer in layers]
            for ids in _random_texts(body.config.vocab_size, body.config.max_position_embeddings):
                body(input_ids=ids)
            for each in itertools.chain(*ranges):
                each.close()
            self._layers = [_Layer(layer, four) for layer, four in zip(layers, ranges, strict=True)]
            embeddings = body.embeddings
            first = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
            self._words, self._places = embeddings.word_embeddings.weight.bfloat16(), first.bfloat16()
            self._norm = _halved(embeddings.LayerNorm)
        self._network = network

    def outputs(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """What the network makes of each text's token ids: float64 (n,)."""

        def forward(rows: np.ndarray) -> torch.Tensor:
            return self._forward([ids[row] for row in rows])

        return encoder.by_batch(forward, [len(item) for item in ids], _PROCESSOR).astype(np.float64)

    def _forward(self, batch: Sequence[Sequence[int]]) -> torch.Tensor:
        """(texts,) of texts in order of their length."""
        network, groups, end = self._network, [], 0
        states: list[torch.Tensor] = []
        for length, some in itertools.groupby(batch, key=len):
            tokens = torch.tensor(list(some))  # (texts, length)
            states.append((self._words[tokens] + self._places[:length]).flatten(0, 1))
            groups.append(_Group(slice(end, end + tokens.numel()), len(tokens)))
            end += tokens.numel()
        states.append(self._words.new_zeros(-end % _ROWS, self._words.shape[1]))
        final: torch.Tensor = self._norm(torch.cat(states))  # (tokens, width)
        for layer in self._layers:
            final = layer(final, groups)
        means = [final[group.tokens].view(group.texts, -1, final.shape[1]).float().mean(dim=1) for group in groups]
        value: torch.Tensor = network.head((torch.cat(means) - network.middle) * network.scale).squeeze(-1)
        return value


@lru_cache(maxsize=1)
def _keep_memory() -> None:
    """Have the C library keep what it frees.

    glibc returns large blocks to the system at once, and getting them anew, zeroed page by page, takes longer than
    what is done with them here. Once it has freed a block of nearly 32 MiB it keeps smaller ones.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def _ranges(layer: Any) -> list[_Ranges]:
    """Of what makes queries (keys and values too), of what they mix, of what comes after, and of its GELU."""
    attention = layer.attention
    whole = [attention.self.query, attention.output.dense, layer.intermediate.dense]
    return [*map(_Ranges, whole), _Ranges(layer.output.dense, inner=True)]


def _halved(norm: nn.LayerNorm) -> nn.LayerNorm:
    half = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, dtype=torch.bfloat16)
    half.load_state_dict(norm.state_dict())
    return half.requires_grad_(False)


def _random_texts(vocabulary: int, most: int) -> list[torch.Tensor]:
    """Token ids (1, tokens) of some texts, always the same."""
    random = np.random.default_rng(0)
    lengths = np.linspace(*_RANGE_TOKENS, _RANGE_TEXTS).astype(int).clip(max=most)
    return [torch.from_numpy(random.integers(vocabulary, size=(1, length))) for length in lengths.tolist()]
