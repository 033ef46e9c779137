"""Numbers, codes and foreign text as a reader should see them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

NONE = "–"  # what stands where there is no number

# Control characters but tab and line feed, and halves of surrogate pairs: none has a place in HTML.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """``text`` with every character that HTML cannot hold replaced one for one, so that offsets stay right."""
    return _UNPRINTABLE.sub("\ufffd", text)


def text_of(value: object) -> str:
    """A cell as clean text; "" for a missing one."""
    return "" if value is None or value is pd.NA or value != value else clean(str(value))


def number_of(value: object) -> float | None:
    """A cell as a finite number, or ``None``."""
    if isinstance(value, (int, float)) or hasattr(value, "__float__"):
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def utf16_offsets(text: str) -> list[int]:
    """For every code point of ``text``, and for its end, where it starts in UTF-16 units: what scripts count in."""
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if ord(character) > 0xFFFF else 1))
    return offsets


@dataclass(frozen=True, slots=True)
class Unit:
    """How the metric's numbers are written: ``decimals`` places, so that a fiftieth of its sd can be told.

    ``decimals`` is -1 where plain notation would be mostly zeros; three significant digits are shown then.
    """

    name: str
    decimals: int

    @classmethod
    def of(cls, name: str, sd: float | None) -> Unit:
        """The unit of the metric ``name`` whose standard deviation is ``sd``."""
        if sd is None or not math.isfinite(sd) or sd <= 0:
            return cls(name, 2)
        decimals = -math.floor(math.log10(sd / 50))
        return cls(name, max(decimals, 0) if decimals <= 7 and sd < 1e12 else -1)

    def plain(self, value: object) -> str:
        """``value`` rounded for the reader, thousands separated; a dash where there is none."""
        number = number_of(value)
        if number is None:
            return NONE
        text = f"{number:.2e}" if self.decimals < 0 else f"{number:,.{self.decimals}f}"
        return _minus(text)

    def signed(self, value: object) -> str:
        """``value`` with its sign, "+" included."""
        number = number_of(value)
        if number is None:
            return NONE
        text = self.plain(number)
        return text if text.startswith("−") or number == 0 or float(_ascii(text)) == 0 else f"+{text}"

    def further(self, value: object) -> str:
        """``value`` with two more places: what is small beside the metric."""
        number = number_of(value)
        if number is None or self.decimals < 0:
            return self.plain(number)
        return _minus(f"{number:,.{self.decimals + 2}f}")

    def range(self, low: object, high: object) -> str:
        """An interval, such as "0.21 to 0.63"."""
        return f"{self.plain(low)} to {self.plain(high)}"


def _ascii(text: str) -> str:
    return text.replace(",", "").replace("−", "-")


def _minus(text: str) -> str:
    """``text`` with a real minus sign, and none before a zero."""
    if text.startswith("-"):
        return text[1:] if float(text.replace(",", "")) == 0 else f"−{text[1:]}"
    return text


def fixed(value: object, decimals: int = 3) -> str:
    """A number with ``decimals`` places; a dash where there is none."""
    number = number_of(value)
    return NONE if number is None else _minus(f"{number:.{decimals}f}")


def count(value: object) -> str:
    """A whole number, thousands separated; a dash where there is none."""
    number = number_of(value)
    return NONE if number is None else _minus(f"{number:,.0f}")


def probability(value: object) -> str:
    """A p or q: three places, "< 0.001" below."""
    number = number_of(value)
    if number is None:
        return NONE
    return "< 0.001" if number < 0.001 else f"{number:.3f}"


def percent(value: object, decimals: int = 0) -> str:
    """A share (0 to 1) in percent."""
    number = number_of(value)
    return NONE if number is None else _minus(f"{100 * number:.{decimals}f}") + "%"


def points(value: object) -> str:
    """A number that is in percent already (0 to 100)."""
    number = number_of(value)
    return NONE if number is None else _minus(f"{number:.1f}") + "%"


def duration(value: object) -> str:
    """Seconds as a person says them."""
    number = number_of(value)
    if number is None:
        return NONE
    if number < 60:
        return f"{number:.1f} s"
    minutes, seconds = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def length(value: object) -> str:
    """The length of a video in seconds, as short as a badge needs it: "4.2 s", "12 s", "1 min 5 s"."""
    number = number_of(value)
    if number is None:
        return NONE
    if round(number) >= 60:
        return duration(round(number))
    return f"{max(number, 0.1):.1f} s" if number < 9.95 else f"{number:.0f} s"


def size(value: object) -> str:
    """Bytes in the unit a person would choose, such as "35 MB"."""
    number = number_of(value)
    if number is None:
        return NONE
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while number >= 999.5 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{number:.{1 if number < 9.95 and units[0] != 'bytes' else 0}f} {units[0]}"


# Codes of the table whose own words would not tell a reader enough; those of images come with their sentences.
_REASONS = {
    "metric_not_a_number": "the metric is not a number",
    "bad_weight": "the weight is not a number above 0",
    "chose_prompt": "the row helped to choose the prompt",
}


def code_in_words(code: str, sentences: Mapping[str, str]) -> str:
    """A reason's code as words: its sentence, else ``not_found`` is "not found"; a sentence stays as it is."""
    known = sentences.get(code) or _REASONS.get(code)
    return known or (code.replace("_", " ") if re.fullmatch(r"[a-z0-9_\-]+", code) else code)


def flat(options: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested options as (dotted name, text), in their own order."""
    lines: list[tuple[str, str]] = []
    for key, value in options.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += flat(value, f"{name}.")
        elif isinstance(value, (list, tuple)):
            lines.append((name, ", ".join(str(item) for item in value) or NONE))
        else:
            lines.append((name, NONE if value is None or value == "" else str(value)))
    return lines
