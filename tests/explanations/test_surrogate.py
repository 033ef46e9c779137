from __future__ import annotations

import numpy as np
import pytest

from tests.explanations.test_shapley import random_game
from yoin.explanations.exact import coalitions, shapley_values
from yoin.explanations.game import Floats
from yoin.explanations.sampling import Pairs, draw_pairs, estimate, solve
from yoin.explanations.surrogate import fit, plan


def drawn(value, players: int, count: int, seed: int, by=estimate) -> tuple[Floats, Floats]:  # type: ignore[no-untyped-def]
    pairs = draw_pairs(players, count, np.random.default_rng(seed))
    ends = value(coalitions(players)[[0, -1]])
    return by(pairs, value(pairs.coalitions), value(~pairs.coalitions), float(ends[1] - ends[0]))


def test_a_game_of_single_players_and_triples_is_found_exactly() -> None:
    rng = np.random.default_rng(0)
    for players in (5, 8):
        signs = np.where(coalitions(players), 1.0, -1.0)
        triples = rng.normal(size=(players, players, players))
        table = signs @ rng.normal(size=players) + np.einsum("ni,nj,nk,ijk->n", signs, signs, signs, triples)
        rows = np.arange(1, 2 ** (players - 1))
        halves = (table - table[::-1]) / 2
        values, errors = fit(coalitions(players)[rows], halves[rows], float(table[-1] - table[0]))
        np.testing.assert_allclose(values, shapley_values(table), atol=1e-5)
        assert errors.max() < 0.01 * np.abs(values).max()


def test_all_pairs_are_exact_for_any_game() -> None:
    for players in (3, 4, 7, 8):
        value = random_game(players, players)
        values, errors = drawn(value, players, 2 ** (players - 1) - 1, 0)
        np.testing.assert_allclose(values, shapley_values(value(coalitions(players))), atol=1e-9)
        np.testing.assert_array_equal(errors, 0)


@pytest.mark.parametrize("players", [11, 14])
@pytest.mark.parametrize("count", [24, 48])
def test_errs_less_than_least_squares_and_knows_how_much(players: int, count: int) -> None:
    misses, claimed, plain = [], [], []
    for seed in range(40):
        value = random_game(players, seed)
        exact = shapley_values(value(coalitions(players)))
        values, errors = drawn(value, players, count, seed)
        misses.append(values - exact)
        claimed.append(errors)
        plain.append(drawn(value, players, count, seed, solve)[0] - exact)
    error, claim, squares = (float(np.sqrt(np.mean(np.square(each)))) for each in (misses, claimed, plain))
    assert error < squares
    assert 0.6 < claim / error < 1.7


def test_error_falls_as_pairs_are_added() -> None:
    value = random_game(12, 4)
    exact = shapley_values(value(coalitions(12)))
    errors = [
        np.sqrt(np.mean([(drawn(value, 12, count, seed)[0] - exact) ** 2 for seed in range(10)]))
        for count in (16, 64, 256)
    ]
    assert errors[0] > 1.3 * errors[1] > 1.3**2 * errors[2]


def test_players_that_do_the_same_in_symmetric_data_get_the_same() -> None:
    masks = coalitions(6)[1:32]
    halves = (np.sqrt(masks.sum(axis=1)) - np.sqrt((~masks).sum(axis=1))) / 2
    values, _ = fit(masks, halves, float(np.sqrt(6)))
    np.testing.assert_allclose(values, np.sqrt(6) / 6, atol=1e-9)


def test_nothing_moves_and_all_add_up() -> None:
    masks = draw_pairs(20, 40, np.random.default_rng(0)).coalitions
    values, errors = fit(masks, np.zeros(40), 0.0)
    np.testing.assert_array_equal([values, errors], np.zeros((2, 20)))
    values, errors = fit(masks, np.random.default_rng(1).normal(size=40), 3.25)
    assert values.sum() == pytest.approx(3.25, abs=1e-12)
    assert (errors > 0).all()


def test_planned_pairs_tell_more_than_pairs_drawn_by_chance() -> None:
    planned, chance = [], []
    for seed in range(20):
        value = random_game(14, seed)
        exact = shapley_values(value(coalitions(14)))
        ends = value(coalitions(14)[[0, -1]])
        rng = np.random.default_rng(seed)
        others = Pairs.of(rng.permutation(draw_pairs(14, 201, rng).coalitions)[:24])  # more than a design takes
        got = estimate(others, value(others.coalitions), value(~others.coalitions), float(ends[1] - ends[0]))[0]
        chance.append(got - exact)
        planned.append(drawn(value, 14, 24, seed)[0] - exact)
    assert np.square(planned).mean() < 0.8 * np.square(chance).mean()


@pytest.mark.parametrize("players", [6, 15, 30])
def test_any_beginning_of_a_plan_of_enough_pairs_determines_the_players(players: int) -> None:
    pairs = draw_pairs(players, min(2 * players, 2 ** (players - 1) - 2), np.random.default_rng(0))
    for share in (0.75, 1.0):
        assert np.linalg.matrix_rank(pairs.first(share).centred) == players - 1
    assert draw_pairs(players, 12, np.random.default_rng(1)).coalitions.tolist() != pairs.coalitions[:12].tolist()


def test_a_plan_names_each_once_and_begins_like_a_shorter_one() -> None:
    pool = coalitions(8)[1:128]
    chosen = plan(pool, 127)
    assert sorted(chosen.tolist()) == list(range(127))
    np.testing.assert_array_equal(plan(pool, 10), chosen[:10])
