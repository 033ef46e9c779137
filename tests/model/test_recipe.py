from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions, make_metric
from yoin.errors import UsageError
from yoin.options import FitOptions, RecipeOptions
from yoin.values import Recipe

pytest.importorskip("torch")

ROWS = 100


@pytest.fixture(scope="module")
def made() -> tuple[list[str], np.ndarray]:
    captions = make_captions(ROWS)
    return captions, make_metric(captions, 0.3)


@pytest.fixture
def follow(made, tiny_bert: Path):
    from yoin.model.recipe import follow_recipe

    captions, metric = made

    def run(ours: np.ndarray | None = None, **chosen: object) -> Recipe:
        return follow_recipe(
            captions, metric, np.full(ROWS, metric.mean()) if ours is None else ours, model=f"bert:{tiny_bert}",
            group=None, weight=None, chosen=RecipeOptions(recipe="article", **chosen),
            options=FitOptions(bootstrap=200),
        )  # fmt: skip

    return run


def test_five_shuffled_folds_judge_every_row_once() -> None:
    from yoin.model.recipe import judged_rows

    judged = [judged_rows(103, fold) for fold in range(5)]
    assert sorted(np.concatenate([rows for _, rows in judged])) == list(range(103))
    assert all(not set(learned) & set(rows) and len(learned) + len(rows) == 103 for learned, rows in judged)


def test_too_few_rows_for_one_batch_are_refused() -> None:
    from yoin.model.recipe import judged_rows

    with pytest.raises(UsageError, match="39 rows are too few") as caught:
        judged_rows(39, 0)
    assert "--recipe" in caught.value.remedy
    assert len(judged_rows(40, 0)[0]) == 32


def test_padding_is_text_without_the_mask_and_nothing_with_it(tiny_bert: Path) -> None:
    import torch

    from yoin import encoder
    from yoin.model.bert import read_encoder
    from yoin.model.recipe import FirstToken, pad, predict

    tokenizer, width, body = read_encoder(tiny_bert, 500)
    captions = ["warm cool", "dark bright face crowd"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the head is drawn; by chance padding could move a caption by nearly nothing
        network = FirstToken(body, body.config.hidden_size).eval()
    alone = []
    for ids in encoder.tokenize(tokenizer, captions, width):
        with torch.inference_mode():
            alone.append(float(network(*encoder.padded([ids], 0))))
    masked = predict(network, pad(captions, tokenizer, width, mask=True), np.arange(2))
    read = predict(network, pad(captions, tokenizer, width, mask=False), np.arange(2))
    assert masked == pytest.approx(alone, abs=1e-5)
    assert np.abs(read - alone).min() > 1e-3


def test_the_epoch_is_the_best_on_the_judging_fold_or_the_last(follow) -> None:
    best, last = follow(), follow(recipe_last_epoch=True)
    errors = [one.rmse for one in best.epochs]
    assert len(errors) == 5
    assert best.epochs == last.epochs  # the same training
    assert best.rmse == pytest.approx(min(errors))
    assert best.epoch == 1 + int(np.argmin(errors))
    assert last.epoch == 5
    assert last.rmse == pytest.approx(errors[-1])


def test_half_precision_is_about_the_same_training(follow) -> None:
    whole, half = follow(recipe_last_epoch=True), follow(recipe_last_epoch=True, recipe_half=True)
    assert (whole.half, half.half) == (False, True)
    losses = np.array([[one.train_loss for one in found.epochs] for found in (whole, half)])
    assert not np.array_equal(*losses)
    np.testing.assert_allclose(*losses, rtol=0.05)


def test_ours_is_judged_on_the_same_rows(made, follow) -> None:
    from yoin.model.recipe import judged_rows

    _, metric = made
    ours = metric + np.random.default_rng(0).normal(0, 0.2, ROWS)
    found = follow(ours, recipe_fold=3)
    rows = judged_rows(ROWS, 3)[1]
    assert found.rows == len(rows)
    assert found.ours_rmse == pytest.approx(float(np.sqrt(np.mean((ours - metric)[rows] ** 2))))
    assert found.gain == pytest.approx(found.ours_r2 - found.r2)
    assert found.gain_low < found.gain < found.gain_high


def test_a_linear_rung_is_compared_with_the_recipe_on_the_embedded_encoder(tiny_bert: Path) -> None:
    from yoin import encoder
    from yoin.model.bert import find_encoder

    assert find_encoder(f"bert:{tiny_bert}") == tiny_bert
    if encoder.installed():
        assert find_encoder("tfidf") == find_encoder("minilm") == encoder.model_path()
