"""The players of the game: a caption cut into sentences, phrases and words, as character spans.

The tree is caption → sentences → phrases → words. A word's span holds the punctuation that belongs to it and never a
blank at either end; together the words cover every character that is not blank. Works on any string.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from yoin.explanations.unspaced import DENIALS, OPENERS
from yoin.explanations.unspaced import word_starts as unspaced_word_starts
from yoin.japanese import is_cjk, is_japanese, phrase_starts, word_starts
from yoin.language import FUNCTION_WORDS, NEGATIONS, sentences, words

MAX_PHRASE_WORDS = 5
_USUAL_PHRASE_WORDS = 4
_USUAL_CONTENT_WORDS = 3

_NEGATIONS = NEGATIONS | DENIALS
_FUNCTION_WORDS = FUNCTION_WORDS | OPENERS
_CHUNK = re.compile(r"\S+")
# A phrase never reaches over one of these.
_BREAKS = re.compile(r"[,;:.!?…–—()\[\]{}|。、！？；：，．・「」『』（）【】،؛؟।]")
_NEWLINE = re.compile(r"[\n\r\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Players:
    """A caption's words, phrases and sentences.

    ``words`` holds (start, end) code points of ``caption``, in order and disjoint. ``phrases`` holds
    half-open ranges of word positions; they follow each other and cover all words. ``sentences`` holds ranges of
    phrases likewise. All are empty only for the empty caption.
    """

    caption: str
    words: tuple[tuple[int, int], ...]
    phrases: tuple[tuple[int, int], ...]
    sentences: tuple[tuple[int, int], ...]

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The characters (start, end) from word ``first`` up to, not including, word ``last``."""
        return self.words[first][0], self.words[last - 1][1]


@dataclass(slots=True)
class _Unit:
    """A word with its punctuation (start, end) and without (core_start, core_end)."""

    start: int
    end: int
    core_start: int
    core_end: int


def split(caption: str) -> Players:
    """Cut ``caption`` into sentences of phrases of words.

    English phrases are content words with the function words that introduce them, four words at most as a
    rule and five where a noun or a negation's noun would be lost; Japanese ones are bunsetsu, joined to what they
    describe; any other language is cut at punctuation and after three words, Chinese and Thai ones too, whose words
    are BudouX's.
    """
    units = _units(caption)
    units = _joined(caption, units) if is_japanese(caption) else _cut(units, unspaced_word_starts(caption))
    spans, phrases = _with_bound_negations(caption, units, _phrases(caption, units))
    return Players(caption, tuple(spans), tuple(phrases), tuple(_sentences(caption, spans, phrases)))


