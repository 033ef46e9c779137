"""Mentions of people's sensitive traits: word lists, what they find in texts, and which concepts are set apart.

A mention is set apart from creative drivers and never offered as advice: that a gender or a skin tone goes with a
metric says something about an audience or a platform, and is no element of design.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from yoin.drivers.audit import FEWEST_ROWS
from yoin.drivers.effects import intervals, lifts, q_values
from yoin.drivers.inputs import cluster_numbers, finite_column, labels_of
from yoin.errors import UsageError
from yoin.values import Drivers

LANGUAGES = ("en", "ja")
REPLACE = "replace"
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_RUN = re.compile(r"\w+|[^\w\s\-]")


@dataclass(frozen=True, slots=True)
class Mention:
    """A group of words of one ``topic``, such as gender: women."""

    topic: str
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The mentions that are looked for, each once, in the order of the lists."""

    mentions: tuple[Mention, ...]

    def found_in(self, texts: Sequence[str]) -> np.ndarray:
        """Whether each text holds a word of each mention, denied or not: bool (texts, mentions)."""
        patterns = [_pattern(mention.words) for mention in self.mentions]
        starts = [_starts(mention.words) for mention in self.mentions]
        found = np.zeros((len(texts), len(patterns)), dtype=bool)
        for row, text in enumerate(texts):
            spelled = _folded(text)
            runs = set(_RUN.findall(spelled))
            ideographic = _CJK.search(spelled) is not None
            for column, (first, anywhere) in enumerate(starts):
                # Few lists have anything to do with a text, and only those are searched for in it.
                if not first.isdisjoint(runs) or (anywhere and ideographic):
                    found[row, column] = patterns[column].search(spelled) is not None
        return found

    def topics_of(self, texts: Iterable[str]) -> tuple[str, ...]:
        """The topics that any of ``texts`` mentions, in the order of the lists."""
        hit = np.flatnonzero(self.found_in(list(texts)).any(axis=0))
        return tuple(dict.fromkeys(self.mentions[place].topic for place in hit))

    def topics_of_concepts(self, drivers: pd.DataFrame) -> dict[str, tuple[str, ...]]:
        """The topics of every concept of a driver table whose name or phrases mention any."""
        found = {
            str(concept): self.topics_of([str(concept), *str(phrases).split("; ")])
            for concept, phrases in drivers[["concept", "phrases"]].itertuples(index=False, name=None)
        }
        return {concept: topics for concept, topics in found.items() if topics}


def load_lexicon(path: Path | None = None) -> Lexicon:
    """The built-in word lists, with a user's file added to them or in their place.

    Args:
        path: a TOML file with a table a topic and in it a list of words a mention. A list that is built in too is
            made longer by it; with ``replace = true`` at its top the file alone holds.

    Raises:
        UsageError: the file cannot be read, or is no such file.
    """
    lists: list[dict[str, Any]] = [_built_in(language) for language in LANGUAGES]
    if path is not None:
        given = _read(path)
        lists = [given] if given.pop(REPLACE, False) else [*lists, given]
    words: dict[tuple[str, str], list[str]] = {}
    for topics in lists:
        for topic, mentions in topics.items():
            for name, listed in mentions.items():
                words.setdefault((topic, name), []).extend(listed)
    return Lexicon(tuple(Mention(topic, name, tuple(dict.fromkeys(w))) for (topic, name), w in words.items()))


@lru_cache
def _built_in(language: str) -> dict[str, Any]:
    return tomllib.loads((files("yoin.drivers") / "words" / f"{language}.toml").read_text("utf-8"))


def _read(path: Path) -> dict[str, Any]:
    """The user's lists, checked.

    Raises:
        UsageError: no such file, not TOML, or something in it that is no list of words.
    """
    name = path.name
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"the word list {name!r} cannot be read", stage="audit", remedy="check the path of --audit-words"
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"the word list {name!r} is not a TOML file: {error}",
            stage="audit",
            remedy="see the reference for its form",
        ) from error
    topics = {topic: content for topic, content in given.items() if topic != REPLACE}
    if not isinstance(given.get(REPLACE, False), bool):
        raise UsageError(f"replace in {name!r} is neither true nor false", stage="audit")
    for topic, mentions in topics.items():
        if not isinstance(mentions, dict):
            raise UsageError(
                f"{topic!r} in {name!r} is not a topic with lists of words", stage="audit",
                remedy=f"write [{topic}] on a line and below it a line such as: women = [\"woman\"]",
            )  # fmt: skip
        for mention, listed in mentions.items():
            if not isinstance(listed, list) or not all(isinstance(word, str) and word.strip() for word in listed):
                raise UsageError(f"{topic}: {mention!r} in {name!r} is not a list of words", stage="audit")
    return given


