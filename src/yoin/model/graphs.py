"""Steps of training recorded on a CUDA device and played again.

A step of a small batch is a thousand and more small pieces of work, which a processor hands over one by one, while the
device waits most of the time. Recorded once for every shape of batch, they are handed over at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

MULTIPLE = 16  # batches are padded to as many tokens as this divides: fewer shapes to record, little more padding


@dataclass(frozen=True, slots=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    given: tuple[torch.Tensor, ...]
    made: torch.Tensor


class Recorder:
    """Calls ``act`` of tensors on a CUDA device, or plays what it did with tensors of such shapes before.

    ``act`` does the same whatever is in the tensors, never waits for the device, and leaves what it changes where it
    is. Its first call is a plain one, in which libraries set themselves up; what cannot be recorded is always called.
    """

    def __init__(self, act: Callable[..., torch.Tensor]) -> None:
        self._act = act
        self._pool = torch.cuda.graph_pool_handle()
        self._ready = False
        self._recorded: dict[tuple[torch.Size, ...], _Recorded] = {}
        self._can = True

    def __call__(self, *tensors: torch.Tensor) -> torch.Tensor:
        """What ``act`` makes of ``tensors``."""
        if not self._ready:
            self._ready = True
            return self._beside(tensors)
        shapes = tuple(tensor.shape for tensor in tensors)
        if self._can and shapes not in self._recorded:
            self._record(shapes, tensors)
        if not self._can:
            return self._act(*tensors)
        known = self._recorded[shapes]
        for place, tensor in zip(known.given, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
        known.graph.replay()
        return known.made.clone()

    def _beside(self, tensors: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """A plain call, on a stream of its own, as recording will be."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            made = self._act(*tensors)
        torch.cuda.current_stream().wait_stream(stream)
        return made

    def _record(self, shapes: tuple[torch.Size, ...], tensors: tuple[torch.Tensor, ...]) -> None:
        given = tuple(tensor.clone() for tensor in tensors)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                made = self._act(*given)
        except RuntimeError:  # some encoders look at their numbers on the way; and memory may not suffice
            self._can = False
            self._recorded.clear()
            torch.cuda.synchronize()
            return
        self._recorded[shapes] = _Recorded(graph, given, made)
