"""Phrases of one to three words, counted over all captions at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yoin.drivers.tokens import (
    ALONE,
    BEGIN,
    END,
    MIDDLE,
    NUMBERS,
    Bools,
    Ints,
    Tokens,
    concept_lemma,
    is_number,
    normal,
)
from yoin.japanese import is_cjk
from yoin.language import FUNCTION_WORDS, NEGATIONS, words

LONGEST = 3
NONE_OF_IT = "なし"  # ends a phrase that is denied, in Japanese
QUANTITY_WORDS = frozenset("much many few several more most all little some".split())
# Function words that tell two phrases apart: where a thing is.
_PLACE = frozenset("above below under over behind out up down off".split())

# Words that mean one thing together and others apart.
_COMPOUNDS = (("black", "and", "white"),)
_FIXED = 16  # beside BEGIN, MIDDLE, END and ALONE: inside a compound


@dataclass(frozen=True, slots=True)
class Unit:
    """A phrase as it is counted: its lemmas, and whether it is denied ("no text")."""

    lemmas: tuple[str, ...]
    denied: bool = False

    @property
    def bag(self) -> frozenset[str]:
        """The lemmas that carry the meaning, without regard to order."""
        kept = frozenset(w for w in self.lemmas if w not in FUNCTION_WORDS or w in _PLACE or w in QUANTITY_WORDS)
        return kept or frozenset(self.lemmas)

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers in the phrase."""
        return frozenset(NUMBERS.get(w, int(w) if w.isdecimal() else -1) for w in self.lemmas if is_number(w))


@dataclass(frozen=True, slots=True)
class Places:
    """Where one unit stands: positions of first words in the tokens, and the number of words."""

    first: Ints
    length: int


@dataclass(frozen=True, slots=True)
class Found:
    """The units with enough rows, and for each length, the unit that starts at each word (-1: none)."""

    units: tuple[Unit, ...]
    rows: Ints  # rows in which the unit stands, one number a unit
    starts_with: tuple[Ints, ...]  # index 0: one word; each (words,)


def find_units(tokens: Tokens, min_rows: int) -> Found:
    """Every phrase of one to three words that stands in at least ``min_rows`` captions, asserted and denied told apart.

    A phrase lies inside one clause, is wholly asserted or wholly denied, and has no function word at its ends.
    """
    count = len(tokens.row)
    may = _roles(tokens)
    # No phrase is more frequent than its rarest word: drop rare words before pairs are made.
    lemma = _frequent(tokens.lemma, tokens.row, min_rows)
    width = int(lemma.max(initial=0)) + 1
    units: list[Unit] = []
    rows: list[Ints] = []
    starts: list[Ints] = []
    code = np.full(count, -1, dtype=np.int64)
    for length in range(1, LONGEST + 1):
        # Codes are compressed after each word, so that they never outgrow 64 bits.
        last = np.roll(lemma, 1 - length)
        if length == 1:
            code = lemma.copy()
            usable = (code >= 0) & ((may & ALONE) > 0)
        else:
            good = (code >= 0) & (last >= 0) & _together(tokens, length)
            good &= ((may & BEGIN) > 0) if length == 2 else ((np.roll(may, 2 - length) & MIDDLE) > 0)
            code = np.where(good, code * width + last, -1)
            usable = good & ((np.roll(may, 1 - length) & END) > 0)
            if length > 2:
                usable &= ~_cut_short(tokens, may)
        _, _, phrase = _supported(np.where(usable, code, -1), tokens.row, min_rows)
        keyed = np.where(phrase >= 0, 2 * phrase + (tokens.scope >= 0), -1)
        kept, support, index = _supported(keyed, tokens.row, 1)
        first = _first_places(index, len(kept))
        units.extend(Unit(_lemmas_at(tokens, int(at), length), bool(tokens.scope[at] >= 0)) for at in first)
        starts.append(np.where(index >= 0, index + sum(len(r) for r in rows), -1))
        rows.append(support)
        code = _compress(code)
    return Found(tuple(units), np.concatenate(rows), tuple(starts))


def given_unit(phrase: str) -> tuple[Unit, bool]:
    """The user's ``phrase`` as a unit, and whether it has a negation inside; without words in it, without lemmas."""
    spelled, denied = _spelled(phrase)
    return Unit(tuple(concept_lemma(word) for word in spelled), denied), any(word in NEGATIONS for word in spelled)


def _spelled(phrase: str) -> tuple[list[str], bool]:
    """The words of the user's ``phrase`` but those that deny the rest of it, and whether there are such."""
    spelled = [normal(word.text) for word in words(phrase)]
    denied = len(spelled) > 1 and spelled[0] in NEGATIONS
    if denied:
        spelled = spelled[1:]
        while len(spelled) > 1 and spelled[0] in FUNCTION_WORDS:  # "without any text"
            spelled = spelled[1:]
    elif len(spelled) > 1 and spelled[-1] == NONE_OF_IT:
        denied, spelled = True, spelled[:-1]
    return spelled, denied


