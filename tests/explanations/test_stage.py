"""A study's captions: quicker ways that are near enough, pieces that are kept, and what is checked on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.explanations.models import Counting, additive, bumpy, word_weight
from yoin.errors import UsageError
from yoin.explanations import compare, explain_captions
from yoin.explanations import stage as module
from yoin.explanations.deletion import Deletion, delete
from yoin.explanations.game import Evaluator
from yoin.explanations.precision import measure
from yoin.language import words
from yoin.options import ExplainOptions
from yoin.values import EXPLANATION_COLUMNS, INTERACTION_COLUMNS

CAPTION = "A large brown dog runs across the wide green field, with no visible text and without people looking up. "
OPTIONS = ExplainOptions(budget=64, interactions=3)


class Quick:
    """A model whose quicker way errs by ``error``, seeded by the text."""

    ways: tuple[str, ...] = ("rough",)
    mask_token = "[MASK]"

    def __init__(self, error: float) -> None:
        self.error = error
        self.exact, self.rough = Counting(bumpy), Counting(self._rough)

    def __call__(self, texts: list[str]) -> np.ndarray:
        return self.exact(texts)

    def quickly(self, texts: list[str], way: str) -> np.ndarray:
        assert way == "rough"
        return self.rough(texts)

    def _rough(self, texts: list[str]) -> np.ndarray:
        return bumpy(texts) + self.error * np.array([np.sin(1000 * len(text) + sum(map(ord, text))) for text in texts])


def study(rows: int = 40) -> pd.DataFrame:
    captions = [f"{CAPTION}Red {number}, cat {number % 7}." for number in range(rows)]
    return pd.DataFrame({"row_id": range(rows), "caption": captions, "fold": [number % 2 for number in range(rows)]})


def test_all_but_the_ends_go_the_quicker_way_where_it_is_near_enough() -> None:
    captions, models = study(6), {0: Quick(1e-4), 1: Quick(1e-4)}
    found = explain_captions(captions, models, options=OPTIONS)
    told = found.facts["precision"]
    assert told["kind"] == "rough"
    assert told["used"] is True
    assert told["texts"] == 128
    assert 0 < told["mean_error"] < told["largest_error"] <= 1e-4
    assert told["rank_correlation"] > 0.999
    for model in models.values():
        asked = {text for batch in model.exact.batches[1:] for text in batch}  # the first is the comparison
        assert asked == {"", *captions.loc[captions["fold"] == (model is models[1]), "caption"]}
    spans = found.table.groupby("row_id")
    np.testing.assert_array_equal(spans["prediction"].first(), bumpy(captions["caption"].tolist()))
    np.testing.assert_allclose(
        spans["value"].sum() + spans["base_value"].first(), spans["prediction"].first(), rtol=1e-12
    )
    exact = explain_captions(captions, {0: bumpy, 1: bumpy}, options=OPTIONS)
    assert exact.facts["precision"] is None
    np.testing.assert_allclose(found.table["value"], exact.table["value"], atol=5e-3)


def test_a_quicker_way_that_is_not_near_enough_is_not_taken() -> None:
    captions, model = study(4), Quick(10.0)
    found = explain_captions(captions, {0: model, 1: model}, options=OPTIONS)
    assert found.facts["precision"]["used"] is False
    assert model.rough.calls == 2 * 64  # the comparison, once a fold
    exact = explain_captions(captions, {0: bumpy, 1: bumpy}, options=OPTIONS)
    pd.testing.assert_frame_equal(found.table, exact.table)
    pd.testing.assert_frame_equal(found.pairs, exact.pairs)


def test_the_quickest_way_that_is_near_enough_is_taken(tmp_path: Path) -> None:
    class Two(Quick):
        ways = ("wild", "rough")

        def __init__(self) -> None:
            super().__init__(1e-4)
            self.wild = Counting(lambda texts: self._rough(texts)[::-1])

        def quickly(self, texts: list[str], way: str) -> np.ndarray:
            return self.wild(texts) if way == "wild" else super().quickly(texts, way)

    captions, model = study(4).assign(fold=0), Two()
    found = explain_captions(captions, {0: model}, options=OPTIONS, folder=tmp_path)
    assert found.facts["precision"]["kind"] == "rough"
    assert found.facts["precision"]["used"] is True
    assert model.wild.calls == 64
    assert model.rough.calls > 3 * 64
    again = Two()
    (tmp_path / "0-0.json").unlink()  # as if it had been stopped there: what was measured is found again
    pd.testing.assert_frame_equal(
        explain_captions(captions, {0: again}, options=OPTIONS, folder=tmp_path).table, found.table
    )
    assert again.wild.calls == 0


def test_precision_of_a_model_that_says_the_same_of_all() -> None:
    class Constant(Quick):
        def __call__(self, texts: list[str]) -> np.ndarray:
            return np.full(len(texts), 3.0)

        def quickly(self, texts: list[str], way: str) -> np.ndarray:
            return self(texts)

    assert measure(Constant(0), [CAPTION], seed=0).used
    assert measure(Quick(0), [CAPTION, "dog"], seed=0).rank_correlation == 1


def test_what_was_done_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions = study(36)
    whole = explain_captions(captions, {0: Quick(1e-4), 1: Quick(1e-4)}, options=OPTIONS)

    class StoppedError(Exception):
        pass

    pieces = 0

    def stop(done: int, total: int, note: str) -> None:
        nonlocal pieces
        pieces += 1
        if done == 16:
            raise StoppedError

    with pytest.raises(StoppedError):
        explain_captions(captions, {0: Quick(1e-4), 1: Quick(1e-4)}, options=OPTIONS, folder=tmp_path, progress=stop)
    models = {0: Quick(1e-4), 1: Quick(1e-4)}
    again = explain_captions(captions, models, options=OPTIONS, folder=tmp_path)
    pd.testing.assert_frame_equal(again.table, whole.table)
    pd.testing.assert_frame_equal(again.pairs, whole.pairs)
    assert again.facts == whole.facts
    fresh = {0: Quick(1e-4), 1: Quick(1e-4)}
    assert explain_captions(captions, fresh, options=OPTIONS, folder=tmp_path).facts == whole.facts
    assert fresh[0].exact.calls == fresh[1].rough.calls == 0


def test_order_columns_and_counts() -> None:
    captions = study(9).sample(frac=1, random_state=0, ignore_index=True)
    found = explain_captions(captions, {0: bumpy, 1: additive}, options=OPTIONS)
    assert list(dict.fromkeys(found.table["row_id"])) == captions["row_id"].tolist()
    assert tuple(found.table.columns) == EXPLANATION_COLUMNS
    assert tuple(found.pairs.columns) == INTERACTION_COLUMNS
    assert found.pairs["row_id"].nunique() == 3
    sums = found.pairs.groupby("row_id")["value"].sum()
    ends = found.table.groupby("row_id")[["prediction", "base_value"]].first().loc[sums.index]
    np.testing.assert_allclose(sums, ends["prediction"] - ends["base_value"], rtol=1e-9)
    assert found.facts["captions"] == found.facts["deletion"]["captions"] == 9
    assert 9 * 16 < found.facts["calls"] <= 9 * 64


def test_few_calls_where_the_tolerance_is_met() -> None:
    captions, models = study(4), {0: additive, 1: additive}
    captions["caption"] += CAPTION  # more phrases than can be exact
    eager = explain_captions(captions, models, options=OPTIONS.model_copy(update={"tolerance": 0.05, "budget": 256}))
    full = explain_captions(captions, models, options=OPTIONS.model_copy(update={"budget": 256}))
    assert eager.facts["calls"] < 0.7 * full.facts["calls"]
    np.testing.assert_allclose(
        eager.table.groupby("row_id")["value"].sum(), full.table.groupby("row_id")["value"].sum(), rtol=1e-9
    )


def test_a_mask_token_stands_for_each_word_left_out() -> None:
    asked = Counting(bumpy)

    class Masked(Quick):
        def __call__(self, texts: list[str]) -> np.ndarray:
            return asked(texts)

    model = Masked(0.0)
    options = OPTIONS.model_copy(update={"mask": "token"})
    caption = pd.DataFrame({"row_id": [3], "caption": ["a red dog, no text!"], "fold": [0]})
    found = explain_captions(caption, {0: model}, options=options)
    assert found.table["base_value"].iloc[0] == bumpy(["[MASK] [MASK] [MASK] [MASK]"])[0]
    texts = {text for batch in asked.batches for text in batch}
    assert "[MASK] red dog, [MASK]" in {text for batch in model.rough.batches for text in batch}
    assert "a red dog, no text!" in texts
    with pytest.raises(UsageError, match="explain: this model knows no mask token; use --mask remove"):
        explain_captions(study(2), {0: bumpy, 1: bumpy}, options=options)


def test_deletion_of_an_additive_model_is_known() -> None:
    caption = "dog red text dog, red red dog, text dog text"
    found = [(word.start, word.end, word.text) for word in words(caption)]
    spans = pd.DataFrame(found, columns=["start", "end", "text"])
    spans["value"] = [word_weight(text) for text in spans["text"]]
    highest, lowest, random = delete(caption, spans, Evaluator(additive), seed=1)
    values = np.sort(spans["value"].to_numpy())
    np.testing.assert_allclose(highest, 2 + values.sum() - np.cumsum([0, *values[::-1]]))
    np.testing.assert_allclose(lowest, 2 + values.sum() - np.cumsum([0, *values]))
    assert random[0] == highest[0]
    assert random[-1] == pytest.approx(lowest[-1])
    made = Deletion.of([[highest, lowest, random]] * 2)
    assert made.gap > 0.5
    assert made.facts["gap_low"] == pytest.approx(made.gap)
    assert Deletion.of([[highest, lowest, random]]).facts["gap_low"] is None
    assert delete("", pd.DataFrame({"start": [0], "end": [0], "value": [0.0]}), Evaluator(additive))[0] == [2.0] * 11


def test_a_model_of_a_shuffled_metric_is_told_from_the_real_one_and_the_same_one_is_not() -> None:
    class Model:
        def __init__(self, predict) -> None:  # type: ignore[no-untyped-def]
            self.predict = predict

    captions = study(8)
    explained = explain_captions(captions, {0: bumpy, 1: bumpy}, options=OPTIONS).table
    same = compare(captions, explained, Model(bumpy), options=OPTIONS)
    assert same["correlation"] == pytest.approx(1)
    assert same["size"] == pytest.approx(1)
    assert not same["passed"]
    unlike = Model(lambda texts: np.array([sum(map(ord, text)) ** 2 % 97 for text in texts]))
    other = compare(captions, explained, unlike, options=OPTIONS)
    assert other["passed"]
    silent = compare(captions, explained, Model(lambda texts: np.zeros(len(texts))), options=OPTIONS)
    assert silent == {"captions": 8, "correlation": 0.0, "size": 0.0, "passed": True}


def test_a_piece_is_some_captions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "PIECE", 3)
    seen: list[int] = []
    explain_captions(
        study(8),
        {0: additive, 1: additive},
        options=OPTIONS,
        folder=tmp_path,
        progress=lambda done, *_: seen.append(done),
    )
    assert seen == sorted(seen)
    assert seen[-1] == 8
    assert {path.name for path in tmp_path.glob("*.json")} == {"0-0.json", "0-3.json", "1-0.json", "1-3.json"}
