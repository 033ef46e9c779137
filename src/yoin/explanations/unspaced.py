"""Where words start in Chinese and Thai, which are written without blanks: by BudouX, with its models."""

from __future__ import annotations

import itertools
import re
import unicodedata

from yoin.japanese import is_cjk, starts

_IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_THAI = re.compile(r"[\u0e00-\u0e7f]")

# Words that introduce a phrase, and words that deny what follows, of Chinese and Thai.
OPENERS = frozenset(
    "在 从 從 对 對 和 与 與 及 以及 也 把 被 向 于 於 是 有 และ ที่ ใน บน ของ กับ หรือ จาก โดย มี คือ".split()
)
DENIALS = frozenset("没有 沒有 没 沒 无 無 不 未 毫无 毫無 ไม่ ไม่มี ไร้ ปราศจาก".split())
# Particles that belong to the word before: 红色的.
_PARTICLES = frozenset("的 地 得 了 着 著 过 過 们 們".split())


def is_unspaced(char: str) -> bool:
    """Whether ``char`` is of a script that writes no blanks between words."""
    return is_cjk(char) or _THAI.match(char) is not None


def word_starts(text: str) -> set[int]:
    """Where words of ``text`` start inside runs of ideographs or of Thai, in code points."""
    found: set[int] = set()
    if _IDEOGRAPH.search(text):
        edges = [*sorted(starts("zh-hant" if _is_traditional(text) else "zh-hans", text)), len(text)]
        found |= {
            start
            for start, end in itertools.pairwise(edges)
            if start and text[start:end] not in _PARTICLES and all(map(_IDEOGRAPH.match, text[start - 1 : start + 1]))
        }
    if _THAI.search(text):
        found |= {
            start
            for start in starts("th", text)
            if start
            and all(map(_THAI.match, text[start - 1 : start + 1]))
            and unicodedata.category(text[start]) != "Mn"
        }
    return found


def _is_traditional(text: str) -> bool:
    """Whether more ideographs are in the usual encoding of traditional Chinese than in that of simplified Chinese."""
    characters = _IDEOGRAPH.findall(text)
    return sum(_encodes(char, "big5") - _encodes(char, "gb2312") for char in characters) > 0


def _encodes(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
