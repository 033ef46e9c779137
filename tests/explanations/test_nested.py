"""Long captions: sentences, then phrases, then words."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.explanations.models import Counting, additive, bumpy
from yoin.explanations import explain
from yoin.explanations.exact import coalitions, owen_values
from yoin.explanations.game import Floats, Game
from yoin.explanations.nested import Part, pieces, refine, top
from yoin.explanations.players import Players, split
from yoin.explanations.shapley import attribute, cut
from yoin.explanations.table import Table

SENTENCES = "A red dog, no text. Two women dance in a dark street, with old trees. "
LONG = [
    "".join(
        f"A red{n} dog, no text{n}. Two women{n} dance in a dark street{n}, with old trees{n}. " for n in range(20)
    ),
    "".join(f"red{n} dog{n} " for n in range(600)),
    "".join(f"大きな{n}犬が走る{n}。" for n in range(60)),
    "".join(f"犬{n} " for n in range(200)),
]
CAPTION = "red dog, big text. old man, blue sky."


def by_orders(players: Players, table: Floats) -> Floats:
    """What a word adds, in the mean over all orders in which sentences, phrases and words stay together."""
    sentences = [
        [list(range(*players.phrases[phrase])) for phrase in range(first, last)] for first, last in players.sentences
    ]
    orders = []
    for order in itertools.permutations(sentences):
        choices = [
            [
                list(itertools.chain.from_iterable(words))
                for phrases in itertools.permutations(sentence)
                for words in itertools.product(*(list(itertools.permutations(phrase)) for phrase in phrases))
            ]
            for sentence in order
        ]
        orders += [list(itertools.chain(*each)) for each in itertools.product(*choices)]
    values = np.zeros(len(players.words))
    for order in orders:
        at = 0
        for word in order:
            values[word] += table[at | 1 << word] - table[at]
            at |= 1 << word
    return values / len(orders)


def refined(table: Floats, seed: int) -> dict[tuple[int, int], tuple[float, float]]:
    """Words of CAPTION with their values and errors, taken apart from its sentences' exact values."""
    players = split(CAPTION)
    ranges = top(players, 24, 0)
    groups = owen_values(table, [range(first, last) for first, last in ranges])
    values = np.array([groups[first:last].sum() for first, last in ranges])
    known = Table()
    plan = refine(players, known, values, np.zeros(len(ranges)), ranges, 200, np.random.default_rng(seed))
    bits = 1 << np.arange(len(players.words))
    answer = None
    while True:
        try:
            masks = next(plan) if answer is None else plan.send(answer)
        except StopIteration as stop:
            assert known.size <= 200
            found: dict[tuple[int, int], tuple[float, float]] = stop.value
            return dict(sorted(found.items()))
        answer = table[masks @ bits]


def test_words_are_owen_values_of_three_levels_on_average() -> None:
    players = split(CAPTION)
    assert (len(players.sentences), len(players.phrases), len(players.words)) == (2, 4, 8)
    table = bumpy([Game(players).text(mask) for mask in coalitions(8)])
    expected = by_orders(players, table)
    by_phrase = owen_values(table, [range(4), range(4, 8)])
    assert not np.allclose(expected, by_phrase, atol=1e-3)  # the levels matter
    draws = [refined(table, seed) for seed in range(40)]
    assert all(list(draw) == [(word, word + 1) for word in range(8)] for draw in draws)
    values = np.array([[value for value, _ in draw.values()] for draw in draws])
    spread = values.std(axis=0).max()
    assert np.abs(values.mean(axis=0) - expected).max() < 5 * spread / np.sqrt(40) + 0.1 * np.abs(expected).max()


def test_parts_of_parts() -> None:
    players = split(SENTENCES * 10)
    first = top(players, 4, 0)
    assert len(first) == 4
    group = Part(*first[0], beside=(tuple(first[1:]),))
    sentences = pieces(players, group, 8)
    texts = [players.caption[slice(*players.span(part.first, part.last))] for part in sentences]
    assert texts[:2] == ["A red dog, no text.", "Two women dance in a dark street, with old trees."]
    assert len(sentences[0].beside) == 2
    assert [(part.first, part.last) for part in sentences if part != sentences[0]] == list(sentences[0].beside[1])
    phrases = pieces(players, sentences[0], 8)
    assert [players.caption[slice(*players.span(part.first, part.last))] for part in phrases] == [
        "A red dog,",
        "no text.",
    ]
    words = pieces(players, phrases[0], 8)
    assert [part.last - part.first for part in words] == [1, 1, 1]
    assert pieces(players, words[0], 8) == []
    assert len(pieces(players, group, 2)) == 2


@pytest.mark.parametrize("budget", [16, 64, 192])
@pytest.mark.parametrize("caption", LONG)
def test_any_long_caption(caption: str, budget: int) -> None:
    model = Counting(bumpy)
    table = explain(model, [caption], budget=budget).table
    assert 0.8 * budget < model.calls <= budget
    assert "".join("".join(table["text"]).split()) == "".join(caption.split())
    assert table["value"].sum() + bumpy([""])[0] == pytest.approx(bumpy([caption])[0])
    assert (table["std_error"] > 0).any()
    model = Counting(additive)
    table = explain(model, [caption], budget=budget).table
    np.testing.assert_allclose(table["value"], additive(table["text"].tolist()) - 2, atol=1e-7)


def test_what_matters_is_taken_apart() -> None:
    def model(texts: list[str]) -> np.ndarray:
        return np.array([10.0 * ("zebra" in text) + 0.01 * len(text) for text in texts])

    caption = SENTENCES * 12 + "A zebra in the rain, on a road. " + SENTENCES * 12
    table = explain(model, [caption], budget=192).table
    best = table.loc[table["value"].idxmax()]
    assert best["text"] == "zebra"
    assert best["value"] == pytest.approx(10, abs=0.5)
    assert table["text"].str.contains(".", regex=False).sum() > 10  # sentences elsewhere


def test_sentences_come_first_only_where_phrases_are_too_many() -> None:
    assert cut(SENTENCES * 3, 192).share == 153
    assert cut(SENTENCES * 20, 192).share == 96
    plan = attribute(cut(SENTENCES * 20, 192), rng=np.random.default_rng(0))
    assert len(next(plan)) <= 96
