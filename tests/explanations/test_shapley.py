from __future__ import annotations

import numpy as np
import pytest

from tests.explanations.models import additive, bumpy, word_weight
from yoin.explanations.exact import coalitions, owen_values, shapley_values
from yoin.explanations.game import Evaluator, Floats, Game, Masks, play
from yoin.explanations.players import split
from yoin.explanations.sampling import draw_pairs, solve
from yoin.explanations.shapley import Attribution, attribute, cut


def run(caption: str, budget: int, *, model=additive, seed: int = 0) -> Attribution:  # type: ignore[no-untyped-def]
    some = cut(caption, budget)
    plan = attribute(some, rng=np.random.default_rng(seed))
    return play([Game(some.players)], [plan], Evaluator(model))[0]


def random_game(players: int, seed: int):  # type: ignore[no-untyped-def]
    """A smooth game with interactions, and its value for coalitions (n, players)."""
    rng = np.random.default_rng(seed)
    single, mixed, out = rng.normal(size=players), rng.normal(size=(players, 5)) * 0.6, rng.normal(size=5)

    def value(masks: Masks) -> Floats:
        return np.asarray(masks @ single + np.tanh(masks @ mixed - 0.5) @ out)

    return value


def sampled(value, players: int, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:  # type: ignore[no-untyped-def]
    pairs = draw_pairs(players, count, rng)
    ends = value(coalitions(players)[[0, -1]])
    return solve(pairs, value(pairs.coalitions), value(~pairs.coalitions), float(ends[1] - ends[0]))


def test_textbook_glove_game() -> None:
    # Players 0 and 1 own left gloves, player 2 a right one; a pair is worth 1: 1/6, 1/6, 2/3.
    table = np.array([float(mask[2] and (mask[0] or mask[1])) for mask in coalitions(3)])
    np.testing.assert_allclose(shapley_values(table), [1 / 6, 1 / 6, 2 / 3])


def test_owen_values_of_single_players_or_of_one_group_are_shapley_values() -> None:
    table = random_game(5, 1)(coalitions(5))
    np.testing.assert_allclose(owen_values(table, [[i] for i in range(5)]), shapley_values(table), atol=1e-12)
    np.testing.assert_allclose(owen_values(table, [[0, 1, 2, 3, 4]]), shapley_values(table), atol=1e-12)


def test_pairs_are_different_and_no_complements_of_each_other() -> None:
    for players in (4, 5, 9, 30, 64):
        pairs = draw_pairs(players, min(95, 2 ** (players - 1) - 1), np.random.default_rng(0))
        rows = {row.tobytes() for row in np.concatenate([pairs.coalitions, ~pairs.coalitions])}
        assert len(rows) == 2 * len(pairs.coalitions)
        assert np.linalg.matrix_rank(pairs.centred) == players - 1


def test_all_pairs_give_the_exact_values_and_no_error() -> None:
    for players in (3, 4, 7, 8):
        value = random_game(players, players)
        values, errors = sampled(value, players, 2 ** (players - 1) - 1, np.random.default_rng(0))
        np.testing.assert_allclose(values, shapley_values(value(coalitions(players))), atol=1e-9)
        np.testing.assert_array_equal(errors, 0)


def test_sampled_values_are_about_right_on_average_and_their_errors_are_the_spread() -> None:
    players, value = 11, random_game(11, 3)
    exact = shapley_values(value(coalitions(players)))
    draws = [sampled(value, players, 40, np.random.default_rng(seed)) for seed in range(200)]
    values, errors = np.array([d[0] for d in draws]), np.array([d[1] for d in draws])
    spread = np.sqrt(((values - exact) ** 2).mean())
    np.testing.assert_allclose(values.mean(axis=0), exact, atol=spread / 2)  # planned pairs are not all there are
    assert 0.8 < np.sqrt((errors**2).mean()) / spread < 1.25


def test_error_falls_as_the_budget_grows() -> None:
    players, value = 12, random_game(12, 4)
    exact = shapley_values(value(coalitions(players)))
    errors = [
        np.sqrt(np.mean([(sampled(value, players, n, np.random.default_rng(s))[0] - exact) ** 2 for s in range(20)]))
        for n in (20, 80, 320, 1280)
    ]
    assert errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2] > 1.5**3 * errors[3]


