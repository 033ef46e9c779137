"""From measurements to sentences, with one fixed phrase for each fact.

Every caption has the same facts in the same order, so that two captions differ only where the images do.
Phrases say what was measured and nothing else. Changing any of them, or a threshold, changes what a
caption is: raise `VOCABULARY` then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yoin.captions.describe.measurements import Box, Measurements, TextBox

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The phrase of each fact; "" where there is none to say. ``main`` are one or two colors."""

    brightness: str = ""
    format: str = ""
    contrast: str = ""
    black_and_white: str = ""
    warmth: str = ""
    saturation: str = ""
    main: tuple[str, ...] = ()
    accents: str = ""
    background: str = ""
    faces: str = ""
    face_place: str = ""
    text: str = ""
    text_place: str = ""
    letters: str = ""
    symmetry: str = ""
    empty: str = ""
    detail: str = ""
    thing: str = ""


def describe(measured: Measurements) -> str:
    """The caption of an image: five or six sentences."""
    return " ".join(sentences(phrases(measured)))


def phrases(measured: Measurements) -> Phrases:
    """What is said of an image, fact by fact."""
    look, faces, text = measured.look, measured.faces, measured.text
    main = [name for rank, (name, share) in enumerate(look.colors[:2]) if rank == 0 or share >= _SECOND_COLOR]
    accents = [name for name, share in look.colors if share >= _ACCENT and name not in _ACHROMATIC and name not in main]
    gray = look.chroma_peak < _BLACK_AND_WHITE
    return Phrases(
        brightness=_level(look.brightness, _BRIGHTNESS, ("dark image", "image of medium brightness", "bright image")),
        format=_level(look.aspect, _SQUARE, ("portrait format", "square format", "landscape format")),
        contrast=_level(look.contrast, _CONTRAST, ("low contrast", "medium contrast", "high contrast")),
        black_and_white="black and white image" if gray else "",
        warmth="" if gray else _level(look.warmth, _WARMTH, ("cool palette", "neutral palette", "warm palette")),
        saturation=""
        if gray
        else _level(look.saturation, _SATURATION, ("muted colors", "colors of medium saturation", "saturated colors")),
        main=tuple(main),
        accents=f"{accents[0]} accents" if accents else "",
        background=_level(look.background, _BACKGROUND, ("dark background", "midtone background", "light background")),
        faces=_faces(faces),
        face_place=_place(faces[0].x, faces[0].y) if len(faces) == 1 else "",
        text=_text(text),
        text_place=_text_place(text) if text else "",
        letters=_letters(text) if text else "",
        symmetry="symmetrical layout" if look.symmetry >= _SYMMETRY else "asymmetrical layout",
        empty=_level(look.empty, _EMPTY, ("few empty areas", "some empty areas", "large empty areas")),
        detail=_level(look.edges, _EDGES, ("smooth surfaces", "moderate detail", "busy detail")),
        thing=next((name for name, share in measured.things[:1] if share > _SURE_THING), ""),
    )


def sentences(said: Phrases) -> list[str]:
    """The sentences that these phrases make; what is "" is left out, and a sentence with nothing in it too."""
    text = _joined("There is", said.text, said.text_place, said.letters and f"in {said.letters}")
    made = [
        _joined(_article(said.brightness or "image").capitalize(), said.format and f"in {said.format}",
                said.contrast and f"with {said.contrast}"),
        _palette(said),
        said.faces and _joined(f"It shows {said.faces}", said.face_place),
        said.text and text,
        _layout(said),
        said.thing and f"It looks like {said.thing}",
    ]  # fmt: skip
    return [f"{sentence}." for sentence in made if sentence]


def _palette(said: Phrases) -> str:
    mainly = _joined(" and ".join(said.main), said.accents and f"with {said.accents}") if said.main else ""
    if said.black_and_white:
        kind = f"It is a {said.black_and_white}"
    elif said.warmth and said.saturation:
        kind = f"It has a {said.warmth} of {said.saturation}"
    elif said.warmth or said.saturation:
        kind = f"It has {said.saturation or f'a {said.warmth}'}"
    elif mainly:
        kind, mainly = f"It is mainly {mainly}", ""
    else:
        return f"It has a {said.background}" if said.background else ""
    return ", ".join(filter(None, [kind, mainly and f"mainly {mainly}", said.background and f"on a {said.background}"]))


def _faces(faces: Sequence[Box]) -> str:
    if not faces:
        return "no faces"
    if len(faces) == 1:
        return "one large face" if faces[0].height >= _LARGE_FACE else "one small face"
    return "two faces" if len(faces) == 2 else "several faces"


def _text(lines: Sequence[TextBox]) -> str:
    if not lines:
        return "no text"
    return _level(sum(line.characters for line in lines), _CHARACTERS, ("little text", "some text", "much text"))


def _text_place(lines: Sequence[TextBox]) -> str:
    thirds = {_third(line.box.y, ("at the top", "in the middle", "at the bottom")) for line in lines}
    return thirds.pop() if len(thirds) == 1 else "in several places"


def _letters(lines: Sequence[TextBox]) -> str:
    return "large letters" if max(line.box.height for line in lines) >= _LARGE_LETTERS else "small letters"


def _layout(said: Phrases) -> str:
    surfaces = " and ".join(filter(None, [said.empty, said.detail]))
    if not said.symmetry:
        return surfaces and f"It has {surfaces}"
    return _joined(f"It has {_article(said.symmetry)}", surfaces and f"with {surfaces}")


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _place(x: float, y: float) -> str:
    across = _third(x, ("left", "center", "right"))
    return f"at the {_third(y, ('top', 'middle', 'bottom'))} {across}"


def _third(value: float, names: tuple[str, str, str]) -> str:
    return names[min(2, max(0, int(value * 3)))]


def _level(value: float, limits: tuple[float, float], phrases: tuple[str, str, str]) -> str:
    low, high = limits
    return phrases[0] if value < low else phrases[2] if value >= high else phrases[1]
