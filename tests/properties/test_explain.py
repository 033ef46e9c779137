"""Explanations against brute force, the axioms of Shapley values, and any Unicode text."""

from __future__ import annotations

import unicodedata
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.explanations.models import Counting, additive, bumpy
from yoin.explanations import explain
from yoin.explanations.exact import coalitions, owen_values, shapley_values
from yoin.explanations.game import Evaluator, Game, play
from yoin.explanations.interactions import interact, largest
from yoin.explanations.nested import top
from yoin.explanations.players import MAX_PHRASE_WORDS, split
from yoin.explanations.sampling import draw_pairs, estimate, solve
from yoin.explanations.unspaced import word_starts
from yoin.japanese import is_japanese
from yoin.language import words

numbers = st.floats(-100, 100, allow_nan=False, width=32)
tables = st.integers(1, 6).flatmap(lambda k: hnp.arrays(np.float64, 2**k, elements=numbers))
tokens = [
    "a",
    "the",
    "no",
    "dog",
    "Red",
    "犬",
    "が",
    "公園",
    "e\u0301",
    "שלום",
    "हिन्दी",
    "😀",
    "\U0001f468\u200d\U0001f469",
    "3.5",
]
signs = [" ", " ", " ", "  ", "\n", ",", ".", "-", "'", "(", ")", "“", "”", "「", "\u200d", "\u0301"]
pieces = st.sampled_from([*tokens, *signs])
texts = st.text(max_size=40) | st.lists(pieces, max_size=25).map("".join)


def brute_force(table: np.ndarray) -> np.ndarray:
    """The mean over all orders in which the players can join, from the definition."""
    count = len(table).bit_length() - 1
    gains = np.zeros(count)
    orders = list(permutations(range(count)))
    for order in orders:
        before = 0
        for player in order:
            gains[player] += table[before | 1 << player] - table[before]
            before |= 1 << player
    return gains / len(orders)


def brute_force_owen(table: np.ndarray, groups: list[list[int]]) -> np.ndarray:
    """The mean over all orders in which every group's players join one right after the other."""
    count = len(table).bit_length() - 1
    gains, orders = np.zeros(count), 0
    place = {player: number for number, group in enumerate(groups) for player in group}
    for order in permutations(range(count)):
        blocks = [place[player] for player in order]
        if sum(left != right for left, right in pairwise(blocks)) != len(groups) - 1:
            continue
        orders, before = orders + 1, 0
        for player in order:
            gains[player] += table[before | 1 << player] - table[before]
            before |= 1 << player
    return gains / orders


@given(tables)
@settings(max_examples=40, deadline=None)
def test_shapley_values_are_the_mean_over_all_orders(table: np.ndarray) -> None:
    np.testing.assert_allclose(shapley_values(table), brute_force(table), atol=1e-9)


@given(tables, st.data())
@settings(max_examples=40, deadline=None)
def test_owen_values_are_the_mean_over_the_orders_of_whole_groups(table: np.ndarray, data: st.DataObject) -> None:
    count = len(table).bit_length() - 1
    labels = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    groups = [[i for i in range(count) if labels[i] == label] for label in sorted(set(labels))]
    np.testing.assert_allclose(owen_values(table, groups), brute_force_owen(table, groups), atol=1e-9)


@given(tables, tables, st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_linear_in_the_game(one: np.ndarray, other: np.ndarray, factor: float) -> None:
    size = min(len(one), len(other))
    one, other = one[:size], other[:size]
    np.testing.assert_allclose(
        shapley_values(one + factor * other), shapley_values(one) + factor * shapley_values(other), atol=1e-9
    )


@given(st.integers(3, 9), st.data())
@settings(max_examples=40, deadline=None)
def test_sampling_keeps_efficiency_and_is_exact_with_all_pairs(players: int, data: st.DataObject) -> None:
    table = data.draw(hnp.arrays(np.float64, 2**players, elements=numbers))
    most = 2 ** (players - 1) - 1
    count = data.draw(st.integers(players - 1, most))
    pairs = draw_pairs(players, count, np.random.default_rng(data.draw(st.integers(0, 1000))))
    index = pairs.coalitions @ (1 << np.arange(players))
    values, errors = solve(pairs, table[index], table[len(table) - 1 - index], float(table[-1] - table[0]))
    assert values.sum() == pytest.approx(table[-1] - table[0], abs=1e-9)
    assert np.isfinite(errors).all()
    if count == most:
        np.testing.assert_allclose(values, shapley_values(table), atol=1e-9)
        np.testing.assert_array_equal(errors, 0)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_players_cut_any_text(text: str) -> None:
    players = split(text)
    assert bool(players.words) == bool(text)
    for start, end in players.words:
        assert 0 <= start < end <= len(text)
        if text.strip():
            assert text[start:end] == text[start:end].strip()
    assert all(left[1] <= right[0] for left, right in pairwise(players.words))
    joined = "".join(text[start:end] for start, end in players.words)
    assert "".join(joined.split()) == "".join(text.split())
    inside = set() if is_japanese(text) else word_starts(text)
    for word in words(text):  # every word lies in exactly one span, but for Chinese and Thai ones, which are cut
        if not inside.intersection(range(word.start, word.end)):
            assert sum(start <= word.start and word.end <= end for start, end in players.words) == 1
    for (_, left), (start, _) in pairwise(players.words):  # no span starts with a mark of the one before
        assert left < start or not unicodedata.category(text[start]).startswith("M")
    for ranges, below in ((players.phrases, players.words), (players.sentences, players.phrases)):
        edges = [edge for each in ranges for edge in each]
        assert edges[::2] == [0, *edges[1:-1:2]][: len(ranges)]
        assert not edges or edges[-1] == len(below)
        assert all(first < last for first, last in ranges)
    assert all(last - first <= MAX_PHRASE_WORDS for first, last in players.phrases)
    for most in (1, 5, 24):
        ranges = top(players, most, 0)
        assert len(ranges) <= most
        assert [word for first, last in ranges for word in range(first, last)] == list(range(len(players.words)))


@given(texts, st.data())
@settings(max_examples=150, deadline=None)
def test_leaving_words_out_neither_merges_nor_splits_the_others(text: str, data: st.DataObject) -> None:
    players = split(text)
    count = len(players.words)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool)
    result = Game(players).text(kept)
    if kept.all():
        assert result == text
        return
    expected = [word.text for i in np.flatnonzero(kept) for word in words(text[slice(*players.words[i])])]
    if not word_starts(text):
        assert [word.text for word in words(result)] == expected
    assert "".join(word.text for word in words(result)) == "".join(expected)
    assert result == result.strip()
    gaps = [text[left[1] : right[0]] for left, right in pairwise(players.words)]
    if all(len(gap) <= 1 for gap in gaps) and not any("  " in text[slice(*span)] for span in players.words):
        assert "  " not in result


