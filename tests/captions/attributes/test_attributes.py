"""Built-in attributes and the user's own: what is asked, and by what it is known."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from tests.captions.attributes.forms import ANSWER, FORM, TOLD, answered
from tests.captions.scripted import Scripted
from yoin.captions import attributes
from yoin.captions.attributes import Attribute, Value
from yoin.captions.attributes.asking import response_schema
from yoin.captions.describe import Describer
from yoin.errors import UsageError
from yoin.options import CaptionOptions
from yoin.values import Caption


def own(folder: Path, text: str = FORM, lang: str = "en") -> attributes.Schema:
    (folder / "form.toml").write_text(text, encoding="utf-8")
    return attributes.load(str(folder / "form.toml"), lang)


def test_the_built_in_ones_are_there_in_both_languages() -> None:
    assert attributes.names() == ("general",)
    english, japanese = (attributes.load("general", lang) for lang in ("en", "ja"))
    assert [(one.name, one.kind) for one in english.attributes] == [(one.name, one.kind) for one in japanese.attributes]
    assert english.id != japanese.id
    for one, other in zip(english.attributes, japanese.attributes, strict=True):
        assert len(one.phrases) == len(other.phrases)
        assert all(phrase.isascii() for phrase in one.phrases)
        assert not any(phrase.isascii() for phrase in other.phrases if phrase != "CG")


def test_a_model_is_told_the_fields_and_what_each_can_be(tmp_path: Path) -> None:
    text = own(tmp_path).instruction
    assert text.startswith("Give the answer not as sentences but as one JSON object")
    assert '- people: How many people can be seen. One of: "none", "one", "some".' in text
    assert "- space: How much of the image is empty. A number from 0 to 100 (percent)." in text
    assert "- lamps: How many lamps are lit. A whole number from 0 to 9." in text
    assert "- smoke: Whether smoke can be seen. true or false." in text
    japanese = own(tmp_path, lang="ja").instruction
    assert "JSONオブジェクト" in japanese
    assert '- people: How many people can be seen.次のうち一つ: "none", "one", "some"。' in japanese


def test_the_schema_of_an_answer(tmp_path: Path) -> None:
    assert own(tmp_path).response_schema == {
        "type": "object",
        "properties": {
            "people": {
                "type": "string", "enum": ["none", "one", "some"], "description": "How many people can be seen.",
            },
            "space": {
                "type": "number", "minimum": 0.0, "maximum": 100.0, "description": "How much of the image is empty.",
            },
            "lamps": {"type": "integer", "minimum": 0, "maximum": 9, "description": "How many lamps are lit."},
            "smoke": {"type": "boolean", "description": "Whether smoke can be seen."},
        },
        "required": ["people", "space", "lamps", "smoke"],
        "additionalProperties": False,
    }  # fmt: skip


@given(answered())
def test_the_schema_allows_every_right_answer(case: tuple[tuple[Attribute, ...], dict[str, Value]]) -> None:
    asked, values = case
    schema = response_schema(asked)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(values, schema)
    assert list(schema["properties"]) == list(values)


def test_another_word_asked_is_another_id_and_how_it_is_told_is_not(tmp_path: Path) -> None:
    first = own(tmp_path)
    assert own(tmp_path, "# a remark\n" + FORM).id == first.id
    for old, new in (("several people", "a lot of people"), ('"much"]', '"plenty of"]'), ("{} empty space", "{} void")):
        assert old in FORM
        assert own(tmp_path, FORM.replace(old, new)).id == first.id
    others = {first.id, own(tmp_path, lang="ja").id}
    for old, new in (("are lit", "burn"), ('"some"]', '"many"]'), ("max = 9", "max = 8"), ("percent", "%")):
        changed = FORM.replace(old, new).replace("some = ", "many = " if new == '"many"]' else "some = ")
        others.add(own(tmp_path, changed).id)
    assert len(others) == 6


def test_an_answer_is_told_or_failed_and_what_was_no_caption_stays(tmp_path: Path) -> None:
    schema = own(tmp_path)
    good = Caption(text=ANSWER, status="ok", tokens_in=5)
    assert schema.checked(good) is good
    assert schema.told(good) == Caption(text=TOLD, status="ok", tokens_in=5)
    assert schema.values(good) == json.loads(ANSWER)
    bad = schema.checked(Caption(text="A quiet street.", status="ok", tokens_in=5))
    assert bad == Caption(text="", status="failed", reason="the answer is not JSON", tokens_in=5)
    for other in (bad, Caption(text="", status="blocked", reason="SAFETY"), Caption(text=ANSWER, status="truncated")):
        assert schema.checked(other) is schema.told(other) is other
        assert schema.values(other) is None


def test_a_file_beside_a_built_in_name_needs_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("general").write_text(FORM)
    assert len(attributes.load("general").attributes) > 10
    assert len(attributes.load("./general").attributes) == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("generl", "no attributes 'generl', neither built in nor as a file; did you mean general?"),
        ("no/such.toml", "use general, or the path of a TOML file"),
        ("", "no attributes ''"),
        ("x" * 5000, "neither built in nor as a file"),
    ],
)
def test_unknown_ones_are_one_sentence(name: str, said: str) -> None:
    with pytest.raises(UsageError) as failed:
        attributes.load(name)
    assert said in str(failed.value)


def test_another_language_than_the_two() -> None:
    with pytest.raises(UsageError, match="no built-in attributes are written in 'fr'"):
        attributes.load("general", "fr")


def test_what_options_ask_for(tmp_path: Path) -> None:
    assert attributes.asked(CaptionOptions()) is None
    asked = attributes.asked(CaptionOptions(attributes="general", lang="ja"))
    assert asked == attributes.load("general", "ja")


@pytest.mark.parametrize("captioner", [Describer, Scripted, Scripted()])
def test_a_captioner_that_cannot_says_so(captioner: object) -> None:
    with pytest.raises(UsageError, match="the captioner mine cannot fill in attributes; use a vision-language model"):
        attributes.require_taken(captioner, "mine")
