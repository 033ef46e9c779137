"""A user's own list of concepts, and names of concepts that stay the same from run to run."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from yoin.drivers.concepts import Concepts
from yoin.drivers.phrases import given_unit
from yoin.errors import UsageError

MOST = 1000  # concepts in a list
LONGEST = 12  # words in a phrase: what is longer is a sentence, or another file
_SPLIT = re.compile(r"[,;、，；]")
_COLON = re.compile(r"[:：]")


def read_concepts(path: Path) -> dict[str, tuple[str, ...]]:
    """A user's list: one concept a line, and after a colon what else it is called, separated by commas.

    The name counts as a phrase too, unless it has no words. Blank lines and lines that begin with # say nothing.

    Raises:
        UsageError: the file cannot be read or is not UTF-8, a line names no words, too many, or a concept again, or
            there are none or more than `MOST`.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(
            f"the list of concepts {str(path)!r} cannot be read: {error.strerror or error}", stage="concepts",
            remedy="check the path",
        ) from None  # fmt: skip
    except UnicodeDecodeError:
        raise UsageError(f"{path.name!r} is not UTF-8 text", stage="concepts", remedy="save it as UTF-8") from None
    found: dict[str, tuple[str, ...]] = {}
    first: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        name, phrases = _entry(line)
        where = f"line {number} of {path.name!r}"
        if not name:
            raise UsageError(f"{where}: there is no name", stage="concepts", remedy="write one before the colon")
        for phrase in phrases or (name,):
            count = len(given_unit(phrase)[0].lemmas)
            if not 0 < count <= LONGEST:
                said, remedy = ("no words", "write a word or two") if not count else (f"{count} words", "write a few")
                raise UsageError(f"{where}: {phrase[:60]!r} has {said}", stage="concepts", remedy=f"{remedy} there")
        if name in first:
            raise UsageError(
                f"{where} names the concept {name!r} again, after line {first[name]}", stage="concepts",
                remedy="name each concept once",
            )  # fmt: skip
        first[name], found[name] = number, phrases
        if len(found) > MOST:
            raise UsageError(f"{path.name!r} names more than {MOST:,} concepts", stage="concepts", remedy="name fewer")
    if not found:
        raise UsageError(f"{path.name!r} names no concept", stage="concepts", remedy="write one a line")
    return found


def _entry(line: str) -> tuple[str, tuple[str, ...]]:
    name, *others = _COLON.split(line, maxsplit=1)
    name = " ".join(name.split())
    listed = [" ".join(phrase.split()) for other in others for phrase in _SPLIT.split(other)]
    phrases = [phrase for phrase in listed if phrase]
    if given_unit(name)[0].lemmas:
        phrases.insert(0, name)
    return name, tuple(dict.fromkeys(phrases))


def concept_ids(names: Sequence[str]) -> list[str]:
    """An id for each name that rests on the name alone: ``palette+warm`` of "warm palette", ``no:text`` of "no text".

    It is the content words' dictionary forms in the order of the alphabet, with ``no:`` before those of a denial; the
    folded name where it has no words. Where several names come to the same, each gets a mark of its spelling.
    """
    keys = [_key(name) for name in names]
    times = Counter(keys)
    return [
        key if times[key] == 1 else f"{key}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        for name, key in zip(names, keys, strict=True)
    ]


def _key(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name)
    unit, _ = given_unit(plain)
    if not unit.lemmas:
        return plain.casefold()
    return ("no:" if unit.denied else "") + "+".join(sorted(unit.bag))


def beside(own: Concepts, found: Concepts, most: int) -> Concepts:
    """The user's ``own`` concepts, then those ``found`` that are not among them, ``most`` in all or all own ones.

    A found concept gives way where its name is a phrase of an own one, in whatever forms of the words.
    """
    taken = {given_unit(phrase) for phrases in own.phrases for phrase in phrases}
    new = [k for k, label in enumerate(found.labels) if label not in own.labels and given_unit(label) not in taken]
    keep = new[: max(most - len(own.labels), 0)]
    kept = [found.labels[k] for k in keep]
    occurrences = pd.concat(
        [own.occurrences, found.occurrences[found.occurrences["concept"].isin(kept)]], ignore_index=True
    )
    return Concepts(
        labels=(*own.labels, *kept),
        phrases=(*own.phrases, *(found.phrases[k] for k in keep)),
        present=sparse.csc_array(sparse.hstack([own.present, found.present[:, np.asarray(keep, dtype=np.int64)]])),
        occurrences=occurrences.sort_values(["row_id", "start", "end", "concept"], kind="stable", ignore_index=True),
        supported=np.concatenate([own.supported, found.supported[keep]]),
        notes=(*own.notes, *found.notes),
    )
