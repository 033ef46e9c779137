from __future__ import annotations

import numpy as np
import pytest

from tests.explanations.models import Counting, additive
from yoin.errors import UsageError
from yoin.explanations import game as game_module
from yoin.explanations.game import Evaluator, Game
from yoin.explanations.players import split


@pytest.mark.parametrize(
    ("caption", "kept", "expected"),
    [
        ("  A dog,  and a cat.\n", [1, 1, 1, 1, 1], "  A dog,  and a cat.\n"),
        ("A dog, and a cat.", [0, 0, 0, 0, 0], ""),
        ("A dog, and a cat.", [1, 1, 0, 0, 0], "A dog"),
        ("A dog, and a cat.", [1, 0, 0, 0, 1], "A cat."),
        ("A dog, and a cat.", [0, 1, 0, 0, 1], "dog, cat."),
        ("A  dog   and a  cat", [1, 0, 1, 0, 1], "A and cat"),
        ("A (red) dog", [1, 0, 1], "A dog"),
        ("犬が公園で", [1, 0, 1, 0], "犬 公園"),
        ("犬が公園で", [1, 1, 0, 1], "犬が で"),
        ("赤犬が大きな", [0, 1, 1], "が大きな"),
        ("dog,big,cat", [1, 0, 1], "dog,cat"),
        ("红色的汽车，没有文字。", [1, 0, 1], "红色的 没有文字。"),
        ("红色的汽车，没有文字。", [0, 1, 1], "汽车，没有文字。"),
        ("สุนัขสีน้ำตาล", [1, 0, 1], "สุนัข น้ำตาล"),
    ],
)
def test_text_of_kept_words(caption: str, kept: list[int], expected: str) -> None:
    assert Game(split(caption)).text(np.array(kept, dtype=bool)) == expected


def test_equal_texts_are_sent_once_and_in_bounded_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game_module, "MAX_CALL_TEXTS", 3)
    model = Counting(additive)
    evaluate = Evaluator(model)
    asked = ["a", "b", "a", "c", "d", "b", ""]
    np.testing.assert_array_equal(evaluate(asked), additive(asked))
    np.testing.assert_array_equal(evaluate(["a", ""]), additive(["a", ""]))
    assert model.batches == [["a", "b", "c"], ["d", ""]]
    assert evaluate.calls == 5
    evaluate.forget()
    evaluate(["a", ""])
    assert model.batches[2:] == [["a"]]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (np.zeros((2, 1)), r"shape \(2, 1\) for 2 texts"),
        (np.zeros(3), r"shape \(3,\) for 2 texts"),
        (1.0, r"shape \(\) for 2 texts"),
        (None, "NoneType, not numbers"),
        (["1", "2"], "list of text, not numbers"),
        ([[1.0], [1.0, 2.0]], "list that is not an array"),
        (np.array([1.0, np.nan]), "nan for the text 'b'"),
        ([np.inf, 0], "inf for the text 'a'"),
    ],
)
def test_what_predict_returned_is_named(returned: object, words: str) -> None:
    with pytest.raises(UsageError, match=rf"^explain: predict returned (a )?{words}"):
        Evaluator(lambda _: returned)(["a", "b"])  # type: ignore[arg-type, return-value]


def test_lists_and_whole_numbers_are_numbers() -> None:
    assert Evaluator(lambda texts: [len(text) for text in texts])(["a", "bcd"]).tolist() == [1.0, 3.0]  # type: ignore[arg-type, return-value]
