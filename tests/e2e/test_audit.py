"""The audit from the command line: mentions set apart, groups, copies and time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import Yoin, captions_and_metric, summary_of

QUICK = ("--caption", "caption", "--metric", "score", "--model", "tfidf", "--explain", 0)


def test_an_audited_study(yoin: Yoin, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    frame = captions_and_metric()
    woman, south = random.random((2, len(frame))) < 0.5
    frame["caption"] += np.where(woman, " A woman waits.", " A lamp hangs.")
    frame["score"] += 1.5 * woman + 1.5 * south
    frame["region"] = np.where(south, "south", "north")
    frame["day"] = pd.date_range("2021-01-01", periods=len(frame)).strftime("%Y-%m-%d")
    frame["score"] += 2.0 * (np.arange(len(frame)) >= 60)
    frame.to_csv(tmp_path / "scores.csv", index=False)
    (tmp_path / "words.toml").write_text('[animals]\ncats = ["cat"]\n', "utf-8")
    done = yoin("run", "scores.csv", *QUICK, "--audit", "region,day", "--audit-words", "words.toml", "--out", "s")
    assert done.returncode == 0, done.stderr

    audit = summary_of(tmp_path / "s")["audit"]
    drivers = pd.read_csv(tmp_path / "s" / "drivers.csv").set_index("concept")
    women = next(one for one in audit["mentions"] if one["mention"] == "women")
    assert women["n_with"] == woman.sum()
    assert women["low"] > 0
    assert audit["set_apart"] >= 2
    for concept, topic in (("woman", "gender"), ("cat", "animals")):
        row = drivers.filter(like=concept, axis=0).iloc[0]
        assert f"about people ({topic}): no advice" in row["note"]
        assert np.isnan(row["opportunity"])
    region = next(one for one in audit["subgroups"] if one["group"] == "south")
    assert region["low"] > 0
    assert any(sentence.startswith("By day, the metric of the later half") for sentence in audit["warnings"])
    page = (tmp_path / "s" / "report.html").read_text("utf-8")
    assert "What may be biased here" in page
    assert "By day, the metric of the later half" in page


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--audit", "nowhere"), "no column named 'nowhere' (asked for as --audit)"),
        (("--audit", "score"), "used as the metric and as a column to audit"),
        (("--audit-words", "none.toml"), "cannot be read"),
        (("--audit-words", "scores.csv"), "not a TOML file"),
    ],
)
def test_what_cannot_be_audited_is_said_in_a_sentence(
    yoin: Yoin, table: Path, words: tuple[str, str], problem: str
) -> None:
    done = yoin("run", table.name, *QUICK, *words)
    assert done.returncode == 2
    assert problem in done.stderr
    assert not (table.parent / "scores.yoin").exists()
