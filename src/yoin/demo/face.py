"""A shaded cartoon face as an array of tones, the way an engraver would see one.

Frontal face detectors look for tonal order rather than for outlines: eyes darker than the cheeks below and the bridge
between them, a bright forehead, a dark mouth over a bright chin. The face here is built from exactly those parts.

Coordinates: x runs from -1 (left) to 1 (right) and y from -1.3 (over the hair) to 1.5 (shoulders); the chin is at
y = 1, the eyes are near y = -0.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float64]
"""(height, width)"""

TOP, BOTTOM, SIDE = -1.3, 1.5, 1.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What makes one face differ from the next; lengths in face units, tones from 0 (black) to 1 (white)."""

    width: float
    eye_gap: float
    eye_size: float
    brow_tilt: float
    brow_weight: float
    nose: float
    mouth_width: float
    smile: float
    lip: float
    hair_tone: float
    hair_length: float
    parting: float
    light: float
    collar: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, frontal_light: bool) -> Looks:
        """Looks drawn at random; with ``frontal_light`` neither the light nor the parting takes a side."""
        return cls(
            width=rng.uniform(0.74, 0.84),
            eye_gap=rng.uniform(0.36, 0.41),
            eye_size=rng.uniform(0.125, 0.155),
            brow_tilt=rng.uniform(-0.12, 0.12),
            brow_weight=rng.uniform(0.03, 0.05),
            nose=rng.uniform(0.30, 0.37),
            mouth_width=rng.uniform(0.26, 0.36),
            smile=rng.uniform(-0.02, 0.12),
            lip=rng.uniform(0.06, 0.09),
            hair_tone=rng.choice([0.06, 0.14, 0.24, 0.34]),
            hair_length=rng.choice([-0.1, 0.35, 0.95, 1.25]),
            parting=0.0 if frontal_light else rng.uniform(-0.35, 0.35),
            light=0.0 if frontal_light else rng.uniform(-0.12, 0.12),
            collar=rng.uniform(0.1, 0.5),
        )


