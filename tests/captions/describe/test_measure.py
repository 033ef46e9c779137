"""Images drawn with known facts measure as what they are."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from yoin.captions.describe.measure import measure_look
from yoin.captions.describe.measurements import COLOR_NAMES, Look, Measurements
from yoin.captions.describe.sentences import describe

SIZE = (182, 268)


def plain(color: str | tuple[int, int, int], size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.new("RGB", size, color)


def noise(size: tuple[int, int] = SIZE) -> Image.Image:
    generator = np.random.default_rng(0)
    return Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def two_halves(left: str, right: str) -> Image.Image:
    image = plain(left)
    ImageDraw.Draw(image).rectangle((SIZE[0] // 2, 0, *SIZE), fill=right)
    return image


def says(image: Image.Image) -> str:
    return describe(Measurements(look=measure_look(image)))


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ("black", "black"), ("white", "white"), ("gray", "gray"), ("saddlebrown", "brown"), ("wheat", "beige"),
        ("red", "red"), ("darkorange", "orange"), ("gold", "yellow"), ("green", "green"), ("lime", "green"),
        ("teal", "teal"), ("blue", "blue"), ("skyblue", "blue"), ("purple", "purple"), ("hotpink", "pink"),
    ],
)  # fmt: skip
def test_a_color_gets_the_name_people_give_it(color: str, name: str) -> None:
    assert measure_look(plain(color)).colors[0] == (name, 1.0)


@pytest.mark.parametrize("color", ["red", "orange", "gold", "#c86432"])
def test_warm_palettes(color: str) -> None:
    assert "warm palette" in says(plain(color))


@pytest.mark.parametrize("color", ["blue", "deepskyblue", "teal", "#3264a0"])
def test_cool_palettes(color: str) -> None:
    assert "cool palette" in says(plain(color))


def test_warmth_follows_the_balance_of_hues() -> None:
    shares = [0.0, 0.25, 0.5, 0.75, 1.0]
    warmth = []
    for part in shares:
        image = plain("#2060c0")
        ImageDraw.Draw(image).rectangle((0, 0, SIZE[0], SIZE[1] * part), fill="#e08020")
        warmth.append(measure_look(image).warmth)
    assert warmth == sorted(warmth)
    assert warmth[0] < 0 < warmth[-1]


def test_light_is_lightness() -> None:
    assert measure_look(plain("white")).brightness == pytest.approx(100, abs=0.1)
    assert measure_look(plain("black")).brightness == pytest.approx(0, abs=0.1)
    assert measure_look(plain("#777777")).brightness == pytest.approx(50.0, abs=0.2)  # L* of sRGB 119
    assert "A dark image" in says(plain("#202020"))
    assert "A bright image" in says(plain("#e0e0e0"))


def test_contrast_of_two_halves_is_half_their_distance() -> None:
    assert measure_look(two_halves("black", "white")).contrast == pytest.approx(50, abs=1)
    assert measure_look(two_halves("#202020", "#202020")).contrast == 0


def test_gray_images_are_black_and_white_and_colored_ones_are_not() -> None:
    gray = noise().convert("L").convert("RGB")
    assert "black and white image" in says(gray)
    assert "black and white image" not in says(noise())
    sepia = np.asarray(gray) * np.array([1.0, 0.8, 0.5])
    tinted = Image.fromarray(sepia.astype(np.uint8))
    assert "black and white image" not in says(tinted)


def test_a_mirrored_layout_is_symmetrical() -> None:
    half = noise((91, 268)).resize((9, 27), Image.Resampling.BOX)
    image = Image.new("RGB", (18, 27))
    image.paste(half, (0, 0))
    image.paste(half.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (9, 0))
    assert measure_look(image.resize(SIZE)).symmetry > 0.98
    assert measure_look(two_halves("black", "white")).symmetry == pytest.approx(-1, abs=0.01)
    assert measure_look(plain("red")).symmetry == 1.0


def test_emptiness_and_edges() -> None:
    assert measure_look(plain("navy")).empty == 1.0
    assert measure_look(plain("navy")).edges == 0.0
    busy = measure_look(noise())
    assert busy.empty == 0.0
    assert "busy detail" in says(noise())
    assert "large empty areas and smooth surfaces" in says(plain("navy"))


def test_the_background_is_the_rim() -> None:
    image = plain("black")
    ImageDraw.Draw(image).rectangle((30, 40, 150, 230), fill="white")
    assert measure_look(image).background < 1
    assert "dark background" in says(image)


@pytest.mark.parametrize(
    ("size", "name"), [((100, 150), "portrait"), ((100, 100), "square"), ((300, 100), "landscape")]
)
def test_format(size: tuple[int, int], name: str) -> None:
    assert f"{name} format" in says(plain("red", size))


def test_measures_hardly_change_with_the_size_of_the_file() -> None:
    small = noise((18, 27)).resize((180, 270), Image.Resampling.BICUBIC)
    large = small.resize((1800, 2700), Image.Resampling.BICUBIC)
    one, other = measure_look(small), measure_look(large)
    for name in ("brightness", "contrast", "saturation", "warmth", "edges", "empty", "symmetry", "background"):
        scale = 100 if name in {"brightness", "contrast", "saturation", "background"} else 1
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=0.02 * scale)


def in_range(look: Look) -> bool:
    ranges: dict[str, tuple[float, float]] = {
        "brightness": (0, 100), "contrast": (0, 50), "saturation": (0, 134), "chroma_peak": (0, 135),
        "warmth": (-1, 1), "edges": (0, 1), "empty": (0, 1), "symmetry": (-1, 1), "background": (0, 100),
    }  # fmt: skip
    return all(math.isfinite(getattr(look, name)) and a <= getattr(look, name) <= b for name, (a, b) in ranges.items())


@pytest.mark.parametrize(
    "make",
    [
        lambda: plain("red", (1, 1)), lambda: plain("white", (8, 8)), lambda: noise((10, 2000)),
        lambda: noise((2000, 10)), lambda: noise((3, 2)),
    ],
)  # fmt: skip
def test_odd_images_are_measured(make: Callable[[], Image.Image]) -> None:
    assert in_range(measure_look(make()))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([1, 16, 256]))
def test_any_image_is_within_the_stated_ranges(width: int, height: int, seed: int, levels: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, levels, (height, width, 3), dtype=np.uint16).astype(np.uint8)
    look = measure_look(Image.fromarray(pixels))
    assert in_range(look)
    assert sum(share for _, share in look.colors) == pytest.approx(1)
    assert [share for _, share in look.colors] == sorted((share for _, share in look.colors), reverse=True)
    assert {name for name, _ in look.colors} <= set(COLOR_NAMES)
    assert measure_look(Image.fromarray(pixels)) == look
