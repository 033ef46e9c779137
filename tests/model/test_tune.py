from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions, make_metric
from yoin.errors import MissingExtraError
from yoin.model.tune import BATCH_SIZES, LAYER_DECAYS, RATES, tune
from yoin.options import FitOptions

pytest.importorskip("optuna")
OWN = FitOptions(tune=30, learning_rate=5e-5, layer_decay=1.0, batch_size=32)


def bowl(options: FitOptions) -> float:
    """Lowest at 1e-4, 0.8 and 16."""
    return (
        abs(math.log(options.learning_rate / 1e-4)) + abs(options.layer_decay - 0.8) + abs(options.batch_size - 16) / 16
    )


def test_it_finds_better_settings_and_tries_the_given_ones_first() -> None:
    tried: list[FitOptions] = []

    def error_of(options: FitOptions) -> float:
        tried.append(options)
        return bowl(options)

    found = tune(error_of, OWN)
    assert tried[0] == OWN
    assert len(tried) == OWN.tune
    assert bowl(found) == min(map(bowl, tried)) < bowl(OWN)
    assert found == tune(bowl, OWN)
    assert all(RATES[0] <= one.learning_rate <= RATES[1] for one in tried)
    assert {one.layer_decay for one in tried} <= set(LAYER_DECAYS)
    assert {one.batch_size for one in tried} <= set(BATCH_SIZES)


def test_the_given_settings_stay_where_none_is_better() -> None:
    assert tune(lambda options: 0.0 if options == OWN else 1.0, OWN) == OWN
    one = OWN.model_copy(update={"tune": 1})
    assert tune(bowl, one) == one


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tiny_bert: Path) -> None:
    from yoin.model.bert import BertRegressor

    monkeypatch.setattr("yoin.model.tune.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="optuna") as caught:
        BertRegressor(str(tiny_bert), options=FitOptions(tune=2))
    assert "yoin[tune]" in caught.value.remedy


def test_a_fine_tuning_takes_the_best_settings_and_says_which(tiny_bert: Path) -> None:
    from yoin.model.bert import BertRegressor

    captions = make_captions(60)
    model = BertRegressor(str(tiny_bert), options=FitOptions(tune=3, max_epochs=2))
    model.fit(captions, make_metric(captions, 0.3))
    plain = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=2))
    plain.fit(captions, make_metric(captions, 0.3))
    assert any(note.startswith("of 3 settings the best on inner rows: learning rate") for note in model.notes)
    kept = [min(one.inner_loss for one in fitted.history if one.kept) for fitted in (model, plain)]
    assert kept[0] <= kept[1]
    assert np.isfinite(model.predict(captions[:3])).all()
