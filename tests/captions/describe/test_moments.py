"""A video's description: what most frames show, what some show, each fact once."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.captions.describe.test_sentences import FAMILIES, PLAIN, measurements
from yoin.captions.describe.measurements import Box, Measurements, TextBox
from yoin.captions.describe.moments import describe_video
from yoin.captions.describe.sentences import describe

DARK = replace(PLAIN, look=replace(PLAIN.look, brightness=10, background=5))
BRIGHT = replace(PLAIN, look=replace(PLAIN.look, brightness=90, background=95))
FACE = Box(x=0.5, y=0.2, width=0.4, height=0.4)


def said(*frames: Measurements, seconds: float = 12.0, several_scenes: bool = True) -> tuple[str, str]:
    """What is said of the whole, and what of some frames."""
    caption = describe_video(frames, seconds=seconds, several_scenes=several_scenes)
    whole, _, some = caption.partition(" At times: ")
    return whole, some


def line(characters: int, y: float = 0.1, height: float = 0.2) -> TextBox:
    return TextBox(box=Box(x=0.5, y=y, width=0.5, height=height), characters=characters)


@given(measurements, st.integers(1, 8))
def test_frames_that_are_alike_are_described_as_an_image(measured: Measurements, frames: int) -> None:
    whole, some = said(*[measured] * frames)
    assert whole == f"It is a short video of 12 seconds with several scenes. {describe(measured)}"
    assert some == ""


@given(st.lists(measurements, min_size=1, max_size=8), st.floats(0.01, 1e6))
def test_it_is_short_and_of_sentences(frames: list[Measurements], seconds: float) -> None:
    caption = describe_video(frames, seconds=seconds, several_scenes=False)
    assert len(caption.split()) < 120
    sentences = re.split(r"(?<=\.) ", caption)
    assert all(re.fullmatch(r"[A-Z][a-z0-9,: -]*[a-z]\.", one) for one in sentences)
    assert len(sentences) <= 8
    assert "  " not in caption


@given(st.lists(measurements, min_size=1, max_size=8))
def test_nothing_is_said_twice_and_nothing_general_contradicts(frames: list[Measurements]) -> None:
    whole, some = said(*frames)
    for phrases in FAMILIES.values():
        named = [phrase for phrase in phrases if re.search(rf"\b{phrase}\b", whole)]
        assert len(named) <= 1
        for phrase in named:
            in_how_many = sum(bool(re.search(rf"\b{phrase}\b", describe(frame))) for frame in frames)
            assert 2 * in_how_many > len(frames)
    told = some.rstrip(".").split(", ") if some else []
    assert len(told) == len(set(told)) <= 6
    for phrase in told:
        bare = phrase.removeprefix("mainly ")
        assert any(bare in describe(frame) for frame in frames)
        assert not re.search(rf"\b{re.escape(phrase)}\b", whole)
    assert not any(one in other for one, other in combinations(sorted(told), 2) if one != other and "mainly" not in one)


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [
        (0.04, "very short video of 1 second with"), (1.4, "very short video of 1 second with"),
        (7.9, "very short video of 8 seconds with"), (8, "short video of 8 seconds with"),
        (30, "long video of 30 seconds with"), (600, "very long video of 600 seconds with"),
    ],
)  # fmt: skip
def test_its_length_is_told_in_words_too(seconds: float, kind: str) -> None:
    assert said(PLAIN, seconds=seconds)[0].startswith(f"It is a {kind} several scenes. ")
    assert f"{kind} one scene. " in said(PLAIN, seconds=seconds, several_scenes=False)[0]


def test_most_frames_decide_and_others_are_named() -> None:
    whole, some = said(DARK, DARK, DARK, BRIGHT)
    assert "A dark image in portrait format" in whole
    assert "on a dark background" in whole
    assert some == "bright image, light background."


def test_where_frames_disagree_nothing_general_is_said() -> None:
    whole, some = said(DARK, BRIGHT)
    assert "An image in portrait format with medium contrast." in whole
    assert "background" not in whole
    assert some == "dark image, bright image, dark background, light background."


def test_faces_and_text_that_vary() -> None:
    one, two, none = replace(PLAIN, faces=(FACE,)), replace(PLAIN, faces=(FACE, FACE)), PLAIN
    assert "It shows one large face at the top center." in said(one, one, none)[0]
    assert said(one, none, none)[1] == "one large face."
    assert "It shows no faces." in said(one, none, none)[0]
    whole, some = said(one, one, two, two, none)
    assert "It shows faces." in whole
    assert some == "one large face, two faces."
    assert "faces" not in said(one, none)[0]

    much, little = replace(PLAIN, text=(line(60),)), replace(PLAIN, text=(line(5),))
    assert "There is much text at the top in large letters." in said(much, much, little)[0]
    whole, some = said(much, much, little, little, none)
    assert "There is text at the top in large letters." in whole
    assert some == "much text, little text."
    assert said(replace(PLAIN, text=(line(30),)), none, none)[1] == "some text."


def test_a_thing_in_some_frames() -> None:
    car = replace(PLAIN, things=(("a car", 0.9),))
    assert "It looks like a car." in said(car, car, PLAIN)[0]
    whole, some = said(car, PLAIN, PLAIN)
    assert "looks like" not in whole
    assert some == "a car."


def test_what_next_to_no_frame_shows_is_not_told() -> None:
    assert said(BRIGHT, *[DARK] * 11)[1] == ""
    assert said(BRIGHT, BRIGHT, *[DARK] * 11)[1] == "bright image, light background."


def test_the_general_sentences_with_parts_missing() -> None:
    gray = replace(PLAIN, look=replace(PLAIN.look, chroma_peak=0, colors=(("gray", 1.0),)))
    warm = replace(PLAIN, look=replace(PLAIN.look, warmth=0.9, colors=(("red", 1.0),)))
    assert "It is a black and white image, mainly gray, on a midtone background." in said(gray, gray, warm)[0]
    assert "It has colors of medium saturation, on a midtone background." in said(warm, PLAIN)[0]
    assert "It has a midtone background." in said(gray, warm)[0]
    busy = replace(PLAIN, look=replace(PLAIN.look, symmetry=0.9))
    assert "It has some empty areas and moderate detail." in said(busy, PLAIN)[0]
