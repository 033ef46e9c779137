import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yoin.errors import UsageError
from yoin.features import FeatureEncoder


def encode(**columns: object) -> tuple[FeatureEncoder, np.ndarray]:
    encoder = FeatureEncoder()
    return encoder, encoder.fit_transform(pd.DataFrame(columns))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_number_becomes_a_standardised_line_a_curve_and_an_indicator(random: np.random.Generator) -> None:
    values = random.normal(50, 10, 200)
    values[:20] = np.nan
    encoder, matrix = encode(price=values)
    line = matrix[:, encoder.names.index("price")]
    assert line.std() == pytest.approx(1)
    assert line[:20] == pytest.approx(line[0])  # blanks at the median
    np.testing.assert_array_equal(matrix[:, encoder.names.index("price=(missing)")], np.isnan(values))
    assert np.isfinite(matrix).all()


def test_curved_dependence_is_caught(random: np.random.Generator) -> None:
    year = random.integers(1920, 2020, 300)
    metric = ((year - 1970) / 50) ** 2
    _, matrix = encode(year=year)
    design = np.column_stack([np.ones(300), matrix])
    rest = metric - design @ np.linalg.lstsq(design, metric)[0]
    assert rest.var() < 0.01 * metric.var()


def test_numbers_that_are_codes_may_have_any_effect_each(random: np.random.Generator) -> None:
    code = random.integers(1, 6, 200)
    _, matrix = encode(code=code)
    assert matrix.shape == (200, 4)
    design = np.column_stack([np.ones(200), matrix])
    effect = np.array([0.0, 3, -1, 5, 2, 2])[code]
    np.testing.assert_allclose(design @ np.linalg.lstsq(design, effect)[0], effect, atol=1e-9)


def test_columns_and_an_intercept_are_linearly_independent(random: np.random.Generator) -> None:
    encoder, matrix = encode(
        year=random.integers(1920, 2020, 300),
        votes=random.lognormal(8, 2, 300),
        kind=random.choice(["film", "short", "series"], 300),
        stars=random.integers(1, 6, 300),
        genres=random.choice(["Drama, Crime", "Drama", "Comedy", "Crime"], 300),
    )
    assert encoder.kinds == {
        "year": "number",
        "votes": "number",
        "kind": "category",
        "stars": "number",
        "genres": "list",
    }
    assert np.linalg.matrix_rank(np.column_stack([np.ones(300), matrix])) == matrix.shape[1] + 1


def test_numbers_as_text_are_read() -> None:
    encoder, matrix = encode(votes=["28,744", "1,000", "12", "3.5", "40%", " 7 ", "", None, "1e3", "-5", "9"] * 3)
    assert encoder.kinds == {"votes": "number"}
    assert matrix[:, 0][1] == pytest.approx(matrix[:, 0][8])  # 1,000 and 1e3


def test_infinite_values_are_missing() -> None:
    encoder, matrix = encode(ratio=[1.0, 2.0, 3.0, np.inf, -np.inf, 4.0, 5.0, 6.0])
    np.testing.assert_array_equal(matrix[:, encoder.names.index("ratio=(missing)")], [0, 0, 0, 1, 1, 0, 0, 0])
    assert np.isfinite(matrix).all()


def test_huge_numbers_stay_finite() -> None:
    _, matrix = encode(big=[1e308, -1e308, 0.0, 1.0, 2.0] * 4)
    assert np.isfinite(matrix).all()


def test_dates_are_numbers() -> None:
    days = pd.date_range("2020-01-01", periods=40).strftime("%Y-%m-%d").tolist()
    encoder, matrix = encode(
        text=days, japanese=[day.replace("-", "年", 1).replace("-", "月", 1) + "日" for day in days]
    )
    assert encoder.kinds == {"text": "date", "japanese": "date"}
    assert not any(name.startswith("japanese") for name in encoder.names)  # equal columns are kept once
    stamps, from_stamps = encode(text=pd.to_datetime(days))
    np.testing.assert_allclose(matrix, from_stamps)
    assert stamps.kinds == {"text": "date"}


