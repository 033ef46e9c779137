"""How a model is asked for attributes: in words, and as the JSON schema of its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from yoin.captions.attributes.kinds import Attribute, plain

# Prompts ask for sentences; here the fields decide.
_WORDS = {
    "en": {
        "start": "Give the answer not as sentences but as one JSON object and nothing else, whatever is said above of "
        "its form, its length or its words. It has exactly these fields, each with the value that fits best:",
        "field": "- {}: {} {}",
        "enum": "One of: {}.",
        "number": "A number from {} to {}{}.",
        "whole": "A whole number from {} to {}{}.",
        "unit": " ({})",
        "bool": "true or false.",
    },
    "ja": {
        "start": "形式、長さ、言葉づかいについて上に何と書かれていても、文章ではなく、一つのJSONオブジェクトだけで"
        "答えてください。項目は次のとおりで、それぞれ最もよく当てはまる値を入れてください:",
        "field": "- {}: {}{}",
        "enum": "次のうち一つ: {}。",
        "number": "{}から{}までの数{}。",
        "whole": "{}から{}までの整数{}。",
        "unit": "(単位: {})",
        "bool": "true か false。",
    },
}


def instruction(attributes: Sequence[Attribute], lang: str) -> str:
    """What is added to the prompt: the fields, what each means, and what it can be."""
    words = _WORDS[lang]
    lines = [words["field"].format(one.name, one.about, _range(one, words)) for one in attributes]
    return "\n".join([words["start"], *lines])


def response_schema(attributes: Sequence[Attribute]) -> dict[str, Any]:
    """The JSON schema of an answer, in the part of the standard that the services share."""
    return {
        "type": "object",
        "properties": {one.name: _property(one) for one in attributes},
        "required": [one.name for one in attributes],
        "additionalProperties": False,
    }


def _range(attribute: Attribute, words: dict[str, str]) -> str:
    if attribute.kind == "enum":
        return words["enum"].format(", ".join(json.dumps(value, ensure_ascii=False) for value in attribute.values))
    if attribute.kind == "bool":
        return words["bool"]
    unit = words["unit"].format(attribute.unit) if attribute.unit else ""
    return words["whole" if attribute.whole else "number"].format(plain(attribute.low), plain(attribute.high), unit)


def _property(attribute: Attribute) -> dict[str, Any]:
    told: dict[str, Any] = {"description": attribute.about}
    if attribute.kind == "enum":
        return {"type": "string", "enum": list(attribute.values), **told}
    if attribute.kind == "bool":
        return {"type": "boolean", **told}
    low, high = attribute.low, attribute.high
    if attribute.whole:
        return {"type": "integer", "minimum": int(low), "maximum": int(high), **told}
    return {"type": "number", "minimum": low, "maximum": high, **told}
