from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from yoin.drivers import estimate_drivers
from yoin.drivers.mentions import Lexicon, Mention, _folded, _pattern, load_lexicon, mention_effects, set_apart
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


PIECES = [
    "man",
    "men",
    "old",
    "x-ray",
    "plus size",
    "é",
    "@home",
    "-in-law",
    "女",
    "若い",
    "o'clock",
    "ＭＡＮ",
    "s",
    "_",
]
JOINTS = ["", " ", "-", " - ", "'", "’s", "'s", ", ", "\n"]


@given(
    lists=st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), min_size=1, max_size=4),
    text=st.lists(st.sampled_from(PIECES + JOINTS), max_size=8).map("".join),
)
def test_only_what_may_be_there_is_searched_and_nothing_is_missed(lists: list[list[str]], text: str) -> None:
    lexicon = Lexicon(tuple(Mention("topic", str(number), tuple(words)) for number, words in enumerate(lists)))
    expected = [_pattern(mention.words).search(_folded(text)) is not None for mention in lexicon.mentions]
    assert lexicon.found_in([text])[0].tolist() == expected


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


def planted(rows: int = 200) -> tuple[list[str], np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    woman, barn = random.random((2, rows)) < 0.4
    captions = [
        f"{'A woman' if w else 'A lamp'} near {'a red barn' if b else 'a wall'}"
        for w, b in zip(woman, barn, strict=True)
    ]
    captions[:3] = ["An imam"] * 3
    return captions, random.normal(size=rows) + 0.8 * woman, np.array(["woman" in text for text in captions])


def test_mentions_are_compared_with_the_rest_as_welch_does() -> None:
    captions, metric, woman = planted()
    found = mention_effects(captions, metric, load_lexicon()).set_index("mention")
    assert sorted(found.index) == ["muslim", "women"]
    row = found.loc["women"]
    oracle = scipy.stats.ttest_ind(metric[woman], metric[~woman], equal_var=False)
    assert (row["n_with"], row["n_without"], row["topic"]) == (woman.sum(), (~woman).sum(), "gender")
    assert row["lift"] == pytest.approx(metric[woman].mean() - metric[~woman].mean())
    assert (row["p"], row["low"]) == pytest.approx((oracle.pvalue, oracle.confidence_interval(0.95).low))
    assert row["q"] == row["p"]  # the other one has too few captions for a p
    assert found.loc["muslim", ["lift", "p", "q"]].isna().all()


def test_without_mentions_there_is_no_row() -> None:
    assert mention_effects(["a tree"] * 40, np.arange(40.0), load_lexicon()).empty


def test_concepts_about_people_have_a_note_and_no_opportunity() -> None:
    captions, metric, _ = planted()
    found = estimate_drivers(captions, metric, embed=None)
    apart = set_apart(found, load_lexicon()).table.set_index("concept")
    assert apart.loc["woman", "note"].startswith("about people (gender): no advice")
    assert np.isnan(apart.loc["woman", "opportunity"])
    rest = apart.index != "woman"
    pd.testing.assert_frame_equal(apart[rest], found.table.set_index("concept")[rest])
    assert set_apart(found, load_lexicon()).significant == found.significant
