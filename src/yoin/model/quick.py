"""Quicker ways through a fine-tuned encoder: eight-bit numbers, or bfloat16, where the processor multiplies them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import nn

from yoin import encoder
from yoin.hub import has_amx, has_bfloat16
from yoin.model.int8 import Int8Network, fits, has_int8

if TYPE_CHECKING:
    from yoin.model.training import Network

Outputs: TypeAlias = Callable[[Sequence[Sequence[int]]], np.ndarray]
"""What a network makes of the token ids of n texts: float64 (n,)."""


def quick_ways(network: Network) -> tuple[str, ...]:
    """What makes `quick_outputs` quicker here, the quickest first; empty where nothing does."""
    device = next(network.parameters()).device
    # With AMX bfloat16 is quick enough; this int8 is written for processors without.
    int8 = device.type == "cpu" and has_int8() and fits(network) and not has_amx()
    return ("int8",) * int8 + ("bfloat16",) * has_bfloat16(device)


def quick_outputs(network: Network, way: str, pad: int | None) -> Outputs:
    """The `outputs` of ``network`` by one of its `quick_ways`."""
    if way == "int8":
        return Int8Network(network).outputs
    return partial(outputs, halved(network, "body"), pad=pad)


def halved(network: nn.Module, body: str) -> nn.Module:
    """A copy of ``network`` whose part ``body`` computes in bfloat16, in half the memory."""
    copied = copy.deepcopy(network)
    getattr(copied, body).to(torch.bfloat16)
    return copied


def outputs(network: nn.Module, ids: Sequence[Sequence[int]], pad: int | None) -> np.ndarray:
    """What ``network`` makes of each text's token ids: float64 (n,), in batches of about equally long texts."""
    device = next(network.parameters()).device
    return encoder.by_padded_batch(network, ids, pad, device).astype(np.float64)
