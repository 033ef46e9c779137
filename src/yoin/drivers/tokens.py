"""Captions as arrays of words: what the search for concepts counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from yoin.drivers import japanese
from yoin.drivers.negation import HARD, SOFT, denial_scopes, denies
from yoin.language import FUNCTION_WORDS, NEGATIONS, lemma

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

NUMBERS = {
    word: value
    for value, group in enumerate(
        (
            "zero",
            "one single 一",
            "two pair double 二",
            "three triple 三",
            "four 四",
            "five 五",
            "six 六",
            "seven 七",
            "eight 八",
            "nine 九",
            "ten 十",
        )
    )
    for word in group.split()
}
# Function words that say how much: they may begin a phrase ("much text"), not end one.
QUANTITIES = frozenset("much many few several more little some".split())
# Words whose common dictionary form is another thing in a description of a picture.
_KEEP = frozenset(
    "glasses sunglasses lighting painting drawing building clothing setting writing lettering left".split()
)
_LINKS = frozenset("after before again away other another else".split())
# Words that never stand inside a phrase: what they join are two things.
_JOINTS = frozenset("or but nor while because although though which who whom whose that if so yet than then".split())

# Verbs with which captions introduce what they describe.
_TELLING = frozenset(
    "show shows showing shown depict depicts depicting feature features featuring display displays displaying "
    "contain contains containing include includes including portray portrays illustrate illustrates".split()
)

_HIRAGANA = re.compile(r"[\u3040-\u309f]")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


@lru_cache(maxsize=65536)
def normal(word: str) -> str:
    """``word`` in lower case, without a possessive ending."""
    lower = word.lower().replace("’", "'")
    return lower.removesuffix("'s") or lower


@lru_cache(maxsize=65536)
def concept_lemma(word: str) -> str:
    """The lemma under which the normal form ``word`` is counted."""
    if _HIRAGANA.search(word):
        return japanese.stem(word)
    return word if word in _KEEP else lemma(word)


def is_number(word: str) -> bool:
    """Whether the normal form ``word`` is a number in words or digits."""
    return word in NUMBERS or word.isdecimal()


# What a word may do in a phrase.
BEGIN, MIDDLE, END, ALONE = 1, 2, 4, 8


@lru_cache(maxsize=65536)
def parts(word: str) -> int:
    """What the normal form ``word`` may do in a phrase: a sum of BEGIN, MIDDLE, END and ALONE."""
    if word in NEGATIONS or word in _JOINTS or word in _TELLING:
        return 0
    if is_number(word) or word in QUANTITIES:
        return BEGIN | MIDDLE
    if _HIRAGANA.search(word):
        if word in japanese.LINKS:
            return MIDDLE
        return BEGIN | MIDDLE | END | ALONE if japanese.describes(word) and not denies(word) else 0
    if word in FUNCTION_WORDS or word in _LINKS or concept_lemma(word) in FUNCTION_WORDS:
        return MIDDLE
    if len(word) == 1 and not _CJK.match(word):
        return 0
    return BEGIN | MIDDLE | END | ALONE


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of all captions, one after another; every array has one entry a word.

    ``row`` is the caption's position, ``clause`` numbers the clauses over all captions, ``scope`` is -1 where the word
    is asserted, else the position (in these arrays) of the word that denies it; ``glued`` says that no blank stands
    before the word. ``surface`` indexes ``surfaces``; ``surface_lemma`` (which indexes ``lemmas``) and
    ``surface_parts`` have an entry a surface.
    """

    row: Ints
    start: Ints
    end: Ints
    clause: Ints
    scope: Ints
    glued: Bools
    surface: Ints
    surfaces: tuple[str, ...]
    lemmas: tuple[str, ...]
    surface_lemma: Ints
    surface_parts: Ints

    @property
    def lemma(self) -> Ints:
        """The lemma's number, for each word."""
        return self.surface_lemma[self.surface]


def tokenise(captions: Sequence[str]) -> Tokens:
    """Cut ``captions`` into words, with their clauses and denials."""
    surface_of: dict[str, int] = {}
    surfaces: list[str] = []
    rows: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    surface: list[int] = []
    breaks: list[int] = []
    glued: list[bool] = []
    scoped: list[tuple[int, list[int]]] = []  # (first word, denials) of the captions that deny something
    may_deny: list[bool] = []

    for row, caption in enumerate(captions):
        first, needs_look, before = len(rows), False, -1
        for word in japanese.caption_words(caption):
            number = surface_of.get(word.text)
            if number is None:
                number = surface_of[word.text] = len(surfaces)
                surfaces.append(normal(word.text))
                may_deny.append(denies(surfaces[-1]))
            needs_look = needs_look or may_deny[number]
            rows.append(row)
            starts.append(word.start)
            ends.append(word.end)
            surface.append(number)
            gap = caption[before : word.start] if before >= 0 else "."
            breaks.append(_break(gap))
            glued.append(gap == "")
            before = word.end
        if needs_look:
            scoped.append((first, denial_scopes([surfaces[s] for s in surface[first:]], breaks[first:])))

    scope = np.full(len(rows), -1, dtype=np.int64)
    for first, denials in scoped:
        local = np.asarray(denials, dtype=np.int64)
        scope[first : first + len(local)] = np.where(local > 0, first + local - 1, -1)

    # Raw spellings ("Dark", "dark") share a normal form: number the normal forms, then the lemmas.
    normals, surface_to_normal = _number(surfaces)
    lemmas, normal_to_lemma = _number([concept_lemma(word) for word in normals])
    return Tokens(
        row=np.asarray(rows, dtype=np.int64),
        start=np.asarray(starts, dtype=np.int64),
        end=np.asarray(ends, dtype=np.int64),
        clause=np.cumsum(np.asarray(breaks, dtype=np.int64) > 0),
        scope=scope,
        glued=np.asarray(glued, dtype=bool),
        surface=surface_to_normal[np.asarray(surface, dtype=np.int64)],
        surfaces=tuple(normals),
        lemmas=tuple(lemmas),
        surface_lemma=normal_to_lemma,
        surface_parts=np.asarray([parts(word) for word in normals], dtype=np.int64),
    )


@lru_cache(maxsize=4096)
def _break(gap: str) -> int:
    if not gap.strip(" \t\u3000\u00a0") and "\n" not in gap:
        return 0
    return SOFT if gap.strip() in (",", "，", "、") else HARD


def _number(items: list[str]) -> tuple[list[str], Ints]:
    numbers: dict[str, int] = {}
    index = np.asarray([numbers.setdefault(item, len(numbers)) for item in items], dtype=np.int64)
    return list(numbers), index
