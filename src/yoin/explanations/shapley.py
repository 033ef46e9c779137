"""Which spans of a caption moved its prediction, and by how much, within a budget of model calls.

Four fifths of the budget go to the phrases: exact where all their coalitions fit, else estimated from
sampled pairs. What is left goes to the phrases with the largest values, one after the other, whose words
get Owen values: a word's Shapley value within its phrase, in the mean over coalitions of the other phrases. Captions
of too many phrases are left to `nested`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from yoin.explanations.exact import coalitions, context_weights, shapley_values
from yoin.explanations.game import Floats, Masks, Plan
from yoin.explanations.nested import CALLS_A_PART, MAX_PHRASES, MAX_TOP, refine, top
from yoin.explanations.players import MAX_PHRASE_WORDS, Players, split
from yoin.explanations.sampling import draw_pairs, estimate
from yoin.explanations.table import Table

MIN_BUDGET = 16
CALLS_A_PHRASE = 5  # where no budget is given: as many make errors about the same for few phrases and for many
_FEWEST_CALLS = 80  # likewise: up to six phrases are then exact
_MAX_EXACT_PHRASES = 16
_MAX_CONTEXT_PAIRS = 32
_MIN_COMPARED_PAIRS = 4
_PARTS = (1 / 3, 2 / 3, 1.0)  # of a phrase's pairs: after each the errors are looked at
_SURE_PAIRS = 1.5  # pairs a phrase, below which the errors themselves are too unsure to stop by


@dataclass(frozen=True, slots=True)
class Attribution:
    """The explanation of one caption.

    ``spans`` are (start, end) in code points, in order and disjoint: words where a phrase was refined,
    whole phrases elsewhere, one empty span for the empty caption. ``values`` and ``std_errors`` (spans,)
    are in the prediction's unit; ``base`` is the prediction for the empty text; ``base + values.sum()`` is
    the ``prediction`` up to rounding.
    """

    caption: str
    spans: tuple[tuple[int, int], ...]
    values: Floats
    std_errors: Floats
    base: float
    prediction: float


@dataclass(slots=True)
class _Refinement:
    """A phrase whose words are to be valued, in contexts (n, phrases - 1) of the other phrases."""

    phrase: int
    contexts: list[Masks]
    exact: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """The players of a caption, the most calls it may take, and how many of them their first level may."""

    players: Players
    budget: int
    share: int


def cut(caption: str, budget: int | None) -> Cut:
    """``caption`` in players, with its ``budget``, by default five calls for each phrase that is played with.

    The first level gets four fifths, or half where it is sentences: phrases too many are taken apart level by level.
    """
    players = split(caption)
    budget = budget or max(_FEWEST_CALLS, CALLS_A_PHRASE * min(len(players.phrases), MAX_PHRASES))
    return Cut(players, budget, budget // 2 if _is_long(players, budget) else budget * 4 // 5)


def _is_long(players: Players, budget: int) -> bool:
    return len(players.phrases) > min(MAX_PHRASES, budget * 4 // 5 // CALLS_A_PART)


def attribute(caption: Cut, *, rng: np.random.Generator, tolerance: float = 0.0) -> Plan[Attribution]:
    """Explain one caption within its budget.

    Fewer calls are made where the phrases' standard errors are all below ``tolerance`` times their largest absolute
    value.
    """
    players, budget, share = caption.players, caption.budget, caption.share
    count = len(players.words)
    table = Table()
    ends = np.array([[False] * count, [True] * count], dtype=np.bool_)  # no words, all words
    if not count:
        base = float((yield ends[:1])[0])
        return Attribution(players.caption, ((0, 0),), np.zeros(1), np.zeros(1), base, base)

    long = _is_long(players, budget)
    ranges = top(players, min(MAX_TOP, share // CALLS_A_PART), 0) if long else players.phrases
    phrase_of = np.repeat(np.arange(len(ranges)), [last - first for first, last in ranges])
    values, errors, saved = yield from _phrase_values(table, phrase_of, ends, share, rng, tolerance)
    base, prediction = table.values(ends).tolist()
    if long:
        parts = yield from refine(players, table, values, errors, ranges, budget - saved, rng)
        spans = {first: players.span(first, last) for first, last in sorted(parts)}
        return _attribution(players, spans, {part[0]: parts[part] for part in sorted(parts)}, base, prediction)

    refinements = _choose(table, players, phrase_of, values, _all_fit(len(players.phrases), share), budget - saved, rng)
    yield from table.ask()

    spans = {}  # by first word
    span_values: dict[int, tuple[float, float]] = {}
    refined = {refinement.phrase: refinement for refinement in refinements}
    for number, (first, last) in enumerate(players.phrases):
        if number not in refined:
            spans[first], span_values[first] = players.span(first, last), (values[number], errors[number])
            continue
        words, word_errors = _word_values(table, players, phrase_of, refined[number], values[number], errors[number])
        for word in range(first, last):
            spans[word], span_values[word] = players.words[word], (words[word - first], word_errors[word - first])
    return _attribution(players, spans, span_values, base, prediction)


def _attribution(
    players: Players,
    spans: dict[int, tuple[int, int]],
    values: dict[int, tuple[float, float]],
    base: float,
    prediction: float,
) -> Attribution:
    results = np.array(list(values.values()), dtype=np.float64)
    results[:, 0] += (prediction - base - results[:, 0].sum()) / len(results)  # what rounding left over
    return Attribution(players.caption, tuple(spans.values()), results[:, 0], results[:, 1], base, prediction)


def _refinable(first: int, last: int) -> bool:
    return 2 <= last - first <= MAX_PHRASE_WORDS


def _all_fit(phrases: int, share: int) -> bool:
    return phrases <= _MAX_EXACT_PHRASES and 2**phrases <= share


def _phrase_values(
    table: Table, phrase_of: np.ndarray, ends: Masks, share: int, rng: np.random.Generator, tolerance: float
) -> Generator[Masks, Floats, tuple[Floats, Floats, int]]:
    """Shapley values (k,) of the phrases and their standard errors (k,), 0 where exact; calls saved of ``share``."""
    phrases = int(phrase_of[-1]) + 1
    if _all_fit(phrases, share):
        masks = coalitions(phrases)[:, phrase_of]
        table.waiting |= table.unknown(masks)
        yield from table.ask()
        return shapley_values(table.values(masks)), np.zeros(phrases), 0
    pairs = draw_pairs(phrases, min((share - 2) // 2, 2 ** (phrases - 1) - 1), rng)
    masks = pairs.coalitions[:, phrase_of]
    table.waiting |= table.unknown(ends)
    for part in _PARTS if tolerance else _PARTS[-1:]:
        some = pairs.first(part)
        seen = masks[: len(some.coalitions)]
        table.waiting |= table.unknown(np.concatenate([seen, ~seen]))
        yield from table.ask()
        base, prediction = table.values(ends)
        values, errors = estimate(some, table.values(seen), table.values(~seen), float(prediction - base))
        determined = len(seen) >= _SURE_PAIRS * phrases
        if determined and errors.max() <= tolerance * np.abs(values).max():
            break
    return values, errors, 2 * (len(masks) - len(seen))


def _choose(
    table: Table, players: Players, phrase_of: np.ndarray, values: Floats, exact: bool, budget: int,
    rng: np.random.Generator,
) -> list[_Refinement]:  # fmt: skip
    """Which phrases to refine, in which contexts; the sets of words this needs wait in ``table``.

    The phrases with the largest absolute values come first. Each gets all contexts where they are few
    enough, else a pair of a random context and its complement, and further pairs while calls are left.
    """
    order = [int(number) for number in np.argsort(-np.abs(values), kind="stable")]
    order = [number for number in order if _refinable(*players.phrases[number])]
    others = len(players.phrases) - 1
    costs = {n: 2**others * (2 ** (players.phrases[n][1] - players.phrases[n][0]) - 2) for n in order}
    left = budget - table.size
    all_fit = exact and sum(costs.values()) <= left
    chosen: dict[int, _Refinement] = {}
    sampled: list[int] = []
    for number in order:
        if all_fit or (exact and costs[number] <= (budget - table.size) / (len(order) - len(chosen))):
            chosen[number] = _Refinement(number, list(coalitions(others)), exact=True)
            table.waiting |= table.unknown(_around(players, phrase_of, number, coalitions(others)))
        else:
            sampled.append(number)
    for _ in range(_MAX_CONTEXT_PAIRS):
        # Whether a pair fits is settled before it is drawn: else only contexts seen before would be let in last.
        sampled = [number for number in sampled if table.size + _pair_cost(players, number) <= budget]
        for number in sampled:
            if table.size + _pair_cost(players, number) <= budget:
                pair = _context_pair(others, rng)
                table.waiting |= table.unknown(_around(players, phrase_of, number, pair))
                chosen.setdefault(number, _Refinement(number, [], exact=False)).contexts.extend(pair)
    return list(chosen.values())


def _pair_cost(players: Players, phrase: int) -> int:
    """The most new sets of words that a pair of contexts takes."""
    first, last = players.phrases[phrase]
    return int(2 * (2 ** (last - first) - 2))


def _context_pair(others: int, rng: np.random.Generator) -> Masks:
    """A coalition of ``others`` phrases drawn with its Shapley weight (every size as likely), and its complement."""
    context = np.zeros(others, dtype=np.bool_)
    context[rng.choice(others, size=int(rng.integers(others + 1)), replace=False)] = True
    return np.stack([context, ~context])


def _around(players: Players, phrase_of: np.ndarray, phrase: int, contexts: Masks) -> Masks:
    """Sets of kept words (contexts * (2**m - 2), words): some, but not all, of the phrase's m words in each context."""
    first, last = players.phrases[phrase]
    inside = coalitions(last - first)[1:-1]
    whole = np.insert(contexts, phrase, False, axis=1)[:, phrase_of]  # (contexts, words)
    masks = np.repeat(whole[:, None, :], len(inside), axis=1)
    masks[:, :, first:last] = inside
    return masks.reshape(-1, len(phrase_of))


