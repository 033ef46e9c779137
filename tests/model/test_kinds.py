from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.model.conftest import make_captions, make_metric  # noqa: E402
from yoin.errors import UsageError  # noqa: E402
from yoin.model.bert import BertRegressor  # noqa: E402
from yoin.model.kinds import Scale, check_kind, guess_kind  # noqa: E402
from yoin.model.losses import losses  # noqa: E402
from yoin.options import FitOptions  # noqa: E402

RANDOM = np.random.default_rng(0)
METRICS = {
    "binary": RANDOM.integers(0, 2, 300).astype(float),
    "rate": RANDOM.beta(8, 2, 300),
    "count": RANDOM.negative_binomial(2, 0.1, 300).astype(float),
    "positive": RANDOM.lognormal(5, 1.2, 300),
    "real": RANDOM.normal(6, 1, 300),
}


@pytest.mark.parametrize(("kind", "metric"), METRICS.items())
def test_kinds_are_guessed(kind: str, metric: np.ndarray) -> None:
    assert guess_kind(metric) == kind
    check_kind(metric, kind)


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        (np.repeat(np.arange(1.0, 6.0), 20), "real"),  # grades
        (np.arange(1950.0, 2020.0), "real"),  # years
        (np.round(RANDOM.lognormal(12, 1.2, 300)), "positive"),  # prices in yen
        (np.array([0.0, 0.5, 1.0] * 20), "rate"),
        (RANDOM.uniform(40, 60, 100), "real"),
        (np.full(30, 3.0), "real"),
    ],
)
def test_what_looks_alike_is_told_apart(metric: np.ndarray, kind: str) -> None:
    assert guess_kind(metric) == kind


@pytest.mark.parametrize(
    ("kind", "metric", "row"),
    [("positive", [1, 0, 2], 2), ("rate", [0.5, 0.2, 1.2], 3), ("count", [-1, 2], 1), ("binary", [0, 1, 0.5], 3)],
)
def test_a_kind_that_cannot_be_is_one_sentence(kind: str, metric: list[float], row: int) -> None:
    with pytest.raises(UsageError, match=f"row {row}: the metric cannot be of the kind {kind}"):
        check_kind(np.array(metric, dtype=float), kind)


@pytest.mark.parametrize(("kind", "metric"), METRICS.items())
def test_an_output_of_zero_is_the_best_constant_and_the_losses_are_alike_there(kind: str, metric: np.ndarray) -> None:
    scale = Scale.of(metric, np.ones(len(metric)), kind)
    scale = scale.smeared(metric, np.zeros(len(metric)), np.ones(len(metric)))
    assert scale.prediction(np.zeros(1))[0] == pytest.approx(metric.mean(), rel=1e-6)
    output = torch.zeros((), requires_grad=True)
    lost = losses(output.expand(len(metric)), torch.from_numpy(metric), scale, "squared").mean()
    (slope,) = torch.autograd.grad(lost, output, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, output)
    assert slope.item() == pytest.approx(0, abs=1e-4)
    assert curvature.item() == pytest.approx(2, rel=1e-3)


def test_huber_heeds_an_outlier_less() -> None:
    scale = Scale("real", 0.0, 1.0)
    near, far = torch.tensor([0.5]), torch.tensor([50.0])
    at = torch.zeros(1)
    assert losses(at, near, scale, "huber") == losses(at, near, scale, "squared")
    assert losses(at, far, scale, "huber") < 0.05 * losses(at, far, scale, "squared")


@pytest.mark.parametrize("kind", ["positive", "rate", "count", "binary"])
def test_predictions_are_in_the_metrics_unit_and_learn(kind: str, tiny_bert: Path, tmp_path: Path) -> None:
    captions = make_captions(200)
    told = make_metric(captions, 0.3) - 5
    random = np.random.default_rng(0)
    metric = {
        "positive": np.exp(2 * told + 4),
        "rate": 1 / (1 + np.exp(-2 * told)),
        "count": random.poisson(np.exp(told + 2)).astype(float),
        "binary": (told > 0).astype(float),
    }[kind]
    model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=4, batch_size=16, metric_kind=kind))
    model.fit(captions, metric)
    found = model.predict(captions)
    assert np.corrcoef(found, metric)[0, 1] > 0.5
    assert found.min() >= 0
    assert found.mean() == pytest.approx(metric.mean(), rel=0.3)
    assert kind not in ("rate", "binary") or found.max() <= 1
    model.save(tmp_path)
    np.testing.assert_array_equal(BertRegressor.load(tmp_path).predict(captions), found)
