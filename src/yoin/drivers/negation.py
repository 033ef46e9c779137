"""What a caption denies: "no text", "without any people, animals or text", "text is not visible".

A denial reaches from its negation word to the right, over "or" and over a list that ends in "or", and stops
at "but", "and", a preposition other than "of", or the end of the clause. A few forms deny what stands before
them ("text is absent", "text is not visible", 文字はない). The rules are for English and plain Japanese.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from yoin.drivers.japanese import tells
from yoin.language import FUNCTION_WORDS, NEGATIONS

SOFT, HARD = 1, 2  # what stands before a word: a comma or the like, or anything that ends a clause; 0: blanks only

_STOPS = frozenset(
    """
    and but yet so while whereas although though because as than then which who whom that if
    in on at by for with from to into onto over under between among across against through during near
    about above below behind beside around along within toward towards via like
    """.split()
)
_BE = frozenset("is are was were be been being appears appear seems seem remains remain".split())
_SEEN = frozenset("visible present shown included seen apparent evident there any depicted displayed".split())
_ABSENT = frozenset("absent missing lacking nonexistent".split())
# "not only the face": an assertion in the form of a denial
_NOT_A_DENIAL = frozenset("only just merely longer".split())
_CJK_DENIAL = re.compile(r"^[がはもので]?(?:っ?て)?(?:は)?(?:なし|ない|なく|いない|いません|ありません|ません|ず$)")
_CJK_LINKS = frozenset("が は も を の や と か で には では".split())
_IDEOGRAM = re.compile(r"^[\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff々]+$")
_REACH = 6  # words a denial reaches at most in one clause
_ITEM = 4  # words an item of a denied list has at most


def denies(word: str) -> bool:
    """Whether the lower-case ``word`` may open or close a denial, so that its caption needs a look."""
    return word in NEGATIONS or word in _ABSENT or _CJK_DENIAL.match(word) is not None


def denial_scopes(words: Sequence[str], breaks: Sequence[int]) -> list[int]:
    """For each lower-case word of one caption, 0 where it is asserted, else 1 + the position of what denies it.

    ``breaks`` says what stands before each word: 0, `SOFT` or `HARD`. The denying word itself is not in its scope.
    """
    scopes = [0] * len(words)
    for position, word in enumerate(words):
        if _CJK_DENIAL.match(word):
            _deny_back_cjk(words, breaks, position, scopes)
        elif word in _ABSENT and position and not breaks[position] and words[position - 1] in _BE:
            _deny_back(words, breaks, position - 1, position, scopes)
        elif word in NEGATIONS and not scopes[position]:
            after = words[position + 1] if position + 1 < len(words) else ""
            copula = word in ("isn't", "aren't") or (
                word in ("not", "never") and position > 0 and not breaks[position] and words[position - 1] in _BE
            )
            if after in _NOT_A_DENIAL:
                continue
            if copula and after in _SEEN and not breaks[position + 1]:
                subject_end = position if word in ("isn't", "aren't") else position - 1
                if _deny_back(words, breaks, subject_end, position, scopes):
                    continue
            _deny_ahead(words, breaks, position, scopes)
    return scopes


def _deny_ahead(words: Sequence[str], breaks: Sequence[int], negator: int, scopes: list[int]) -> None:
    reach = 0
    for position in range(negator + 1, len(words)):
        if breaks[position] == HARD or words[position] in _STOPS:
            return
        if breaks[position] == SOFT:
            if not _list_goes_on(words, breaks, position):
                return
            reach = 0
        reach = 0 if words[position] in ("or", "nor") else reach + 1
        if reach > _REACH:
            return
        if words[position] not in NEGATIONS:
            scopes[position] = negator + 1


def _list_goes_on(words: Sequence[str], breaks: Sequence[int], start: int) -> bool:
    """Whether the words from ``start``, which follow a comma, are items of a list that ends in "or"."""
    length = 0
    for position in range(start, len(words)):
        if breaks[position] == HARD or words[position] in _STOPS:
            return False
        if words[position] in ("or", "nor"):
            return True
        length = 1 if breaks[position] == SOFT else length + 1
        if length > _ITEM:
            return False
    return False


def _deny_back(words: Sequence[str], breaks: Sequence[int], end: int, negator: int, scopes: list[int]) -> bool:
    """Deny the noun phrase that ends before ``end``; whether there was one."""
    found = False
    for position in range(end - 1, max(end - 4, -1), -1):
        if words[position] in FUNCTION_WORDS or words[position] in NEGATIONS:
            break
        scopes[position] = negator + 1
        found = True
        if breaks[position]:
            break
    return found


def _deny_back_cjk(words: Sequence[str], breaks: Sequence[int], negator: int, scopes: list[int]) -> None:
    if breaks[negator]:
        return
    for position in range(negator - 1, -1, -1):
        word = words[position]
        if _IDEOGRAM.match(word):
            scopes[position] = negator + 1
        elif position == negator - 1 and word not in _CJK_LINKS:  # a verb: 写っていない, 笑っていない
            scopes[position] = negator + 1
            if not tells(word):
                return
        elif word not in _CJK_LINKS:
            return
        if breaks[position]:
            return
