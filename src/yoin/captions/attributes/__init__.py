"""Attributes: what a captioner fills in instead of writing freely, built in or from the user's own file.

A file is TOML in UTF-8, a table an attribute; ``general.en.toml`` beside this one is an example:

    [people]
    kind = "enum"                           # one of some words
    about = "How many people can be seen."
    values = ["none", "one", "some"]
    says = "{} people"                      # or for each value: says = { none = "nobody", one = "one person", ... }

    [empty_space]
    kind = "number"
    about = "How much of the image is empty background."
    min = 0
    max = 100
    unit = "percent"                        # may be left out, as all that follows; whole = true takes no fractions
    levels = ["little", "some", "much"]     # equal parts of the range, from low to high, by which it is told
    says = "{} empty space"

    [motion]
    kind = "bool"
    about = "Whether something moves fast."
    says = { yes = "fast motion", no = "no fast motion" }   # or: says = "fast motion"

The model answers with one JSON object. What it is asked is part of a call's key; ``says`` and ``levels`` are not, as
they only turn an answer into sentences: the ledger keeps the answer itself.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from yoin.captions.attributes.answers import AnswerError, read
from yoin.captions.attributes.asking import instruction, response_schema
from yoin.captions.attributes.kinds import Attribute, Value
from yoin.captions.attributes.parsing import parse
from yoin.captions.attributes.sentences import sentences
from yoin.captions.prompts import exists, read_text
from yoin.errors import UsageError
from yoin.options import CaptionOptions
from yoin.values import Caption

__all__ = ["Attribute", "Schema", "Value", "asked", "load", "names", "require_taken", "with_form"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Attributes, and all that is made of them.

    Attributes:
        attributes: in their order.
        instruction: what is added to the prompt.
        response_schema: the JSON schema of an answer.
        id: SHA-256 in hex of the two: another word asked, another id.
    """

    attributes: tuple[Attribute, ...]
    instruction: str
    response_schema: Mapping[str, object]
    id: str

    def values(self, made: Caption) -> dict[str, Value] | None:
        """What a captioner's answer says of each attribute; None where it is not ok or not as asked."""
        if made.status != "ok":
            return None
        try:
            return read(made.text, self.attributes)
        except AnswerError:
            return None

    def checked(self, made: Caption) -> Caption:
        """The answer itself, or where it is not as asked a ``failed`` caption that says why."""
        if made.status != "ok":
            return made
        try:
            read(made.text, self.attributes)
        except AnswerError as error:
            return replace(made, text="", status="failed", reason=str(error))
        return made

    def told(self, made: Caption) -> Caption:
        """The answer as sentences; what is not an ok answer comes back as it is."""
        values = self.values(made)
        return made if values is None else replace(made, text=sentences(values, self.attributes))


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The built-in schemas' names, sorted."""
    found = {item.name.partition(".")[0] for item in files(__name__).iterdir() if item.name.endswith(".toml")}
    return tuple(sorted(found))


def load(name_or_file: str, lang: str = "en") -> Schema:
    """Return a built-in schema by its name, or the user's own by the path of a TOML file.

    A built-in name always means the built-in one; ``./general`` is a file.

    Args:
        name_or_file: one of `names`, or a path.
        lang: "en" or "ja", of the built-in one, of what is said around the attributes, and of sentences where a file
            does not give its own.

    Raises:
        UsageError: no such schema or file, or one that is not as it should be.
    """
    if name_or_file in names():
        where = f"{name_or_file}.{lang}.toml"
        resource = files(__name__) / where
        if not resource.is_file():
            raise _wrong(f"no built-in attributes are written in {lang!r}", "use en or ja")
        return _schema(parse(resource.read_text(encoding="utf-8"), where, lang), lang)
    path = Path(name_or_file)
    if not name_or_file.strip() or not exists(path):
        near = difflib.get_close_matches(name_or_file, names(), n=1)
        remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(names())}, or the path of a TOML file"
        raise _wrong(f"there are no attributes {name_or_file!r}, neither built in nor as a file", remedy)
    return _schema(parse(read_text(path, "attributes file"), str(path), lang), lang)


def asked(options: CaptionOptions) -> Schema | None:
    """The attributes that ``options`` ask for, None where they ask for free text.

    Raises:
        UsageError: as `load` raises it.
    """
    return None if options.attributes is None else load(options.attributes, options.lang)


def with_form(user: str, schema: Schema | None) -> str:
    """The user prompt, with what is asked for after it."""
    return f"{user}\n\n{schema.instruction}" if schema else user


def require_taken(captioner: object, name: str) -> None:
    """See that a captioner, or its class, fills in attributes.

    Raises:
        UsageError: it does not.
    """
    if not getattr(captioner, "takes_attributes", False):
        raise _wrong(
            f"the captioner {name} cannot fill in attributes",
            "use a vision-language model such as gemini, vertex, openai or hf, or leave out --attributes",
        )


def _schema(attributes: tuple[Attribute, ...], lang: str) -> Schema:
    text, shape = instruction(attributes, lang), response_schema(attributes)
    identity = hashlib.sha256(json.dumps([text, shape], ensure_ascii=False).encode()).hexdigest()
    return Schema(attributes=attributes, instruction=text, response_schema=shape, id=identity)


def _wrong(problem: str, remedy: str) -> UsageError:
    return UsageError(problem, stage="captions", remedy=remedy)
