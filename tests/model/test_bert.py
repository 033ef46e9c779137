import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.model.conftest import make_captions, make_metric  # noqa: E402
from yoin.errors import StudyError, UsageError  # noqa: E402
from yoin.model.base import inner_split  # noqa: E402
from yoin.model.bert import BertRegressor  # noqa: E402
from yoin.model.shelf import Shelf  # noqa: E402
from yoin.options import FitOptions  # noqa: E402
from yoin.values import silent  # noqa: E402

OPTIONS = FitOptions(max_epochs=4, batch_size=16)
pytestmark = pytest.mark.slow


def r2(metric: np.ndarray, prediction: np.ndarray) -> float:
    return 1 - float(np.sum((metric - prediction) ** 2) / np.sum((metric - metric.mean()) ** 2))


@pytest.fixture(scope="module")
def fitted(tiny_bert: Path) -> BertRegressor:
    captions = make_captions(200)
    model = BertRegressor(str(tiny_bert), options=OPTIONS)
    model.fit(captions, make_metric(captions, 0.3))
    return model


def test_a_planted_effect_is_learned(fitted: BertRegressor) -> None:
    captions = make_captions(200, seed=9)
    assert r2(make_metric(captions, 0), fitted.predict(captions)) > 0.6


def test_two_fits_are_identical_and_leave_torch_as_it_was(tiny_bert: Path, fitted: BertRegressor) -> None:
    before = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    captions = make_captions(200)
    again = BertRegressor(str(tiny_bert), options=OPTIONS)
    again.fit(captions, make_metric(captions, 0.3))
    np.testing.assert_array_equal(again.predict(captions), fitted.predict(captions))
    after = torch.random.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_a_saved_model_predicts_the_same_from_json_and_safetensors_alone(fitted: BertRegressor, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded = BertRegressor.load(tmp_path)
    captions = make_captions(50, seed=3)
    np.testing.assert_array_equal(loaded.predict(captions), fitted.predict(captions))


def test_a_damaged_or_foreign_model_is_one_sentence(fitted: BertRegressor, tiny_bert: Path, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    broken = {"config.json": b"{}", "head.json": b"{", "model-0.safetensors": b"\x00" * 100, "tokenizer.json": b"?"}
    foreign = {"model-0.safetensors": (tiny_bert / "model.safetensors").read_bytes()}
    for name, content in [*broken.items(), *foreign.items()]:
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StudyError, match=r"the fitted model in .* cannot be read \(.*\); fit anew with"):
            Shelf(BertRegressor).read(tmp_path)
        (tmp_path / name).write_bytes(whole)
    assert np.isfinite(Shelf(BertRegressor).read(tmp_path).predict(["warm sky"])).all()


def test_a_prediction_does_not_depend_on_its_company(fitted: BertRegressor) -> None:
    captions = [*make_captions(40, seed=4), "warm", "warm dark face sky red blue green tall wide close far old"]
    together = fitted.predict(captions)
    alone = np.concatenate([fitted.predict([caption]) for caption in captions])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    twice = fitted.predict([captions[0], captions[0]])
    assert twice[0] == twice[1]
    assert fitted.predict([]).shape == (0,)


def test_noise_falls_back_to_the_mean_or_close_to_it(tiny_bert: Path) -> None:
    captions = make_captions(120)
    metric = np.random.default_rng(5).normal(size=120)
    model = BertRegressor(str(tiny_bert), options=OPTIONS)
    model.fit(captions, metric)
    assert model.predict(make_captions(200, seed=8)).std() < 0.5


def test_thirty_rows_are_enough_and_a_constant_metric_is_predicted(tiny_bert: Path) -> None:
    captions = make_captions(24)
    for metric in (make_metric(captions, 0.1), np.full(24, 3.0)):
        model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=1))
        model.fit(captions, metric)
        assert np.isfinite(model.predict(captions)).all()
    assert model.predict(captions) == pytest.approx(3.0, abs=1e-3)


def test_rounds_are_noted_and_the_best_is_kept(fitted: BertRegressor) -> None:
    rounds = fitted.history
    assert [one.epoch for one in rounds] == list(range(len(rounds)))
    assert np.isnan(rounds[0].train_loss)
    assert rounds[0].inner_loss == pytest.approx(1, abs=0.5)
    (kept,) = [one for one in rounds if one.kept]
    assert kept.inner_loss == min(one.inner_loss for one in rounds)
    assert rounds[-1].train_loss < rounds[1].train_loss
    assert rounds[1].learning_rate > rounds[-1].learning_rate >= 0
    assert fitted.held_out is not None
    captions = make_captions(200)
    metric = make_metric(captions, 0.3)[fitted.held_out.rows]
    assert kept.inner_rmse == pytest.approx(np.sqrt(np.mean((metric - fitted.held_out.predictions) ** 2)), rel=1e-4)


def test_seeds_are_averaged_and_saved(tiny_bert: Path, fitted: BertRegressor, tmp_path: Path) -> None:
    captions = make_captions(200)
    model = BertRegressor(str(tiny_bert), options=OPTIONS.model_copy(update={"seeds": 2}))
    told: list[int] = []
    model.fit(captions, make_metric(captions, 0.3), progress=lambda done, total, note: told.append(done))
    each = model.predict_each(captions)
    np.testing.assert_array_equal(each[0], fitted.predict(captions))  # the first seed is the study's
    assert np.ptp(each, axis=0).max() > 0
    np.testing.assert_array_equal(model.predict(captions), each.mean(axis=0))
    assert {one.seed for one in model.history} == {42, 43}
    assert told == sorted(told)
    model.save(tmp_path)
    np.testing.assert_array_equal(BertRegressor.load(tmp_path).predict_each(captions), each)


