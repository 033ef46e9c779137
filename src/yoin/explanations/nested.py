"""Long captions, whose phrases are too many for the budget: sentences first, then their phrases, then words.

The tree is caption → sentences → phrases → words, with some sentences together where there are very many, and a very
long one in parts. First the sentences are the players. Then those with the largest values are taken apart, one level
after the other: a part gets its Owen value (Owen, 1977; Winter, 1989, for several levels), its Shapley value among its
siblings in the mean over coalitions of what stands beside each of its ancestors. It is estimated from pairs of a
coalition of the siblings and its complement, each pair in a context of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from yoin.explanations.game import Floats, Masks
from yoin.explanations.players import Players
from yoin.explanations.sampling import draw_pairs
from yoin.explanations.surrogate import fit
from yoin.explanations.table import Table

MAX_PHRASES = 48  # of a caption whose phrases are the first level
MAX_TOP = 24  # sentences, or groups of them, else
CALLS_A_PART = 3
_MAX_PARTS = 8
_MAX_SENTENCE = 12  # phrases; a longer one is cut


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring words [first, last) of a caption, and what stands beside it and beside each of its ancestors."""

    first: int
    last: int
    beside: tuple[tuple[tuple[int, int], ...], ...] = ()


def top(players: Players, most: int = MAX_TOP, max_phrases: int = MAX_PHRASES) -> list[tuple[int, int]]:
    """The ranges of words on the first level: the phrases, or at most ``most`` groups where phrases are too many."""
    if len(players.phrases) <= max_phrases:
        return list(players.phrases)
    pieces: list[tuple[int, int]] = []
    for first, last in players.sentences:
        count = -(-(last - first) // _MAX_SENTENCE)
        pieces += _even([players.phrases[number] for number in range(first, last)], count)
    return _even(pieces, most)


def pieces(players: Players, part: Part, most: int) -> list[Part]:
    """What ``part`` is made of, in at most ``most`` parts: sentences, phrases or words; none of a single word."""
    phrases = [(first, last) for first, last in players.phrases if part.first <= first and last <= part.last]
    sentences = [(players.phrases[first][0], players.phrases[last - 1][1]) for first, last in players.sentences]
    sentences = [(first, last) for first, last in sentences if part.first <= first and last <= part.last]
    words = [(word, word + 1) for word in range(part.first, part.last)]
    ranges = next((some for some in (sentences, phrases, words) if len(some) > 1), [])
    found = _even(ranges, most)
    return [
        Part(*each, beside=(*part.beside, tuple(other for other in found if other != each)))
        for each in found
        if len(found) > 1
    ]


def refine(
    players: Players,
    table: Table,
    values: Floats,
    errors: Floats,
    ranges: Sequence[tuple[int, int]],
    budget: int,
    rng: np.random.Generator,
) -> Generator[Masks, Floats, dict[tuple[int, int], tuple[float, float]]]:
    """Take parts with large values apart while ``table`` holds fewer than ``budget`` sets of words.

    ``values`` and ``errors`` are those of the first level's ``ranges``. Returned are the value and the standard error
    of each range of words that is left, in no order.
    """
    found = {
        Part(*each, beside=(tuple(other for other in ranges if other != each),)): (float(value), float(error))
        for each, value, error in zip(ranges, values, errors, strict=True)
    }
    closed: set[Part] = set()
    while True:
        left = budget - table.size
        rounds: list[tuple[Part, list[Part], int]] = []
        for part in sorted(found, key=lambda part: -abs(found[part][0])):
            # Half of what is left is for the levels below.
            most = min(_MAX_PARTS, left // CALLS_A_PART)
            if part in closed or most < 2 or (rounds and left < (budget - table.size) // 2):
                continue
            inside = pieces(players, part, most)
            if not inside:
                closed.add(part)
                continue
            pairs = -(-CALLS_A_PART * len(inside) // 2)
            pairs = pairs if left - 2 * pairs >= 0 else left // 2
            left -= 2 * pairs
            rounds.append((part, inside, pairs))
        if not rounds:
            break
        if left < 2 * CALLS_A_PART:  # too few for another part
            part, inside, pairs = rounds[0]
            rounds[0] = part, inside, pairs + left // 2
        asked = [(part, inside, *_asked(players, inside, pairs, rng)) for part, inside, pairs in rounds]
        for _, _, _, masks in asked:
            table.waiting |= table.unknown(masks.reshape(-1, masks.shape[-1]))
        yield from table.ask()
        for part, inside, chosen, masks in asked:
            value, error = found.pop(part)
            seen = table.values(masks)  # (2, pairs)
            parts, their_errors = fit(chosen, (seen[0] - seen[1]) / 2, value)
            spread = np.hypot(their_errors, error / len(inside))
            found |= dict(zip(inside, zip(parts.tolist(), spread.tolist(), strict=True), strict=True))
    return {(part.first, part.last): pair for part, pair in found.items()}


def _asked(players: Players, inside: Sequence[Part], pairs: int, rng: np.random.Generator) -> tuple[Masks, Masks]:
    """Coalitions (pairs, parts) of siblings, and the words kept for these and their complements (2, pairs, words)."""
    count = len(inside)
    there = 2 ** (count - 1) - 1
    drawn: list[Masks] = []
    while sum(map(len, drawn)) < pairs:
        some = min(max(pairs - sum(map(len, drawn)), count - 1), there)
        drawn.append(draw_pairs(count, some, rng).coalitions)
    chosen = np.concatenate(drawn)[:pairs]
    masks = np.zeros((2, pairs, len(players.words)), dtype=np.bool_)
    for number in range(0, pairs, 2):  # a context and its complement
        context = np.zeros(len(players.words), dtype=np.bool_)
        outside = np.zeros(len(players.words), dtype=np.bool_)
        for others in inside[0].beside[:-1]:
            size = int(rng.integers(len(others) + 1))
            kept = set(rng.choice(len(others), size=size, replace=False).tolist())
            for place, (first, last) in enumerate(others):
                (context if place in kept else outside)[first:last] = True
        masks[:, number] = context
        masks[:, number + 1 : number + 2] = outside
    for place, part in enumerate(inside):
        masks[0, :, part.first : part.last] = chosen[:, place, None]
        masks[1, :, part.first : part.last] = ~chosen[:, place, None]
    return chosen, masks


def _even(ranges: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Neighbours together, as many to each, in at most ``most`` ranges."""
    groups = np.array_split(np.arange(len(ranges)), min(most, len(ranges))) if ranges else []
    return [(ranges[group[0]][0], ranges[group[-1]][1]) for group in groups]
