from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from yoin.drivers.mentions import load_lexicon
from yoin.errors import UsageError

TOPICS = {"gender", "age", "ethnicity", "skin", "body", "religion", "disability", "nationality"}


def test_every_topic_has_words_in_both_languages() -> None:
    lexicon = load_lexicon()
    assert {each.topic for each in lexicon.mentions} == TOPICS
    for topic in TOPICS:
        spelled = [word for each in lexicon.mentions if each.topic == topic for word in each.words]
        assert any(word.isascii() for word in spelled)
        assert any(not word.isascii() for word in spelled)


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("Two women in the rain", ("gender",)),
        ("a WOMAN'S hat", ("gender",)),
        ("an elderly man", ("gender", "age")),
        ("no people, no man", ("gender",)),  # a denial mentions it too
        ("a plus-size model", ("body",)),
        ("dark   skinned", ("skin",)),
        ("a black woman", ("gender", "ethnicity")),
        ("a Japanese garden", ("nationality",)),
        ("若い女性が笑っている", ("gender", "age")),
        ("車椅子の選手", ("disability",)),
        ("寺院と仏像", ("religion",)),
        # what looks alike and is no such mention
        ("a human hand", ()),
        ("manual, mango and Manhattan", ()),
        ("an old building in black and white", ()),
        ("bold white text on a dark background", ()),
        ("window blinds", ()),
        ("赤い納屋と海", ()),
        ("", ()),
    ],
)
def test_topics_of_a_text(text: str, topics: tuple[str, ...]) -> None:
    assert load_lexicon().topics_of([text]) == topics


def test_a_concept_is_set_apart_by_its_name_or_any_of_its_phrases() -> None:
    drivers = pd.DataFrame(
        {
            "concept": ["portrait", "red barn", "young woman"],
            "phrases": ["portrait; portrait of a lady", "red barn", ""],
        }
    )
    assert load_lexicon().topics_of_concepts(drivers) == {"portrait": ("gender",), "young woman": ("gender", "age")}


def test_mentions_are_found_a_text_and_a_mention() -> None:
    lexicon = load_lexicon()
    found = lexicon.found_in(["a man", "a tree", "a boy and his mother"])
    named = {
        (text, each.name)
        for text, row in enumerate(found)
        for each, hit in zip(lexicon.mentions, row, strict=True)
        if hit
    }
    assert named == {(0, "men"), (2, "men"), (2, "women"), (2, "children")}


def test_a_users_list_is_added_and_may_replace(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text('[gender]\nwomen = ["dame"]\n[pets]\nany = ["cat", "猫"]\n', "utf-8")
    longer = load_lexicon(path)
    assert longer.topics_of(["a dame"]) == longer.topics_of(["a woman"]) == ("gender",)
    assert longer.topics_of(["two cats"]) == longer.topics_of(["黒猫"]) == ("pets",)
    path.write_text(f"replace = true\n{path.read_text('utf-8')}", "utf-8")
    alone = load_lexicon(path)
    assert alone.topics_of(["a woman in a hijab"]) == ()
    assert alone.topics_of(["a dame"]) == ("gender",)
    assert load_lexicon().topics_of(["a dame"]) == ()  # the built-in lists stayed as they are


def test_words_are_words_and_not_patterns(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text('replace = true\n[a]\nb = ["(x+)+$", "c++"]\nempty = []\n', "utf-8")
    assert load_lexicon(path).topics_of(["xxxx"]) == ()
    assert load_lexicon(path).topics_of(["in c++ "]) == ("a",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"gender = [", "not a TOML file"),
        (b"\xff\xfe\x00", "not a TOML file"),
        (b'gender = ["woman"]', "not a topic with lists of words"),
        (b'[gender]\nwomen = "woman"', "not a list of words"),
        (b"[gender]\nwomen = [1]", "not a list of words"),
        (b'[gender]\nwomen = [" "]', "not a list of words"),
        (b'replace = "yes"', "neither true nor false"),
    ],
)
def test_a_wrong_list_is_refused_in_a_sentence(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "words.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        load_lexicon(path)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_lexicon(tmp_path / "none.toml")
