"""Where words and phrases of Japanese text start, by BudouX, whose models come with the package."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budoux import Parser

_KANA = re.compile(r"[\u3040-\u30ff]")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff々]")
# A phrase that only describes the next one stays with it: 大きな犬が, 女性の顔が, 赤いドレスを.
_DESCRIBES = re.compile(r"(?<!な)[いのな]$")
# What denies the phrase before stays with that: 文字がない.
_DENIES = re.compile(r"^(?:ない|なく|なし|無い|無く|無し|いない|いません|ありません)")


def is_japanese(text: str) -> bool:
    """Whether ``text`` has kana: Chinese is written without."""
    return _KANA.search(text) is not None


def is_cjk(char: str) -> bool:
    """Whether ``char`` is kana or an ideograph."""
    return _JAPANESE.match(char) is not None


def word_starts(text: str) -> set[int]:
    """Where the words of ``text`` start, in code points."""
    return starts("ja_word", text)


def phrase_starts(text: str) -> set[int]:
    """Where the phrases start: bunsetsu, joined where one describes the next or denies the one before."""
    edges = [*sorted(starts("ja", text)), len(text)]
    kept = {0}
    for before, start, end in zip(edges, edges[1:], edges[2:], strict=False):
        if not (_DESCRIBES.search(text[before:start]) or _DENIES.match(text[start:end])):
            kept.add(start)
    return kept


def starts(model: str, text: str) -> set[int]:
    """Where the pieces of ``text`` start by one of BudouX's models: ja, ja_word, zh-hans, zh-hant, th."""
    found, at = {0}, 0
    for piece in _parser(model).parse(text):
        found.add(at)
        at += len(piece)
    return found


@lru_cache(maxsize=5)
def _parser(name: str) -> Parser:
    from budoux import Parser

    return Parser(json.loads((files("budoux") / "models" / f"{name}.json").read_text("utf-8")))