@given(st.lists(texts, max_size=4), st.integers(16, 80), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_explanations_of_any_text_add_up_within_the_budget(some: list[str], budget: int, seed: int) -> None:
    model = Counting(bumpy)
    explanations = explain(model, some, budget=budget, seed=seed)
    assert model.calls == explanations.calls <= budget * len(set(some))
    totals = explanations.table.groupby("row_id")["value"].sum() + bumpy([""])[0]
    np.testing.assert_allclose(totals.to_numpy(), bumpy(some), rtol=1e-9, atol=1e-9)
    assert np.isfinite(explanations.table[["value", "std_error"]].to_numpy()).all()
    assert (explanations.table["std_error"] >= 0).all()


@given(st.text(alphabet="abc ,", max_size=60), st.integers(16, 200))
@settings(max_examples=40, deadline=None)
def test_additive_models_are_explained_exactly(text: str, budget: int) -> None:
    table = explain(additive, [text], budget=budget).table
    np.testing.assert_allclose(table["value"], additive(table["text"].tolist()) - 2, atol=1e-9)


@given(st.integers(1, 8))
@settings(max_examples=10, deadline=None)
def test_coalitions_are_in_the_order_of_a_table(players: int) -> None:
    masks = coalitions(players)
    np.testing.assert_array_equal(masks @ (1 << np.arange(players)), np.arange(2**players))


@given(texts, st.data())
@settings(max_examples=100, deadline=None)
def test_a_mask_stands_for_each_word_left_out_and_nothing_else_changes(text: str, data: st.DataObject) -> None:
    players = split(text)
    count = len(players.words)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool)
    expected, at = "", 0
    for (start, end), keep in zip(players.words, kept, strict=True):
        expected += text[at:start] + (text[start:end] if keep else "[MASK]")
        at = end
    assert Game(players, "[MASK]").text(kept) == expected + text[at:]


@given(texts)
@settings(max_examples=60, deadline=None)
def test_pairs_of_any_text_add_up(text: str) -> None:
    players = split(text)
    chosen = largest(players, players.words, np.arange(len(players.words), dtype=float), most=4)
    found = play([Game(players)], [interact(players, chosen)], Evaluator(bumpy))[0]
    assert found.matrix.sum() == pytest.approx(bumpy([text])[0] - bumpy([""])[0], abs=1e-9)
    np.testing.assert_allclose(found.matrix, found.matrix.T, atol=1e-12)
    joined = [text[start:end] for start, end in found.spans if start >= 0]
    assert all(piece in text for piece in joined)


@given(st.integers(4, 12), st.integers(0, 1000), st.data())
@settings(max_examples=40, deadline=None)
def test_estimates_add_up_and_are_exact_for_additive_games(players: int, seed: int, data: st.DataObject) -> None:
    most = 2 ** (players - 1) - 1
    count = data.draw(st.integers(players - 1, min(most, 60)))
    rng = np.random.default_rng(seed)
    pairs, single = draw_pairs(players, count, rng), rng.normal(size=players)
    table = coalitions(players) @ single
    index = pairs.coalitions @ (1 << np.arange(players))
    values, errors = estimate(pairs, table[index], table[len(table) - 1 - index], float(table[-1]))
    np.testing.assert_allclose(values, single, atol=1e-8)
    np.testing.assert_allclose(errors, 0, atol=1e-8)
    wild = rng.normal(size=2**players)
    values, errors = estimate(pairs, wild[index], wild[len(wild) - 1 - index], float(wild[-1] - wild[0]))
    assert values.sum() == pytest.approx(wild[-1] - wild[0], abs=1e-9)
    assert np.isfinite([values, errors]).all()


@given(st.text(alphabet="大きな赤い犬が公園で走るのはない、。 aA", max_size=40))
@settings(max_examples=100, deadline=None)
def test_japanese_words_are_whole_and_phrases_are_made_of_them(text: str) -> None:
    players = split(text)
    starts = {start for start, _ in players.words}
    assert all(players.span(first, last)[0] in starts for first, last in players.phrases)
    assert "".join("".join(text[start:end] for start, end in players.words).split()) == "".join(text.split())
