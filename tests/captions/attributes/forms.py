"""Attributes for the tests, and any others that hypothesis can think of."""

from __future__ import annotations

from hypothesis import strategies as st

from yoin.captions.attributes import Attribute, Value
from yoin.captions.attributes.parsing import parse

FORM = """
[people]
kind = "enum"
about = "How many people can be seen."
values = ["none", "one", "some"]
says = { none = "no people", one = "one person", some = "several people" }

[space]
kind = "number"
about = "How much of the image is empty."
min = 0
max = 100
unit = "percent"
levels = ["little", "some", "much"]
says = "{} empty space"

[lamps]
kind = "number"
about = "How many lamps are lit."
min = 0
max = 9
whole = true

[smoke]
kind = "bool"
about = "Whether smoke can be seen."
"""
ATTRIBUTES = parse(FORM, "form.toml", "en")
ANSWER = '{"people": "one", "space": 70, "lamps": 0, "smoke": false}'
TOLD = "One person. Much empty space. Low lamps. No smoke."

_words = st.text("abcxyz人物少量", min_size=1, max_size=5)
_names = st.text("abcxyz", min_size=1, max_size=5)


@st.composite
def attributes(draw: st.DrawFn) -> tuple[Attribute, ...]:
    """Any attributes; their phrases are words, each different within its attribute."""
    made = []
    for name in draw(st.lists(_names, min_size=1, max_size=5, unique=True)):
        kind = draw(st.sampled_from(("enum", "number", "bool")))
        values: tuple[str, ...] = ()
        low, high, whole = 0.0, 0.0, False
        size = 2
        if kind == "enum":
            values = tuple(draw(st.lists(_words, min_size=2, max_size=6, unique=True)))
            size = len(values)
        if kind == "number":
            whole = draw(st.booleans())
            numbers = st.integers(-1000, 1000) if whole else st.floats(-1e12, 1e12, allow_nan=False)
            low, high = sorted(draw(st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1])))
            size = draw(st.integers(2, 7))
        phrases = tuple(draw(st.lists(_words, min_size=size, max_size=size, unique=True)))
        made.append(
            Attribute(
                name=name, kind=kind, about="What it is.", phrases=phrases, values=values, low=float(low),
                high=float(high), whole=whole,
            )
        )  # fmt: skip
    return tuple(made)


@st.composite
def answered(draw: st.DrawFn) -> tuple[tuple[Attribute, ...], dict[str, Value]]:
    """Attributes, and a value that each can have."""
    asked = draw(attributes())
    values: dict[str, Value] = {}
    for one in asked:
        if one.kind == "enum":
            values[one.name] = draw(st.sampled_from(one.values))
        elif one.kind == "bool":
            values[one.name] = draw(st.booleans())
        elif one.whole:
            values[one.name] = draw(st.integers(int(one.low), int(one.high)))
        else:
            values[one.name] = draw(st.floats(one.low, one.high))
    return asked, values
