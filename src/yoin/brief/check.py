"""Numbers in a text, held against the table they come from."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_PLACE = re.compile(r"\{\d\}")
# Signs are no dashes between two things, and a comma parts thousands or two numbers.
_NUMBER = re.compile(
    r"(?P<sign>(?<![a-z\d%.)])[+-])?(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+|(?=\.\d))(?P<part>\.\d+)?(?P<power>e[+-]?\d+)?"
    r"(?P<share>\s?(?:%|per\s?cent|パーセント))?",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s*(?:[-–—~〜～]|to|から)\s*", re.IGNORECASE)  # between two numbers of one unit
_RATIO = re.compile(r"\s*(?:(?:in|of|out of)(?: every)?|[/:]|対|中)\s*", re.IGNORECASE)  # between two counts
# What makes another number of the one before it.
_TIMES = re.compile(
    r"[a-z]|\s?(?:[kmbx](?![a-z])|[×‰割倍分百千万億])|[\s-](?:hundred|thousand|[mb]illion|dozen|times|fold)",
    re.IGNORECASE,
)
_COUNTS = "zero two three four five six seven eight nine ten eleven twelve".split()
_IN_WORDS = re.compile(
    rf"\b(?:(?P<count>{'|'.join(_COUNTS)})|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh"
    r"|nine)ty|hundreds?|thousands?|[mb]illions?|dozens?|half|halves|twice|thrice|doubl\w+|tripl\w+|quarters?"
    r"|(?:two|three|four|five|ten|hundred)-?fold|thirds|fifths|tenths|(?:a|one)[ -](?:third|fifth|tenth) of"
    rf"|one (?:in|of|out of) (?:every )?(?=\d|{'|'.join(_COUNTS)}))\b"
    r"|(?!一つ)[〇一二三四五六七八九十百千万億]+(?:割|倍|%|パーセント|分の|[人枚件つ個点回本行年])|半分",
    re.IGNORECASE,
)
_ASCII = str.maketrans("％﹪٪．٫，٬－−＋", "%%%..,,--+")
_PARTED = re.compile(r"(?<=\d)[\u00a0\u2009\u202f'’](?=\d{3}(?!\d))")  # thousands, in other ways


class Share(float):
    """A share, 0 to 1: a number that a text may give in percent."""


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

    A number is a fact if it is within half a unit of the last digit shown, whatever stands before it ("about"). Only a
    `Share` may be written in percent, and it is never a whole number; an ``int`` is a count, which is not rounded, and
    only two counts make "3 in 40". A number with a sign must have the fact's sign; one without may be a fact's size.
    Numbers in words are counts, where they are that plain, and no fact else.
    """
    wrong = []
    for line in lines:
        known = [value for value in facts.get(line.subject, ()) if math.isfinite(value)]
        said = _plain(_PLACE.sub(" ", line.said))
        wrong += [f"{shown} in: {line.text}" for shown in _unsupported(said, known)]
    return wrong


def _plain(text: str) -> str:
    """``text`` with digits and signs of other scripts and widths as ASCII has them."""
    digits = (str(unicodedata.decimal(one)) if unicodedata.category(one) == "Nd" else one for one in text)
    return _PARTED.sub(",", "".join(digits).translate(_ASCII))


def _unsupported(said: str, known: Sequence[float]) -> Iterator[str]:
    counts = [value for value in known if isinstance(value, int)]
    for match in _IN_WORDS.finditer(said):
        if match["count"] is None or _value_of(match["count"]) not in counts:
            yield match.group()
    for place, one in enumerate(said):  # ½ and ①, but not R²
        if unicodedata.category(one) == "No" and not (place and said[place - 1].isalpha()):
            yield one
    said = _IN_WORDS.sub(lambda match: str(_value_of(match["count"])) if match["count"] else match.group(), said)
    found = list(_NUMBER.finditer(said))
    between = [said[one.end() : two.start()] for one, two in pairwise(found)]
    ratio = [bool(_RATIO.fullmatch(text)) for text in between]
    for place, match in enumerate(found):
        share = bool(match["share"])
        if place < len(between) and _RANGE.fullmatch(between[place]):
            share = share or bool(found[place + 1]["share"])
        only_counts = any(ratio[max(0, place - 1) : place + 1])
        if not _alone(said, match) or not any(
            _says(match, value, share) for value in (counts if only_counts else known)
        ):
            yield match.group().strip()


def _value_of(word: str) -> int:
    return (_COUNTS.index(word.lower()) + 1) if word.lower() != "zero" else 0


def _alone(said: str, match: re.Match[str]) -> bool:
    """Whether the number is all of it: no part of a name (v2) or a date (01), and nothing that multiplies it (3k)."""
    before = said[match.start() - 1 : match.start()] if match.start() else ""
    if (before.isascii() and before.isalpha()) or re.match(r"0\d", match["whole"]):
        return False
    return not _TIMES.match(said, match.end())


def _says(match: re.Match[str], value: float, share: bool) -> bool:
    """Whether the number written is ``value`` rounded to the digits shown."""
    power = int((match["power"] or "e0")[1:])
    written = float((match["whole"].replace(",", "") or "0") + (match["part"] or "")) * 10.0**power
    decimals = len(match["part"] or ".") - 1
    if match["sign"]:
        written = -written if match["sign"] == "-" else written
    else:
        value = _size(value)
    if isinstance(value, int):
        return not share and written == value
    if isinstance(value, Share):
        if not share and not decimals:
            return False
    elif share:
        return False
    exact = 100 * value if share else float(value)
    return abs(written - exact) <= 0.5 * 10.0 ** (power - decimals) * (1 + 1e-6) + 1e-15 * abs(exact)


def _size(value: float) -> float:
    return Share(abs(value)) if isinstance(value, Share) else abs(value)
