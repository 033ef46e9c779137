"""The vocabulary of concepts, chosen from the captions alone, and where each concept stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from yoin.drivers.merge import group_by_likeness, group_by_words
from yoin.drivers.phrases import Found, Places, Unit, find_given, find_units, lemma_numbers, spans, spelling
from yoin.drivers.tokens import Bools, Ints, Tokens, tokenise
from yoin.errors import UsageError
from yoin.options import DriverOptions
from yoin.values import OCCURRENCE_COLUMNS, Embed

NESTED = 0.95  # a phrase that stands inside one longer phrase in this share of its places gives way to it
MERGE_POOL = 4  # times max_concepts phrases are compared with each other


@dataclass(frozen=True, slots=True)
class Concepts:
    """Concepts and where they stand.

    ``present`` is 1 where a caption asserts the concept, shape (captions, concepts); ``occurrences`` has
    `yoin.values.OCCURRENCE_COLUMNS` but the id, with the caption's position as row_id; ``supported`` marks the
    concepts with enough captions and groups on either side.
    """

    labels: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]
    present: sparse.csc_array
    occurrences: pd.DataFrame
    supported: Bools
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Support:
    """Which indicators have enough captions, and groups, on either side."""

    captions: int
    min_rows: int
    min_groups: int
    clusters: Ints | None

    def enough_rows(self, present: sparse.csc_array) -> Bools:
        """For each column of ``present``, whether enough captions have it and enough do not."""
        rows = np.asarray(present.sum(axis=0))
        return np.asarray((rows >= self.min_rows) & (self.captions - rows >= self.min_rows))

    def enough_groups(self, present: sparse.csc_array) -> Bools:
        """For each column of ``present``, whether enough groups have captions with it, and enough without."""
        if self.clusters is None:
            return np.ones(present.shape[1], dtype=bool)
        size = np.bincount(self.clusters)
        member = sparse.csr_array(
            (np.ones(self.captions), (self.clusters, np.arange(self.captions))), shape=(len(size), self.captions)
        )
        with_it = (member @ present).toarray()
        some, not_all = (with_it > 0).sum(axis=0), (with_it < size[:, None]).sum(axis=0)
        return np.asarray((some >= self.min_groups) & (not_all >= self.min_groups))


def find_concepts(
    captions: Sequence[str],
    options: DriverOptions,
    *,
    clusters: Ints | None = None,
    embed: Embed | None = None,
    reads: Callable[[str], bool] = lambda text: True,
) -> Concepts:
    """The concepts of ``captions``: phrases with support, synonyms and twins merged, at most ``max_concepts``.

    ``clusters`` are the numbers of the groups the captions belong to. Concepts with enough captions but too few
    groups are listed last, as far as there is room, and are not ``supported``. ``reads`` says whether ``embed`` knows
    the words of a phrase: to an encoder that does not, they are all alike.
    """
    tokens = tokenise(captions)
    support = Support(len(captions), options.min_rows, options.min_groups, clusters)
    # Rarer phrases than a concept's least support still count as parts of a merged concept.
    found = find_units(tokens, max(2, options.min_rows // 4))
    places = _all_places(found)
    groups = group_by_words(found.units)
    groups, notes = _merge_by_likeness(tokens, found, places, groups, support, options, embed, reads)

    present = _indicators(tokens, places, groups, len(captions))
    groups = _select(groups, np.flatnonzero(support.enough_rows(present)))
    groups = _select(groups, np.flatnonzero(~_nested(found, groups)))
    present = _indicators(tokens, places, groups, len(captions))
    groups = _merge_twins(found, groups, present)

    present = _indicators(tokens, places, groups, len(captions))
    testable = support.enough_groups(present)
    names = [found.units[_head(found, group)] for group in groups]
    rows = np.asarray(present.sum(axis=0))
    order = sorted(
        range(len(groups)),
        key=lambda c: (not testable[c], -min(rows[c], len(captions) - rows[c]), names[c].lemmas, names[c].denied),
    )[: options.max_concepts]
    if len(groups) > options.max_concepts:
        notes.append(
            f"of {len(groups)} concepts with enough captions, the {options.max_concepts} best supported are listed"
        )
    groups = _select(groups, order)
    labels, phrases = [], []
    for group in groups:
        spelled = {unit: spelling(tokens, places[unit], found.units[unit]) for unit in group}
        labels.append(spelled[_head(found, group)])
        phrases.append(tuple(spelled[u] for u in sorted(group, key=lambda u: (-found.rows[u], spelled[u]))))
    denials = _denials(found, groups)
    return Concepts(
        labels=tuple(labels),
        phrases=tuple(phrases),
        present=_select_columns(present, order),
        occurrences=_occurrences(
            tokens,
            labels,
            [[places[unit] for unit in group] for group in groups],
            [[places[unit] for unit in denial] for denial in denials],
        ),
        supported=testable[order] if order else np.empty(0, dtype=bool),
        notes=tuple(notes),
    )


def given_concepts(
    captions: Sequence[str],
    concepts: Sequence[str] | Mapping[str, Sequence[str]],
    options: DriverOptions,
    *,
    clusters: Ints | None = None,
) -> Concepts:
    """The user's own concepts, in their order, with or without support.

    Raises:
        UsageError: the list is empty, a name comes twice, or a phrase has no words.
    """
    vocabulary = _vocabulary(concepts)
    tokens = tokenise(captions)
    numbers = lemma_numbers(tokens.lemmas)
    asserted: list[list[Places]] = []
    denied: list[list[Places]] = []
    for name, phrases in vocabulary.items():
        hits = [find_given(tokens, phrase, numbers) for phrase in phrases]
        for phrase, (unit, _, _) in zip(phrases, hits, strict=True):
            if not unit.lemmas:
                raise UsageError(f"the phrase {phrase!r} of the concept {name!r} has no words", stage="drivers")
        asserted.append([places for hit in hits for places in hit[1]])
        denied.append([places for hit in hits for places in hit[2]])
    present = _columns(tokens, asserted, len(captions))
    support = Support(len(captions), options.min_rows, options.min_groups, clusters)
    return Concepts(
        labels=tuple(vocabulary),
        phrases=tuple(vocabulary.values()),
        present=present,
        occurrences=_occurrences(tokens, list(vocabulary), asserted, denied),
        supported=support.enough_rows(present) & support.enough_groups(present),
        notes=(),
    )


def _vocabulary(concepts: Sequence[str] | Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    if isinstance(concepts, str):
        raise UsageError("concepts is one text", stage="drivers", remedy="give a list of phrases")
    named: list[tuple[object, object]] = (
        list(concepts.items()) if isinstance(concepts, Mapping) else [(phrase, (phrase,)) for phrase in concepts]
    )
    vocabulary: dict[str, tuple[str, ...]] = {}
    for name, phrases in named:
        listed = (phrases,) if isinstance(phrases, str) else phrases
        if not isinstance(name, str) or not isinstance(listed, Sequence) or not all(isinstance(p, str) for p in listed):
            raise UsageError(f"the concept {name!r} is not a text with a list of phrases", stage="drivers")
        label = " ".join(name.split())
        if label in vocabulary:
            raise UsageError(f"the concept {label!r} is given twice", stage="drivers", remedy="name each concept once")
        if not listed:
            raise UsageError(f"the concept {label!r} has no phrases", stage="drivers", remedy="give at least one")
        vocabulary[label] = tuple(dict.fromkeys(" ".join(str(p).split()) for p in listed))
    if not vocabulary:
        raise UsageError("the list of concepts is empty", stage="drivers", remedy="leave it out to have them found")
    return vocabulary


def _merge_by_likeness(
    tokens: Tokens,
    found: Found,
    places: Sequence[Places],
    groups: list[list[int]],
    support: Support,
    options: DriverOptions,
    embed: Embed | None,
    reads: Callable[[str], bool],
) -> tuple[list[list[int]], list[str]]:
    if embed is None:
        return groups, ["phrases were merged by their words alone, without a text encoder"]
    present = _indicators(tokens, places, groups, support.captions)
    rows = np.asarray(present.sum(axis=0))
    heads = [found.units[_head(found, group)] for group in groups]
    balance = np.minimum(rows, support.captions - rows)
    pool = sorted(range(len(groups)), key=lambda g: (-balance[g], heads[g].lemmas, heads[g].denied))
    pool = sorted(pool[: MERGE_POOL * options.max_concepts])
    spelled = {g: spelling(tokens, places[_head(found, groups[g])], heads[g]) for g in pool}
    unread = [g for g in pool if not reads(spelled[g])]
    notes = ["phrases in a script that the text encoder does not read were merged by their words alone"][: len(unread)]
    pool = [g for g in pool if g not in set(unread)]
    if len(pool) < 2:
        return groups, notes
    texts = [spelled[g] for g in pool]
    vectors = np.asarray(embed(texts), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise UsageError("embed did not return one row of numbers a phrase", stage="drivers")
    merged = group_by_likeness(
        [heads[g] for g in pool], vectors, _select_columns(present, pool), options.merge_similarity
    )
    rest = sorted(set(range(len(groups))) - set(pool))
    joined = [[unit for member in group for unit in groups[pool[member]]] for group in merged]
    return joined + [groups[g] for g in rest], notes


def _all_places(found: Found) -> list[Places]:
    places: list[Places] = []
    for length, starts in enumerate(found.starts_with, start=1):
        (used,) = np.nonzero(starts >= 0)
        order = used[np.argsort(starts[used], kind="stable")]
        sizes = np.bincount(starts[order], minlength=len(found.units))[len(places) :]
        for block in np.split(order, np.cumsum(sizes)[:-1]) if len(sizes) else []:
            if len(block) == 0:  # the units of the longer phrases
                break
            places.append(Places(block, length))
    return places


def _indicators(
    tokens: Tokens, places: Sequence[Places], groups: Sequence[Sequence[int]], captions: int
) -> sparse.csc_array:
    return _columns(tokens, [[places[unit] for unit in group] for group in groups], captions)


def _columns(tokens: Tokens, columns: Sequence[Sequence[Places]], captions: int) -> sparse.csc_array:
    rows = [
        np.unique(np.concatenate([tokens.row[p.first] for p in places])) if places else np.empty(0, dtype=np.int64)
        for places in columns
    ]
    pointers = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
    index = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    return sparse.csc_array((np.ones(len(index)), index, pointers), shape=(captions, len(columns)))


def _select(groups: Sequence[list[int]], keep: Sequence[int] | Ints) -> list[list[int]]:
    return [groups[int(g)] for g in keep]


def _select_columns(present: sparse.csc_array, keep: Sequence[int]) -> sparse.csc_array:
    return sparse.csc_array(present[:, np.asarray(keep, dtype=np.int64)])


def _head(found: Found, group: Sequence[int]) -> int:
    """The unit that names a group: the most frequent one; of equals the one with more content and fewer words."""
    return min(
        group,
        key=lambda u: (
            -found.rows[u],
            found.units[u].denied,
            -len(found.units[u].bag),
            len(found.units[u].lemmas),
            found.units[u].lemmas,
        ),
    )


def _nested(found: Found, groups: Sequence[Sequence[int]]) -> Bools:
    """Which groups stand, nearly always, inside the phrases of one other group."""
    if not groups:
        return np.zeros(0, dtype=bool)
    group_of = np.full(len(found.units), -1, dtype=np.int64)
    for number, group in enumerate(groups):
        group_of[group] = number
    at = [np.where(starts >= 0, group_of[starts], -1) for starts in found.starts_with]
    count = len(groups)
    inside = []
    for short, inner in enumerate(at):
        for long in range(short + 1, len(at)):
            for offset in range(long - short + 1):
                outer = np.concatenate([np.full(offset, -1, dtype=np.int64), at[long][: len(at[long]) - offset]])
                (both,) = np.nonzero((inner >= 0) & (outer >= 0) & (inner != outer))
                # a place counts once for each outer group, in however many of its phrases it lies
                inside.append(((both * len(at) + short) * count + inner[both]) * count + outer[both])
    pairs = np.unique(np.concatenate(inside)) % (count * count) if inside and count else np.empty(0, dtype=np.int64)
    total = np.zeros(count)
    for inner in at:
        total += np.bincount(inner[inner >= 0], minlength=count)
    values, times = np.unique(pairs, return_counts=True)
    nested = np.zeros(count, dtype=bool)
    if len(values):
        within = times >= NESTED * total[values // count]
        nested[values[within] // count] = True
    return nested


def _merge_twins(found: Found, groups: Sequence[list[int]], present: sparse.csc_array) -> list[list[int]]:
    """Join the groups that stand in exactly the same captions; the most informative phrase leads."""
    twins: dict[bytes, list[int]] = {}
    for number in range(len(groups)):
        rows = present.indices[present.indptr[number] : present.indptr[number + 1]]
        twins.setdefault(rows.tobytes(), []).append(number)
    return [[unit for number in same for unit in groups[number]] for same in twins.values()]


def _denials(found: Found, groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each group, the units that deny one of its asserted phrases."""
    number = {unit: index for index, unit in enumerate(found.units)}
    return [
        [
            number[denial]
            for unit in group
            if not found.units[unit].denied and (denial := Unit(found.units[unit].lemmas, denied=True)) in number
        ]
        for group in groups
    ]


