"""Briefs of whole studies, on captions that are there already and a linear rung: quick."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import yoin
from tests.e2e.conftest import Yoin, captions_and_metric
from tests.e2e.conftest import yoin as command  # noqa: F401 - a fixture
from yoin.brief import Brief, make_brief
from yoin.brief.check import Line
from yoin.brief.make import require_supported
from yoin.brief.text import neutral, plain
from yoin.errors import StudyError

METRIC = "score *[x](http://evil.example)*"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> yoin.Study:
    """Captions of which "red barn" goes with a higher score, and so does "old woman"; a hostile metric's name."""
    folder = tmp_path_factory.mktemp("brief")
    frame = captions_and_metric()
    random = np.random.default_rng(1)
    woman = random.random(len(frame)) < 0.5
    frame["caption"] += np.where(woman, " An old woman waits.", " A lamp post stands.")
    frame[METRIC] = (frame.pop("score") + 1.2 * woman).round(3)
    frame.to_csv(folder / "scores.csv", index=False)
    return yoin.run(
        folder / "scores.csv", caption="caption", metric=METRIC, model="tfidf", explain=20, seed=7, out=folder / "s"
    )


@pytest.fixture(scope="module")
def made(study: yoin.Study) -> Brief:
    return make_brief(study.folder)


def test_it_is_written_and_both_files_agree(study: yoin.Study, made: Brief) -> None:
    assert (study.folder / "brief.md").read_text("utf-8") == made.text
    told = json.loads((study.folder / "brief.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert told["text"] == made.text
    assert [one["concept"] for one in told["drivers"]] == [one.concept for one in made.drivers]


def test_it_builds_on_the_planted_driver_with_the_tables_numbers(study: yoin.Study, made: Brief) -> None:
    barn = next(one for one in made.drivers if one.concept == "red barn")
    row = study.drivers.set_index("concept").loc["red barn"]
    assert (barn.effect, barn.low, barn.high) == (row["lift"], row["lift_low"], row["lift_high"])
    assert f"+{row['lift']:.2f}" in made.text
    assert barn.cautious > barn.per_arm > 1


def test_people_are_no_advice(study: yoin.Study, made: Brief) -> None:
    woman = study.drivers[study.drivers["concept"].str.contains("woman")]
    assert (woman["q"] < 0.05).any()
    assert made.sensitive >= 1
    assert "woman" not in made.text + made.to_json()


def test_candidates_hold_what_goes_with_more_and_are_scored(study: yoin.Study, made: Brief) -> None:
    best = made.candidates[0]
    assert "red barn" in best.caption
    assert best.low < best.prediction < best.high
    assert best.prediction > study.summary.metric.mean
    assert "stone wall" in best.avoid


def test_it_never_says_causes(made: Brief) -> None:
    assert "goes with" in made.text
    assert not re.search(r"\b(cause|because of|leads? to|drives?|makes?|increases?|boosts?)\b", made.text)


def test_hostile_names_are_text(made: Brief) -> None:
    assert neutral(METRIC) in made.text
    assert METRIC not in made.text
    assert plain("a\x1b[31m\u202eb\nc" + "d" * 200).startswith("a [31m bc"[:4])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", made.text)
    assert neutral("<b>[x](y) `z`") == "&lt;b&gt;\\[x\\]\\(y\\) \\`z\\`"


def test_a_number_that_is_not_in_the_study_is_refused() -> None:
    require_supported([Line("it is 0.5", "a")], {"a": [0.5]})
    with pytest.raises(StudyError, match=r"a number that is not in the study: 0\.6"):
        require_supported([Line("it is 0.6", "a")], {"a": [0.5]})


def test_the_command_prints_it(study: yoin.Study, made: Brief, command: Yoin) -> None:  # noqa: F811
    done = command("brief", study.folder, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == made.text


def test_without_signal_there_is_nothing_to_build_on(tmp_path: Path, command: Yoin) -> None:  # noqa: F811
    frame = captions_and_metric()
    frame["score"] = np.random.default_rng(3).permutation(frame["score"])
    frame.to_csv(tmp_path / "scores.csv", index=False)
    noise = yoin.run(
        tmp_path / "scores.csv", caption="caption", metric="score", model="tfidf", explain=0, out=tmp_path / "s"
    )
    assert noise.summary.signal.verdict == "none"
    done = command("brief", noise.folder)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert "nothing to build on" in text
    assert text == (noise.folder / "brief.md").read_text("utf-8")
    assert not re.search(r"\d", text)


def test_a_study_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is not a study"):
        make_brief(tmp_path)


def test_drivers_are_those_of_the_table(study: yoin.Study, made: Brief) -> None:
    significant = study.drivers[study.drivers["q"].astype(float) < 0.05]["concept"]
    assert {one.concept for one in made.drivers} | set(made.left_out) <= set(significant)
    assert len(made.drivers) + len(made.left_out) + made.sensitive == len(pd.unique(significant))
