from __future__ import annotations

import base64
import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yoin.report.thumbnails import SETTINGS, make_strips, make_thumbnails

thumbnails = partial(make_thumbnails, max_pixels=1_000_000)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(1)
    found = {}
    for number in range(12):
        coarse = random.integers(0, 255, (12, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((400, 600), Image.Resampling.BICUBIC)
        image.save(folder / f"{number}.png", compress_level=1)
        found[f"m{number}"] = folder / f"{number}.png"
    return found


def opened(url: str) -> Image.Image:
    head, _, body = url.partition(",")
    assert head.startswith("data:image/")
    image = Image.open(io.BytesIO(base64.b64decode(body, validate=True)))
    image.load()
    return image


def test_with_room_enough_the_best_setting_is_used(images: dict[str, Path]) -> None:
    made = thumbnails(images, large=["m0"], small=["m1"])
    assert max(opened(made.urls["m0"]).size) == SETTINGS[0].large
    assert max(opened(made.urls["m1"]).size) == SETTINGS[0].small
    assert (made.left_out, made.unreadable) == (0, 0)


def test_the_budget_holds_by_smaller_pictures_first(images: dict[str, Path]) -> None:
    ids = list(images)
    full = sum(map(len, thumbnails(images, large=ids, small=[]).urls.values()))
    made = thumbnails(images, large=ids, small=[], budget=full // 2)
    assert made.left_out == 0
    assert set(made.urls) == set(ids)
    assert sum(map(len, made.urls.values())) <= full // 2
    assert max(opened(made.urls["m0"]).size) < SETTINGS[0].large


def test_beyond_the_smallest_the_least_important_are_left_out(images: dict[str, Path]) -> None:
    ids = list(images)
    made = thumbnails(images, large=ids[:2], small=ids[2:], budget=4000)
    assert 0 < made.left_out < len(ids)
    assert sum(map(len, made.urls.values())) <= 4000
    assert ids[0] in made.urls
    assert len(made.urls) + made.left_out == len(ids)


def test_the_same_files_give_the_same_bytes(images: dict[str, Path]) -> None:
    ids = list(images)
    first = thumbnails(images, large=ids[:3], small=ids[3:], workers=4)
    assert thumbnails(images, large=ids[:3], small=ids[3:], workers=1) == first


def test_an_image_is_drawn_once_and_a_broken_one_is_counted(images: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    given = {**images, "bad": tmp_path / "bad.jpg", "gone": tmp_path / "gone.jpg"}
    made = thumbnails(given, large=["m1", "m1", "bad"], small=["m1", "gone", "unknown", "m2"])
    assert set(made.urls) == {"m1", "m2"}
    assert made.unreadable == 2


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    made = thumbnails({"m": tmp_path / "clear.png"}, large=["m"], small=[])
    pixel = opened(made.urls["m"]).convert("RGB").getpixel((30, 30))
    assert isinstance(pixel, tuple)
    assert min(pixel) > 250


def test_an_image_beyond_the_limit_is_not_decoded(images: dict[str, Path]) -> None:
    made = make_thumbnails(images, large=["m0"], small=["m1"], max_pixels=400 * 600 - 1)
    assert (dict(made.urls), made.unreadable) == ({}, 2)
    assert set(make_thumbnails(images, large=["m0"], small=[], max_pixels=400 * 600).urls) == {"m0"}


def test_a_strip_is_whole_and_in_order_or_not_there(images: dict[str, Path], tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path, image in zip(paths, images.values(), strict=False):
        Image.open(image).resize((160, 240)).save(path)  # drawn many times: small is quick
    frames = {"a": paths[:3], "b": paths[2:5], "none": [], "broken": [paths[0], tmp_path / "gone.png"]}
    order = ["b", "unknown", "none", "broken", "a"]
    made = make_strips(frames, order, max_pixels=1_000_000, budget=10_000_000)
    assert {media_id: len(urls) for media_id, urls in made.items()} == {"b": 3, "a": 3}
    assert made["b"][0] == made["a"][2]
    assert max(opened(made["a"][0]).size) == SETTINGS[0].small
    # With room for less than all of even the smallest, the most important come first, and none is cut short.
    size = sum(len(url) for url in made["b"])
    for share in range(1, 8):
        few = make_strips(frames, order, max_pixels=1_000_000, budget=size * share // 60)
        assert set(few) <= {"a", "b"}
        assert all(len(urls) == 3 for urls in few.values())
        assert "b" in few or not few
    assert make_strips(frames, order, max_pixels=1_000_000, budget=0) == {}
