"""What stands behind the face or the words: landscapes and shapes, drawn with Pillow in a poster's own colours."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

Colour: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """Five colours of one family, from the darkest to the lightest, and one that stands out."""

    ink: Colour
    deep: Colour
    middle: Colour
    light: Colour
    paper: Colour
    accent: Colour

    @classmethod
    def draw(cls, rng: np.random.Generator, *, warm: bool, dark: bool) -> Palette:
        """Hues from red to amber where ``warm``, else from teal to indigo; night colours where ``dark``."""
        low, high = (-12.0, 42.0) if warm else (172.0, 258.0)
        hue, second = np.sort(rng.uniform(low, high, 2))[:: rng.choice([-1, 1])]
        vivid = rng.uniform(0.55, 0.9)
        ink, deep, middle, light, paper, accent = (
            (0.03, 0.08, 0.16, 0.30, 0.66, 0.42) if dark else (0.09, 0.26, 0.47, 0.70, 0.90, 0.56)
        )
        return cls(
            ink=_colour(hue, ink, 0.5 * vivid),
            deep=_colour(hue, deep, 0.8 * vivid),
            middle=_colour(0.5 * (hue + second), middle, 0.9 * vivid),
            light=_colour(second, light, 0.9 * vivid),
            paper=_colour(second, paper, vivid),
            accent=_colour(rng.uniform(low, high), accent, min(1.0, vivid + 0.1)),
        )

    def at(self, tones: np.ndarray) -> np.ndarray:
        """The colours, float (..., 3) from 0 to 255, of tones from 0 (ink) to 1 (paper)."""
        steps = np.array([self.ink, self.deep, self.middle, self.light, self.paper], dtype=float)
        places = np.array([0.05, 0.3, 0.52, 0.74, 0.95])
        return np.stack([np.interp(tones, places, steps[:, channel]) for channel in range(3)], axis=-1)


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb((hue % 360) / 360, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def backdrop(size: tuple[int, int], palette: Palette, rng: np.random.Generator, *, dark: bool) -> Image.Image:
    """A plain sky: one slow blend of two tones, straight down or from a glow."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    near, far = rng.choice([[0.80, 0.98], [0.95, 0.72], [0.62, 0.90]]) - (0.5 if dark else 0.0)
    glow = np.clip(np.hypot(across - 0.5, (down - 0.4) * height / width) / 0.9, 0, 1)
    blend = glow if rng.random() < 0.4 else down
    return Image.fromarray(palette.at(near + (far - near) * blend).round().astype(np.uint8))


def hills(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """Rolling hills under a sun."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    _disc(
        draw,
        focus * width,
        rng.uniform(0.22, 0.38) * height,
        rng.uniform(0.13, 0.2) * min(width, height),
        palette.accent,
    )
    _ridges(draw, image.size, (palette.light, palette.middle, palette.deep), rng)


def peaks(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """Mountains under a moon."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    _disc(
        draw,
        (1 - focus) * width,
        rng.uniform(0.14, 0.26) * height,
        rng.uniform(0.07, 0.12) * min(width, height),
        palette.paper,
    )
    for colour, half, top in ((palette.light, 0.62, 0.36), (palette.middle, 0.46, 0.48), (palette.deep, 0.34, 0.66)):
        middle, apex = focus * width + rng.uniform(-0.12, 0.12) * width, (top + rng.uniform(-0.05, 0.05)) * height
        draw.polygon([(middle - half * width, height), (middle, apex), (middle + half * width, height)], fill=colour)
        snow = 0.16 * (height - apex)
        reach = half * width * snow / (height - apex)
        draw.polygon([(middle - reach, apex + snow), (middle, apex), (middle + reach, apex + snow)], fill=palette.paper)


