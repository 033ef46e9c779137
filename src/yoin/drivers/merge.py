"""Which phrases mean the same, found without a look at the metric.

Embeddings put opposites close together ("warm palette", "cool palette"), so likeness alone never merges:
phrases that differ by a negation, a number or a word of an opposition, or that avoid each other's captions
although they share a word, stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from yoin.drivers.phrases import Unit
from yoin.drivers.tokens import concept_lemma

# One line an opposition; its sides are separated by "|".
_OPPOSITIONS = """
warm hot | cool cold chilly icy
dark dim black shadowy shady night | bright light lit sunny white luminous day
saturate vivid vibrant intense rich | desaturate mute dull pale faded faint pastel washed
colorful colourful color colour | monochrome monochromatic gray grey grayscale greyscale
red crimson scarlet | blue navy azure | green | yellow golden gold | orange | purple violet | pink | brown beige | cyan
left | right | middle center centre central
top upper above over high | bottom lower below under low beneath
foreground front | background back behind rear
inside indoor interior indoors | outside outdoor exterior outdoors
near close closeup close-up | far distant distance wide
large big huge giant | small tiny little
tall long | short
few little sparse minimal | much many several busy crowded dense cluttered more
empty blank bare | full crowded busy
open | close closed shut
old aged elderly | young youthful
old vintage retro | new modern contemporary
man male boy father husband gentleman guy his | woman female girl mother wife lady her
boy girl child kid baby | man woman adult
happy smile smiling cheerful | sad cry frown serious angry
day morning noon | night evening dusk midnight
summer | winter | spring | autumn fall
symmetrical symmetric balanced | asymmetrical asymmetric unbalanced
sharp crisp focused | soft blur blurry blurred unfocused
smooth | rough textured
high strong bold | low weak soft
horizontal landscape wide | vertical portrait tall
simple plain | complex detailed ornate busy
clean tidy | dirty messy
fast quick | slow
up | down
on | off
upper | lower
first | last second
urban city | rural countryside
real realistic photographic photograph photo | cartoon drawn illustrated illustration abstract animated
formal | casual
dry | wet
light | heavy
single alone solo solitary | group crowd couple pair several
"""
# Phrases that share a word and less than this share of the rarer one's captions avoid each other.
AVOIDANCE = 0.05


@lru_cache(maxsize=1)
def oppositions() -> tuple[tuple[frozenset[str], ...], ...]:
    """The sides of each opposition, as lemmas."""
    return tuple(
        tuple(
            frozenset(form for word in side.split() for form in (word, concept_lemma(word))) for side in line.split("|")
        )
        for line in _OPPOSITIONS.strip().splitlines()
    )


def opposed(a: Unit, b: Unit) -> bool:
    """Whether the two phrases differ by a negation, a number, or sides of an opposition."""
    if a.denied != b.denied or a.numbers != b.numbers:
        return True
    only_a, only_b = a.bag - b.bag, b.bag - a.bag
    for sides in oppositions():
        in_a, in_b = ({i for i, side in enumerate(sides) if side & only} for only in (only_a, only_b))
        if in_a and in_b and not in_a & in_b:
            return True
    return False


def group_by_words(units: Sequence[Unit]) -> list[list[int]]:
    """Units with the same meaning-carrying lemmas in any order ("warm palette", "palette is warm") as groups."""
    groups: dict[tuple[frozenset[str], bool], list[int]] = {}
    for index, unit in enumerate(units):
        groups.setdefault((unit.bag, unit.denied), []).append(index)
    return list(groups.values())


def group_by_likeness(
    heads: Sequence[Unit], vectors: NDArray[np.float64], present: sparse.csc_array, threshold: float
) -> list[list[int]]:
    """Groups of phrases in which every pair is alike: cosine ≥ ``threshold`` and nothing keeps them apart.

    Args:
        heads: one phrase each.
        vectors: their embeddings, shape (phrases, width).
        present: shape (rows, phrases), 1 where the phrase stands.
        threshold: the least cosine.

    Returns:
        Groups of positions in ``heads``; each phrase joins the first group, led by a more frequent phrase, whose
        members are all alike to it. Same input, same groups.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit_vectors = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    counts = np.asarray(present.sum(axis=0), dtype=np.float64)
    pairs = np.argwhere(np.triu(unit_vectors @ unit_vectors.T >= threshold, k=1))
    together = (present.T @ present).tocsr() if len(pairs) else None
    alike: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        if together is not None and _may_merge(heads[a], heads[b], float(together[a, b]), counts[a], counts[b]):
            alike.setdefault(a, set()).add(b)
            alike.setdefault(b, set()).add(a)
    order = sorted(range(len(heads)), key=lambda i: (-counts[i], heads[i].lemmas, heads[i].denied))
    groups: list[list[int]] = []
    group_of: dict[int, int] = {}
    for index in order:
        friends = alike.get(index, set())
        homes = sorted({group_of[f] for f in friends if f in group_of})
        home = next((h for h in homes if friends.issuperset(groups[h])), None)
        if home is None:
            home = len(groups)
            groups.append([])
        groups[home].append(index)
        group_of[index] = home
    return groups


def _may_merge(a: Unit, b: Unit, both: float, rows_a: float, rows_b: float) -> bool:
    if opposed(a, b):
        return False
    if a.bag < b.bag or b.bag < a.bag:  # a part and the whole: "face", "large face"
        return both >= 0.9 * max(rows_a, rows_b)
    return not (a.bag & b.bag and both < AVOIDANCE * min(rows_a, rows_b))
