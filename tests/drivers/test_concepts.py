from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from yoin import encoder
from yoin.drivers.concepts import find_concepts, given_concepts
from yoin.drivers.merge import opposed
from yoin.drivers.negation import HARD, SOFT, denial_scopes
from yoin.drivers.phrases import Unit
from yoin.drivers.tokens import ALONE, parts, tokenise
from yoin.errors import UsageError
from yoin.language import words
from yoin.options import DriverOptions

FEW = DriverOptions(min_rows=3)


def denied(caption: str) -> set[str]:
    found = words(caption)
    gaps = ["."] + [caption[a.end : b.start] for a, b in pairwise(found)]
    breaks = [0 if gap in (" ", "") else SOFT if gap.strip() in (",", "、") else HARD for gap in gaps]
    texts = [word.text.lower() for word in found]
    return {text for text, scope in zip(texts, denial_scopes(texts, breaks), strict=True) if scope}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("There is no text.", {"text"}),
        ("A man without any visible text on a red wall", {"any", "visible", "text"}),
        ("no people, animals, or text in the picture", {"people", "animals", "or", "text"}),
        ("no people, a red car", {"people"}),
        ("no text but a large face", {"text"}),
        ("no text and bright colors", {"text"}),
        ("The text is absent.", {"text"}),
        ("Faces are not visible.", {"faces"}),
        ("The image isn't bright.", {"bright"}),
        ("not only a face", set()),
        ("neither text nor faces", {"text", "nor", "faces"} - {"nor"}),
        ("The picture does not show any faces", {"show", "any", "faces"}),
        ("no sign of text", {"sign", "of", "text"}),
        ("a bright image. No text.", {"text"}),
        ("文字はありません。", {"文字"}),
        ("黒い背景に文字はない。", {"文字"}),
        ("人物が写っていない", {"人物", "が", "写"} - {"が"}),
        ("明るい背景", set()),
    ],
)
def test_what_a_caption_denies(caption, expected):
    assert denied(caption) == expected


def captions_about(*pools: list[str], count: int = 60, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"{rng.choice(pool)}." for pool in pools) for _ in range(count)]


def table(found, captions):
    rows = np.asarray(found.present.sum(axis=0))
    return dict(zip(found.labels, rows.astype(int), strict=True))


def test_no_text_is_not_text():
    captions = ["There is no text"] * 5 + ["There is text"] * 6 + ["A man without any text"] * 4 + ["A dog"] * 7
    found = find_concepts(captions, FEW)
    rows = table(found, captions)
    assert rows["text"] == 6
    assert rows["no text"] == 9
    denials = found.occurrences[found.occurrences["negated"]]
    assert set(denials["concept"]) == {"text"}
    assert len(denials) == 9
    places = denials[["row_id", "start", "end"]].to_numpy().tolist()
    assert {captions[row][start:end] for row, start, end in places} == {"no text", "without any text"}


def test_labels_are_the_forms_that_people_wrote():
    captions = [*["Two Faces here"] * 4, *["two faces there"] * 3, *["a face"] * 5, *["nothing"] * 8]
    found = find_concepts(captions, FEW)
    assert "two faces" in found.labels
    assert "faces" in found.labels  # more frequent than "face"
    assert table(found, captions)["faces"] == 12


def test_phrases_never_cross_punctuation():
    found = find_concepts(["red car, blue sky"] * 5 + ["red. blue"] * 5 + ["x"] * 5, FEW)
    assert not any("car blue" in phrase for phrases in found.phrases for phrase in phrases)
    assert not any("red blue" in phrase for phrases in found.phrases for phrase in phrases)


def test_a_word_inside_one_longer_phrase_gives_way_to_it():
    captions = captions_about(["warm palette", "cool palette", "neutral tones"], ["large face", "empty sky"])
    found = find_concepts(captions, FEW)
    assert {"warm palette", "cool palette", "large face"} <= set(found.labels)
    assert not {"warm", "cool", "large"} & set(found.labels)
    assert "palette" in found.labels  # in two longer phrases


def test_twins_become_one_concept_with_the_most_informative_label():
    captions = ["Red. A tall tower"] * 6 + ["A blue sky"] * 6
    found = find_concepts(captions, FEW)
    labels = {label: set(phrases) for label, phrases in zip(found.labels, found.phrases, strict=True)}
    assert labels["tall tower"] == {"red", "tall tower"}
    assert len({tuple(column) for column in found.present.toarray().T}) == len(found.labels)


def test_order_does_not_split_a_concept():
    captions = ["The palette is warm."] * 5 + ["A warm palette."] * 5 + ["Nothing."] * 5
    found = find_concepts(captions, FEW)
    assert table(found, captions)["warm palette"] == 10


def test_black_and_white_is_one_thing():
    captions = captions_about(
        ["a black and white image", "a white image", "a black and white photo", "red"], ["dog", "cat"]
    )
    found = find_concepts(captions, FEW)
    rows = table(found, captions)
    assert rows["black and white"] == sum("black and white" in c for c in captions)
    assert rows["white image"] == sum("a white image" in c for c in captions)


