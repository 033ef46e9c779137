from __future__ import annotations

from yoin.brief.choose import Chosen
from yoin.brief.text import candidates


def chosen(concept: str, effect: float) -> Chosen:
    return Chosen(
        concept=concept, effect=effect, low=effect - 0.1, high=effect + 0.1, n_with=40, n_without=60, prevalence=0.4,
        q=0.01, sign_agreement=1.0,
    )  # fmt: skip


def test_a_japanese_caption_says_what_is_there_and_what_is_not() -> None:
    found = candidates(
        [
            chosen("赤いドレス", 0.5),
            chosen("文字なし", 0.4),
            chosen("犬", 0.3),
            chosen("人物なし", -0.3),
            chosen("空", -0.2),
        ]
    )
    assert found[0].caption == "赤いドレス、犬のある画像。文字はない。"
    assert [one.caption for one in found[1:]] == ["赤いドレスのある画像。", "文字はない。", "犬のある画像。"]
    assert found[0].avoid == "空"  # what is missing cannot be kept out


def test_an_english_caption_lists_what_goes_with_more() -> None:
    found = candidates([chosen("dog", 0.5), chosen("no text", 0.4), chosen("hat", -0.3), chosen("no sky", -0.2)])
    assert found[0].caption == "A picture with dog and no text."
    assert found[0].avoid == "hat"