def face(width: int, height: int, looks: Looks, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """The tones (0 to 1) and the coverage (0 to 1) of a face filling ``height`` × ``width`` pixels."""
    x = np.linspace(-SIDE, SIDE, width)[None, :] * np.ones((height, 1))
    y = np.linspace(TOP, BOTTOM, height)[:, None] * np.ones((1, width))
    soft = 3.0 / height  # edges are about two pixels wide
    tones, cover = _shoulders(x, y, looks, soft)
    head = _ellipse(x, y, 0.0, -0.04, looks.width, 1.04, soft)
    back = _hair_behind(x, y, looks, soft)
    tones, cover = _over(tones, cover, _strands(x, y, looks, rng), back)
    neck = _inside(np.abs(x) - 0.36, soft) * _inside(y - 1.35, soft) * _inside(0.6 - y, soft)
    tones, cover = _over(tones, cover, 0.62 - 0.25 * _blob(x, y, 0, 0.98, 0.5, 0.16), neck)
    tones, cover = _over(tones, cover, _skin(x, y, looks, soft), head)
    return _over(tones, cover, _strands(x, y, looks, rng), _hair_in_front(x, y, looks, soft) * np.maximum(head, back))


def _skin(x: Plane, y: Plane, looks: Looks, soft: float) -> Plane:
    """The face inside the outline of the head."""
    edge = (x / looks.width) ** 2 + ((y + 0.04) / 1.04) ** 2
    tone = 0.84 + looks.light * x - 0.24 * np.clip(edge, 0, 1.2) ** 3
    tone = tone + 0.06 * _blob(x, y, 0, -0.5, 0.4, 0.2) + 0.05 * _blob(np.abs(x), y, 0.42, 0.3, 0.18, 0.16)
    tone -= 0.05 * _blob(x, y, 0, 0.72, 0.2, 0.05)
    tone -= 0.24 * _blob(np.abs(x), y, looks.eye_gap - 0.02, -0.17, 0.21, 0.11)  # sockets
    tone = _nose(tone, x, y, looks)
    tone = _eyes(tone, x, y, looks, soft)
    return _mouth(tone, x, y, looks, soft)


def _nose(tone: Plane, x: Plane, y: Plane, looks: Looks) -> Plane:
    tone = tone + 0.10 * _blob(x, y, 0, 0.02, 0.06, 0.22)
    side = 0.09 if looks.light <= 0 else -0.09
    tone -= 0.10 * _blob(x, y, side * 1.1, 0.12, 0.05, 0.16)
    tone -= 0.26 * _blob(np.abs(x), y, 0.085, looks.nose, 0.05, 0.025)
    return tone - 0.13 * _blob(x, y, 0, looks.nose + 0.03, 0.13, 0.035)


def _eyes(tone: Plane, x: Plane, y: Plane, looks: Looks, soft: float) -> Plane:
    away = np.abs(x) - looks.eye_gap  # mirrored: both eyes at once
    size = looks.eye_size
    lids = _ellipse(away, y, 0, -0.1, size, size * 0.55, soft)
    tone = tone + lids * (0.93 - tone)
    iris = _ellipse(away, y, 0, -0.105, size * 0.52, size * 0.56, soft) * lids
    tone = tone + iris * (0.08 - tone)
    glint = _ellipse(away, y, 0.03, -0.135, size * 0.14, size * 0.14, soft)
    tone = tone + glint * iris * (0.95 - tone)
    lash = np.abs(((away / size) ** 2 + ((y + 0.1) / (size * 0.6)) ** 2) - 1.0) * size
    tone = tone + _inside(lash - 0.045, soft) * _inside(y + 0.1, soft) * (0.1 - tone)
    arch = -0.33 + 0.9 * away**2 + looks.brow_tilt * away
    brow = _inside(np.abs(y - arch) - looks.brow_weight, soft) * _inside(np.abs(away) - size * 1.25, soft)
    return tone + brow * (min(looks.hair_tone, 0.2) - tone)


def _mouth(tone: Plane, x: Plane, y: Plane, looks: Looks, soft: float) -> Plane:
    line = 0.56 - looks.smile * (x / looks.mouth_width) ** 2
    reach = np.clip(1 - (x / looks.mouth_width) ** 2, 0, None)
    inside = _inside(np.abs(x) - looks.mouth_width, soft)
    upper = _inside(line - looks.lip * reach - y, soft) * _inside(y - line, soft) * inside
    lower = _inside(line - y, soft) * _inside(y - line - 1.25 * looks.lip * reach, soft) * inside
    tone = tone + upper * (0.32 - tone) + lower * (0.48 - tone) * (1 - upper)
    return tone + _inside(np.abs(y - line) - 0.014, soft) * inside * (0.12 - tone)


def _shoulders(x: Plane, y: Plane, looks: Looks, soft: float) -> tuple[Plane, Plane]:
    cover = _ellipse(x, y, 0, 2.0, 1.35, 0.85, soft)
    tone = looks.collar + 0.12 * _blob(np.abs(x), y, 0.7, 1.3, 0.3, 0.2)
    return tone * np.ones_like(x), cover


def _hair_behind(x: Plane, y: Plane, looks: Looks, soft: float) -> Plane:
    crown = _ellipse(x, y, 0, -0.3, looks.width + 0.16, 0.96, soft)
    fall = _inside(np.abs(x) - (looks.width + 0.14 - 0.04 * y), soft) * _inside(-0.3 - y, soft)
    return np.maximum(crown, fall) * _inside(y - looks.hair_length, 6 * soft)


def _hair_in_front(x: Plane, y: Plane, looks: Looks, soft: float) -> Plane:
    line = -0.66 + 0.55 * (x - looks.parting) ** 2 - 0.05 * np.cos(9 * (x - looks.parting))
    return _inside(y - line, soft)


def _strands(x: Plane, y: Plane, looks: Looks, rng: np.random.Generator) -> Plane:
    bend = rng.uniform(1.0, 3.0)
    wave = np.sin(38 * (x - looks.parting) / (1.2 + 0.4 * np.abs(y)) + bend * y)
    return looks.hair_tone + 0.035 * wave + 0.05 * _blob(x, y, 0.2 * np.sign(looks.light), -1.05, 0.5, 0.12)


def _over(tones: Plane, cover: Plane, new: Plane, new_cover: Plane) -> tuple[Plane, Plane]:
    """``new`` painted over ``tones``."""
    return tones + new_cover * (new - tones), np.maximum(cover, new_cover)


def _inside(distance: Plane, soft: float) -> Plane:
    """1 where ``distance`` is below zero, 0 where above, with an edge ``soft`` wide."""
    return np.clip(0.5 - distance / soft, 0, 1)


def _ellipse(x: Plane, y: Plane, at_x: float, at_y: float, half_width: float, half_height: float, soft: float) -> Plane:
    radius = np.sqrt(((x - at_x) / half_width) ** 2 + ((y - at_y) / half_height) ** 2)
    return _inside((radius - 1) * min(half_width, half_height), soft)


def _blob(x: Plane, y: Plane, at_x: float, at_y: float, spread_x: float, spread_y: float) -> Plane:
    """A soft spot of height 1."""
    blob: Plane = np.exp(-0.5 * (((x - at_x) / spread_x) ** 2 + ((y - at_y) / spread_y) ** 2))
    return blob