@lru_cache(maxsize=256)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """What finds any of ``words``: whole words, or in Chinese characters and kana any place."""
    alternatives = []
    for word in sorted(map(_folded, words), key=len, reverse=True):
        if _CJK.search(word):
            alternatives.append(re.escape(word))
        else:
            inner = r"[\s\-]+".join(map(re.escape, re.split(r"[\s\-]+", word.strip())))
            alternatives.append(rf"(?<!\w){inner}(?:'?s|')?(?!\w)")
    return re.compile("|".join(alternatives) if alternatives else r"(?!)")


@lru_cache(maxsize=256)
def _starts(words: tuple[str, ...]) -> tuple[frozenset[str], bool]:
    """What a text must hold for `_pattern`: one of the runs that its whole words begin with, or any CJK at all."""
    folded = list(map(_folded, words))
    first = {start.group() for word in folded if not _CJK.search(word) and (start := _RUN.search(word))}
    return frozenset(first | {f"{run}s" for run in first}), any(map(_CJK.search, folded))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def set_apart(found: Drivers, lexicon: Lexicon) -> Drivers:
    """``found`` with a note on every concept about people's traits, and without an opportunity for them."""
    topics = lexicon.topics_of_concepts(found.table)
    if not topics:
        return found
    table = found.table.copy()
    apart = table["concept"].astype(str).isin(topics)
    said = table["concept"].astype(str).map(lambda name: f"about people ({', '.join(topics.get(name, ()))}): no advice")
    table.loc[apart, "note"] = said[apart] + table.loc[apart, "note"].map(lambda note: f"; {note}" if note else "")
    table.loc[apart, "opportunity"] = np.nan
    return replace(found, table=table)


def mention_effects(
    captions: Sequence[str],
    metric: ArrayLike,
    lexicon: Lexicon,
    *,
    group: Sequence[Hashable] | pd.Series | None = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """How many captions hold each mention, and their metric against the rest: a row a mention that stands in any.

    Args:
        captions: n texts.
        metric: (n,) numbers.
        lexicon: what is looked for.
        group: labels of rows that belong together; they are counted as dependent.
        weight: positive weights of the rows.

    Returns:
        Columns ``topic, mention, n_with, n_without, prevalence, lift, low, high, p, q``; raw (weighted) differences of
        means with 95% intervals, no p under `FEWEST_ROWS` rows on a side, q over all that have one.

    Raises:
        UsageError: the lengths differ, or a metric or weight is not a number.
    """
    y = finite_column("metric", metric, rows=len(captions))
    w = None if weight is None else finite_column("weight", weight, rows=len(y), positive=True)
    clusters = None if group is None else cluster_numbers(len(y), [labels_of("group", group, len(y))])
    held = lexicon.found_in(list(captions))
    here = np.flatnonzero(held.any(axis=0))
    present = held[:, here]
    n_with = present.sum(axis=0)
    found = intervals(lifts(y, sparse.csc_array(present.astype(np.float64)), w, clusters), float(np.std(y)) or 1.0)
    enough = np.minimum(n_with, len(y) - n_with) >= FEWEST_ROWS
    columns = {"lift": found.value, "low": found.low, "high": found.high, "p": found.p}
    frame = pd.DataFrame({name: np.where(enough, values, np.nan) for name, values in columns.items()})
    frame.insert(0, "topic", [lexicon.mentions[k].topic for k in here])
    frame.insert(1, "mention", [lexicon.mentions[k].name for k in here])
    frame.insert(2, "n_with", n_with)
    frame.insert(3, "n_without", len(y) - n_with)
    frame.insert(4, "prevalence", n_with / max(len(y), 1))
    return frame.assign(q=q_values(frame["p"].to_numpy(dtype=np.float64)))