def test_lower_layers_learn_more_slowly_where_asked_for(tiny_bert: Path) -> None:
    captions = make_captions(100)
    moved = {}
    for decay in (1.0, 0.01):
        model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=1, layer_decay=decay))
        model.fit(captions, make_metric(captions, 0.1))
        moved[decay] = model.predict(captions)
    assert np.ptp(moved[1.0] - moved[0.01]) > 0


def test_weights_count(tiny_bert: Path) -> None:
    captions = ["warm sky", "dark sky"] * 60
    metric = np.array([1.0, 0.0] * 30 + [0.0, 1.0] * 30)  # the halves contradict each other
    weight = np.array([10.0] * 60 + [0.1] * 60)
    model = BertRegressor(str(tiny_bert), options=OPTIONS)
    model.fit(captions, metric, weight=weight)
    warm, dark = model.predict(["warm sky", "dark sky"])
    assert warm > dark + 0.5


def test_long_captions_are_cut_and_counted(tiny_bert: Path) -> None:
    captions = [caption + " sky" * 40 * (row < 3) for row, caption in enumerate(make_captions(40))]
    model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=1))
    model.fit(captions, make_metric(captions, 0.1))
    assert model.notes == ("3 of 40 captions reach the model's 24 tokens and are cut there",)


def test_progress_is_told_to_the_end(tiny_bert: Path) -> None:
    told: list[tuple[int, int]] = []
    captions = make_captions(60)
    model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=2))
    model.fit(captions, make_metric(captions, 0.3), progress=lambda done, total, note: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] >= 60


def test_nothing_is_written_to_the_screen(tiny_bert: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    captions = make_captions(40)
    model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=1))
    model.fit(captions, make_metric(captions, 0.3), progress=silent)
    model.save(tmp_path)
    BertRegressor.load(tmp_path).predict(captions)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("rows", [24, 150, 1998])
def test_the_inner_split_keeps_groups_whole(rows: int) -> None:
    group = np.repeat(np.arange(rows // 3), 3)
    learned, held = inner_split(rows, group, 0)
    assert not set(group[learned]) & set(group[held])
    assert len(learned) + len(held) == rows
    assert len(held) >= min(24, rows // 4) - 3


def test_unusable_sources_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        BertRegressor(str(tmp_path / "absent"), options=OPTIONS)
    with pytest.raises(UsageError, match=r"has no config\.json"):
        BertRegressor(str(tmp_path), options=OPTIONS)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nonsense"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    model = BertRegressor(str(tmp_path), options=OPTIONS)
    with pytest.raises(UsageError, match=r"has no tokenizer that can be read here; add its tokenizer\.json"):
        model.fit(make_captions(30), np.arange(30.0))


@pytest.mark.skipif(importlib.util.find_spec("fugashi") is not None, reason="fugashi is installed")
def test_an_encoder_whose_tokenizer_needs_a_package_names_it(tiny_bert: Path, tmp_path: Path) -> None:
    japanese = shutil.copytree(tiny_bert, tmp_path / "japanese")
    (japanese / "tokenizer.json").unlink()
    (japanese / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n赤い\n")
    kinds = {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}
    (japanese / "tokenizer_config.json").write_text(json.dumps(kinds))
    with pytest.raises(UsageError, match="needs the package fugashi; install it with: pip install fugashi"):
        BertRegressor(str(japanese), options=OPTIONS).fit(make_captions(30), np.arange(30.0))


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match="could not be fetched; give a folder"):
        BertRegressor("somebody/some-bert", options=OPTIONS)


def test_the_quicker_ways_are_near_and_leave_the_exact_one_as_it_was(fitted: BertRegressor) -> None:
    captions = [*make_captions(40, seed=5), "", "warm"]
    before = fitted.predict(captions)
    assert set(fitted.ways) <= {"int8", "bfloat16"}
    for way in fitted.ways:
        quick = fitted.predict_quickly(captions, way)
        most = 0.05 if way == "bfloat16" else 0.2  # 32 numbers wide, rounding averages out less than in a real encoder
        assert np.abs(quick - before).max() < most * before.std() + 1e-6
        assert spearmanr(quick, before).statistic > 0.99
        np.testing.assert_array_equal(fitted.predict(captions), before)
    with pytest.raises(ValueError, match="no way 'guess'"):
        fitted.predict_quickly(captions, "guess")
    assert fitted.mask_token == ""  # the tiny tokenizer has none


def test_where_memory_does_not_suffice_batches_go_in_parts_and_the_fit_stays_the_same(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from yoin.model.bert import BertRegressor
    from yoin.model.training import Network

    captions = make_captions(120)
    metric = make_metric(captions, 0.3)

    def fitted() -> BertRegressor:
        model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=2, batch_size=16))
        model.fit(captions, metric)
        return model

    whole, pooled, sizes = fitted(), Network.pooled, []

    def short_of_memory(network: Network, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            sizes.append(len(tokens))
            if len(tokens) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return pooled(network, tokens, mask)

    monkeypatch.setattr(Network, "pooled", short_of_memory)
    parted = fitted()
    assert max(sizes) == 16
    assert "short of memory: 16 captions at once went in parts of 4" in parted.notes
    assert parted.predict(captions) == pytest.approx(whole.predict(captions), abs=2e-2)
    assert not any("memory" in note for note in whole.notes)

    def broken(network: Network, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("something else")

    monkeypatch.setattr(Network, "pooled", broken)
    with pytest.raises(RuntimeError, match="something else"):
        fitted()
