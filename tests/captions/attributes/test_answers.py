from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.captions.attributes.forms import ANSWER, ATTRIBUTES, answered, attributes
from yoin.captions.attributes import Attribute, Value
from yoin.captions.attributes.answers import AnswerError, read

VALUES = {"people": "one", "space": 70.0, "lamps": 0, "smoke": False}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def answer(**changes: object) -> str:
    return json.dumps({**VALUES, **changes})


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"\ufeff \n{ANSWER}\n",
        f"```json\n{ANSWER}\n```",
        f"```\n{ANSWER}\n```",
        f"```JSON\n{ANSWER}\n  ```\n",
        answer(people=" One "),
        answer(lamps=0.0),
        answer(space=7e1),
    ],
)
def test_what_was_asked_for_is_read(text: str) -> None:
    found = read(text, ATTRIBUTES)
    assert found == VALUES
    assert list(found) == ["people", "space", "lamps", "smoke"]
    assert {name: type(value) for name, value in found.items()} == {
        "people": str, "space": float, "lamps": int, "smoke": bool,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the answer is not JSON"),
        ("A quiet street.", "the answer is not JSON"),
        (f"Here it is: {ANSWER}", "the answer is not JSON"),
        (ANSWER[:-3], "the answer is not JSON"),
        (ANSWER + ANSWER, "the answer is not JSON"),
        ("[" * 100_000, "the answer is not JSON"),
        ("[" * 50_000 + "]" * 50_000, "the answer is not JSON"),
        ("9" * 10_000, "the answer is not JSON"),
        (" " * 100_001, "the answer is far too long"),
        (f"[{ANSWER}]", "the answer is a list, not an object with the fields asked for"),
        ("null", "the answer is null, not an object with the fields asked for"),
        ('"one"', "the answer is 'one', not an object with the fields asked for"),
        ("{}", "the answer has no people"),
        ('{"people": "one", "people": "some"}', "the answer has 'people' twice"),
        (answer(mood="calm"), "the answer has a field that was not asked for: 'mood'"),
        (answer(people="crowd"), "people is 'crowd', none of the words to choose from"),
        (answer(people=1), "people is 1, none of the words to choose from"),
        (answer(people=None), "people is null, none of the words to choose from"),
        (answer(people=["one"]), "people is a list, none of the words to choose from"),
        (answer(people={"value": "one"}), "people is an object, none of the words to choose from"),
        (answer(space="70"), "space is '70', not a number from 0 to 100"),
        (answer(space=True), "space is true, not a number from 0 to 100"),
        (answer(space=100.5), "space is 100.5, not a number from 0 to 100"),
        (answer(space=-1), "space is -1, not a number from 0 to 100"),
        (answer(space=float("nan")), "the answer has NaN, which is no number"),
        (answer(space=float("-inf")), "the answer has -Infinity, which is no number"),
        (answer(space=70).replace("70", "1e999"), "space is an endless number, not a number from 0 to 100"),
        (answer(space=10**400), "space is 1000"),
        (answer(lamps=1.5), "lamps is 1.5, not a whole number from 0 to 9"),
        (answer(smoke=0), "smoke is 0, neither true nor false"),
        (answer(smoke="false"), "smoke is 'false', neither true nor false"),
    ],
)
def test_what_was_not_asked_for_is_one_plain_reason(text: str, said: str) -> None:
    with pytest.raises(AnswerError) as failed:
        read(text, ATTRIBUTES)
    assert str(failed.value).startswith(said)
    assert len(str(failed.value)) < 120


def test_what_a_model_says_is_quoted_short_and_in_one_line() -> None:
    for hostile in ("x" * 50_000, "one\n\ud800\u202e\x00two " * 9, "<script>\r\nalert(1)"):
        with pytest.raises(AnswerError) as failed:
            read(json.dumps({**VALUES, "people": hostile}), ATTRIBUTES)
        said = str(failed.value)
        assert said.isprintable()
        assert len(said) < 120
        said.encode()


@given(st.text() | _JSON.map(json.dumps), attributes())
def test_no_answer_raises_anything_else(text: str, asked: tuple[Attribute, ...]) -> None:
    reason = ""
    try:
        found = read(text, asked)
    except AnswerError as error:
        found, reason = {}, str(error)
    assert reason.isprintable()
    assert bool(reason) == (list(found) != [one.name for one in asked])


@given(st.data(), attributes())
def test_an_answer_with_the_right_names_has_right_values_or_is_refused(
    data: st.DataObject, asked: tuple[Attribute, ...]
) -> None:
    text = json.dumps({one.name: data.draw(_JSON) for one in asked})
    try:
        found = read(text, asked)
    except AnswerError:
        return
    for one in asked:
        value = found[one.name]
        if one.kind == "enum":
            assert value in one.values
        elif one.kind == "bool":
            assert isinstance(value, bool)
        else:
            assert isinstance(value, int if one.whole else float)
            assert one.low <= value <= one.high


@given(answered())
def test_every_right_answer_is_read_as_it_is(case: tuple[tuple[Attribute, ...], dict[str, Value]]) -> None:
    asked, values = case
    assert read(json.dumps(values), asked) == values
