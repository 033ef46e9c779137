"""Reading a file of attributes; every mistake in it is one clear sentence."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence

from yoin.captions.attributes.kinds import Attribute, Kind, plain
from yoin.errors import UsageError
from yoin.language import words

MOST = 40  # attributes; services refuse schemas much larger
_MOST_VALUES = 40
_MOST_LEVELS = 7
_LONGEST_NAME, _LONGEST_WORD, _LONGEST_LINE = 40, 60, 300  # characters
_LARGEST = 1e12  # of a number
_NAME = re.compile(r"[^\W\d_]\w*")

_KINDS: dict[str, Kind] = {"enum": "enum", "number": "number", "bool": "bool"}
_COMMON = ("kind", "about", "says")
_FIELDS = {"enum": ("values",), "number": ("min", "max", "unit", "whole", "levels"), "bool": ()}
_LEVELS = {"en": ("low", "medium", "high"), "ja": ("低", "中", "高")}
# How a value is told where the file does not say it.
_SAYS = {"en": "{{}} {name}", "ja": "{name}：{{}}"}
_NO = {"en": "no {}", "ja": "{}なし"}
_YES = {"en": "{}", "ja": "{}あり"}


def parse(text: str, where: str, lang: str) -> tuple[Attribute, ...]:
    """The attributes of a file.

    Args:
        text: what it holds.
        where: its name, for messages.
        lang: "en" or "ja", of what is told where the file does not say how.

    Raises:
        UsageError: it is not TOML, or an attribute is not as it should be.
    """
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        twice = re.match(r"Cannot (?:declare|overwrite)|Duplicate", str(error))
        problem = f"the attributes file {where} " + ("names something twice" if twice else "is not TOML")
        raise _wrong(f"{problem} ({_at(error)})", "name each attribute once" if twice else "mend that line") from error
    except RecursionError:
        raise _wrong(f"the attributes file {where} is nested too deeply", "give a table an attribute") from None
    if not tables:
        raise _wrong(f"the attributes file {where} has no attributes", "give each as a table, such as [people]")
    if len(tables) > MOST:
        raise _wrong(f"the attributes file {where} has {len(tables)} attributes", f"use at most {MOST}")
    seen: dict[str, str] = {}
    for name in tables:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise _wrong(f"{where} has {other!r} and {name!r}", "use names that differ in more than case")
    return tuple(_Reader(name, table, where, lang).attribute() for name, table in tables.items())


class _Reader:
    """One attribute's table."""

    def __init__(self, name: str, table: object, where: str, lang: str) -> None:
        self._name, self._where, self._lang = name, where, lang
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or name == "row_id":
            shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
            remedy = f"use up to {_LONGEST_NAME} letters, digits and _, a letter first, and not row_id"
            raise _wrong(f"{shown!r} in {where} is no name for an attribute", remedy)
        if not isinstance(table, dict):
            raise _wrong(f"{name!r} in {where} is not an attribute", f"give each as a table, such as [{name}]")
        self._table: dict[str, object] = table

    def attribute(self) -> Attribute:
        """The attribute."""
        kind = self._kind()
        known = (*_COMMON, *_FIELDS[kind])
        for field in self._table:
            if field not in known:
                near = difflib.get_close_matches(field, known, n=1)
                remedy = f"did you mean {near[0]}?" if near else f"a {kind} has {', '.join(known)}"
                raise self._wrong(f"has an unknown field {field!r}", remedy)
        about = self._line("about", self._table.get("about"), _LONGEST_LINE)
        if kind == "enum":
            values = self._list("values", 2, _MOST_VALUES)
            return Attribute(name=self._name, kind=kind, about=about, values=values, phrases=self._phrases(values))
        if kind == "bool":
            return Attribute(name=self._name, kind=kind, about=about, phrases=self._denial_and_assertion())
        low, high = self._limit("min"), self._limit("max")
        whole = self._table.get("whole", False)
        if not isinstance(whole, bool):
            raise self._wrong("has a 'whole' that is neither true nor false")
        if not low < high:
            raise self._wrong(f"goes from {plain(low)} to {plain(high)}", "make max larger than min")
        if whole and (low != int(low) or high != int(high)):
            raise self._wrong("is whole, but its min or max is not")
        unit = self._line("unit", self._table["unit"], _LONGEST_WORD) if "unit" in self._table else ""
        given = "levels" in self._table
        levels = self._list("levels", 2, _MOST_LEVELS) if given else _LEVELS[self._lang]
        phrases = self._phrases(levels)
        return Attribute(
            name=self._name, kind=kind, about=about, phrases=phrases, low=low, high=high, unit=unit, whole=whole
        )

    def _kind(self) -> Kind:
        kind = self._table.get("kind")
        if not isinstance(kind, str) or kind not in _KINDS:
            problem = f"is of an unknown kind, {_short(kind)}" if "kind" in self._table else "has no kind"
            raise self._wrong(problem, f"use {', '.join(_KINDS)}")
        return _KINDS[kind]

    def _line(self, field: str, given: object, longest: int) -> str:
        """A short text in one line."""
        if given is None:
            raise self._wrong(f"has no {field!r}", "say in one line what it means")
        if not isinstance(given, str):
            raise self._wrong(f"has {_short(given)} in {field!r}, which is not a text", "write it in quotes")
        line = given.strip()
        if not line:
            raise self._wrong(f"has a blank text in {field!r}")
        if len(line) > longest or not line.isprintable():
            raise self._wrong(f"has a text in {field!r} that is too long or not one line", f"use {longest} characters")
        return line

    def _list(self, field: str, least: int, most: int) -> tuple[str, ...]:
        """Some texts, each different."""
        given = self._table.get(field)
        if not isinstance(given, list):
            raise self._wrong(f"has no list {field!r}", f'write {field} = ["one", "another"]')
        if not least <= len(given) <= most:
            raise self._wrong(f"has {len(given)} in {field!r}", f"use {least} to {most}")
        texts = tuple(self._line(field, one, _LONGEST_WORD) for one in given)
        self._require_different(texts, field)
        return texts

    def _limit(self, field: str) -> float:
        given = self._table.get(field)
        if given is None:
            raise self._wrong(f"is a number without {field!r}", "give its range: min and max")
        if not isinstance(given, int | float) or isinstance(given, bool) or not abs(given) <= _LARGEST:
            raise self._wrong(f"has {_short(given)} in {field!r}, which is no usable number")
        return float(given)

    def _phrases(self, values: Sequence[str]) -> tuple[str, ...]:
        """What tells each of ``values``: a template with them, or a table of them."""
        says = self._table.get("says", _SAYS[self._lang].format(name=self._spelled()))
        if isinstance(says, dict):
            return self._from_table(says, values)
        template = self._line("says", says, _LONGEST_LINE)
        if template.count("{}") != 1:
            raise self._wrong("has a 'says' without a place for the value", "write {} where the value stands")
        spelled = ["no" if value.casefold() == "none" else value for value in values]
        return self._told([template.replace("{}", value) for value in spelled])

    def _denial_and_assertion(self) -> tuple[str, ...]:
        says = self._table.get("says", self._spelled())
        if isinstance(says, dict):
            return self._from_table(says, ("no", "yes"))
        thing = self._line("says", says, _LONGEST_LINE)
        return self._told([_NO[self._lang].format(thing), _YES[self._lang].format(thing)])

    def _from_table(self, says: dict[str, object], values: Sequence[str]) -> tuple[str, ...]:
        for value in says:
            if value not in values:
                raise self._wrong(f"says {value!r}, which is none of its values", f"use {', '.join(values)}")
        for value in values:
            if value not in says:
                raise self._wrong(f"does not say {value!r}", "give a phrase for each value, or one text for all")
        return self._told([self._line("says", says[value], _LONGEST_LINE) for value in values])

    def _told(self, phrases: Sequence[str]) -> tuple[str, ...]:
        """The phrases, without their full stops."""
        told = tuple(phrase.rstrip(".。 ") for phrase in phrases)
        for phrase in told:
            if not words(phrase):
                raise self._wrong(f"says {phrase!r}, in which there is no word")
        self._require_different(told, "phrases")
        return told

    def _require_different(self, texts: Sequence[str], what: str) -> None:
        seen: set[str] = set()
        for text in texts:
            if text.casefold() in seen:
                raise self._wrong(f"has {text!r} twice among its {what}", "make them differ in more than case")
            seen.add(text.casefold())

    def _spelled(self) -> str:
        return self._name.replace("_", " ").strip()

    def _wrong(self, problem: str, remedy: str = "") -> UsageError:
        return _wrong(f"the attribute {self._name!r} in {self._where} {problem}", remedy)


def _at(error: ValueError) -> str:
    """What is wrong and where, in one line."""
    line = " ".join(str(error).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _short(given: object) -> str:
    line = repr(given)
    return line if len(line) <= _LONGEST_WORD else f"{line[:_LONGEST_WORD]}…"


def _wrong(problem: str, remedy: str) -> UsageError:
    return UsageError(problem, stage="captions", remedy=remedy)
