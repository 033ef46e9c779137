from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from yoin.language import lemma, sentences, words


@given(st.text())
def test_words_are_stretches_of_the_text_in_order(text: str) -> None:
    last = 0
    for word in words(text):
        assert last <= word.start < word.end
        assert text[word.start : word.end] == word.text
        last = word.end


@given(st.text())
def test_sentences_cover_everything_but_blanks(text: str) -> None:
    spans = sentences(text)
    kept = "".join(text[start:end] for start, end in spans)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(left[1] <= right[0] for left, right in pairwise(spans))


def test_english() -> None:
    assert [word.text for word in words("It's a well-lit room; no text—2 faces.")] == [
        "It's", "a", "well-lit", "room", "no", "text", "2", "faces",
    ]  # fmt: skip
    assert [lemma(word) for word in ["Faces", "children", "glasses", "dark"]] == ["face", "child", "glass", "dark"]


def test_japanese_is_cut_where_the_script_changes() -> None:
    assert [word.text for word in words("青い海とカメラ。")] == ["青", "い", "海", "と", "カメラ"]
    assert sentences("海です。空です。") == [(0, 4), (4, 8)]