def find_given(
    tokens: Tokens, phrase: str, lemma_number: dict[str, int]
) -> tuple[Unit, tuple[Places, ...], tuple[Places, ...]]:
    """The user's ``phrase`` wherever it stands: its unit, its places, and the places that deny it.

    A phrase that begins with a negation ("no text") is the denial of the rest. One with a negation further
    inside ("man without hat") is matched word by word. No words in it: a unit without lemmas.
    """
    (unit, literal), (spelled, denied) = given_unit(phrase), _spelled(phrase)
    if spelled and all(is_cjk(word[0]) for word in spelled):
        asserted, denials = _written(tokens, "".join(spelled))
    else:
        found = _matched(tokens, [lemma_number.get(word, -2) for word in unit.lemmas])
        if literal:
            return unit, (found,), ()
        asserted, denials = ((part,) for part in _by_scope(tokens, found))
    return (unit, denials, ()) if denied else (unit, asserted, denials)


def _matched(tokens: Tokens, numbers: list[int]) -> Places:
    """Where words of these lemmas follow each other in one clause."""
    length, count = len(numbers), len(tokens.row)
    if not length or length > count or min(numbers) < 0:
        return Places(np.empty(0, dtype=np.int64), max(length, 1))
    match = np.ones(count - length + 1, dtype=bool)
    lemma = tokens.lemma
    for offset, number in enumerate(numbers):
        match &= lemma[offset : offset + len(match)] == number
    match &= tokens.clause[: len(match)] == tokens.clause[length - 1 :]
    return Places(np.flatnonzero(match), length)


def _by_scope(tokens: Tokens, places: Places) -> tuple[Places, Places]:
    """Those places that are wholly asserted, and those that one denial covers."""
    first, last = places.first, places.first + places.length - 1
    same = tokens.scope[first] == tokens.scope[last]
    return tuple(  # type: ignore[return-value]
        Places(first[same & side], places.length) for side in (tokens.scope[first] < 0, tokens.scope[first] >= 0)
    )


def _written(tokens: Tokens, phrase: str) -> tuple[tuple[Places, ...], tuple[Places, ...]]:
    """Where words without blanks between them make up ``phrase``, whichever way they are cut; one entry a length."""
    whole = concept_lemma(phrase)
    opening = np.flatnonzero([phrase.startswith(word) or concept_lemma(word) == whole for word in tokens.surfaces])
    starts: dict[int, list[int]] = {}
    for first in np.flatnonzero(np.isin(tokens.surface, opening)).tolist():
        rest, at = phrase, first
        while rest and at < len(tokens.row) and (at == first or tokens.glued[at]):
            surface = tokens.surfaces[tokens.surface[at]]
            if tokens.lemmas[tokens.lemma[at]] == concept_lemma(rest):  # another form of its last verb
                rest = ""
            elif rest.startswith(surface):
                rest = rest[len(surface) :]
            else:
                break
            at += 1
        if not rest:
            starts.setdefault(at - first, []).append(first)
    sides = [_by_scope(tokens, Places(np.array(firsts, dtype=np.int64), length)) for length, firsts in starts.items()]
    return tuple(side[0] for side in sides), tuple(side[1] for side in sides)


def spans(tokens: Tokens, places: Places) -> tuple[Ints, Ints]:
    """The code points (start, end) of ``places``; a denial begins at its negation word where that is next to it."""
    first = places.first
    start, end = tokens.start[first], tokens.end[first + places.length - 1]
    negator = tokens.scope[first]
    for index in np.flatnonzero(negator >= 0):
        at, by = int(first[index]), int(negator[index])
        if by < at and all(tokens.surfaces[tokens.surface[w]] in FUNCTION_WORDS for w in range(by + 1, at)):
            start[index] = tokens.start[by]
        elif by >= at + places.length and all(
            tokens.glued[w + 1] and not tokens.surface_parts[tokens.surface[w]] & ALONE
            for w in range(at + places.length, by)
        ):  # text is absent; 文字はない
            end[index] = tokens.end[by]
    return start, end


