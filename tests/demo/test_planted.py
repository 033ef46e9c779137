import numpy as np
import pandas as pd
import pytest
from PIL import Image

from yoin.demo import PLANTED, plant, write
from yoin.demo.planted import draw_facts, ratings

FACTS = [planted.column for planted in PLANTED]


def held(facts: pd.DataFrame, column: str) -> np.ndarray:
    return facts[column].fillna(False).to_numpy(float)


def beside_a_line_in_the_year(facts: pd.DataFrame, column: str, rating: np.ndarray) -> float:
    """The least-squares coefficient of a fact next to an intercept and the year."""
    design = np.column_stack([held(facts, column), np.ones(len(facts)), facts["year"] - 1975])
    return float(np.linalg.lstsq(design, rating, rcond=None)[0][0])


@pytest.fixture(scope="module")
def population() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(7)
    facts = pd.concat([draw_facts(2000, rng) for _ in range(20)], ignore_index=True)
    return facts, ratings(facts, rng)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.column)
def test_the_stated_effects_are_the_populations(planted, population):
    facts, rating = population
    assert beside_a_line_in_the_year(facts, planted.column, rating) == pytest.approx(planted.effect, abs=0.06)
    with_it = held(facts, planted.column) > 0
    assert rating[with_it].mean() - rating[~with_it].mean() == pytest.approx(planted.raw, abs=0.06)


def test_black_and_white_moves_nothing_within_a_year(population):
    facts, rating = population
    mixed = facts["year"].between(1955, 1977)  # years with both kinds
    gaps = []
    for year in range(1955, 1978):
        rows = facts["year"] == year
        grey = facts.loc[rows, "black_and_white"]
        gaps.append(rating[rows][grey].mean() - rating[rows][~grey].mean())
    error = rating[mixed].std() * 2 / np.sqrt(mixed.sum())
    assert abs(np.mean(gaps)) < 4 * error
    (fact,) = [planted for planted in PLANTED if planted.kind == "follows_year"]
    assert fact.effect == 0 > fact.raw


def test_ratings_stay_on_their_scale_without_piling_up_at_its_ends(population):
    _, rating = population
    assert rating.min() >= 1
    assert rating.max() <= 10
    assert np.mean((rating == 1) | (rating == 10)) < 0.002


@pytest.mark.parametrize("seed", range(5))
def test_every_fact_has_enough_posters_on_both_sides(seed: int):
    _, facts, _ = plant(150, seed)
    for column in FACTS:
        assert 30 <= held(facts, column).sum() <= 110
    assert (facts["warm"].isna() == facts["black_and_white"]).all()


def test_facts_are_independent_but_for_the_year(population):
    facts, _ = population
    columns = pd.DataFrame({column: held(facts, column) for column in FACTS if column != "warm"})
    columns["warm"] = facts["warm"].astype("Float64").fillna(0.5).to_numpy(float)
    correlation = columns.corr().to_numpy() - np.eye(len(FACTS))
    assert np.abs(correlation).max() < 0.02
    assert np.corrcoef(held(facts, "black_and_white"), facts["year"])[0, 1] < -0.6


def test_the_same_seed_plants_the_same_table():
    for first, second in zip(plant(60, 3)[:2], plant(60, 3)[:2], strict=True):
        pd.testing.assert_frame_equal(first, second)
    assert not plant(60, 3)[0].equals(plant(60, 4)[0])


def test_write_paints_every_row_of_the_table(tmp_path):
    path = write(tmp_path / "posters", n=12, seed=1)
    table = pd.read_csv(path)
    assert list(table.columns) == ["image", "title", "year", "rating"]
    for name in table["image"]:
        with Image.open(path.parent / name) as image:
            assert image.format == "JPEG"
            assert min(image.size) >= 200
    pd.testing.assert_frame_equal(table, plant(12, 1)[0], check_dtype=False)
    again = write(tmp_path / "again", n=12, seed=1)
    for name in table["image"]:
        assert (path.parent / name).read_bytes() == (again.parent / name).read_bytes()
