import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.model.conftest import make_captions, make_metric
from yoin import encoder
from yoin.errors import MissingExtraError, StudyError, UsageError
from yoin.model import fit, predictors
from yoin.model.base import Meter, outer_folds
from yoin.options import FitOptions
from yoin.values import HISTORY_COLUMNS, PREDICTION_COLUMNS, Fit

QUICK = {"bootstrap": 200, "permutations": 39}


def climb(
    captions: list[str], metric: np.ndarray, folder: Path, model: str, *, features: pd.DataFrame | None = None,
    group: np.ndarray | None = None, weight: np.ndarray | None = None, folds: int = 5, **told: object,
) -> Fit:  # fmt: skip
    return fit(
        captions, metric, outer_folds(len(metric), group, folds, 0), row_ids=np.arange(len(metric)) * 10,
        features=features, group=group, weight=weight, options=FitOptions(model=model, folds=folds, **QUICK),
        folder=folder, **told,
    )  # fmt: skip


def test_importing_the_stage_is_cheap() -> None:
    code = "import sys, yoin.model; assert not {'torch', 'sklearn', 'scipy', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_tfidf_and_features(tmp_path: Path) -> None:
    captions = make_captions(120)
    features = pd.DataFrame({"year": np.random.default_rng(0).integers(1950, 2020, 120)})
    metric = make_metric(captions, 0.4) + (features.year - 1985) / 30
    told: list[int] = []
    found = climb(
        captions, metric, tmp_path / "models", "tfidf", features=features,
        progress=lambda done, total, note: told.append(done),
    )  # fmt: skip
    assert [rung.name for rung in found.rungs] == ["mean", "tfidf", "features", "tfidf+features"]
    r2 = {rung.name: rung.r2 for rung in found.rungs}
    assert r2["mean"] == pytest.approx(0, abs=0.05)
    assert r2["mean"] < 0
    assert r2["tfidf+features"] > max(r2["tfidf"], r2["features"]) + 0.1
    assert (found.signal.verdict, found.signal.quantity, found.model) == ("signal", "gain", "tfidf")
    assert tuple(found.predictions.columns) == PREDICTION_COLUMNS
    assert len(found.predictions) == 4 * 120
    assert found.predictions.row_id.iloc[:3].tolist() == [0, 10, 20]
    assert told == sorted(told)
    assert told[-1] == 100


def test_a_rung_is_what_its_predictions_say(tmp_path: Path) -> None:
    captions = make_captions(80)
    metric = make_metric(captions, 0.4)
    found = climb(captions, metric, tmp_path, "tfidf")
    rows = found.predictions[found.predictions.model == "tfidf"]
    rung = found.rungs[1]
    assert rung.rmse == pytest.approx(np.sqrt(np.mean((rows.metric - rows.prediction) ** 2)))
    assert rung.r2 == pytest.approx(1 - rung.rmse**2 / metric.var())
    assert rung.spearman == pytest.approx(rows.metric.rank().corr(rows.prediction.rank()))
    assert rung.r2_low < rung.r2 < rung.r2_high
    assert found.rungs[0].spearman == 0
    assert (found.signal.r2, found.signal.r2_low, found.signal.r2_high) == (rung.r2, rung.r2_low, rung.r2_high)


def test_saved_models_give_the_out_of_fold_predictions(tmp_path: Path, tiny_bert: Path) -> None:
    captions = make_captions(60)
    metric = make_metric(captions, 0.3)
    features = pd.DataFrame({"year": np.random.default_rng(0).integers(1950, 2020, 60)})
    model = f"bert:{tiny_bert}"
    (tmp_path / "fold-9").mkdir()  # left by another run
    found = climb(captions, metric, tmp_path, model, features=features, folds=2)
    assert {path.name for path in tmp_path.iterdir()} == {"fold-0", "fold-1", "model.json"}
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".json", ".safetensors"}
    rows = found.predictions[found.predictions.model == model].reset_index(drop=True)
    again = predictors(tmp_path)
    for fold, group in rows.groupby("fold"):
        texts = [captions[row] for row in group.index]
        np.testing.assert_allclose(again[fold](texts), group.prediction, atol=1e-4 * metric.std())
    assert f"{model}+features" in set(found.predictions.model)


def test_rounds_and_seeds_are_kept(tmp_path: Path, tiny_bert: Path) -> None:
    captions = make_captions(60)
    metric = make_metric(captions, 0.3)
    model = f"bert:{tiny_bert}"
    found = fit(
        captions, metric, outer_folds(60, None, 2, 0), row_ids=np.arange(60), features=None, group=None, weight=None,
        options=FitOptions(model=model, folds=2, seeds=2, max_epochs=1, **QUICK), folder=tmp_path,
    )  # fmt: skip
    assert tuple(found.history.columns) == HISTORY_COLUMNS
    assert set(found.history["model"]) == {model}
    assert found.history.groupby(["fold", "seed"])["kept"].sum().tolist() == [1, 1, 1, 1]
    assert [score.seed for score in found.seeds] == [42, 43]
    rung = found.rungs[-1]
    assert rung.rmse <= np.sqrt(np.mean([score.rmse**2 for score in found.seeds])) + 1e-9  # an average errs no more
    assert found.metric_kind == "real"
    assert any("of the kind real (guessed" in note for note in found.notes)


