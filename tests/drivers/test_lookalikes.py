from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from yoin.drivers.lookalikes import ALIKE, difference_hash, lookalike_warning, lookalikes

LIMIT = 10_000_000


def scene(seed: int, side: int = 240) -> Image.Image:
    """A picture of soft blobs."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(7, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def bits_of(path: Path) -> np.ndarray:
    bits = difference_hash(path, LIMIT)
    assert bits is not None
    return bits


def apart(one: Path, other: Path) -> int:
    return int(np.unpackbits(bits_of(one) ^ bits_of(other)).sum())


def variants(folder: Path, seed: int) -> dict[str, Path]:
    picture = scene(seed)
    made = {
        "original": (picture, "png", {}),
        "recompressed": (picture, "jpg", {"quality": 30}),
        "large": (picture.resize((2400, 2400), Image.Resampling.BICUBIC), "jpg", {"quality": 80}),
        "small": (picture.resize((120, 120), Image.Resampling.LANCZOS), "webp", {}),
        "brighter": (picture.point(lambda level: min(255, int(level * 1.1))), "png", {}),
        "cropped": (picture.crop((2, 2, 238, 238)), "png", {}),
    }
    paths = {}
    for name, (image, suffix, options) in made.items():
        paths[name] = folder / f"{name}-{seed}.{suffix}"
        image.save(paths[name], **options)
    return paths


@pytest.mark.parametrize("seed", range(3))
def test_copies_of_a_picture_are_alike(tmp_path: Path, seed: int) -> None:
    paths = variants(tmp_path, seed)
    assert max(apart(paths["original"], other) for other in paths.values()) <= ALIKE


def test_other_pictures_are_not(tmp_path: Path) -> None:
    for seed in range(10):
        scene(seed).save(tmp_path / f"{seed}.png")
    originals = [bits_of(tmp_path / f"{seed}.png") for seed in range(10)]
    assert min(int(np.unpackbits(a ^ b).sum()) for a, b in combinations(originals, 2)) > 2 * ALIKE


def test_an_upright_copy_of_a_turned_photo_is_alike(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(1).save(tmp_path / "upright.jpg")
    scene(1).rotate(90).save(tmp_path / "turned.jpg", exif=exif)
    assert apart(tmp_path / "upright.jpg", tmp_path / "turned.jpg") <= ALIKE


def test_sets_leave_out_what_is_plain_unreadable_or_alone(tmp_path: Path) -> None:
    images = {f"{name}-{seed}": path for seed in (0, 1) for name, path in variants(tmp_path, seed).items()}
    for name, shade in (("white", 255), ("cream", 250)):
        images[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (50, 50), (shade, shade, shade)).save(images[name])
    images["alone"] = variants(tmp_path, 5)["original"]
    images["broken"] = tmp_path / "broken.jpg"
    images["broken"].write_bytes(b"\xff\xd8\xff nothing")
    images["gone"] = tmp_path / "gone.jpg"
    sets = lookalikes(images, max_pixels=LIMIT)
    assert len({sets[f"{name}-0"] for name in ("original", "small", "cropped")}) == 1
    assert sets["original-0"] != sets["original-1"]
    assert not {"white", "cream", "alone", "broken", "gone"} & set(sets)
    assert lookalikes({}, max_pixels=LIMIT) == {}
    assert lookalikes(images, max_pixels=100) == {}


def test_few_are_not_worth_a_word_and_copies_of_one_image_are_no_lookalikes() -> None:
    sets = {"a": 0, "b": 0, "c": 1, "d": 1}
    labels = {"a": "a.jpg", "b": "b.jpg"}
    media = pd.Series([*"abcd", *(f"m{k}" for k in range(36))])
    said = lookalike_warning(media, sets, labels)
    assert said is not None
    assert said.startswith("4 of 40 rows have an image that looks nearly the same as another row's, in 2 sets")
    assert "“a.jpg” and “b.jpg”" in said
    assert lookalike_warning(pd.Series([*"ab", *(f"m{k}" for k in range(198))]), sets, labels) is None
    assert lookalike_warning(pd.Series(["a"] * 10 + [pd.NA] * 10), sets, labels) is None
    assert lookalike_warning(pd.Series([], dtype=object), {}, {}) is None
