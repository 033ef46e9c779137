import numpy as np
import pandas as pd
import pytest

from tests.model.conftest import make_captions
from yoin.model.leaks import find_leaks

ROWS = 200
METRIC = np.round(np.random.default_rng(0).uniform(1, 10, ROWS), 1)


def test_a_rating_in_the_caption_is_named() -> None:
    captions = [
        f"{text}, rated {value}/10" if row % 5 == 0 else text
        for row, (text, value) in enumerate(zip(make_captions(ROWS), METRIC, strict=True))
    ]
    (leak,) = find_leaks(captions, METRIC)
    assert (leak.kind, leak.rows, leak.share) == ("rating", 40, 0.2)
    assert leak.r2 == pytest.approx(1, abs=0.1)
    assert leak.sentence.startswith(f"the caption says '{METRIC[leak.row_id]}/10': 40 captions hold a rating")


@pytest.mark.parametrize(
    ("form", "kind"), [("{:.0f}% off", "percentage"), ("for ${:,.2f}", "price"), ("in {:.0f}", "year")]
)
def test_a_number_that_goes_with_the_metric_is_named(form: str, kind: str) -> None:
    metric = METRIC + (1950 if kind == "year" else 0)
    said = 1950 + 5 * (metric - 1950) if kind == "year" else 900 * metric
    captions = [f"{text} {form.format(value)}" for text, value in zip(make_captions(ROWS), said, strict=True)]
    (leak,) = find_leaks(captions, metric)
    assert leak.kind == kind


def test_numbers_that_say_nothing_and_plain_captions_are_no_leak() -> None:
    random = np.random.default_rng(3)
    captions = [
        f"{text}, {random.integers(1, 9)} people in {random.integers(1900, 2020)}" for text in make_captions(ROWS)
    ]
    assert find_leaks(captions, METRIC) == ()
    assert find_leaks(make_captions(ROWS), METRIC, pd.DataFrame({"x": ["warm cool"] * ROWS})) == ()
    assert find_leaks([""] * ROWS, METRIC, pd.DataFrame({"x": [None] * ROWS, "y": METRIC})) == ()


def test_a_title_in_the_caption_is_named() -> None:
    titles = [f"The {a} of {b}" for a, b in zip(*(make_captions(ROWS, seed, 2) for seed in (4, 5)), strict=True)]
    captions = [
        f'{text} titled "{title.upper()}"' if row % 4 == 0 else text
        for row, (text, title) in enumerate(zip(make_captions(ROWS), titles, strict=True))
    ]
    (leak,) = find_leaks(captions, METRIC, pd.DataFrame({"title": titles, "year": METRIC}))
    assert (leak.kind, leak.rows, leak.r2) == ("column", 50, None)
    assert leak.sentence == f"the caption says '{titles[0]}': 50 captions hold their row's 'title'"


def test_hostile_captions_take_no_time_and_no_number_is_too_long() -> None:
    captions = ["9" * 5000, "1," * 3000, "$" * 4000, "1 " * 3000] * 50
    assert len(find_leaks(captions, METRIC)) <= 1
