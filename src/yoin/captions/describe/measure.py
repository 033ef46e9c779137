"""Color, light and composition of an image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from yoin.captions.describe.measurements import COLOR_NAMES, Look

_SIDE = 256  # working size: the longest side in pixels, so that shares of edges compare between images
_SHORTEST = 8  # pixels kept across a very thin image
_WARMEST = np.deg2rad(65.0)  # the hue angle of orange; its opposite lies between cyan and blue
_GRAY_PULL = 8.0  # chroma that counts as little: pulls the warmth of nearly gray images to 0
_EDGE = 12.0  # L* per pixel (Sobel ÷ 8): well above JPEG noise, below the outline of a dark figure on dark
_FLAT = 4.0  # standard deviation of L* within a window that still looks like one surface, film grain allowed
_RIM = 0.06  # share of each side that counts as the rim

_BLACK, _WHITE, _GRAY, _BROWN, _BEIGE, _RED, _ORANGE, _YELLOW, _GREEN, _TEAL, _BLUE, _PURPLE, _PINK = range(13)

Floats = NDArray[np.float32]


def measure_look(image: Image.Image) -> Look:
    """Measure an RGB image of any size; the cost does not grow with it.

    Lightness and chroma are CIE 1976 L*a*b* (ISO/CIE 11664-4), computed from sRGB.
    """
    lab = _to_lab(_resized(image))  # (height, width, 3)
    lightness, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    chroma = np.hypot(a, b)
    warmth = float(np.mean(a * np.cos(_WARMEST) + b * np.sin(_WARMEST)) / (np.mean(chroma) + _GRAY_PULL))
    return Look(
        aspect=image.width / image.height,
        brightness=_within(float(lightness.mean()), 0, 100),
        contrast=_within(float(lightness.std()), 0, 50),
        saturation=float(chroma.mean()),
        chroma_peak=float(np.percentile(chroma, 95)),
        warmth=_within(warmth, -1, 1),
        colors=_color_shares(lab),
        edges=_edges(lightness),
        empty=_empty(lightness),
        symmetry=_symmetry(lightness),
        background=_within(_background(lightness), 0, 100),
    )


def _resized(image: Image.Image) -> Image.Image:
    scale = _SIDE / max(image.size)
    width, height = (max(_SHORTEST, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _to_lab(image: Image.Image) -> Floats:
    rgb = np.asarray(image, dtype=np.float32) / 255
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), dtype=np.float32)


def _color_shares(lab: Floats) -> tuple[tuple[str, float], ...]:
    shares = np.bincount(_color_classes(lab).ravel(), minlength=len(COLOR_NAMES)) / lab[..., 0].size
    order = np.argsort(-shares, kind="stable")
    return tuple((COLOR_NAMES[index], float(shares[index])) for index in order if shares[index] > 0)


def _color_classes(lab: Floats) -> NDArray[np.int64]:
    """The index into `COLOR_NAMES` of each pixel, by hue angle with the lightness and chroma words beside it."""
    lightness, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    hue = np.rad2deg(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    pale, dark = lightness > 65, lightness < 50
    # The first condition that holds decides. sRGB red is at 40°, yellow at 103°, green at 136°, cyan at 196°, blue at
    # 306°, magenta at 328°.
    rules = [
        (lightness < 18, _BLACK),
        ((chroma < 11) & (lightness < 28), _BLACK),
        ((chroma < 11) & (lightness > 85), _WHITE),
        (chroma < 11, _GRAY),
        ((hue >= 50) & (hue < 108) & (chroma < 32) & pale, _BEIGE),
        ((hue >= 50) & (hue < 80) & (dark | (chroma < 32)), _BROWN),
        ((hue >= 80) & (hue < 108) & dark, _BROWN),
        ((hue >= 15) & (hue < 50) & (chroma < 24) & ~pale, _BROWN),
        ((hue < 50) & pale, _PINK),
        (hue < 50, _RED),
        (hue < 80, _ORANGE),
        (hue < 108, _YELLOW),
        (hue < 165, _GREEN),
        (hue < 215, _TEAL),
        (hue < 308, _BLUE),
        ((hue >= 335) & ~dark, _PINK),
    ]
    return np.select([rule for rule, _ in rules], [color for _, color in rules], default=_PURPLE)


def _edges(lightness: Floats) -> float:
    across, down = (cv2.Sobel(lightness, cv2.CV_32F, x, 1 - x) / 8 for x in (1, 0))
    return float(np.mean(np.hypot(across, down) > _EDGE))


def _empty(lightness: Floats) -> float:
    side = (_SIDE // 16, _SIDE // 16)
    mean = cv2.blur(lightness, side)
    spread = np.sqrt(np.maximum(cv2.blur(lightness * lightness, side) - mean * mean, 0))
    return float(np.mean(spread < _FLAT))


def _symmetry(lightness: Floats) -> float:
    coarse = cv2.resize(lightness, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64)
    coarse -= coarse.mean()
    power = float(np.mean(coarse * coarse))
    if power < 0.25:  # within half an L* of one even surface: every layout is symmetrical
        return 1.0
    return _within(float(np.mean(coarse * coarse[:, ::-1])) / power, -1, 1)


def _background(lightness: Floats) -> float:
    height, width = lightness.shape
    rim_y, rim_x = max(1, round(height * _RIM)), max(1, round(width * _RIM))
    sides = (lightness[:rim_y], lightness[-rim_y:], lightness[:, :rim_x], lightness[:, -rim_x:])
    return float(np.median(np.concatenate([side.ravel() for side in sides])))


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
