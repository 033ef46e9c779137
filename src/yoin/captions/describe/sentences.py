"""From measurements to sentences, with one fixed phrase for each fact.

Every caption has the same facts in the same order, so that two captions differ only where the images do.
Phrases say what was measured and nothing else. Changing any of them, or a threshold, changes what a
caption is: raise `VOCABULARY` then.
"""

from __future__ import annotations

from collections.abc import Sequence

from yoin.captions.describe.measurements import Box, Look, Measurements, TextBox

VOCABULARY = "describe-1"

# Two limits each: below the first one phrase, from the second on another, between them the middle one. They were
# read off 200 film posters so that each phrase holds for a fifth of them or more, then rounded; a limit that has
# a meaning of its own says so.
_BRIGHTNESS = (33.0, 52.0)
_CONTRAST = (24.0, 29.0)
_SATURATION = (12.0, 22.0)
_BLACK_AND_WHITE = 12.0  # chroma that nineteen pixels of twenty stay below: what JPEG adds to a gray image
_WARMTH = (0.0, 0.35)  # below 0 cool hues outweigh the warm ones
_BACKGROUND = (20.0, 60.0)
_EDGES = (0.12, 0.165)
_EMPTY = (0.1, 0.25)
_SYMMETRY = 0.45
_SQUARE = (0.9, 1.1)  # width ÷ height that people call square
_LARGE_FACE = 0.2  # of the image's height
_LARGE_LETTERS = 0.1  # of the image's height
_CHARACTERS = (20, 45)  # a title; a title with names and a line of promise
_SECOND_COLOR = 0.15  # of the area
_ACCENT = 0.04  # of the area
_ACHROMATIC = frozenset({"black", "white", "gray"})
_SURE_THING = 0.5  # below it the network names a thing that is not there as often as not


def describe(measured: Measurements) -> str:
    """The caption of an image: five or six sentences."""
    look = measured.look
    sentences = [
        _light(look),
        _palette(look),
        f"It shows {_faces(measured.faces)}.",
        f"There is {_text(measured.text)}.",
        _layout(look),
        *_things(measured.things),
    ]
    return " ".join(sentences)


def _light(look: Look) -> str:
    image = _level(look.brightness, _BRIGHTNESS, ("dark image", "image of medium brightness", "bright image"))
    contrast = _level(look.contrast, _CONTRAST, ("low contrast", "medium contrast", "high contrast"))
    format_ = _level(look.aspect, _SQUARE, ("portrait format", "square format", "landscape format"))
    article = "An" if image.startswith("i") else "A"
    return f"{article} {image} in {format_} with {contrast}."


def _palette(look: Look) -> str:
    main = [name for rank, (name, share) in enumerate(look.colors[:2]) if rank == 0 or share >= _SECOND_COLOR]
    accents = [name for name, share in look.colors if share >= _ACCENT and name not in _ACHROMATIC and name not in main]
    mainly = " and ".join(main) + "".join(f" with {name} accents" for name in accents[:1])
    warmth = _level(look.warmth, _WARMTH, ("cool palette", "neutral palette", "warm palette"))
    background = _level(look.background, _BACKGROUND, ("dark background", "midtone background", "light background"))
    if look.chroma_peak < _BLACK_AND_WHITE:
        return f"It is a black and white image, mainly {mainly}, on a {background}."
    saturation = _level(
        look.saturation, _SATURATION, ("muted colors", "colors of medium saturation", "saturated colors")
    )
    return f"It has a {warmth} of {saturation}, mainly {mainly}, on a {background}."


def _faces(faces: Sequence[Box]) -> str:
    if not faces:
        return "no faces"
    if len(faces) == 1:
        size = "large" if faces[0].height >= _LARGE_FACE else "small"
        return f"one {size} face {_place(faces[0].x, faces[0].y)}"
    return "two faces" if len(faces) == 2 else "several faces"


def _text(lines: Sequence[TextBox]) -> str:
    if not lines:
        return "no text"
    amount = _level(sum(line.characters for line in lines), _CHARACTERS, ("little text", "some text", "much text"))
    letters = "large letters" if max(line.box.height for line in lines) >= _LARGE_LETTERS else "small letters"
    thirds = {_third(line.box.y, ("top", "middle", "bottom")) for line in lines}
    if len(thirds) == 1:
        place = {"top": "at the top", "middle": "in the middle", "bottom": "at the bottom"}[thirds.pop()]
    else:
        place = "in several places"
    return f"{amount} {place} in {letters}"


def _layout(look: Look) -> str:
    symmetry = "a symmetrical layout" if look.symmetry >= _SYMMETRY else "an asymmetrical layout"
    empty = _level(look.empty, _EMPTY, ("few empty areas", "some empty areas", "large empty areas"))
    detail = _level(look.edges, _EDGES, ("smooth surfaces", "moderate detail", "busy detail"))
    return f"It has {symmetry} with {empty} and {detail}."


def _things(things: Sequence[tuple[str, float]]) -> list[str]:
    return [f"It looks like {name}." for name, share in things[:1] if share > _SURE_THING]


def _place(x: float, y: float) -> str:
    across = _third(x, ("left", "center", "right"))
    return f"at the {_third(y, ('top', 'middle', 'bottom'))} {across}"


def _third(value: float, names: tuple[str, str, str]) -> str:
    return names[min(2, max(0, int(value * 3)))]


def _level(value: float, limits: tuple[float, float], phrases: tuple[str, str, str]) -> str:
    low, high = limits
    return phrases[0] if value < low else phrases[2] if value >= high else phrases[1]