def test_support_on_both_sides():
    captions = ["dog, cat"] * 17 + ["cat"] * 3
    assert "cat" not in find_concepts(captions, FEW).labels  # in every caption
    assert "dog" not in find_concepts(captions, DriverOptions(min_rows=4)).labels
    assert "dog" in find_concepts(captions, FEW).labels


def test_too_few_groups_are_listed_but_not_supported():
    captions = ["dog"] * 20 + ["cat"] * 20 + ["cow"] * 10
    clusters = np.repeat(np.arange(10), 5)
    found = find_concepts(captions, DriverOptions(min_rows=10), clusters=clusters)
    supported = dict(zip(found.labels, found.supported.tolist(), strict=True))
    assert supported == {"dog": False, "cat": False, "cow": False}
    mixed = find_concepts(captions, DriverOptions(min_rows=10), clusters=np.arange(50) % 10)
    assert mixed.supported.all()


def test_the_best_supported_are_kept():
    captions = captions_about(["dog", "cat"], ["sun", "rain", "snow", "fog"], ["red", "green", "blue"])
    found = find_concepts(captions, DriverOptions(min_rows=3, max_concepts=2))
    assert set(found.labels) == {"dog", "cat"}
    assert any("best supported" in note for note in found.notes)


def test_nothing_to_find():
    for captions in (["dog"], ["", "!!!"], ["the of and"] * 50, [f"word{i}" for i in range(50)]):
        found = find_concepts(captions, DriverOptions())
        assert found.labels == ()
        assert list(found.occurrences.columns) == ["row_id", "concept", "start", "end", "negated"]


JAPANESE = (
    "赤いドレスを着た女性がカメラを見つめている。背景はぼやけた夜の街並みで、文字はない。",
    "黒い犬が芝生の上を走っている。明るい日差しの屋外で、全体に緑色の色調である。",
    "画面中央に大きな商品の写真があり、上部に白い文字で「セール」と書かれている。",
    "笑顔の若い男性がコーヒーカップを手に持っている。木製のテーブルと暖かい照明が見える。",
    "青い空と海を背景に、白い帆船が浮かんでいる。人物は写っていない。",
    "モノクロの写真で、古い建物の前に二人の子供が立っている。犬も笑っていない。",
)


def test_concepts_of_japanese_sentences_are_content_words():
    rng = np.random.default_rng(0)
    captions = ["".join(rng.choice(JAPANESE, 2, replace=False)) for _ in range(200)]
    found = find_concepts(captions, DriverOptions())
    phrases = {phrase for group in found.phrases for phrase in group}
    assert phrases >= {
        *(
            "背景",
            "文字なし",
            "人物なし",
            "赤いドレス",
            "黒い犬",
            "走っている",
            "コーヒーカップ",
            "二人",
            "暖かい照明",
            "青い空",
        ),
        *("古い建物", "夜の街並み"),
    }
    for phrase in phrases:
        last = tokenise([phrase]).surfaces
        assert not {"が", "を", "は", "に", "で", "た", "て", "いる"} & set(last), phrase
    assert not any(told in phrase for phrase in phrases for told in ("写って", "書かれ", "見える", "ある"))
    place = next(k for k, group in enumerate(found.phrases) if "白い" in group)
    held = [("白い" in caption) for caption in captions]
    assert found.present.toarray()[:, place].astype(bool).tolist() == held


@pytest.mark.parametrize(
    ("caption", "denied"),
    [
        ("人物は写っていない。", {"人物"}),
        ("ロゴや文字はない。", {"ロゴ", "文字"}),
        ("男性は笑っていない。", {"笑ってい"}),
        ("文字は見えない。犬がいる。", {"文字"}),
        ("文字のない空。", {"文字"}),
        ("商品名やロゴも写っていません。", {"商品", "名", "ロゴ"}),
        ("人物は写っておらず、空がある。", {"人物"}),
        ("男の子が走っている。", set()),
    ],
)
def test_what_japanese_denies(caption, denied):
    tokens = tokenise([caption])
    said = {tokens.surfaces[tokens.surface[k]] for k in np.flatnonzero(tokens.scope >= 0)}
    assert {word for word in said if parts(word) & ALONE} == denied


def test_a_given_japanese_phrase_is_found_whichever_way_it_is_cut():
    captions = [
        "赤いドレスの女性が走っている。",
        "ドレスを着て走った女性。",
        "赤い空。文字はない。",
        "文字。日差し。",
        "赤い 花",
    ]
    found = given_concepts(captions, ["赤いドレス", "走る女性", "走っている", "文字なし", "文字", "日差し"], FEW)
    assert dict(zip(found.labels, found.present.toarray().T.astype(int).tolist(), strict=True)) == {
        "赤いドレス": [1, 0, 0, 0, 0],
        "走る女性": [0, 0, 0, 0, 0],
        "走っている": [1, 1, 0, 0, 0],
        "文字なし": [0, 0, 1, 0, 0],
        "文字": [0, 0, 0, 1, 0],
        "日差し": [0, 0, 0, 1, 0],
    }


