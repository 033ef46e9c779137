"""What an attribute is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Value: TypeAlias = str | int | float | bool
Kind: TypeAlias = Literal["enum", "number", "bool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One thing that is asked about each image.

    Attributes:
        name: of its column: a letter, then letters, digits and underscores.
        kind: one of some words, a number, or yes or no.
        about: one line that says what it is.
        values: of an enum, the words.
        low: of a number, the least.
        high: of a number, the most.
        unit: of a number, "" where there is none.
        whole: whether a number has no fraction.
        phrases: how it is told: a phrase for each of ``values``; for each level of a number, from low to high; for no
            and for yes.
    """

    name: str
    kind: Kind
    about: str
    phrases: tuple[str, ...]
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    whole: bool = False

    def phrase(self, value: Value) -> str:
        """How ``value``, one that this attribute can have, is told."""
        if isinstance(value, str):
            return self.phrases[self.values.index(value)]
        if isinstance(value, bool):
            return self.phrases[value]
        levels = len(self.phrases)
        level = int(levels * ((value - self.low) / (self.high - self.low)))
        return self.phrases[min(level, levels - 1)]


def plain(number: float) -> str:
    """A number as people write it: 100 and not 100.0.

    >>> plain(100.0), plain(0.5)
    ('100', '0.5')
    """
    return str(int(number)) if number == int(number) else str(number)
