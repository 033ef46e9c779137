"""Reading a model's answer: JSON as it was asked for, or a plain reason why it is not.

Nothing is guessed. What is let pass is a Markdown fence around the whole, another case or blanks around a word of an
enum, and a whole number written as 3.0.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import NoReturn

from yoin.captions.attributes.kinds import Attribute, Value, plain

_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*)\n[ \t]*```", re.DOTALL | re.IGNORECASE)
_LONGEST = 100_000  # characters of an answer
_SHOWN = 40  # characters quoted of what a model says


class AnswerError(ValueError):
    """An answer is not as it was asked for; the message is one plain line."""


def read(text: str, attributes: Sequence[Attribute]) -> dict[str, Value]:
    """The value of each attribute, in their order.

    Raises:
        AnswerError: the answer is not one JSON object with exactly these fields, each with a value that it can have.
    """
    if len(text) > _LONGEST:
        raise AnswerError("the answer is far too long")
    text = text.strip("\ufeff \t\r\n")
    fenced = _FENCE.fullmatch(text)
    try:
        answer = json.loads(fenced[1] if fenced else text, object_pairs_hook=_once, parse_constant=_no_constant)
    except AnswerError:
        raise
    except (ValueError, RecursionError):
        raise AnswerError("the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise AnswerError(f"the answer is {_shown(answer)}, not an object with the fields asked for")
    known = {one.name for one in attributes}
    if extra := [name for name in answer if name not in known]:
        raise AnswerError(f"the answer has a field that was not asked for: {_shown(extra[0])}")
    if missing := [one.name for one in attributes if one.name not in answer]:
        raise AnswerError(f"the answer has no {missing[0]}")
    return {one.name: _value(answer[one.name], one) for one in attributes}


def _value(given: object, attribute: Attribute) -> Value:
    if attribute.kind == "enum":
        return _word(given, attribute)
    if attribute.kind == "number":
        return _number(given, attribute)
    if not isinstance(given, bool):
        raise AnswerError(f"{attribute.name} is {_shown(given)}, neither true nor false")
    return given


def _word(given: object, attribute: Attribute) -> str:
    if isinstance(given, str):
        plainly = given.strip().casefold()
        for word in attribute.values:  # which differ in more than case
            if word.casefold() == plainly:
                return word
    raise AnswerError(f"{attribute.name} is {_shown(given)}, none of the words to choose from")


def _number(given: object, attribute: Attribute) -> int | float:
    low, high = attribute.low, attribute.high
    if isinstance(given, int | float) and not isinstance(given, bool) and low <= given <= high:  # NaN is not
        if not attribute.whole:
            return float(given)
        if given == int(given):
            return int(given)
    kind = "a whole number" if attribute.whole else "a number"
    raise AnswerError(f"{attribute.name} is {_shown(given)}, not {kind} from {plain(low)} to {plain(high)}")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise AnswerError(f"the answer has {_shown(name)} twice")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise AnswerError(f"the answer has {name}, which is no number")


def _shown(given: object) -> str:
    """What the model gave, in one short line that can be stored and shown."""
    if isinstance(given, dict):
        return "an object"
    if isinstance(given, list):
        return "a list"
    if isinstance(given, str):
        line = " ".join("".join(one if one.isprintable() else " " for one in given[: 4 * _SHOWN]).split())
        return f"'{_cut(line)}'"
    if isinstance(given, float) and not math.isfinite(given):
        return "an endless number"
    return _cut(json.dumps(given))


def _cut(line: str) -> str:
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