def spelling(tokens: Tokens, places: Places, unit: Unit) -> str:
    """The most frequent surface form, in lower case; of equally frequent ones the first in the alphabet."""
    if not len(places.first):
        return " ".join((("no",) if unit.denied else ()) + unit.lemmas)
    columns = np.stack([tokens.surface[places.first + offset] for offset in range(places.length)], axis=1)
    forms, where, counts = np.unique(columns, axis=0, return_index=True, return_counts=True)
    best = ""
    for form, at in sorted(
        zip(forms[counts == counts.max()], where[counts == counts.max()], strict=True),
        key=lambda item: [tokens.surfaces[s] for s in item[0]],
    )[:1]:
        glued = tokens.glued[int(places.first[at]) : int(places.first[at]) + places.length]
        pieces = [tokens.surfaces[s] for s in form]
        best = pieces[0] + "".join(("" if g else " ") + p for g, p in zip(glued[1:], pieces[1:], strict=True))
    if not unit.denied:
        return best
    return best + NONE_OF_IT if is_cjk(best[-1]) else f"{_negator(tokens, places)} {best}"


def _negator(tokens: Tokens, places: Places) -> str:
    by = tokens.scope[places.first]
    spelled = [tokens.surfaces[s] for s in tokens.surface[by[by == places.first - 1]]]
    counts = {word: spelled.count(word) for word in ("no", "not", "without")}
    return max(counts, key=lambda word: (counts[word], word == "no"))


def _cut_short(tokens: Tokens, may: Ints) -> Bools:
    """Whether three words from each word break off a thing: "image in square" of "image in square format"."""
    link = np.roll(may, -1) == MIDDLE
    goes_on = (np.roll(tokens.clause, -3) == tokens.clause) & ((np.roll(may, -3) & (END | BEGIN)) > 0)
    goes_on[-3:] = False
    return np.asarray(link & goes_on)


def _roles(tokens: Tokens) -> Ints:
    """What each word may do in a phrase; the words of a compound do nothing apart."""
    may = tokens.surface_parts[tokens.surface]
    number = {surface: index for index, surface in enumerate(tokens.surfaces)}
    for compound in _COMPOUNDS:
        codes = [number.get(word, -1) for word in compound]
        match = tokens.clause[: -len(codes) + 1] == tokens.clause[len(codes) - 1 :]
        for offset, code in enumerate(codes):
            match = match & (tokens.surface[offset : offset + len(match)] == code)
        (first,) = np.nonzero(match)
        may[first] = BEGIN
        for inner in range(1, len(codes) - 1):
            may[first + inner] = MIDDLE | _FIXED
        may[first + len(codes) - 1] = END
    return may


def _together(tokens: Tokens, length: int) -> Bools:
    """Whether the ``length`` words from each word lie in one clause and are asserted or denied as one."""
    ahead = length - 1
    clause, scope = np.roll(tokens.clause, -ahead), np.roll(tokens.scope, -ahead)
    together = (clause == tokens.clause) & (scope == tokens.scope)
    if length > 2:  # the word between
        together &= np.roll(tokens.scope, -1) == tokens.scope
    together[max(len(together) - ahead, 0) :] = False
    return np.asarray(together)


def _frequent(lemma: Ints, row: Ints, min_rows: int) -> Ints:
    """``lemma`` renumbered, -1 where it stands in fewer than ``min_rows`` rows."""
    _, _, index = _supported(lemma, row, min_rows)
    return index


def _supported(code: Ints, row: Ints, min_rows: int) -> tuple[Ints, Ints, Ints]:
    """The codes ≥ 0 in at least ``min_rows`` rows, in how many, and each word's index among them (-1: none)."""
    index = np.full(len(code), -1, dtype=np.int64)
    (used,) = np.nonzero(code >= 0)
    if not len(used):
        return np.empty(0, np.int64), np.empty(0, np.int64), index
    values, inverse = np.unique(code[used], return_inverse=True)
    span = int(row.max()) + 1
    pairs = np.unique(inverse * span + row[used]) // span
    rows = np.bincount(pairs, minlength=len(values))
    enough = rows >= min_rows
    renumbered = np.where(enough, np.cumsum(enough) - 1, -1)
    index[used] = renumbered[inverse]
    return values[enough], rows[enough], index


def _first_places(index: Ints, count: int) -> Ints:
    places = np.full(count, -1, dtype=np.int64)
    (used,) = np.nonzero(index >= 0)
    places[index[used][::-1]] = used[::-1]
    return places


def _compress(code: Ints) -> Ints:
    compressed = np.full(len(code), -1, dtype=np.int64)
    (used,) = np.nonzero(code >= 0)
    if len(used):
        compressed[used] = np.unique(code[used], return_inverse=True)[1]
    return compressed


def _lemmas_at(tokens: Tokens, place: int, length: int) -> tuple[str, ...]:
    return tuple(tokens.lemmas[tokens.surface_lemma[s]] for s in tokens.surface[place : place + length])


def lemma_numbers(lemmas: Sequence[str]) -> dict[str, int]:
    """The number of each lemma."""
    return {lemma: number for number, lemma in enumerate(lemmas)}