def test_rare_levels_are_pooled_and_unseen_ones_join_them() -> None:
    encoder, matrix = encode(kind=["film"] * 20 + ["short"] * 10 + ["a", "b", "c", "d", "e", "f"])
    assert encoder.names == ("kind=short", "kind=(other)")
    assert matrix[:, 1].sum() == 6
    assert encoder.notes == ("kind: 6 rare levels of 8 pooled into (other)",)
    unseen = encoder.transform(pd.DataFrame({"kind": ["opera", "film", None]}))
    np.testing.assert_array_equal(unseen, [[0, 1], [0, 0], [0, 1]])


def test_thousands_of_levels_are_capped() -> None:
    levels = [f"level {i % 2000}" for i in range(6000)] + [f"often {i % 100}" for i in range(2000)]
    encoder, matrix = encode(kind=levels)
    assert matrix.shape == (8000, 50)
    assert "pooled" in encoder.notes[0]


def test_blank_cells_of_a_category_are_a_level() -> None:
    encoder, matrix = encode(kind=["film"] * 10 + ["short"] * 6 + [None, "", "NaN", np.nan, pd.NA])
    assert encoder.names == ("kind=short", "kind=(missing)")
    assert matrix[:, 1].sum() == 5


@pytest.mark.parametrize("join", [", ", ";", "|", "、"])
def test_lists_become_one_column_an_item(join: str) -> None:
    cells = [join.join(items) for items in (["Drama", "Crime"], ["Drama"], ["Comedy", "Crime"], ["Comedy"])] * 10
    encoder, matrix = encode(genres=[*cells, None])
    assert encoder.kinds == {"genres": "list"}
    assert set(encoder.names) == {"genres:Drama", "genres:Crime", "genres:Comedy", "genres=(missing)"}
    np.testing.assert_array_equal(matrix[:, encoder.names.index("genres:Crime")], [1, 0, 1, 0] * 10 + [0])


def test_real_lists_are_lists() -> None:
    encoder, _ = encode(tags=[["red", "blue"], ["red"], ["blue", "green"], ["green"]] * 10)
    assert set(encoder.names) == {"tags:red", "tags:blue", "tags:green"}


def test_free_text_is_ignored_with_a_note() -> None:
    encoder, matrix = encode(title=[f"The film, number {i}" for i in range(100)], year=range(100))
    assert encoder.kinds["title"] == "ignored"
    assert encoder.notes == ("title: ignored (100 different texts in 100 rows)",)
    assert matrix.shape[1] == len([name for name in encoder.names if name.startswith("year")])


def test_constant_and_blank_columns_are_dropped_with_a_note() -> None:
    encoder, matrix = encode(same=["x"] * 10, blank=[None] * 10, one=[1.0] * 10, none=np.full(10, np.nan))
    assert matrix.shape == (10, 0)
    assert len(encoder.notes) == 4


def test_booleans_work() -> None:
    encoder, matrix = encode(flag=[True, False, False] * 5)
    assert encoder.names == ("flag=True",)
    assert matrix.sum() == 5
    assert encoder.transform(pd.DataFrame({"flag": [None, True]})).tolist() == [[0], [1]]


def test_a_missing_column_is_named() -> None:
    encoder, _ = encode(year=[1, 2, 3], kind=["a", "b", "a"])
    with pytest.raises(UsageError, match="lack 'kind'"):
        encoder.transform(pd.DataFrame({"year": [1]}))
    with pytest.raises(UsageError, match="no rows"):
        FeatureEncoder().fit(pd.DataFrame({"year": []}))


CELLS = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8), st.lists(st.text(max_size=3), max_size=3)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=40), st.lists(CELLS, min_size=1, max_size=10))
def test_any_cells_give_a_finite_matrix_that_does_not_depend_on_other_rows(train: list, other: list) -> None:
    encoder = FeatureEncoder().fit(pd.DataFrame({"x": pd.Series(train, dtype=object)}))
    matrix = encoder.transform(pd.DataFrame({"x": pd.Series(other, dtype=object)}))
    assert matrix.shape == (len(other), len(encoder.names))
    assert np.isfinite(matrix).all()
    alone = encoder.transform(pd.DataFrame({"x": pd.Series(other[-1:], dtype=object)}))
    np.testing.assert_allclose(matrix[-1:], alone)
