import io
from pathlib import Path

import pytest
from PIL import Image

from yoin.captions.pictures import pictures
from yoin.values import Medium


def medium(path: Path, **more: object) -> Medium:
    return Medium(media_id="m", path=path, mime="x", width=40, height=30, bytes=1, **more)


@pytest.mark.parametrize(("suffix", "mime"), [(".jpg", "image/jpeg"), (".png", "image/png"), (".webp", "image/webp")])
def test_what_every_service_reads_goes_as_it_is(tmp_path, suffix, mime):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (40, 30), "red").save(path)
    assert pictures(medium(path)) == [(mime, path.read_bytes())]


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".gif"])
def test_anything_else_goes_as_a_jpeg(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (40, 30), "red").save(path)
    ((mime, content),) = pictures(medium(path))
    assert mime == "image/jpeg"
    with Image.open(io.BytesIO(content)) as sent:
        assert (sent.format, sent.size) == ("JPEG", (40, 30))
        assert sent.getpixel((5, 5))[0] > 240


def test_small_servers_get_no_webp_and_nothing_that_lies_on_its_side(tmp_path):
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.webp")
    half = Image.new("RGB", (40, 30), "red")
    half.paste("blue", (0, 0, 40, 15))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned right by a quarter
    half.save(tmp_path / "turned.jpg", exif=turned, quality=95)
    half.save(tmp_path / "upright.jpg")
    half.save(tmp_path / "a.png")
    for name, size in (("a.webp", (40, 30)), ("turned.jpg", (30, 40))):
        path = tmp_path / name
        assert pictures(medium(path))[0][1] == path.read_bytes()
        ((mime, content),) = pictures(medium(path), plainly=True)
        with Image.open(io.BytesIO(content)) as sent:
            assert (mime, sent.format, sent.size) == ("image/jpeg", "JPEG", size)
    for name in ("upright.jpg", "a.png"):
        assert pictures(medium(tmp_path / name), plainly=True)[0][1] == (tmp_path / name).read_bytes()


def test_the_copy_goes_instead_of_the_original_and_frames_instead_of_a_video(tmp_path):
    for number in range(3):
        Image.new("RGB", (8, 8), (number * 50, 0, 0)).save(tmp_path / f"{number}.jpg")
    first, second, third = (tmp_path / f"{number}.jpg" for number in range(3))
    assert pictures(medium(first, copy=second)) == [("image/jpeg", second.read_bytes())]
    video = medium(first, seconds=2.0, frames=(second, third), poster=third)
    assert [content for _, content in pictures(video)] == [second.read_bytes(), third.read_bytes()]
