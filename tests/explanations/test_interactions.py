from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from tests.explanations.models import additive, bumpy
from yoin.explanations.exact import coalitions, shapley_values
from yoin.explanations.game import Evaluator, Game, play
from yoin.explanations.interactions import Pairwise, interact, interaction_values, largest, pairwise_matrix
from yoin.explanations.players import split
from yoin.explanations.result import to_pairs
from yoin.values import INTERACTION_COLUMNS

CAPTION = "A large brown dog runs across the wide green field, with no visible text and without people looking up."


def by_definition(table: np.ndarray) -> np.ndarray:
    """Grabisch and Roubens' formula, term by term."""
    count = len(table).bit_length() - 1
    values = np.zeros((count, count))
    for one, other in combinations(range(count), 2):
        rest = [player for player in range(count) if player not in (one, other)]
        for size in range(len(rest) + 1):
            for members in combinations(rest, size):
                at = sum(1 << player for player in members)
                weight = factorial(size) * factorial(count - size - 2) / factorial(count - 1)
                a, b = 1 << one, 1 << other
                values[one, other] += weight * (table[at | a | b] - table[at | a] - table[at | b] + table[at])
    return values + values.T


@pytest.mark.parametrize("players", [1, 2, 3, 6])
def test_interactions_are_the_definition_s(players: int) -> None:
    table = np.random.default_rng(players).normal(size=2**players)
    np.testing.assert_allclose(interaction_values(table), by_definition(table), atol=1e-12)
    matrix = pairwise_matrix(table)
    np.testing.assert_allclose(matrix, matrix.T)
    np.testing.assert_allclose(matrix.sum(axis=1), shapley_values(table), atol=1e-12)


def test_a_pair_that_counts_only_together() -> None:
    table = np.array([4.0 * (mask[0] and mask[2]) + mask[1] for mask in coalitions(3)])
    np.testing.assert_allclose(pairwise_matrix(table), [[0, 0, 2], [0, 1, 0], [2, 0, 0]], atol=1e-12)


def played(caption: str, model=bumpy, most: int = 7) -> Pairwise:  # type: ignore[no-untyped-def]
    players = split(caption)
    values = 2.0 ** np.arange(len(players.words))  # as if the last words mattered most
    chosen = largest(players, players.words, values, most)
    return play([Game(players)], [interact(players, chosen)], Evaluator(model))[0]


def test_the_largest_phrases_and_the_rest_add_up() -> None:
    found = played(CAPTION, most=3)
    assert found.spans[-1] == (-1, -1)
    players = split(CAPTION)
    assert list(found.spans[:-1]) == [players.span(first, last) for first, last in players.phrases[-3:]]
    assert found.matrix.sum() == pytest.approx(bumpy([CAPTION])[0] - bumpy([""])[0])


def test_no_rest_where_all_phrases_are_chosen_and_no_interaction_in_an_additive_model() -> None:
    found = played("a red dog, no text", additive)
    assert (-1, -1) not in found.spans
    np.testing.assert_allclose(found.matrix, np.diag(np.diag(found.matrix)), atol=1e-12)


@pytest.mark.parametrize("caption", ["", " ", "dog", "😀😀", "犬が走る。"])
def test_any_caption(caption: str) -> None:
    found = played(caption)
    assert found.matrix.shape == (len(found.spans),) * 2
    assert found.matrix.sum() == pytest.approx(bumpy([caption])[0] - bumpy([""])[0], abs=1e-12)


def test_table_of_pairs() -> None:
    found = played(CAPTION, most=2)
    table = to_pairs([(5, found)])
    assert tuple(table.columns) == INTERACTION_COLUMNS
    assert len(table) == 6
    assert table["value"].sum() == pytest.approx(found.matrix.sum())
    assert table["other_text"].tolist()[-1] == ""
    assert tuple(to_pairs([]).columns) == INTERACTION_COLUMNS
