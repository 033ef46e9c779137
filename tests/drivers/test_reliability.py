from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from yoin.drivers.reliability import agreement
from yoin.options import DriverOptions


def said(has: np.ndarray) -> list[str]:
    return [f"A {'red barn' if yes else 'wall'} in the rain." for yes in has]


def test_kappa_is_that_of_exchangeable_captions() -> None:
    random = np.random.default_rng(0)
    first = random.random(400) < 0.4
    again = np.where(random.random(400) < 0.2, ~first, first)
    found = agreement(said(first), said(again), {"barn": ["red barn"], "rain": ["rain"]}, DriverOptions())
    barn, rain = found.to_dict("records")
    # every pair in both orders: Cohen's kappa is then Fleiss'
    both = (np.concatenate([first, again]), np.concatenate([again, first]))
    assert barn["kappa"] == pytest.approx(cohen_kappa_score(*both))
    assert barn["agreed"] == pytest.approx((first == again).mean())
    assert barn["images"] == 400
    assert rain["agreed"] == 1.0
    assert np.isnan(rain["kappa"])  # in every caption: nothing to tell from chance


def test_the_same_captions_agree_and_unrelated_ones_do_not() -> None:
    random = np.random.default_rng(1)
    first = random.random(2000) < 0.5
    concepts = {"barn": ["red barn"]}
    assert agreement(said(first), said(first), concepts, DriverOptions())["kappa"].tolist() == [1.0]
    (kappa,) = agreement(said(first), said(random.random(2000) < 0.5), concepts, DriverOptions())["kappa"]
    assert abs(kappa) < 0.07


def test_too_few_pairs_or_no_concept_say_nothing() -> None:
    assert agreement(["a"] * 19, ["a"] * 19, {"a": ["a"]}, DriverOptions()).empty
    assert agreement(["a"] * 30, ["a"] * 30, {}, DriverOptions()).empty
