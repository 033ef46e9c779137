from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given

from tests.captions.attributes.forms import ANSWER, ATTRIBUTES, TOLD, answered
from yoin.captions import attributes
from yoin.captions.attributes import Attribute, Value
from yoin.captions.attributes.answers import read
from yoin.captions.attributes.sentences import sentences
from yoin.language import sentences as cut
from yoin.options import DriverOptions
from yoin.values import Caption


def test_an_answer_is_a_sentence_an_attribute() -> None:
    assert sentences(read(ANSWER, ATTRIBUTES), ATTRIBUTES) == TOLD


@pytest.mark.parametrize(
    ("space", "told"),
    [(0, "Little"), (33.3, "Little"), (33.4, "Some"), (66.6, "Some"), (66.7, "Much"), (100, "Much")],
)
def test_a_number_is_told_by_its_level(space: float, told: str) -> None:
    values = {"people": "one", "space": space, "lamps": 1, "smoke": True}
    assert f" {told} empty space. " in sentences(values, ATTRIBUTES)


@given(answered())
def test_every_value_is_told_once_in_its_order_and_always_alike(
    case: tuple[tuple[Attribute, ...], dict[str, Value]],
) -> None:
    asked, values = case
    text = sentences(values, asked)
    assert text == sentences(dict(reversed(values.items())), asked)
    told = [text[start:end] for start, end in cut(text)]
    assert len(told) == len(asked)
    for sentence, one in zip(told, asked, strict=True):
        assert sentence.rstrip(".。").casefold() == one.phrase(values[one.name])


@given(answered())
def test_another_value_of_an_enum_or_a_bool_is_another_text(
    case: tuple[tuple[Attribute, ...], dict[str, Value]],
) -> None:
    asked, values = case
    for one in asked:
        others = one.values if one.kind == "enum" else (True, False) if one.kind == "bool" else ()
        texts = {sentences({**values, one.name: other}, asked) for other in others}
        assert len(texts) == len(others)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_drivers_find_what_the_built_in_attributes_say(lang: str) -> None:
    # What the driver analysis reads is asked of it itself; it is another stage, and so imported by this test alone.
    from yoin.drivers.concepts import find_concepts

    schema = attributes.load("general", lang)
    random = np.random.default_rng(0)
    answers = [
        {
            one.name: one.values[random.integers(len(one.values))] if one.kind == "enum"
            else bool(random.integers(2)) if one.kind == "bool" else int(random.integers(0, 101))
            for one in schema.attributes
        }
        for _ in range(600)
    ]  # fmt: skip
    told = [schema.told(Caption(text=json.dumps(answer), status="ok")).text for answer in answers]
    found = find_concepts(told, DriverOptions())
    columns = {
        label: found.present[:, [at]].toarray().ravel().astype(bool).tolist() for at, label in enumerate(found.labels)
    }
    for one in schema.attributes:
        for value, phrase in zip(one.values, one.phrases, strict=False):
            has = [answer[one.name] == value for answer in answers]
            assert has in columns.values(), f"no concept is what {phrase!r} says"
        if one.kind == "bool":
            assert [bool(answer[one.name]) for answer in answers] in columns.values()
        if one.kind == "number":
            for phrase in one.phrases:
                assert [one.phrase(answer[one.name]) == phrase for answer in answers] in columns.values()
