from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from tests.explanations.models import additive, bumpy
from yoin.errors import MissingExtraError, UsageError
from yoin.explanations import Explanations, explain, to_shap

mpl.use("Agg")

# Importing shap makes matplotlib announce a change of its own.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

TEXTS = [
    "A large brown dog runs across the wide green field, with no visible text & without people looking up.",
    "  A red dog, a Red <b>dog</b>!\n",
    "dog",
    "",
]


@pytest.fixture(scope="module")
def explanations() -> Explanations:
    return explain(bumpy, TEXTS, budget=64)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_one_caption_is_its_spans_in_order(explanations: Explanations) -> None:
    import shap

    explanation = explanations.to_shap()
    assert isinstance(explanation, shap.Explanation)
    assert len(explanation) == len(list(explanation)) == len(TEXTS)
    for number, text in enumerate(TEXTS):
        rows = explanations.table[explanations.table["row_id"] == number]
        assert "".join(explanation[number].data) == text
        np.testing.assert_array_equal(explanation[number].values, rows["value"])
        assert explanation[number].base_values == rows["base_value"].iloc[0]
        assert explanation[number].values.sum() + explanation[number].base_values == pytest.approx(bumpy([text])[0])


def test_all_captions_are_one_matrix_by_distinct_span() -> None:
    explanation = explain(additive, TEXTS[1:]).to_shap()
    names = list(explanation.feature_names)
    assert names == ["a", "red", "dog", "b", "(blank)"]
    np.testing.assert_allclose(explanation[:, "dog"].values, [2.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_array_equal(explanation[:, "red"].data, [2, 0, 0])
    np.testing.assert_allclose(explanation.values.sum(axis=1) + explanation.base_values, additive(TEXTS[1:]))


def test_one_caption_s_clustering_is_the_tree_of_words_phrases_and_sentences() -> None:
    from scipy.cluster.hierarchy import fcluster, is_valid_linkage

    text = "A red dog, no text. Women dance! Rain falls on a road."
    explanation = explain(additive, [text, "dog", ""], budget=4000).to_shap()
    assert explanation[1].clustering is explanation[2].clustering is None
    tree = explanation[0].clustering
    assert is_valid_linkage(tree)
    assert [token.strip() for token in explanation[0].data] == [
        "A", "red", "dog,", "no text.", "Women", "dance!", "Rain", "falls", "on", "a", "road.",
    ]  # fmt: skip
    assert fcluster(tree, 0.4, "distance").tolist() == [1, 1, 1, 2, 3, 3, 4, 4, 5, 5, 5]
    assert fcluster(tree, 0.7, "distance").tolist() == [1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3]
    long = explain(additive, [text * 30], budget=100).to_shap()[0]
    assert is_valid_linkage(long.clustering)
    assert len(long.clustering) == len(long.values) - 1


def test_some_captions_keep_the_columns(explanations: Explanations) -> None:
    explanation = explanations.to_shap()
    for some in (explanation[1:3], explanation[[1, 2]], explanation[np.array([False, True, True, False])]):
        assert list(some.feature_names) == list(explanation.feature_names)
        np.testing.assert_array_equal(some.values, explanation.values[1:3])
        assert "".join(some[0].data) == TEXTS[1]
    with pytest.raises(IndexError):
        explanation[len(TEXTS)]


def test_text_plot_shows_every_caption_whole(explanations: Explanations) -> None:
    import shap

    html = shap.plots.text(explanations.to_shap(), display=False)
    assert html.count("inputs</div>") == len(TEXTS)
    assert "field, </div>" in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("plot", ["bar", "beeswarm", "heatmap", "violin"])
def test_plots_of_all_captions(explanations: Explanations, plot: str) -> None:
    import matplotlib.pyplot as plt
    import shap

    getattr(shap.plots, plot)(explanations.to_shap(), show=False)
    labels = {label.get_text().strip() for axes in plt.gcf().axes for label in axes.get_yticklabels()}
    assert labels & {"dog", "red", "a large brown dog", "no visible text", "with no visible text"}


@pytest.mark.parametrize("plot", ["bar", "waterfall"])
def test_plots_of_one_caption(explanations: Explanations, plot: str) -> None:
    import matplotlib.pyplot as plt
    import shap

    draw: Callable[..., object] = getattr(shap.plots, plot)
    draw(explanations.to_shap()[1], show=False)
    assert any("red" in label.get_text() for label in plt.gca().get_yticklabels())


def test_stored_table_and_chosen_captions(explanations: Explanations) -> None:
    captions = pd.Series(TEXTS, index=[10, 11, 12, 13])
    table = explanations.table.assign(row_id=explanations.table["row_id"] + 10)
    assert ["".join(row.data) for row in to_shap(table, captions, [12, 11])] == [TEXTS[2], TEXTS[1]]
    assert ["".join(row.data) for row in to_shap(table, dict(captions))] == TEXTS
    with pytest.raises(UsageError, match="explain, row 10: the caption is not explained"):
        to_shap(table, captions, [9])
    with pytest.raises(UsageError, match="explain: no caption is explained"):
        explain(bumpy, []).to_shap()


def test_shap_missing_names_the_command(explanations: Explanations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "yoin.explanations.shap_format", raising=False)
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'yoin\[shap\]'"):
        explanations.to_shap()