def skyline(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """A row of towers, the tallest at the focus."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for colour, tall in ((palette.light, 0.85), (palette.middle, 0.68), (palette.deep, 0.48)):
        left = -rng.uniform(0, 0.1) * width
        while left < width:
            wide = rng.uniform(0.09, 0.18) * width
            near = 1 - min(1.0, abs((left + wide / 2) / width - focus) / 0.6)
            top = height * (1 - tall * (0.35 + 0.5 * near + rng.uniform(0, 0.25)))
            draw.rectangle([left, top, left + wide, height], fill=colour)
            left += wide


def sea(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """A sailing boat on calm water."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    water = rng.uniform(0.58, 0.68) * height
    _disc(draw, (1 - focus) * width, water, rng.uniform(0.15, 0.22) * min(width, height), palette.accent)
    draw.rectangle([0, water, width, height], fill=palette.middle)
    middle, tall = focus * width, rng.uniform(0.32, 0.42) * height
    foot = water + 0.04 * height
    draw.polygon([(middle, foot - tall), (middle, foot), (middle + 0.2 * width, foot)], fill=palette.paper)
    draw.polygon([(middle, foot - 0.85 * tall), (middle, foot), (middle - 0.13 * width, foot)], fill=palette.light)
    hull = [(-0.18, 0.01), (0.22, 0.01), (0.15, 0.06), (-0.12, 0.06)]
    draw.polygon([(middle + x * width, foot + y * height) for x, y in hull], fill=palette.ink)
    for depth in (0.14, 0.22, 0.3):
        draw.line(
            [(0.1 * width, water + depth * height), (0.9 * width, water + depth * height)], palette.deep, width // 90
        )


def rings(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """A great disc, layer within layer."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    radius, down = rng.uniform(0.36, 0.46) * min(width, height), rng.uniform(0.42, 0.5) * height
    shift = rng.uniform(0.1, 0.3)  # the inner layers slide down, so that it is a shell and not an eye
    for share, colour in ((1, palette.deep), (0.76, palette.middle), (0.52, palette.accent), (0.28, palette.paper)):
        _disc(draw, focus * width, down + shift * (1 - share) * 2 * radius, share * radius, colour)


def sunburst(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """Rays from a low sun."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    middle, down, far = focus * width, rng.uniform(0.72, 0.82) * height, 2.0 * height
    count = int(rng.choice([14, 18, 22]))
    for ray in range(count):
        angles = np.pi * (np.array([ray, ray + 0.5]) + 0.25) / count
        edge = [(middle - far * np.cos(angle), down - far * np.sin(angle)) for angle in angles]
        draw.polygon([(middle, down), *edge], fill=palette.light)
    _disc(draw, middle, down, rng.uniform(0.22, 0.3) * min(width, 1.2 * height), palette.accent)
    draw.rectangle([0, down, width, height], fill=palette.deep)


def blocks(image: Image.Image, palette: Palette, focus: float, rng: np.random.Generator) -> None:
    """Quarter circles and squares on a grid."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    cell = width / 3
    colours = (palette.deep, palette.middle, palette.light, palette.accent, palette.paper)
    for row in range(int(np.ceil(height / cell))):
        for column in range(3):
            left, top = column * cell, row * cell
            chosen = rng.permutation(5)[:2]
            draw.rectangle([left, top, left + cell, top + cell], fill=colours[chosen[0]])
            corner_x, corner_y = left + cell * rng.integers(0, 2), top + cell * rng.integers(0, 2)
            quarter = Image.new("L", image.size)
            ImageDraw.Draw(quarter).rectangle([left, top, left + cell, top + cell], fill=255)
            disc = Image.new("L", image.size)
            _disc(ImageDraw.Draw(disc), corner_x, corner_y, cell, 255)
            both = Image.fromarray(np.minimum(np.asarray(quarter), np.asarray(disc)))
            image.paste(colours[chosen[1]], mask=both)


def confetti(image: Image.Image, palette: Palette, rng: np.random.Generator) -> None:
    """Small shapes all over the picture: dots, dashes and leaves."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    step = rng.uniform(0.075, 0.1) * width
    kind = rng.integers(0, 3)
    colours = (palette.ink, palette.deep, palette.paper, palette.accent)
    for down in np.arange(step / 2, height, step):
        for across in np.arange(step / 2, width, step):
            x, y = across + rng.normal(0, step / 6), down + rng.normal(0, step / 6)
            size, colour = step * rng.uniform(0.16, 0.3), colours[int(rng.integers(0, 4))]
            if kind == 0:
                _disc(draw, x, y, size, colour)
            elif kind == 1:
                turn = rng.uniform(0, np.pi)
                reach = 1.5 * size * np.array([np.cos(turn), np.sin(turn)])
                draw.line([x - reach[0], y - reach[1], x + reach[0], y + reach[1]], colour, max(2, round(size / 2)))
            else:
                draw.polygon([(x, y - 1.4 * size), (x + size, y), (x, y + 1.4 * size), (x - size, y)], fill=colour)


Scene: TypeAlias = Callable[[Image.Image, Palette, float, np.random.Generator], None]
SCENES: tuple[Scene, ...] = (hills, peaks, skyline, sea, rings, sunburst, blocks)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour | int) -> None:
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _ridges(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    colours: tuple[Colour, ...],
    rng: np.random.Generator,
) -> None:
    width, height = size
    across = np.linspace(0, width, 60)
    for layer, colour in enumerate(colours):
        line = (0.52 + 0.15 * layer + rng.uniform(-0.03, 0.03)) * height
        wave = np.sin(across / width * rng.uniform(2.5, 6.0) + rng.uniform(0, 6.3)) * rng.uniform(0.03, 0.06) * height
        down = line + wave
        draw.polygon([(0, height), *zip(across, down, strict=True), (width, height)], fill=colour)
