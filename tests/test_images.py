import io
import threading
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tests.media.makers import BAD, GOOD, encoded, grey_16, pixels, png_claiming, with_profile
from yoin.images import ImageError, open_rgb, prove

LIMIT = 10_000_000


@pytest.fixture
def opened(tmp_path):
    def open_bytes(data: bytes) -> Image.Image:
        path = tmp_path / "image.bin"  # the name never matters
        path.write_bytes(data)
        return open_rgb(path, max_pixels=LIMIT)

    return open_bytes


@pytest.mark.parametrize("name", GOOD)
def test_every_usable_image_opens_as_rgb_in_the_recorded_size(opened, name):
    image = opened(GOOD[name])
    facts = prove(io.BytesIO(GOOD[name]), max_pixels=LIMIT)
    assert image.mode == "RGB"
    assert image.size == (facts.width, facts.height) == ((30, 40) if name == "sideways.jpg" else (40, 30))


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name, (_, reason) in BAD.items()])
def test_every_unusable_image_is_refused(opened, name, reason):
    if reason == "too_small":
        assert opened(BAD[name][0]).mode == "RGB"  # the media stage minds, decoding does not
        return
    for refuse in (opened, lambda data: prove(io.BytesIO(data), max_pixels=LIMIT)):
        with pytest.raises(ImageError) as caught:
            refuse(BAD[name][0])
        assert caught.value.reason == {"empty_file": "not_an_image"}.get(reason, reason)
        assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("plain.png", (255, 0, 0), None),
        ("palette.png", (255, 255, 255), (0, 0, 255)),  # transparency lies on white
        ("rgba.jpg", (255, 255, 255), (255, 255, 255)),
        ("la.png", (127, 127, 127), (127, 127, 127)),
        ("one_bit.png", (255, 255, 255), (255, 255, 255)),
        ("animated.gif", (255, 0, 0), None),
        ("grey16.tif", (156, 156, 156), (156, 156, 156)),
        ("float.tif", (128, 128, 128), (128, 128, 128)),
        ("broken_profile.png", (255, 0, 0), None),
    ],
)
def test_colours(opened, name, left, right):
    image = opened(GOOD[name])
    assert image.getpixel((2, 15)) == left
    if right is not None:
        assert image.getpixel((37, 15)) == right


def test_16_bits_are_scaled_not_clipped(opened):
    row = np.asarray(opened(grey_16()))[0, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255)
    assert abs(np.diff(row) - 255 / 39).max() <= 1


def test_cmyk_is_not_inverted(opened):
    red, green, blue = opened(GOOD["cmyk.jpg"]).getpixel((2, 15))
    assert red > 230
    assert max(green, blue) < 30


def test_orientation_turns_the_picture(opened):
    image = opened(GOOD["sideways.jpg"])  # turned clockwise: what was left is on top
    red, green, blue = image.getpixel((15, 2))
    assert red > 230
    assert max(green, blue) < 40


def test_a_colour_profile_is_applied(opened):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()  # no profile of an RGB image: left alone
    assert opened(with_profile(lab)).getpixel((2, 15)) == (255, 0, 0)
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.find(b"rXYZ", 128), profile.find(b"gXYZ", 128)
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"  # what it calls red is green
    swapped = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    assert opened(with_profile(swapped)).getpixel((2, 15)) == (0, 255, 0)


def test_the_limit_is_on_the_header(tmp_path):
    (tmp_path / "a.png").write_bytes(png_claiming(100_000, 100_000))
    with pytest.raises(ImageError, match=r"100,000 × 100,000 pixels; the limit is 500") as caught:
        open_rgb(tmp_path / "a.png", max_pixels=500)
    assert caught.value.reason == "bomb"
    (tmp_path / "b.png").write_bytes(encoded(pixels()))
    assert open_rgb(tmp_path / "b.png", max_pixels=1200).size == (40, 30)


def test_a_large_image_below_the_limit_brings_no_warning():
    data = encoded(Image.new("1", (9500, 9500)))  # above Pillow's own limit for a warning
    assert prove(io.BytesIO(data), max_pixels=100_000_000).width == 9500


def test_damaged_exif_data_bring_no_warning_and_no_loss(opened):
    broken = encoded(pixels(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert opened(broken).size == (40, 30)


def test_warning_filters_are_as_they_were_even_with_threads(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(pixels()))
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=open_rgb, args=(tmp_path / "a.png",), kwargs={"max_pixels": LIMIT}) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_rgb(tmp_path / "none.png", max_pixels=LIMIT)


@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    st.floats(0.2, 1),
)
def test_damage_is_a_reason_and_never_another_error(tmp_path_factory, name, changes, kept):
    data = bytearray(GOOD[name])
    for place, value in changes:
        data[int(place * len(data))] = value
    damaged = bytes(data[: int(kept * len(data))])
    path = tmp_path_factory.mktemp("damaged") / "image"
    path.write_bytes(damaged)
    for attempt in (lambda: prove(io.BytesIO(damaged), max_pixels=LIMIT), lambda: open_rgb(path, max_pixels=LIMIT)):
        with suppress(ImageError):  # anything else fails the test
            attempt()


def test_the_result_does_not_need_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(pixels()))
    image = open_rgb(tmp_path / "a.png", max_pixels=LIMIT)
    (tmp_path / "a.png").unlink()
    image.save(io.BytesIO(), "PNG")
