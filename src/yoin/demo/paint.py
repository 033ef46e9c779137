"""One poster from its facts: every fact shows, the rest is left to chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from yoin.demo.face import Looks, face
from yoin.demo.scenes import SCENES, Colour, Palette, backdrop, confetti

TALL, SQUARE = (200, 300), (240, 240)
_FINE = 2  # drawn this many times larger, then made smaller: smooth edges
_SYLLABLES = np.array("ba ren to lim ka dor vel mi sun ta ril nor pe gal or fen lu mar es tin ol var ne sto".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class PosterFacts:
    """What a poster shows. ``warm`` is true, false (cool) or None, which it is exactly for black and white ones."""

    title: str
    year: int
    black_and_white: bool
    warm: bool | None
    dark: bool
    face: bool
    text: bool
    symmetrical: bool
    busy: bool
    square: bool
    framed: bool


def paint(facts: PosterFacts, rng: np.random.Generator) -> Image.Image:
    """The poster as an RGB image of `TALL` or `SQUARE` pixels; the same facts and generator give the same pixels."""
    width, height = SQUARE if facts.square else TALL
    print_height = round((0.48 if facts.square else 0.44) * height) if facts.text else 0
    palette = Palette.draw(rng, warm=bool(rng.random() < 0.5) if facts.warm is None else facts.warm, dark=facts.dark)
    picture = _scene((width * _FINE, (height - print_height) * _FINE), palette, facts, rng)
    if facts.face:
        _add_face(picture, palette, facts, rng)
    if facts.framed:
        _frame(picture, palette.middle if facts.dark else palette.paper)
    picture = _light(picture.resize((width, height - print_height), Image.Resampling.LANCZOS), facts, rng)
    if facts.text:
        words = _words((width, print_height), picture, facts, rng)
        picture = _stacked(words, picture) if rng.random() < 0.3 else _stacked(picture, words)
    return _finish(picture, facts, rng)


def title(rng: np.random.Generator) -> str:
    """One or two made-up words, such as "Velmar Sun"."""
    return " ".join(_word(rng).capitalize() for _ in range(int(rng.integers(1, 3))))


def _word(rng: np.random.Generator) -> str:
    return "".join(rng.choice(_SYLLABLES, int(rng.integers(2, 4))))


def _scene(size: tuple[int, int], palette: Palette, facts: PosterFacts, rng: np.random.Generator) -> Image.Image:
    image = backdrop(size, palette, rng, dark=facts.dark)
    side = float(rng.choice([-1, 1]))
    focus = 0.5 if facts.symmetrical else 0.5 + side * rng.uniform(0.2, 0.3)
    SCENES[int(rng.integers(0, len(SCENES)))](image, palette, focus, rng)
    if facts.busy:
        confetti(image, palette, rng)
    if not facts.symmetrical:
        return image
    half = image.crop((0, 0, size[0] // 2, size[1]))
    image.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (size[0] - size[0] // 2, 0))
    return image


def _add_face(picture: Image.Image, palette: Palette, facts: PosterFacts, rng: np.random.Generator) -> None:
    """Head and shoulders that rise from the lower edge of the picture."""
    width, height = picture.size
    tall = min(height, round(width * rng.uniform(0.88, 1.0)))
    looks = Looks.draw(rng, frontal_light=facts.symmetrical)
    tones, cover = face(tall, tall, looks, rng)
    shift = 0.0 if facts.symmetrical else float(rng.choice([-1, 1])) * rng.uniform(0.06, 0.12)
    head = Image.fromarray(palette.at(np.clip(tones, 0, 1)).round().astype(np.uint8))
    place = round((0.5 + shift) * width - tall / 2), height - tall
    picture.paste(head, place, Image.fromarray((cover * 255).round().astype(np.uint8)))


def _frame(image: Image.Image, colour: Colour) -> None:
    width, height = image.size
    ImageDraw.Draw(image).rectangle([0, 0, width - 1, height - 1], outline=colour, width=round(0.045 * width))


def _light(image: Image.Image, facts: PosterFacts, rng: np.random.Generator) -> Image.Image:
    """The image brought to a mean lightness that is clearly dark or clearly bright, by one power curve."""
    wanted = rng.uniform(0.13, 0.19) if facts.dark else rng.uniform(0.58, 0.70)
    values = np.asarray(image, dtype=float) / 255
    if not facts.symmetrical:  # the light comes from one side
        fall = float(rng.choice([-1, 1])) * rng.uniform(0.3, 0.45)
        values = values * ((1 + fall * np.linspace(-1, 1, image.width)) / (1 + abs(fall)))[None, :, None]
    values = np.clip(values, 1e-3, 1)
    low, high = 0.1, 8.0
    for _ in range(20):
        power = (low * high) ** 0.5
        if float(_grey(values**power).mean()) > wanted:
            low = power
        else:
            high = power
    return Image.fromarray((values**power * 255).round().astype(np.uint8))


def _words(size: tuple[int, int], picture: Image.Image, facts: PosterFacts, rng: np.random.Generator) -> Image.Image:
    """The title and lines of small print on a plain ground in the picture's own colour and light."""
    width, height = size
    average = np.asarray(picture, dtype=float).mean(axis=(0, 1))
    ground, ink = (0.6 * average, (236, 236, 236)) if facts.dark else (255 - 0.3 * (255 - average), (24, 24, 24))
    image = Image.new("RGB", size, tuple(int(value) for value in ground))
    draw = ImageDraw.Draw(image)
    margin = round(0.08 * width)
    room = width - 2 * margin
    place, anchor = (width / 2, "ma") if facts.symmetrical else (margin, "la")
    name, letters = facts.title.upper(), 26 if facts.square else 30
    while letters > 12 and draw.textlength(name, font=ImageFont.load_default(letters)) > room:
        letters -= 1
    down = 0.7 * margin
    draw.text((place, down), name, fill=ink, font=ImageFont.load_default(letters), anchor=anchor)
    down += 1.25 * letters
    letters = int(rng.choice([12, 13]))
    font = ImageFont.load_default(letters)
    while down + 1.2 * letters < height - 0.4 * margin:
        line = _word(rng)
        while draw.textlength(longer := f"{line} {_word(rng)}", font=font) <= room:
            line = longer
        draw.text((place, down), line, fill=ink, font=font, anchor=anchor)
        down += 1.25 * letters
    return image


def _stacked(upper: Image.Image, lower: Image.Image) -> Image.Image:
    image = Image.new("RGB", (upper.width, upper.height + lower.height))
    image.paste(upper, (0, 0))
    image.paste(lower, (0, upper.height))
    return image


def _finish(image: Image.Image, facts: PosterFacts, rng: np.random.Generator) -> Image.Image:
    """A little grain, and no colour where the poster is black and white."""
    values = np.asarray(image, dtype=float)
    if facts.black_and_white:
        values = np.repeat(_grey(values)[..., None], 3, axis=-1)
    grain = rng.normal(0, rng.uniform(0.5, 2.0), values.shape[:2])[..., None]
    return Image.fromarray(np.clip(values + grain, 0, 255).round().astype(np.uint8))


def _grey(values: np.ndarray) -> np.ndarray:
    """The luma (ITU-R BT.601) of RGB values."""
    grey: np.ndarray = values @ np.array([0.299, 0.587, 0.114])
    return grey
