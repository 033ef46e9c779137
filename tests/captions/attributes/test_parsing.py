"""What a file of attributes may hold; each mistake is one sentence that names the place and a way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.captions.attributes.forms import FORM
from yoin.captions import attributes
from yoin.captions.attributes.parsing import MOST, parse
from yoin.captions.attributes.sentences import sentences
from yoin.errors import UsageError

ENUM = '[a]\nkind = "enum"\nabout = "x"\nvalues = ["p", "q"]\n'
NUMBER = '[a]\nkind = "number"\nabout = "x"\nmin = 0\nmax = 10\n'
BOOL = '[smoke_1]\nkind = "bool"\nabout = "x"\n'


def phrases(text: str, lang: str = "en") -> tuple[str, ...]:
    (one,) = parse(text, "f.toml", lang)
    return one.phrases


def test_a_file_is_read_in_its_order() -> None:
    people, space, lamps, smoke = parse(FORM, "f.toml", "en")
    assert (people.name, people.kind, people.about) == ("people", "enum", "How many people can be seen.")
    assert people.values == ("none", "one", "some")
    assert people.phrases == ("no people", "one person", "several people")
    assert (space.low, space.high, space.unit, space.whole) == (0.0, 100.0, "percent", False)
    assert space.phrases == ("little empty space", "some empty space", "much empty space")
    assert (lamps.whole, lamps.phrases) == (True, ("low lamps", "medium lamps", "high lamps"))
    assert smoke.phrases == ("no smoke", "smoke")


def test_how_a_value_is_told_where_the_file_does_not_say() -> None:
    assert phrases(ENUM) == ("p a", "q a")
    assert phrases(ENUM.replace('"q"', '"None"')) == ("p a", "no a")
    assert phrases(ENUM, "ja") == ("a：p", "a：q")
    assert phrases(NUMBER, "ja") == ("a：低", "a：中", "a：高")
    assert phrases(BOOL) == ("no smoke 1", "smoke 1")
    assert phrases(BOOL.replace("[smoke_1]", '["煙"]'), "ja") == ("煙なし", "煙あり")


def test_how_it_can_say() -> None:
    assert phrases(ENUM + 'says = "{} thing."') == ("p thing", "q thing")
    assert phrases(ENUM + 'says = { q = "the other", p = "the one." }') == ("the one", "the other")
    assert phrases(NUMBER + 'levels = ["few", "many"]\nsays = "{} birds"') == ("few birds", "many birds")
    assert phrases(BOOL + 'says = "thick smoke"') == ("no thick smoke", "thick smoke")
    assert phrases(BOOL + 'says = { yes = "smoky air", no = "clear air" }') == ("clear air", "smoky air")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the attributes file f.toml has no attributes; give each as a table, such as [people]."),
        ("# nothing\n", "has no attributes"),
        ("people: one\n", "is not TOML ( … line 1 … ); mend that line"),
        ('{"people": {}}', "is not TOML"),
        (ENUM + ENUM, "names something twice ( … line 5 … ); name each attribute once"),
        (ENUM + 'kind = "bool"\n', "names something twice"),
        (ENUM + ENUM.replace("[a]", "[A]"), "has 'a' and 'A'; use names that differ in more than case"),
        ("".join(BOOL.replace("smoke", f"s{n}") for n in range(MOST + 1)), f"has {MOST + 1} attributes; use at most"),
        ("a = " + "[" * 5000 + "]" * 5000, "is nested too deeply"),
        ("a = " + "9" * 5000, "is not TOML"),
        ('a = "bool"', "'a' in f.toml is not an attribute; give each as a table, such as [a]"),
        (ENUM.replace("[a]", '["how many"]'), "'how many' in f.toml is no name for an attribute; use up to 40 letters"),
        (ENUM.replace("[a]", '["1st"]'), "is no name"),
        (ENUM.replace("[a]", '[""]'), "'' in f.toml is no name"),
        (ENUM.replace("[a]", "[_a]"), "is no name"),
        (ENUM.replace("[a]", "[row_id]"), "is no name"),
        (ENUM.replace("[a]", f"[{'a' * 41}]"), "is no name"),
        (ENUM.replace("enum", "emum"), "attribute 'a' in f.toml is of an unknown kind, 'emum'; use enum, number, bool"),
        (ENUM.replace('"enum"', "3"), "is of an unknown kind, 3"),
        ('[a]\nabout = "x"', "has no kind"),
        (ENUM + 'sais = "x"', "has an unknown field 'sais'; did you mean says?"),
        (BOOL + "min = 0", "has an unknown field 'min'; a bool has kind, about, says"),
        (ENUM.replace('about = "x"', ""), "has no 'about'; say in one line what it means"),
        (ENUM.replace('"x"', '" "'), "has a blank text in 'about'"),
        (ENUM.replace('"x"', "7"), "has 7 in 'about', which is not a text"),
        (ENUM.replace('"x"', '"""x\ny"""'), "is too long or not one line; use 300 characters"),
        (ENUM.replace('"x"', f'"{"x" * 301}"'), "is too long or not one line"),
        (ENUM.replace('"x"', '"a\\u202Eb"'), "is too long or not one line"),
        (ENUM.replace('values = ["p", "q"]', ""), "has no list 'values'"),
        (ENUM.replace('["p", "q"]', '"p, q"'), "has no list 'values'"),
        (ENUM.replace('["p", "q"]', '["p"]'), "has 1 in 'values'; use 2 to 40"),
        (ENUM.replace('["p", "q"]', str([f"v{n}" for n in range(41)])), "has 41 in 'values'; use 2 to 40"),
        (ENUM.replace('["p", "q"]', "[1, 2]"), "has 1 in 'values', which is not a text; write it in quotes"),
        (ENUM.replace('["p", "q"]', '["p", "P"]'), "has 'P' twice among its values"),
        (ENUM.replace('["p", "q"]', '["p", ""]'), "has a blank text in 'values'"),
        (ENUM + 'says = "a thing"', "has a 'says' without a place for the value; write {} where the value stands"),
        (ENUM + 'says = "{} and {}"', "without a place for the value"),
        (ENUM + "says = 3", "has 3 in 'says', which is not a text"),
        (ENUM + 'says = { p = "one" }', "does not say 'q'; give a phrase for each value"),
        (ENUM + 'says = { p = "one", q = "two", r = "three" }', "says 'r', which is none of its values; use p, q"),
        (ENUM + 'says = { p = "one", q = "One." }', "has 'One' twice among its phrases"),
        (ENUM + 'says = { p = "one", q = "..." }', "says '', in which there is no word"),
        (NUMBER.replace("min = 0", ""), "is a number without 'min'; give its range: min and max"),
        (NUMBER.replace("10", '"10"'), "has '10' in 'max', which is no usable number"),
        (NUMBER.replace("10", "true"), "has True in 'max'"),
        (NUMBER.replace("10", "nan"), "has nan in 'max'"),
        (NUMBER.replace("10", "inf"), "has inf in 'max'"),
        (NUMBER.replace("10", "1e13"), "which is no usable number"),
        (NUMBER.replace("10", "0"), "goes from 0 to 0; make max larger than min"),
        (NUMBER.replace("10", "0.5") + "whole = true", "is whole, but its min or max is not"),
        (NUMBER + "whole = 1", "has a 'whole' that is neither true nor false"),
        (NUMBER + 'levels = ["one"]', "has 1 in 'levels'; use 2 to 7"),
        (NUMBER + "unit = 5", "has 5 in 'unit', which is not a text"),
        (BOOL + 'says = { true = "x", false = "y" }', "says 'true', which is none of its values; use no, yes"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError) as failed:
        parse(text, "f.toml", "en")
    message = str(failed.value)
    assert all(part in message for part in said.split(" … "))
    assert failed.value.stage == "captions"
    assert "\n" not in message
    assert len(message) < 500


def refused(text: str) -> str:
    """Why a file is refused, "" where it is not."""
    try:
        parse(text, "f.toml", "en")
    except UsageError as error:
        return str(error)
    return ""


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    assert refused(text)


_FIELDS = ["kind", "about", "values", "min", "max", "levels", "says", "whole"]
_CELLS = st.one_of(st.text('"\\', max_size=3), st.integers(), st.booleans(), st.just([]), st.just(["p", "q"]))


@given(st.sampled_from(["enum", "number", "bool"]), st.dictionaries(st.sampled_from(_FIELDS), _CELLS))
def test_no_table_raises_anything_else(kind: str, fields: dict[str, object]) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"kind": kind, **fields}.items()]
    said = refused("\n".join(["[a]", *lines]))
    assert not said or "'a' in f.toml" in said


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    def said(name: str, data: bytes) -> str:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError) as failed:
            attributes.load(str(tmp_path / name))
        return str(failed.value)

    assert "is not UTF-8 text; save it as UTF-8" in said("a.toml", FORM.replace("people", "café").encode("latin-1"))
    assert "is not a text file" in said("b.toml", b"[a]\0")
    assert "is larger than" in said("c.toml", b"#" * 200_000)
    with pytest.raises(UsageError, match="is no file; give the attributes file as UTF-8 text"):
        attributes.load(str(tmp_path))


def test_the_documentation_shows_what_is_there() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference.md").read_text("utf-8").partition("\n## Attributes\n")[2]
    example, told = text.partition("```toml\n")[2].split("```", 1)
    people, space, smoke = parse(example, "reference.md", "en")
    assert (people.kind, space.kind, smoke.kind) == ("enum", "number", "bool")
    caption = sentences({"people": "one", "empty_space": 90, "smoke": False}, (people, space, smoke))
    assert caption in " ".join(told.split())
    listed = " ".join(text.split("`--attributes general` is built in", 1)[1].split("Or write", 1)[0].split())
    for one in attributes.load("general").attributes:
        assert one.name.replace("_", " ") in listed