CAPTION = "A large brown dog runs across the wide green field, with no visible text and without people looking up."


@pytest.mark.parametrize("budget", [16, 17, 31, 64, 256, 2000])
@pytest.mark.parametrize("caption", [CAPTION, "dog", "a red dog, no text", "大きな犬が走る。", CAPTION * 7])
def test_additive_model_is_exact_for_any_budget(caption: str, budget: int) -> None:
    result = run(caption, budget)
    for (start, end), value in zip(result.spans, result.values, strict=True):
        expected = additive([caption[start:end]])[0] - 2
        assert value == pytest.approx(expected, abs=1e-9)
    assert result.base == 2
    np.testing.assert_allclose(result.std_errors, 0, atol=1e-12)


def test_all_words_are_refined_where_the_budget_allows() -> None:
    result = run("a red dog, no text", 64)
    assert [result.caption[slice(*span)] for span in result.spans] == ["a", "red", "dog,", "no text"]
    alone = [word_weight(word) for word in ["a", "red", "dog"]]
    np.testing.assert_allclose(result.values, [*alone, word_weight("no") + word_weight("text")], atol=1e-12)


@pytest.mark.parametrize("caption", ["a red dog, no text, big", "dog red text", "dog, red", "犬が走る。", "one"])
def test_words_are_owen_values(caption: str) -> None:
    players = split(caption)
    game = Game(players)
    table = bumpy([game.text(mask) for mask in coalitions(len(players.words))])
    expected = owen_values(table, [range(first, last) for first, last in players.phrases])
    result = run(caption, 4000, model=bumpy)
    assert result.spans == players.words
    np.testing.assert_allclose(result.values, expected, atol=1e-9)
    np.testing.assert_array_equal(result.std_errors, 0)


@pytest.mark.parametrize(
    ("caption", "budget", "most"),
    [
        # one pair of contexts a phrase: rough errors
        ("a red dog, no big text, on dark grass, with old trees", 100, 8.0),
        ("red dog, big text, dark grass, old trees, tall man, blue sky", 100, 1.25),
        # about ten
        ("red dog, big text, dark grass, old trees, tall man, blue sky", 250, 1.25),
    ],
)
def test_sampled_words_are_owen_values_on_average(caption: str, budget: int, most: float) -> None:
    players = split(caption)
    count = len(players.words)
    game = Game(players)
    table = bumpy([game.text(mask) for mask in coalitions(count)])
    expected = dict(zip(players.words, owen_values(table, [range(a, b) for a, b in players.phrases]), strict=True))
    misses, claimed = [], []
    for seed in range(60):
        result = run(caption, budget, model=bumpy, seed=seed)
        refined = [i for i, span in enumerate(result.spans) if span in expected]
        assert len(refined) == count
        assert result.std_errors.max() > 0
        misses.append([result.values[i] - expected[result.spans[i]] for i in refined])
        claimed.append([result.std_errors[i] for i in refined])
    miss, claim = np.array(misses), np.array(claimed)
    spread = np.sqrt((miss**2).mean())
    assert np.abs(miss.mean(axis=0)).max() < 5 * spread / np.sqrt(60)
    assert 0.7 < np.sqrt((claim**2).mean()) / spread < most


def test_a_word_that_changes_nothing_gets_nothing() -> None:
    def ignores_dog(texts: list[str]) -> np.ndarray:
        return bumpy([" ".join(text.replace("dog", "").split()) for text in texts])

    result = run("a red dog barks", 256, model=ignores_dog)
    values = dict(zip([result.caption[slice(*span)] for span in result.spans], result.values, strict=True))
    assert values["dog"] == pytest.approx(0, abs=1e-9)
    assert abs(values["red"]) > 1e-3


def test_words_that_do_the_same_get_the_same() -> None:
    def counts(texts: list[str]) -> np.ndarray:
        return np.array([np.sqrt(len(text.split())) for text in texts])

    result = run("red green blue", 64, model=counts)
    np.testing.assert_allclose(result.values, np.sqrt(3) / 3, atol=1e-12)
