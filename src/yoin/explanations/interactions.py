"""Which pairs of phrases do more, or less, together than each alone: exact, on a caption's largest phrases.

Twenty phrases have a million sets. So the players are the phrases with the largest values, and all the others
together are one more player: then every set is asked for, and nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from yoin.explanations.exact import coalitions, shapley_values
from yoin.explanations.game import Floats, Masks, Plan
from yoin.explanations.nested import top
from yoin.explanations.players import Players

MOST_PHRASES = 7  # with the rest as one more player 2**8 sets


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Pairs of a caption's largest phrases.

    ``spans`` are the players' (start, end) in code points, in order; the last is (-1, -1), all other phrases together,
    unless there are none. ``matrix`` (players, players) is symmetric: off the diagonal half of what a pair adds
    together, on it what a player adds alone, so that a row adds up to the player's Shapley value among these players.
    """

    caption: str
    spans: tuple[tuple[int, int], ...]
    matrix: Floats


def interaction_values(table: Floats) -> Floats:
    """Pairwise Shapley interaction indices (k, k), 0 on the diagonal, of a table (2**k,) of all coalitions.

    Source: Grabisch and Roubens (1999): the mean of v(S+i+j) - v(S+i) - v(S+j) + v(S) over the sets S of the others,
    every size with the same weight and every set of a size too.
    """
    players = table.shape[-1].bit_length() - 1
    masks = coalitions(players)
    sizes = masks.sum(axis=1)
    values = np.zeros((players, players))
    if players < 2:
        return values
    weights = np.array([1 / ((players - 1) * comb(players - 2, size)) for size in range(players - 1)])
    for one in range(players):
        for other in range(one):
            without = np.flatnonzero(~masks[:, one] & ~masks[:, other])
            a, b = 1 << one, 1 << other
            gains = table[without | a | b] - table[without | a] - table[without | b] + table[without]
            values[one, other] = values[other, one] = gains @ weights[sizes[without]]
    return values


def pairwise_matrix(table: Floats) -> Floats:
    """The symmetric matrix (k, k) of `Pairwise`, of a table (2**k,): k-SII values of order 2.

    Source: Lundberg et al. (2020), "From local explanations to global understanding", SHAP interaction values; the
    off-diagonal is half of k-SII's pairs (Bordt and von Luxburg, 2023), the diagonal its single players.
    """
    halves = interaction_values(table) / 2
    matrix: Floats = halves + np.diag(shapley_values(table) - halves.sum(axis=1))
    return matrix


def largest(players: Players, spans: Sequence[tuple[int, int]], values: Floats, most: int = MOST_PHRASES) -> list[int]:
    """Numbers, ascending, of the ``most`` phrases with the largest absolute value; a phrase's is that of its spans."""
    ranked = np.argsort(-np.abs(phrase_totals(players, spans, values)), kind="stable")[:most]
    return sorted(ranked.tolist())


def phrase_totals(players: Players, spans: Sequence[tuple[int, int]], values: Floats) -> Floats:
    """The sums (phrases,) of the values of the spans inside each phrase, or each sentence of a long caption."""
    totals = np.zeros(len(top(players)))
    if len(totals):
        starts = [players.span(first, last)[0] for first, last in top(players)]
        phrase = np.searchsorted(starts, [start for start, _ in spans], side="right") - 1
        np.add.at(totals, phrase, values)
    return totals


def interact(players: Players, chosen: Sequence[int]) -> Plan[Pairwise]:
    """Ask for all sets of the ``chosen`` phrases and of the others as one."""
    count = len(players.words)
    if not count:
        yield np.zeros((1, 0), dtype=np.bool_)
        return Pairwise(players.caption, ((0, 0),), np.zeros((1, 1)))
    phrases = top(players)
    member = np.full(count, len(chosen))  # the player of each word
    for player, phrase in enumerate(chosen):
        first, last = phrases[phrase]
        member[first:last] = player
    rest = len(chosen) < len(phrases)
    masks: Masks = coalitions(len(chosen) + rest)[:, member]
    table = yield masks
    spans = [players.span(*phrases[phrase]) for phrase in chosen]
    return Pairwise(players.caption, (*spans, *([(-1, -1)] if rest else [])), pairwise_matrix(table))
