"""What the describer measures in one image: named quantities with their units and ranges."""

from __future__ import annotations

from dataclasses import dataclass

COLOR_NAMES = (
    "black", "white", "gray", "brown", "beige", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright rectangle in shares of the image: centre ``x``, ``y``, ``width`` and ``height``, each 0 to 1."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBox:
    """One line of text that was read with confidence: where it stands and how many characters it has (≥ 2)."""

    box: Box
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Color, light and composition, in CIE L*a*b* (D65).

    Attributes:
        aspect: width ÷ height, > 0.
        brightness: mean L*, 0 (black) to 100 (white).
        contrast: standard deviation of L*, 0 to 50.
        saturation: mean chroma, 0 (gray) to about 130.
        chroma_peak: 95th percentile of chroma, 0 to about 134; low only where the whole image is gray.
        warmth: −1 (all blue and cyan) to 1 (all red to yellow); 0 for gray, and for green and violet nearly so.
        colors: names out of `COLOR_NAMES` with the share of the area (0 to 1) of each, largest first.
        edges: share of pixels on an edge, 0 to 1.
        empty: share of the area whose surroundings are flat, 0 to 1.
        symmetry: correlation of the blurred lightness with its mirror image (left to right), −1 to 1.
        background: median L* of the outer rim, 0 to 100.
    """

    aspect: float
    brightness: float
    contrast: float
    saturation: float
    chroma_peak: float
    warmth: float
    colors: tuple[tuple[str, float], ...]
    edges: float
    empty: float
    symmetry: float
    background: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """All that is known of one image.

    ``faces`` are frontal faces, largest first; ``text`` the lines that were read, top to bottom; ``things``
    are (coarse group, probability 0 to 1), most probable first.
    """

    look: Look
    faces: tuple[Box, ...] = ()
    text: tuple[TextBox, ...] = ()
    things: tuple[tuple[str, float], ...] = ()
