from __future__ import annotations

import pytest

from yoin.explanations.players import split


def phrases(caption: str) -> list[str]:
    players = split(caption)
    return [caption[slice(*players.span(first, last))] for first, last in players.phrases]


def words(caption: str) -> list[str]:
    return [caption[start:end] for start, end in split(caption).words]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog on the grass.", ["A dog", "on the grass."]),
        ("There is no visible text.", ["There is", "no visible text."]),
        ("A street without any people", ["A street", "without any people"]),
        ("no bright red printed letters", ["no bright red printed letters"]),
        ("The dog is not visible", ["The dog", "is not visible"]),
        ("The image lacks text", ["The image", "lacks text"]),
        ("a red car, a blue sky", ["a red car,", "a blue sky"]),
        ("a man looking up. A dog", ["a man looking up.", "A dog"]),
        ("one two three four five six seven", ["one two three", "four five six", "seven"]),
        ("first line\nsecond line", ["first line", "second line"]),
        ("across the wide green field, near it", ["across the wide green field,", "near it"]),
        ("大きな犬が公園で走る。", ["大きな犬が", "公園で", "走る。"]),
        ("赤いドレスを着た女性の顔が写っている。", ["赤いドレスを", "着た", "女性の顔が", "写っている。"]),
        ("文字がない暗いポスターで、静かです。", ["文字がない", "暗いポスターで、", "静かです。"]),
        ("AIが描いた絵", ["AIが", "描いた", "絵"]),
        ("明亮的背景，红色", ["明亮的背景，", "红色"]),
        ("红色的汽车停在街道上。没有文字，也没有人。", ["红色的汽车停", "在街道上。", "没有文字，", "也没有人。"]),
        ("紅色的汽車停在街道上。沒有文字。", ["紅色的汽車停", "在街道上。", "沒有文字。"]),
        ("โปสเตอร์สีแดง ไม่มีข้อความ", ["โปสเตอร์สีแดง", "ไม่มีข้อความ"]),
        ("שלום עולם, טוב", ["שלום עולם,", "טוב"]),
    ],
)
def test_phrases_read_as_phrases(caption: str, expected: list[str]) -> None:
    assert phrases(caption) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A dog, (perhaps) red!", ["A", "dog,", "(perhaps)", "red!"]),
        ("said “hello” twice", ["said", "“hello”", "twice"]),
        ("a dog – a cat", ["a", "dog –", "a", "cat"]),
        ("- a list\n- of things", ["- a", "list", "- of", "things"]),
        ("3.5 and/or 1,000 U.S. well-known.So", ["3.5", "and/or", "1,000", "U.S.", "well-known.", "So"]),
        ("e\u0301a cafe\u0301", ["e\u0301a", "cafe\u0301"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("😀😀 👨‍👩‍👧 ok", ["😀😀", "👨‍👩‍👧", "ok"]),
        ("私は「犬」", ["私", "は", "「犬」"]),
        ("明るい背景に、赤い", ["明るい", "背景", "に、", "赤い"]),
        ("红色的汽车，没有文字。", ["红色的", "汽车，", "没有文字。"]),
        ("紅色的汽車 IMAX 電影", ["紅色的", "汽車", "IMAX", "電影"]),
        ("สุนัขสีน้ำตาลตัวใหญ่ AI ไม่มีคน", ["สุนัข", "สี", "น้ำตาล", "ตัว", "ใหญ่", "AI", "ไม่มีคน"]),
        ("end (", ["end ("]),
        ("...", ["..."]),
        ("  ", ["  "]),
        ("word", ["word"]),
        ("", []),
    ],
)
def test_words_hold_their_punctuation(caption: str, expected: list[str]) -> None:
    assert words(caption) == expected


def test_sentences_are_ranges_of_phrases() -> None:
    players = split("A red dog, no text. Women dance\nin the street! 犬が走る。")
    assert [
        players.caption[slice(*players.span(players.phrases[first][0], players.phrases[last - 1][1]))]
        for first, last in players.sentences
    ] == ["A red dog, no text.", "Women dance", "in the street!", "犬が走る。"]
    assert split("").sentences == ()
    assert split("...").sentences == ((0, 1),)
