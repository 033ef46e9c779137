"""What a caption's sets of kept words were found to be worth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from yoin.explanations.game import Floats, Masks, Plan


@dataclass(slots=True)
class Table:
    """Values of sets of kept words that were asked for so far, and those to ask for next."""

    known: dict[bytes, float] = field(default_factory=dict)
    waiting: dict[bytes, Masks] = field(default_factory=dict)

    def unknown(self, masks: Masks) -> dict[bytes, Masks]:
        """Those of the sets (n, words) that were not asked for, nor wait, by key."""
        found = {np.packbits(mask).tobytes(): mask for mask in masks}
        return {key: mask for key, mask in found.items() if key not in self.known and key not in self.waiting}

    def ask(self) -> Plan[None]:
        """Have all that waits valued."""
        if self.waiting:
            values = yield np.array(list(self.waiting.values()), dtype=np.bool_)
            self.known.update(zip(self.waiting, values.tolist(), strict=True))
            self.waiting.clear()

    def values(self, masks: Masks) -> Floats:
        """The values (...) of known sets (..., words)."""
        flat = masks.reshape(-1, masks.shape[-1])
        found = np.array([self.known[np.packbits(mask).tobytes()] for mask in flat], dtype=np.float64)
        return found.reshape(masks.shape[:-1])

    @property
    def size(self) -> int:
        """How many sets are known or wait."""
        return len(self.known) + len(self.waiting)
