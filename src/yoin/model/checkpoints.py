"""How far a fine-tuning is, kept on the disk now and then, so that one that was stopped goes on from there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from yoin.errors import StudyError
from yoin.files import put
from yoin.values import Epoch

SECONDS = 60.0  # of training between two checkpoints, at least; a shorter one is sooner done again
SHARE = 0.05  # of the time goes into writing them, at most
_STANDING = "standing"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a fine-tuning stands after so many ``steps``.

    ``at_once`` of a batch's rows go through the network; ``lost`` are the losses of the round that is under way;
    ``tensors`` are what is needed to go on or, when it is over, the weights that were kept.
    """

    steps: int
    at_once: int
    rounds: tuple[Epoch, ...]
    lost: tuple[float, ...]
    tensors: Mapping[str, torch.Tensor]


class Checkpoint:
    """The checkpoint of one fine-tuning in the file ``path``, or with None one that keeps nothing.

    ``weights`` says whether those of one that is over are of use, or only what its rounds came to.
    """

    def __init__(self, path: Path | None, *, weights: bool = True) -> None:
        self._path, self.weights = path, weights
        self._started = time.monotonic()
        self._due = self._started + SECONDS

    @property
    def due(self) -> bool:
        """Whether it is time for one more."""
        return self._path is not None and time.monotonic() >= self._due

    @property
    def late(self) -> bool:
        """Whether so much time has gone into the training that it should not be done again."""
        return self._path is not None and time.monotonic() >= self._started + SECONDS

    def read(self) -> Standing | None:
        """What was kept; None where there is nothing, or nothing that can be read."""
        if self._path is None or not self._path.exists():
            return None
        try:
            with safe_open(self._path, "pt") as file:
                told = json.loads((file.metadata() or {})[_STANDING])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            told["rounds"] = tuple(Epoch(**one) for one in told["rounds"])
            return Standing(**told, tensors=tensors)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, standing: Standing) -> None:
        """Keep ``standing`` in place of what was kept before; where there is no room for it, nothing is kept."""
        if self._path is None:
            return
        before = time.monotonic()
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in standing.tensors.items()}
        told = {field.name: getattr(standing, field.name) for field in fields(standing) if field.name != "tensors"}
        told["rounds"] = [asdict(one) for one in standing.rounds]
        whole = save(tensors, metadata={_STANDING: json.dumps(told)})
        with suppress(OSError, StudyError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            put(self._path, lambda path: path.write_bytes(whole))
        now = time.monotonic()
        self._due = now + max(SECONDS, (now - before) / SHARE)
