from dataclasses import replace

import numpy as np
import pytest

from yoin.demo.paint import SQUARE, TALL, PosterFacts, paint, title
from yoin.demo.planted import plant, posters

PLAIN = PosterFacts(
    title="Velmar Sun",
    year=1999,
    black_and_white=False,
    warm=True,
    dark=False,
    face=False,
    text=False,
    symmetrical=True,
    busy=False,
    square=False,
    framed=False,
)


def pixels(facts: PosterFacts, seed: int = 0) -> np.ndarray:
    return np.asarray(paint(facts, np.random.default_rng(seed))).astype(float)


@pytest.fixture(scope="module")
def drawn() -> list[tuple[PosterFacts, np.ndarray]]:
    return [(poster, pixels(poster, row)) for row, poster in enumerate(posters(plant(80, 5)[1]))]


def test_the_same_seed_paints_the_same_pixels_and_another_one_others():
    facts = replace(PLAIN, face=True, text=True, busy=True, symmetrical=False)
    assert np.array_equal(pixels(facts, 3), pixels(facts, 3))
    assert not np.array_equal(pixels(facts, 3), pixels(facts, 4))


def test_titles_are_made_up_words_that_fit_the_poster():
    rng = np.random.default_rng(0)
    titles = [title(rng) for _ in range(200)]
    assert all(name.replace(" ", "").isalpha() and name.istitle() for name in titles)
    assert len(set(titles)) > 150


@pytest.mark.parametrize("square", [False, True])
def test_format(square: bool):
    width, height = SQUARE if square else TALL
    assert pixels(replace(PLAIN, square=square)).shape == (height, width, 3)


def test_black_and_white_posters_have_no_colour_and_others_do(drawn):
    for facts, image in drawn:
        spread = np.ptp(image, axis=-1).mean()
        assert spread == 0 if facts.black_and_white else spread > 12


def test_dark_posters_are_dark_and_others_bright(drawn):
    for facts, image in drawn:
        grey = image.mean() / 255
        assert grey < 0.25 if facts.dark else grey > 0.45


def test_warm_posters_are_redder_than_blue_and_cool_ones_bluer_than_red(drawn):
    for facts, image in drawn:
        if facts.warm is not None:
            red, _, blue = image.mean(axis=(0, 1))
            assert red > blue if facts.warm else blue > red


def test_symmetrical_posters_mirror_themselves(drawn):
    for facts, image in drawn:
        if facts.symmetrical and not facts.face and not facts.text:
            assert np.abs(image - image[:, ::-1]).mean() < 4  # grain alone


def test_words_are_many_dark_on_bright_or_bright_on_dark():
    for seed in range(8):
        for dark in (False, True):
            image = pixels(replace(PLAIN, text=True, dark=dark), seed).mean(axis=-1)
            halves = image[: image.shape[0] // 2], image[image.shape[0] // 2 :]
            strokes = max(float((half < 90).mean() if not dark else (half > 160).mean()) for half in halves)
            assert strokes > 0.05


@pytest.mark.slow
def test_a_face_detector_finds_every_face_and_no_other(drawn):
    cv2 = pytest.importorskip("cv2", reason="the face detector is an optional part")
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")
    right = {True: [], False: []}
    for facts, image in drawn:
        grey = cv2.equalizeHist(image.mean(axis=-1).astype(np.uint8))
        found = cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24))
        right[facts.face].append(len(found) == int(facts.face))
        if facts.face and len(found) == 1:
            assert found[0][3] > 0.25 * grey.shape[0]
    assert len(right[True]) == len(right[False]) == 40
    assert np.mean(right[True]) >= 0.95
    assert np.mean(right[False]) >= 0.95
