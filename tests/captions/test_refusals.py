from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.captions.refusals import is_refusal

REFUSALS = [
    "I can't help with that.",
    "I cannot assist with this request.",
    "I'm sorry, but I cannot describe people in this image",
    "I’m sorry, but I can’t assist with that request.",
    "I am sorry. I can't help with identifying people.",
    "Sorry, I can't help with identifying people in images. If you'd like, I can describe the scene instead.",
    "I apologize, but I am unable to provide a description of this image as it contains explicit content.",
    "As an AI language model, I cannot describe this image.",
    "I cannot view the image. Could you please upload it again?",
    "Unfortunately, I'm not able to identify the person in this picture.",
    "I won't describe this image, as it goes against my guidelines.",
    "申し訳ありませんが、この画像を説明することはできません。",
    "申し訳ございません。ご要望にはお応えできません。",
    "この画像についてはお答えできません。",
    "すみません！ この画像の説明はできません！",
    "すみません、その依頼には対応できかねます。別の画像をお送りください。",
    "申し訳ありませんが、人物を特定することはできません。",
]
CAPTIONS = [
    "ポスターの文字：この件にはお答えできません",
    "A sign reads 'Sorry, we cannot help'.",
    '"I cannot help you," says the sign above a tired clerk at a grey counter.',
    "A poster with the words I'm sorry in large red letters over a dark street.",
    "A helper hands a box to a woman who cannot reach the shelf.",
    "Sorry-looking dog in the rain, its eyes lifted to the camera.",
    "I can see a dog on a beach in warm evening light.",
    "I cannot see any people; the beach is wide and empty.",
    "I can't help but admire the bright colours of this poster.",
    "I cannot help noticing the strong contrast between the red coat and the snow.",
    "I'm sorry, but I can't identify the people. The image shows a couple dancing under soft light.",
    "I can't identify the man, but he wears a red coat on a beach.",
    "I can't identify the person, but I can describe the image: a man in a red coat stands by the sea.",
    "I cannot identify them. The couple looks happy to be together.",
    "I am unable to read the text, which is small and blurred.",
    "Unfortunately placed text covers the face of a woman who cannot be identified.",
    "As an advertisement, it shows a bottle that cannot be missed.",
    "The image cannot be described without its colours: deep blue, gold and black.",
    "看板に「申し訳ありませんが、入店できません」と書かれている。",
    "「お手伝いできません」という文字が大きく書かれたポスター。",
    "申し訳なさそうな表情の男性が頭を下げている。",
    "申し訳ありませんが、画像の人物を特定できません。海辺に立つ人の姿が見えます。",
    "文字は小さく、判別できません。",
    "人物の表情は確認できません。夕暮れの浜辺が広がっています。",
    "ひとりの女性が道を説明している。奥の建物は暗く、はっきりとは確認できません。",
    "",
    "   ",
]
DESCRIPTIONS = [caption for caption in CAPTIONS if caption.strip() and not caption.startswith("I")]
SPACE = st.text(" \n\t", max_size=3)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize("text", CAPTIONS)
def test_a_caption_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


@given(st.sampled_from(REFUSALS), SPACE, SPACE)
def test_space_around_it_does_not_matter(refusal: str, before: str, after: str) -> None:
    assert is_refusal(before + refusal + after)


@given(st.sampled_from(REFUSALS), st.sampled_from(DESCRIPTIONS), st.sampled_from([" ", "\n", "\n\n"]))
def test_what_describes_as_well_is_a_caption(refusal: str, description: str, between: str) -> None:
    end = "" if refusal.endswith((".", "?", "。")) else "."
    assert not is_refusal(refusal + end + between + description)
    assert not is_refusal(description + between + refusal)


@given(
    st.sampled_from(REFUSALS), st.sampled_from(["A poster says: {}", "{!r} stands on a sign.", "看板に「{}」とある。"])
)
def test_a_refusal_that_is_quoted_is_a_caption(refusal: str, frame: str) -> None:
    assert not is_refusal(frame.format(refusal))


@given(st.text(max_size=200))
def test_no_text_breaks_the_rule(text: str) -> None:
    assert is_refusal(text) in {True, False}


WORDS = st.sampled_from(
    "a the woman man dog sign street cannot can't sorry help unable describe but not with holds looks near red".split()
)


@given(st.sampled_from(["A", "The", "An", "Two", "In", "Under", "This"]), st.lists(WORDS, max_size=30))
def test_a_text_that_does_not_open_in_the_first_person_is_a_caption(first: str, rest: list[str]) -> None:
    assert not is_refusal(" ".join([first, *rest]) + ".")
