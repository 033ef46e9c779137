"""Words, sentences and lemmas of a caption: the small linguistics that explanations and drivers share.

Offsets are code points of the untouched caption. English has function words, negations and lemmas; any
other language is cut into runs of letters and digits, and CJK text into runs of one script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import simplemma

# Quantities (no, some, much, many, few, several) are not here: "much text" and "some text" differ.
FUNCTION_WORDS = frozenset(
    """
    a an the this that these those its it he she they his her their there here which who whom whose what
    and or but nor so yet as than then while if because although though
    of in on at by for with from to into onto over under between among across against through during near
    about above below behind beside around along within up down out off toward towards via per like
    is are was were be been being am has have had do does did will would can could may might shall should must
    very quite rather fairly also just only both each such any all
    """.split()
)
NEGATIONS = frozenset("no not without never none neither nor lacks lacking isn't aren't doesn't don't absent".split())

# A word: letters and digits with inner apostrophes or hyphens; CJK scripts are cut where the script changes.
_WORD = re.compile(
    r"[\u3040-\u309f]+|[\u30a0-\u30ff]+|[\u3400-\u4dbf\u4e00-\u9fff々]+"
    r"|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+(?:['’\-][^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+)*"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a caption: ``caption[start:end] == text``."""

    start: int
    end: int
    text: str


def words(text: str) -> list[Word]:
    """The words of ``text`` in order; they never overlap."""
    return [Word(match.start(), match.end(), match.group()) for match in _WORD.finditer(text)]


def sentences(text: str) -> list[tuple[int, int]]:
    """The (start, end) of the sentences of ``text``, blanks between them left out; empty for blank text."""
    spans, start = [], 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match else len(text)
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, left + len(piece.strip())))
        start = match.end() if match else len(text)
    return spans


@lru_cache(maxsize=65536)
def lemma(word: str) -> str:
    """The lower-case English dictionary form of ``word``; other words come back lower-cased."""
    lower = word.lower().replace("’", "'")
    return simplemma.lemmatize(lower, lang="en").lower() if lower.isascii() else lower