def _word_values(
    table: Table, players: Players, phrase_of: np.ndarray, refinement: _Refinement, value: float, error: float
) -> tuple[Floats, Floats]:
    """Owen values (m,) of a phrase's words, which add up to the phrase's value, and standard errors (m,).

    What the words' values in a context differ by is estimated from the contexts, their sum is the phrase's;
    so the errors are those of the differences, from the pairs of contexts, and of the word's share of the
    phrase's own. Fewer than four pairs are too few to compare with each other: then the spread is that of
    the single contexts, and a pair counts as one draw as if its contexts erred alike, which is rough and
    more often too large than too small.
    """
    contexts = np.array(refinement.contexts, dtype=np.bool_)
    masks = _around(players, phrase_of, refinement.phrase, contexts).reshape(len(contexts), -1, len(phrase_of))
    # By how much two words' values differ does not hang on what all words of the phrase are worth, nor none: 0 here.
    within = shapley_values(np.pad(table.values(masks), ((0, 0), (1, 1))))  # (contexts, m)
    count = within.shape[1]
    differences = within - within.mean(axis=1, keepdims=True)
    if refinement.exact:
        return value / count + context_weights(contexts) @ differences, np.full(count, error / count)
    pairs = len(contexts) // 2
    draws = differences.reshape(pairs, 2, count).mean(axis=1) if pairs >= _MIN_COMPARED_PAIRS else differences
    errors = draws.std(axis=0, ddof=1) / np.sqrt(pairs)
    return value / count + differences.mean(axis=0), np.hypot(errors, error / count)


def attribute_all(cuts: Sequence[Cut], *, seeds: Sequence[int], tolerance: float = 0.0) -> list[Plan[Attribution]]:
    """One plan a caption, each with a random generator of its own."""
    return [
        attribute(caption, rng=np.random.default_rng(seed), tolerance=tolerance)
        for caption, seed in zip(cuts, seeds, strict=True)
    ]
