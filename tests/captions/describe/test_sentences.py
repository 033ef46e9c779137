"""Whatever was measured, the caption is made of the same few phrases."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.captions.describe.groups import NAMES, RUNS
from yoin.captions.describe.measurements import COLOR_NAMES, Box, Look, Measurements, TextBox
from yoin.captions.describe.sentences import describe
from yoin.language import sentences

share = st.floats(0, 1)
boxes = st.builds(Box, x=share, y=share, width=share, height=share)
color_shares = st.lists(st.tuples(st.sampled_from(COLOR_NAMES), share), min_size=1, unique_by=lambda pair: pair[0])
looks = st.builds(
    Look,
    aspect=st.floats(1e-3, 1e3),
    brightness=st.floats(0, 100),
    contrast=st.floats(0, 50),
    saturation=st.floats(0, 130),
    chroma_peak=st.floats(0, 134),
    warmth=st.floats(-1, 1),
    colors=color_shares.map(lambda pairs: tuple(sorted(pairs, key=lambda pair: -pair[1]))),
    edges=share,
    empty=share,
    symmetry=st.floats(-1, 1),
    background=st.floats(0, 100),
)
measurements = st.builds(
    Measurements,
    look=looks,
    faces=st.lists(boxes, max_size=4).map(tuple),
    text=st.lists(st.builds(TextBox, box=boxes, characters=st.integers(2, 200)), max_size=4).map(tuple),
    things=st.lists(st.tuples(st.sampled_from([*RUNS, *NAMES]), share), max_size=3).map(tuple),
)

# Every family says exactly one of its phrases in every caption.
FAMILIES = {
    "light": ["dark image", "image of medium brightness", "bright image"],
    "format": ["portrait format", "square format", "landscape format"],
    "contrast": ["low contrast", "medium contrast", "high contrast"],
    "background": ["dark background", "midtone background", "light background"],
    "faces": ["no faces", "one large face", "one small face", "two faces", "several faces"],
    "text": ["no text", "little text", "some text", "much text"],
    "symmetry": ["a symmetrical layout", "an asymmetrical layout"],
    "emptiness": ["few empty areas", "some empty areas", "large empty areas"],
    "detail": ["smooth surfaces", "moderate detail", "busy detail"],
}
PALETTES = ["warm palette", "neutral palette", "cool palette"]
COLORS = ["of saturated colors", "of medium saturation", "of muted colors"]

PLAIN = Measurements(
    look=Look(
        aspect=0.7, brightness=40, contrast=26, saturation=15, chroma_peak=60, warmth=0.2, colors=(("blue", 1.0),),
        edges=0.14, empty=0.2, symmetry=0.0, background=40,
    )
)  # fmt: skip


@given(measurements)
def test_every_caption_is_five_or_six_short_sentences_without_digits(measured: Measurements) -> None:
    caption = describe(measured)
    spans = sentences(caption)
    assert len(spans) in {5, 6}
    assert all(re.fullmatch(r"[A-Z][a-z, -]*[a-z]\.", caption[start:end]) for start, end in spans)
    assert 30 <= len(caption.split()) <= 70


@given(measurements)
def test_each_fact_is_said_once(measured: Measurements) -> None:
    caption = describe(measured)
    for phrases in FAMILIES.values():
        assert sum(caption.count(phrase) for phrase in phrases) == 1
    gray = caption.count("black and white image")
    assert sum(caption.count(phrase) for phrase in PALETTES) == 1 - gray
    assert sum(caption.count(phrase) for phrase in COLORS) == 1 - gray


@given(measurements)
def test_words_are_from_a_small_fixed_vocabulary(measured: Measurements) -> None:
    fixed = """
        a an and as at in is it of on the there with has shows looks like image brightness medium dark bright portrait
        square landscape format contrast low high palette warm neutral cool colors saturated muted saturation mainly
        accents background midtone light no one two several large small face faces top middle bottom left center right
        text little some much places letters symmetrical asymmetrical layout few empty areas smooth surfaces moderate
        detail busy
    """.split()
    known = {*fixed, *COLOR_NAMES, *" ".join([*RUNS, *NAMES]).split()}
    assert set(re.findall(r"[a-z]+", describe(measured).lower())) <= known


LADDERS: dict[str, tuple[str, str, str]] = {
    "brightness": ("dark image", "medium brightness", "bright image"),
    "contrast": ("low contrast", "medium contrast", "high contrast"),
    "saturation": ("muted colors", "medium saturation", " saturated colors"),
    "warmth": ("cool palette", "neutral palette", "warm palette"),
    "background": ("dark background", "midtone background", "light background"),
    "empty": ("few empty", "some empty", "large empty"),
    "edges": ("smooth surfaces", "moderate detail", "busy detail"),
    "aspect": ("portrait", "square", "landscape"),
}
SCALES = {"brightness": 100, "contrast": 50, "saturation": 100, "background": 100, "aspect": 3}


@pytest.mark.parametrize("quantity", LADDERS)
@given(low=share, high=share)
def test_more_of_a_quantity_never_reads_as_less(quantity: str, low: float, high: float) -> None:
    low, high = sorted((low, high))
    scale: Callable[[float], float] = (
        (lambda x: 2 * x - 1) if quantity == "warmth" else (lambda x: SCALES.get(quantity, 1) * x)
    )
    ranks = []
    for value in (low, high):
        caption = describe(replace(PLAIN, look=replace(PLAIN.look, **{quantity: scale(value)})))
        ranks.append(next(rank for rank, phrase in enumerate(LADDERS[quantity]) if phrase in caption))
    assert ranks[0] <= ranks[1]


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [(0.0, 0.0, "top left"), (0.5, 0.5, "middle center"), (1.0, 1.0, "bottom right"), (0.5, 0.2, "top center")],
)
def test_a_face_has_a_size_and_a_place(x: float, y: float, place: str) -> None:
    large, small = Box(x=x, y=y, width=0.4, height=0.4), Box(x=x, y=y, width=0.1, height=0.1)
    assert f"one large face at the {place}." in describe(replace(PLAIN, faces=(large,)))
    assert f"one small face at the {place}." in describe(replace(PLAIN, faces=(small,)))
    assert "two faces." in describe(replace(PLAIN, faces=(large, small)))
    assert "several faces." in describe(replace(PLAIN, faces=(large, small, small)))


def test_text_has_an_amount_a_place_and_a_size() -> None:
    def line(y: float, height: float, characters: int) -> TextBox:
        return TextBox(box=Box(x=0.5, y=y, width=0.5, height=height), characters=characters)

    assert "no text." in describe(PLAIN)
    assert "little text at the top in large letters." in describe(replace(PLAIN, text=(line(0.1, 0.2, 5),)))
    assert "some text at the bottom in small letters." in describe(replace(PLAIN, text=(line(0.9, 0.03, 30),)))
    assert "some text in the middle in small letters." in describe(replace(PLAIN, text=(line(0.5, 0.03, 30),)))
    both = (line(0.1, 0.2, 40), line(0.9, 0.03, 40))
    assert "much text in several places in large letters." in describe(replace(PLAIN, text=both))


def test_a_gray_image_has_no_palette() -> None:
    gray = replace(PLAIN.look, chroma_peak=3.0, saturation=1.0, warmth=0.0, colors=(("gray", 0.6), ("black", 0.4)))
    assert "It is a black and white image, mainly gray and black, on a" in describe(replace(PLAIN, look=gray))


def test_colors_are_named_by_their_share() -> None:
    def palette(*colors: tuple[str, float]) -> str:
        return describe(replace(PLAIN, look=replace(PLAIN.look, colors=colors)))

    assert "mainly black, on" in palette(("black", 0.97), ("red", 0.03))
    assert "mainly black with red accents, on" in palette(("black", 0.9), ("red", 0.1))
    assert "mainly black and red, on" in palette(("black", 0.7), ("red", 0.3))
    assert "mainly black and gray with red accents, on" in palette(("black", 0.6), ("gray", 0.3), ("red", 0.1))


def test_only_a_thing_seen_clearly_is_named() -> None:
    assert "It looks like a car." in describe(replace(PLAIN, things=(("a car", 0.6), ("a train", 0.2))))
    assert "looks like" not in describe(replace(PLAIN, things=(("a car", 0.5), ("a train", 0.2))))