def test_what_the_encoder_cannot_read_is_not_merged_by_likeness():
    captions = ["背景は空。", "建物と海。", "笑顔の犬。", "A dog.", "A hound."] * 30
    alike = find_concepts(captions, DriverOptions(), embed=lambda texts: np.ones((len(texts), 2)), reads=encoder.reads)
    assert {"dog", "hound"} in [set(group) for group in alike.phrases]
    assert not any({"背景", "建物"} <= set(group) or {"笑顔", "建物"} <= set(group) for group in alike.phrases)
    assert any("does not read" in note for note in alike.notes)
    assert encoder.reads("naïve café, 3 × Å")
    assert not encoder.reads("кот")


def test_japanese_captions():
    captions = ["黒い背景に男性の顔。文字はない。"] * 6 + ["白い背景。文字。"] * 6 + ["空。"] * 4
    found = find_concepts(captions, FEW)
    rows = {
        phrase: n
        for phrases, n in zip(found.phrases, table(found, captions).values(), strict=True)
        for phrase in phrases
    }
    assert rows["男性の顔"] == 6
    assert rows["背景"] == 12
    assert rows["文字"] == 6
    spans = found.occurrences.query("row_id == 0 and negated")
    assert [captions[0][s:e] for s, e in spans[["start", "end"]].to_numpy().tolist()] == ["文字はない"]


def test_every_occurrence_stands_where_it_says():
    captions = captions_about(
        ["A Dark image", "a bright Image"], ["no faces", "two faces", "It’s a man’s face"], ["red-blue sky"]
    )
    found = find_concepts(captions, FEW)
    present = found.present.toarray()
    for row, concept, start, end, negated in found.occurrences.itertuples(index=False):
        piece = captions[row][start:end]
        assert piece.strip() == piece != ""
        assert present[row, found.labels.index(concept)] or negated
    asserted = found.occurrences[~found.occurrences["negated"]].groupby("concept")["row_id"].nunique()
    for label, column in zip(found.labels, present.T, strict=True):
        assert asserted[label] == column.sum()


def one_hot(groups: dict[str, int]):
    def embed(texts: list[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 60), dtype=np.float32)
        for i, text in enumerate(texts):
            vectors[i, groups.get(text, 10 + i % 50)] = 1
        return vectors

    return embed


def test_synonyms_merge_by_embedding_and_opposites_do_not():
    captions = captions_about(
        ["a car", "an automobile", "a tree"], ["warm palette", "cool palette"], ["no text", "much text"]
    )
    alike = {"car": 0, "automobile": 0, "warm palette": 1, "cool palette": 1, "no text": 2, "much text": 2}
    found = find_concepts(captions, FEW, embed=one_hot(alike))
    phrases = {frozenset(p) for p in found.phrases}
    assert any({"car", "automobile"} <= p for p in phrases)
    assert not any({"warm palette", "cool palette"} <= p or {"no text", "much text"} <= p for p in phrases)
    assert not any("encoder" in note for note in found.notes)
    assert any("encoder" in note for note in find_concepts(captions, FEW).notes)


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        (("warm", "palette"), ("cool", "palette"), True),
        (("dark", "image"), ("bright", "image"), True),
        (("dark", "image"), ("gloomy", "image"), False),
        (("text", "left"), ("text", "right"), True),
        (("two", "man"), ("three", "man"), True),
        (("two", "man"), ("2", "man"), False),
        (("red", "car"), ("blue", "car"), True),
        (("much", "text"), ("little", "text"), True),
        (("car",), ("automobile",), False),
    ],
)
def test_opposites(a, b, apart):
    assert opposed(Unit(a), Unit(b)) is apart
    assert opposed(Unit(a), Unit(a, denied=True))


def test_phrases_that_avoid_each_other_stay_apart():
    captions = captions_about(["gloomy forest", "misty forest", "forest"], ["dog", "cat"], count=90)
    found = find_concepts(captions, FEW, embed=one_hot({"gloomy forest": 0, "misty forest": 0}))
    assert {"gloomy forest", "misty forest"} <= set(found.labels)


def test_a_users_list():
    captions = ["A man in a red hat."] * 4 + ["No hat. A Man."] * 3 + ["without a hat or text"] * 2 + ["text"]
    found = given_concepts(
        captions, {"hat": ["hats"], "bare": ["no hat"], "none": ["zebra"], "man": ["man in a red hat"]}, FEW
    )
    assert table(found, captions) == {"hat": 4, "bare": 5, "none": 0, "man": 4}
    assert found.occurrences.query("concept == 'hat' and negated")["row_id"].tolist() == [4, 5, 6, 7, 8]
    assert found.supported.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("concepts", "says"),
    [
        ([], "empty"), ("dog", "one text"), (["dog", "dog "], "twice"), (["!?"], "no words"), ({"a": []}, "no phrases"),
        ([1], "not a text"), ({"a": [2]}, "not a text"),
    ],
)  # fmt: skip
def test_a_bad_list(concepts, says):
    with pytest.raises(UsageError, match=says):
        given_concepts(["dog"] * 5, concepts, FEW)
