"""Numbers in a text, held against the table they come from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_NUMBER = re.compile(
    r"(?<![\d.])(?P<sign>[+\-−]?)(?P<whole>\d[\d,]*)(?P<part>\.\d+)?(?P<power>e[+\-−]?\d+)?(?P<share>%?)"
)


_PLACE = re.compile(r"\{\d\}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a brief, and what it speaks of.

    ``said`` is our own words and numbers, with {0}, {1}, … where ``names`` stand: texts that are not ours, such as
    concepts, in which digits are no statements. ``subject`` names the facts that the numbers must come from.
    """

    said: str
    subject: str = ""
    names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The line as it is read."""
        return self.said.format(*self.names)


def unsupported(lines: Iterable[Line], facts: Mapping[str, Sequence[float]]) -> list[str]:
    """The numbers of ``lines`` that are no fact of their line's subject, rounded as they are written; each in its line.

    A number with a sign must have the fact's sign; one without may be a fact's size. ``12%`` is the fact 0.12.
    """
    wrong = []
    for line in lines:
        known = [value for value in facts.get(line.subject, ()) if math.isfinite(value)]
        wrong += [
            f"{match.group()} in: {line.text}"
            for match in _NUMBER.finditer(_PLACE.sub(" ", line.said))
            if not any(_says(match, value) for value in known)
        ]
    return wrong


def _says(match: re.Match[str], value: float) -> bool:
    """Whether the number written is ``value`` rounded to the digits shown."""
    power = int((match["power"] or "e0")[1:].replace("−", "-"))
    written = float(match["whole"].replace(",", "") + (match["part"] or "")) * 10.0**power
    decimals = len(match["part"] or ".") - 1
    value = 100 * value if match["share"] else value
    if match["sign"]:
        written = -written if match["sign"] in "-−" else written
    else:
        value = abs(value)
    return abs(written - value) <= 0.5 * 10.0 ** (power - decimals) * (1 + 1e-6)
