from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pytest

from yoin.errors import StudyError, UsageError
from yoin.model.linear import TfidfRidge
from yoin.model.shelf import FoldModel, Shelf, fit_shuffled
from yoin.options import FitOptions
from yoin.values import QuickPredict


class Counted(TfidfRidge):
    """A model that counts how often it is read from the disk."""

    read: list[str]

    @classmethod
    def load(cls, folder: Path) -> Self:
        cls.read.append(folder.name)
        model = cls()
        model.name = folder.name  # type: ignore[attr-defined]
        return model

    def predict(self, captions: list[str]) -> np.ndarray:
        return np.full(len(captions), float(self.name[-1]))  # type: ignore[attr-defined]


class Quicker(Counted):
    ways = ("rough",)
    mask_token = "[MASK]"

    def predict_quickly(self, captions: list[str], way: str) -> np.ndarray:
        return self.predict(captions) + 0.5


def test_fold_by_fold_each_model_is_read_once_and_one_is_held() -> None:
    Counted.read = []
    shelf = Shelf(Counted)
    models = [FoldModel(shelf, Path(f"fold-{fold}")) for fold in (0, 1)]
    assert Counted.read == []
    for fold, model in enumerate(models):
        assert model(["a", "b"]).tolist() == [fold, fold]
        assert model.quickly(["a"], "rough").tolist() == [fold]
        assert (model.ways, model.mask_token) == ((), "")
    assert Counted.read == ["fold-0", "fold-1"]
    models[0](["a"])
    assert Counted.read == ["fold-0", "fold-1", "fold-0"]


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    model = TfidfRidge()
    model.fit(["warm sky", "dark sky"] * 10, np.arange(20.0))
    model.save(tmp_path)
    files = sorted(tmp_path.iterdir())
    assert files
    for file in files:
        whole = file.read_bytes()
        for broken in (whole[: len(whole) // 2], b"", b"[]", None):
            file.unlink() if broken is None else file.write_bytes(broken)
            with pytest.raises(StudyError, match=r"the fitted model in .* cannot be read \(.*\); fit anew with"):
                FoldModel(Shelf(TfidfRidge), tmp_path)(["a"])
        file.write_bytes(whole)
    assert FoldModel(Shelf(TfidfRidge), tmp_path)(["warm sky"]).shape == (1,)


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    class Elsewhere(TfidfRidge):
        @classmethod
        def load(cls, folder: Path) -> Self:
            raise ModuleNotFoundError("You need to install fugashi to use MecabTokenizer.")

    with pytest.raises(UsageError, match="needs the package fugashi; install it with: pip install fugashi"):
        FoldModel(Shelf(Elsewhere), tmp_path)(["a"])


def test_what_else_a_model_offers_is_offered() -> None:
    Quicker.read = []
    model = FoldModel(Shelf(Quicker), Path("fold-3"))
    assert isinstance(model, QuickPredict)
    assert model.quickly(["a"], "rough").tolist() == [3.5]
    assert (model.ways, model.mask_token) == (("rough",), "[MASK]")
    assert Quicker.read == ["fold-3"]


def test_a_shuffled_metric_leaves_nothing_to_know() -> None:
    random = np.random.default_rng(0)
    captions = [f"{'warm' if number % 2 else 'cool'} scene {random.integers(50)}" for number in range(200)]
    metric = np.array([float(number % 2) for number in range(200)])
    options = FitOptions(model="tfidf")
    knows, knows_nothing = TfidfRidge(options=options), fit_shuffled(captions, metric, options=options)
    knows.fit(captions, metric)
    gaps = [np.ptp(model.predict(["warm scene", "cool scene"])) for model in (knows, knows_nothing)]
    assert gaps[0] > 0.8
    assert gaps[1] < 0.3
    again = fit_shuffled(captions, metric, options=options)
    np.testing.assert_array_equal(again.predict(captions), knows_nothing.predict(captions))