def test_weights_and_groups_are_honoured(tmp_path: Path) -> None:
    captions = make_captions(30) * 3
    group = np.array([f"text {row}" for row in range(30)] * 3)
    metric = np.random.default_rng(0).normal(size=30)[np.tile(np.arange(30), 3)]  # known by heart, not by meaning
    weight = np.random.default_rng(1).uniform(0.5, 2, 90)
    found = climb(captions, metric, tmp_path, "tfidf", group=group, weight=weight)
    assert found.signal.verdict == "none"
    mean = found.predictions[found.predictions.model == "mean"]
    inside = mean.fold != 0
    expected = np.average(mean.metric[inside], weights=weight[inside])
    assert mean.prediction[mean.fold == 0].to_numpy() == pytest.approx(expected)


def test_without_the_encoder_frozen_is_missing_and_bert_goes_without_it(
    tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder.model_path.cache_clear()
    monkeypatch.setattr(encoder, "PACKAGE", "no_such_package")
    captions = make_captions(60)
    metric = make_metric(captions, 0.3)
    for model in ("frozen", "minilm"):
        with pytest.raises(MissingExtraError, match=r"yoin\[offline\]"):
            climb(captions, metric, tmp_path, model)
    found = climb(captions, metric, tmp_path, f"bert:{tiny_bert}", folds=2)
    assert [rung.name for rung in found.rungs] == ["mean", "tfidf", f"bert:{tiny_bert}", "stacked"]
    wide = found.predictions.pivot(index="row_id", columns="model", values="prediction")
    gap, added = wide[f"bert:{tiny_bert}"] - wide["tfidf"], wide["stacked"] - wide["tfidf"]
    fold = found.predictions.drop_duplicates("row_id").set_index("row_id")["fold"]
    for number in (0, 1):
        share = (added / gap)[fold == number]
        assert np.ptp(share) == pytest.approx(0, abs=1e-6)
        assert 0 <= share.iloc[0] <= 1
    assert found.signal.test_rung == "tfidf"
    assert any("frozen was left out" in note for note in found.notes)


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    captions = make_captions(40)
    metric = make_metric(captions, 0.3)
    with pytest.raises(UsageError, match="no model named 'tfidff'"):
        climb(captions, metric, tmp_path, "tfidff")
    with pytest.raises(UsageError, match="write bert:FOLDER"):
        climb(captions, metric, tmp_path, "bert")
    with pytest.raises(UsageError, match="there are 39 captions for 40 metrics"):
        climb(captions[1:], metric, tmp_path, "tfidf")
    with pytest.raises(UsageError, match="row 2: the metric is missing"):
        climb(captions, np.array([1, np.nan, *metric[2:]]), tmp_path, "tfidf")
    with pytest.raises(StudyError, match="no fitted models"):
        predictors(tmp_path)


def test_a_meter_adds_up() -> None:
    told: list[tuple[int, int, str]] = []
    meter = Meter(lambda done, total, note: told.append((done, total, note)), 4)
    meter.part(1, "first")(1, 2, "")
    meter.part(3, "second")(3, 3, "late")
    meter.end("done")
    assert told == [
        (0, 100, "first"), (12, 100, "first"), (25, 100, "second"), (100, 100, "second late"), (100, 100, "done")
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not encoder.installed(), reason="the embedded encoder is not installed")
def test_the_whole_ladder_on_a_few_real_texts(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    captions = [f"A {text} poster." for text in make_captions(60, length=3)]
    metric = make_metric(captions, 0.2)
    found = climb(captions, metric, tmp_path, "minilm")
    assert [rung.name for rung in found.rungs] == ["mean", "tfidf", "frozen", "minilm", "stacked"]
    assert found.rungs[-1].r2 > 0.3
    assert (found.signal.verdict, found.signal.test_rung) == ("signal", "frozen")
    rows = found.predictions[found.predictions.model == "minilm"].reset_index(drop=True)
    for fold, group in rows.groupby("fold"):
        texts = [captions[row] for row in group.index]
        np.testing.assert_allclose(predictors(tmp_path)[fold](texts), group.prediction, atol=1e-4 * metric.std())
    again = climb(captions, metric, tmp_path, "minilm")
    pd.testing.assert_frame_equal(again.predictions, found.predictions)
    assert capfd.readouterr() == ("", "")