def _occurrences(
    tokens: Tokens, labels: Sequence[str], asserted: Sequence[Sequence[Places]], denied: Sequence[Sequence[Places]]
) -> pd.DataFrame:
    places = [
        (number, denial, place)
        for number, sides in enumerate(zip(asserted, denied, strict=True))
        for denial, side in enumerate(sides)
        for place in side
    ]
    sizes = [len(place.first) for _, _, place in places]
    stretches = [spans(tokens, place) for _, _, place in places]
    nothing = [np.empty(0, dtype=np.int64)]
    row = np.concatenate([tokens.row[place.first] for _, _, place in places] or nothing)
    start = np.concatenate([stretch[0] for stretch in stretches] or nothing)
    end = np.concatenate([stretch[1] for stretch in stretches] or nothing)
    concept = np.repeat(np.asarray([number for number, _, _ in places], dtype=np.int64), sizes)
    negated = np.repeat(np.asarray([denial for _, denial, _ in places], dtype=np.int64), sizes)

    # A phrase inside another phrase of the same concept ("palette" in "warm palette") is one occurrence: drop what
    # ends before something that began earlier in the same caption ends.
    order = np.lexsort((-end, start, negated, row, concept))
    where = np.stack([concept, row, negated])[:, order]
    first = np.concatenate([[True], np.any(where[:, 1:] != where[:, :-1], axis=0)])[: len(order)]
    reach = end[order] + np.cumsum(first) * (int(end.max(initial=0)) + 1)
    inside = np.concatenate([[False], reach[1:] <= np.maximum.accumulate(reach)[:-1]])[: len(order)]
    kept = order[~inside]
    rank = np.argsort(np.argsort(np.asarray(labels, dtype=np.str_), kind="stable"))
    kept = kept[np.lexsort((rank[concept[kept]], end[kept], start[kept], row[kept]))]
    return pd.DataFrame(
        {
            "row_id": row[kept],
            "concept": pd.Series(np.asarray(labels, dtype=object)[concept[kept]], dtype="str"),
            "start": start[kept],
            "end": end[kept],
            "negated": negated[kept] > 0,
        },
        columns=[name for name in OCCURRENCE_COLUMNS if name != "concept_id"],
    )
