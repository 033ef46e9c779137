"""From values to a caption: a short sentence an attribute, always in the same words and the same order.

Each phrase is a sentence of its own, so that neither a denial nor a phrase of the driver analysis reaches into the next
one, and an explanation has one part an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from yoin.captions.attributes.kinds import Attribute, Value

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


def sentences(values: Mapping[str, Value], attributes: Sequence[Attribute]) -> str:
    """The caption that tells every one of ``values``.

    A number is told by its level: its digits would be a word of their own for a model of texts.
    """
    return "".join(_sentence(one.phrase(values[one.name])) for one in attributes).strip()


def _sentence(phrase: str) -> str:
    if _CJK.search(phrase):
        return f"{phrase}。"
    return f"{phrase[0].upper()}{phrase[1:]}. "
