from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.explanations.models import Counting, additive, bumpy
from yoin.errors import UsageError
from yoin.explanations import api as api_module
from yoin.explanations import explain, explain_captions, select_rows
from yoin.options import ExplainOptions
from yoin.values import EXPLANATION_COLUMNS

LONG = "A large brown dog runs across the wide green field, with no visible text and without people looking up. " * 3
TEXTS = [LONG, "a red dog", "", "😀😀", "a red dog", "...", " ", "大きな犬が走る。"]


def test_table_of_spans() -> None:
    explanations = explain(bumpy, TEXTS)
    table = explanations.table
    assert tuple(table.columns) == EXPLANATION_COLUMNS
    assert table["row_id"].is_monotonic_increasing
    assert set(table["row_id"]) == set(range(len(TEXTS)))
    for row_id, spans in table.groupby("row_id"):
        text = TEXTS[row_id]
        assert spans["text"].tolist() == [
            text[start:end] for start, end in zip(spans["start"], spans["end"], strict=True)
        ]
        assert (spans["start"].to_numpy()[1:] >= spans["end"].to_numpy()[:-1]).all()
        assert "".join("".join(spans["text"]).split()) == "".join(text.split())
        assert spans["prediction"].unique().tolist() == bumpy([text]).tolist()
        assert spans["base_value"].unique().tolist() == bumpy([""]).tolist()
        assert spans["value"].sum() + bumpy([""])[0] == pytest.approx(bumpy([text])[0], rel=1e-9)
    assert (table.groupby("row_id")["std_error"].max() > 0).tolist() == [True] + [False] * 7


def test_nothing_to_explain() -> None:
    table = explain(bumpy, []).table
    assert tuple(table.columns) == EXPLANATION_COLUMNS
    assert table.empty


@pytest.mark.parametrize("budget", [16, 50, 256, 1000])
def test_budget_is_kept(budget: int) -> None:
    for text in [LONG * 4, "red dog, " * 40, "a red dog on the grass", "犬が走る。" * 9]:
        model = Counting(bumpy)
        explanations = explain(model, [text], budget=budget)
        assert model.calls == explanations.calls <= budget


@pytest.mark.parametrize("budget", [16, 50, 256, 1000])
def test_budget_is_used(budget: int) -> None:
    model = Counting(bumpy)
    explain(model, ["".join(f"red{number} dog{number}, " for number in range(40))], budget=budget)
    assert model.calls > 0.9 * budget


@pytest.mark.parametrize("phrases", [0, 3, 13, 30, 48, 49, 300])
def test_without_a_budget_it_follows_the_phrases(phrases: int) -> None:
    text = ", ".join(f"red{number} dog{number}" for number in range(phrases))
    budget = min(max(80, 5 * phrases), 240)
    model = Counting(bumpy)
    by_default = explain(model, [text])
    assert model.calls == by_default.calls <= budget
    pd.testing.assert_frame_equal(by_default.table, explain(bumpy, [text], budget=budget).table)


def test_many_captions_are_evaluated_together() -> None:
    model = Counting(bumpy)
    explain(model, [f"{LONG} {number}" for number in range(8)], budget=256)
    assert len(model.batches) == 2  # phrases, then words
    assert len(model.batches[0]) > 8 * 120  # small sets of equal phrases are equal texts
    assert all(len(batch) == len(set(batch)) for batch in model.batches)


def test_explanations_do_not_depend_on_company(monkeypatch: pytest.MonkeyPatch) -> None:
    together = explain(bumpy, TEXTS, seed=3).table
    monkeypatch.setattr(api_module, "GROUP_TEXTS", 256)
    pd.testing.assert_frame_equal(explain(bumpy, TEXTS, seed=3).table, together)
    alone = explain(bumpy, [LONG], seed=3).table
    pd.testing.assert_frame_equal(alone, together[together["row_id"] == 0])
    assert not np.array_equal(explain(bumpy, [LONG], seed=4).table["value"], alone["value"])


def test_five_thousand_words() -> None:
    model = Counting(additive)
    table = explain(model, ["red dog " * 2500]).table
    assert model.calls <= 256
    assert len(table) <= 64
    np.testing.assert_allclose(table["value"], [additive([text])[0] - 2 for text in table["text"]], atol=1e-8)


def test_progress_counts_every_text() -> None:
    seen: list[tuple[int, int]] = []
    explain(bumpy, TEXTS, progress=lambda done, total, note: seen.append((done, total)))
    assert seen[-1] == (len(TEXTS), len(TEXTS))
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("texts", "budget", "words"),
    [
        ("a dog", 256, r"explain: texts is a single str; give a list of texts"),
        (["a", None], 256, r"explain, row 2: the text is a NoneType, not a str"),
        (["\ud800"], 256, r"explain, row 1: the text has half a surrogate pair"),
        (["a"], 15, r"explain: the budget is 15; give at least 16"),
    ],
)
def test_wrong_input_is_named(texts: list[str], budget: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        explain(bumpy, texts, budget=budget)


def test_each_caption_by_the_model_of_its_own_fold() -> None:
    captions = pd.DataFrame(
        {
            "row_id": [7, 3, 11, 5],
            "caption": ["a red dog", "no text", "a red dog", "a red dog"],
            "fold": [1, 0, 1, 0],
        },
        index=[50, 60, 70, 80],
    )
    models = {0: Counting(additive), 1: Counting(lambda texts: 10 * additive(texts))}
    seen: list[tuple[int, int]] = []
    options = ExplainOptions(budget=32, interactions=0)
    table = explain_captions(
        captions, models, options=options, progress=lambda done, total, _: seen.append((done, total))
    ).table
    assert tuple(table.columns) == EXPLANATION_COLUMNS
    assert list(dict.fromkeys(table["row_id"])) == [7, 3, 11, 5]
    assert table.groupby("row_id")["base_value"].first().to_dict() == {3: 2, 5: 2, 7: 20, 11: 20}
    first = [text for batch in models[1].batches[:1] for text in batch]
    assert len(first) == len(set(first)) <= 8  # three words, once for two rows
    np.testing.assert_allclose(
        table[table["row_id"] == 7]["value"], 10 * table[table["row_id"] == 5]["value"].to_numpy(), atol=1e-12
    )
    assert seen[-1] == (4, 4)
    with pytest.raises(UsageError, match="explain: there is no model of fold 1"):
        explain_captions(captions, {0: additive}, options=ExplainOptions())
    assert explain_captions(captions[:0], models, options=ExplainOptions()).table.empty


def test_rows_are_spread_over_the_metric() -> None:
    rng = np.random.default_rng(0)
    metric = pd.Series(rng.lognormal(size=1000), index=rng.permutation(5000)[:1000])
    chosen = select_rows(metric, 50, seed=1)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == 50
    ranks = np.sort(metric.rank()[chosen].to_numpy() - 1)
    np.testing.assert_array_equal(ranks // 20, np.arange(50))
    assert chosen == select_rows(metric, 50, seed=1)
    assert chosen != select_rows(metric, 50, seed=2)


def test_few_or_all_or_no_rows() -> None:
    metric = pd.Series([3.0, 1.0, 1.0], index=[9, 4, 6])
    assert select_rows(metric, "all", 0) == select_rows(metric, 3, 0) == select_rows(metric, 99, 0) == [4, 6, 9]
    assert select_rows(metric, 0, 0) == []
    assert {row for seed in range(20) for row in select_rows(metric, 1, seed)} == {4, 6, 9}