def _sentences(text: str, spans: list[tuple[int, int]], phrases: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges of phrases; a sentence starts with the first phrase that starts in it."""
    starts = np.array([start for start, _ in sentences(text)], dtype=np.int64)
    sentence = np.searchsorted(starts, [spans[first][0] for first, _ in phrases], side="right")
    edges = [0, *(np.flatnonzero(np.diff(sentence)) + 1).tolist(), len(phrases)]
    return list(itertools.pairwise(edges)) if phrases else []


def _with_bound_negations(
    text: str, units: list[_Unit], phrases: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Words and phrases in which a negation and what it denies are one word: "text" of "no text" says nothing alone."""
    spans: list[tuple[int, int]] = []
    ranges = []
    for first, last in phrases:
        start, at = len(spans), first
        while at < last:
            end = at
            while end + 1 < last and _leads_on(text, units[at : end + 1]):
                end += 1
            spans.append((units[at].start, units[end].end))
            at = end + 1
        ranges.append((start, len(spans)))
    return spans, ranges


def _leads_on(text: str, units: list[_Unit]) -> bool:
    """Whether the units are a negation that has not reached what it denies: "no", "without any"."""
    first, *others = (text[unit.core_start : unit.core_end].lower() for unit in units)
    return first in _NEGATIONS and all(word in _FUNCTION_WORDS or word in _NEGATIONS for word in others)


def _units(text: str) -> list[_Unit]:
    """The words of ``text``, each with its punctuation; one unit for a text that is all punctuation or blank."""
    cores = [(word.start, word.end) for word in words(text)]
    units: list[_Unit] = []
    at = 0  # the next core
    pending: int | None = None  # where punctuation that waits for the next word starts
    for chunk in _CHUNK.finditer(text):
        first = at
        while at < len(cores) and cores[at][0] < chunk.end():
            at += 1
        if at > first:
            found = _chunk_units(text, chunk.start(), chunk.end(), cores[first:at])
        elif any(unicodedata.category(char) in {"So", "Sc", "Co"} for char in chunk.group()):
            found = [_Unit(chunk.start(), chunk.end(), chunk.start(), chunk.end())]  # an emoji is a word of its own
        else:
            gap = text[units[-1].end : chunk.start()] if units else "\n"
            if _NEWLINE.search(gap) or _is_opening(chunk.group()[0]):
                pending = chunk.start() if pending is None else pending  # such as the mark of a list item
            elif pending is None:
                units[-1].end = chunk.end()
            continue
        if pending is not None:
            found[0].start, pending = pending, None
        units += found
    if not units:
        start, end = (len(text) - len(text.lstrip()), len(text.rstrip())) if text.strip() else (0, len(text))
        return [_Unit(start, end, start, end)] if text else []
    if pending is not None:
        units[-1].end = len(text.rstrip())
    return units


def _joined(text: str, units: list[_Unit]) -> list[_Unit]:
    """Japanese words whole, of units cut where the script changes: 赤 and い are 赤い."""
    starts = word_starts(text)
    found = units[:1]
    for unit in units[1:]:
        last = found[-1]
        touching = last.core_end == unit.core_start and unit.core_start not in starts
        if touching and is_cjk(text[last.core_end - 1]) and is_cjk(text[unit.core_start]):
            found[-1] = _Unit(last.start, unit.end, last.core_start, unit.core_end)
        else:
            found.append(unit)
    return found


def _cut(units: list[_Unit], starts: set[int]) -> list[_Unit]:
    """Units cut where words start inside them: Chinese and Thai words."""
    if not starts:
        return units
    found = []
    for unit in units:
        for start in sorted(starts.intersection(range(unit.core_start + 1, unit.core_end))):
            found.append(_Unit(unit.start, start, unit.core_start, start))
            unit = _Unit(start, unit.end, start, unit.core_end)
        found.append(unit)
    return found


def _chunk_units(text: str, start: int, end: int, cores: list[tuple[int, int]]) -> list[_Unit]:
    """The units of one stretch without blanks that has at least one word."""
    units = [_Unit(start, end, *cores[0])]
    for core_start, core_end in cores[1:]:
        last = units[-1]
        between = text[last.core_end : core_start]
        if _joins(between, text[last.core_end - 1], text[core_start]):
            last.core_end = core_end
            continue
        opening = next((i for i, char in enumerate(between) if _is_opening(char)), len(between))
        last.end = last.core_end + opening
        units.append(_Unit(last.end, end, core_start, core_end))
    return units


def _is_opening(char: str) -> bool:
    return unicodedata.category(char) in {"Ps", "Pi"}


def _joins(between: str, before: str, after: str) -> bool:
    """Whether two runs of letters are one word: marks or joiners between them, 3.5, and/or, U.S."""
    if not between:
        return False
    if all(unicodedata.category(char)[0] == "M" or unicodedata.category(char) == "Cf" for char in between):
        return True
    if between == "." and before.isupper() and after.isupper():
        return True
    return between in {"/", "_", "&", "@", "+"} or (between in {".", ",", ":"} and before.isdigit() and after.isdigit())


def _phrases(text: str, units: list[_Unit]) -> list[tuple[int, int]]:
    """Half-open ranges of units."""
    phrases: list[tuple[int, int]] = []
    start = content = 0
    negated = False
    japanese = phrase_starts(text) if is_japanese(text) else None
    for position, unit in enumerate(units):
        core = text[unit.core_start : unit.core_end]
        lower = core.lower().replace("’", "'")
        negation, function = lower in _NEGATIONS, lower in _FUNCTION_WORDS
        cjk = japanese is not None and is_cjk(core[:1])
        length = position - start
        if position:
            previous = units[position - 1]
            broken = _broken(text, previous, unit)
            if japanese is not None and (cjk or is_cjk(text[previous.core_start])):
                begins = unit.core_start in japanese or length >= MAX_PHRASE_WORDS
            elif negation:
                begins = content > 0 or length >= 2
            elif function:
                begins = content > 0 or length >= _USUAL_PHRASE_WORDS
            elif negated or not content:
                begins = length >= MAX_PHRASE_WORDS
            else:
                begins = length >= MAX_PHRASE_WORDS or content >= _USUAL_CONTENT_WORDS
            if broken or begins:
                _close(phrases, start, position, content > 0 or negated, text, units)
                start, content, negated = position, 0, False
        negated |= negation
        content += not (negation or function)
    if units:
        _close(phrases, start, len(units), content > 0 or negated, text, units)
    return phrases


def _close(
    phrases: list[tuple[int, int]], start: int, end: int, meaningful: bool, text: str, units: list[_Unit]
) -> None:
    """Add the phrase [start, end); function words that introduce nothing ("a dog looking up") join what they follow."""
    if not meaningful and phrases:
        first = phrases[-1][0]
        if (
            end - first <= MAX_PHRASE_WORDS
            and not _broken(text, units[start - 1], units[start])
            and _closes(text, units, end)
        ):
            phrases[-1] = (first, end)
            return
    phrases.append((start, end))


def _closes(text: str, units: list[_Unit], end: int) -> bool:
    """Whether a sentence, clause or the text ends after the unit before ``end``."""
    return end == len(units) or _broken(text, units[end - 1], units[end])


def _broken(text: str, left: _Unit, right: _Unit) -> bool:
    """Whether punctuation or a line's end stands between two neighbouring units."""
    between = text[left.core_end : right.core_start]
    return _BREAKS.search(between) is not None or _NEWLINE.search(between) is not None
