"""Each mistake a user can make is one clear sentence with the right exit code."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.conftest import Yoin, captions_and_metric, summary_of

RUN = ("--caption", "caption", "--metric", "score", "--model", "tfidf", "--explain", 0)


def one_sentence(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("yoin: ")
    return lines[0]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--caption", "captoin", "--metric", "score"), 2, "captoin.*caption"),
        (("--caption", "caption", "--metric", "caption"), 2, "metric"),
        (("--metric", "score"), 2, "image.*caption|caption.*image"),
        (("--caption", "caption", "--metric", "year", "--features", "nope"), 2, "nope"),
        (("--caption", "caption", "--metric", "score", "--model", "berd:x"), 2, "no model named 'berd'"),
        (("--image", "caption", "--metric", "score", "--captioner", "descrbe"), 2, "no captioner named.*describe"),
        (("--caption", "caption", "--metric", "score", "--limit", "20", "--model", "tfidf"), 3, "30"),
        (("--caption", "caption", "--metric", "score", "--seed", "-1"), 2, "seed cannot be -1"),
        (("--image", "caption", "--metric", "score", "--model", "tfidf"), 3, "only 0 rows have a caption"),
    ],
)
def test_options(yoin: Yoin, table: Path, tmp_path: Path, options: tuple[str, ...], code: int, words: str) -> None:
    done = yoin("run", table.name, *options)
    assert done.returncode == code, done.stderr
    import re

    assert re.search(words, one_sentence(done.stderr))


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", "", 2),
        ("header.csv", "caption,score\n", 2),
        ("constant.csv", "caption,score\n" + "a cat,1\n" * 50, 2),
        ("missing.csv", "caption,score\n" + "a cat,\n" * 50, 3),
        ("words.csv", "caption,score\n" + "a cat,good\n" * 50, 2),
    ],
)
def test_tables(yoin: Yoin, tmp_path: Path, name: str, content: str, code: int) -> None:
    (tmp_path / name).write_text(content)
    done = yoin("run", name, *RUN)
    assert done.returncode == code, done.stderr
    one_sentence(done.stderr)
    assert not (tmp_path / name).with_suffix(".yoin").exists()  # nothing came of it, nothing is left behind


def test_no_such_table_names_the_near_one(yoin: Yoin, table: Path) -> None:
    done = yoin("run", "score.csv", *RUN)
    assert done.returncode == 2
    assert "did you mean 'scores.csv'?" in one_sentence(done.stderr)


def test_a_folder_of_something_else_is_left_alone(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("x")
    done = yoin("run", table.name, *RUN, "--out", "mine")
    assert done.returncode == 2
    assert "is not empty and not a study" in one_sentence(done.stderr)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a.txt"]


def test_a_study_of_another_table_is_left_alone(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    assert yoin("run", table.name, *RUN, "--out", "s").returncode == 0
    captions_and_metric(seed=5).to_csv(tmp_path / "other.csv", index=False)
    done = yoin("run", "other.csv", *RUN, "--out", "s")
    assert done.returncode == 2
    assert "a study of another table, scores.csv" in one_sentence(done.stderr)


def test_blank_captions_are_counted_and_nothing_is_lost(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).astype({"score": object})
    frame.loc[[3, 4], "caption"] = " "
    frame.loc[7, "score"] = ""
    frame.loc[9, "score"] = "about six"
    frame.to_csv(table, index=False)
    assert yoin("run", table.name, *RUN).returncode == 0
    summary = summary_of(tmp_path / "scores.yoin")
    assert summary["rows"] == {
        "read": 120,
        "used": 116,
        "dropped": {"no_metric": 1, "metric_not_a_number": 1, "no_caption": 2},
    }
    assert summary["missing"]["n_missing"] == 2


def test_hostile_cells_are_text_everywhere(yoin: Yoin, tmp_path: Path) -> None:
    frame = captions_and_metric()
    evil = '<script>alert(1)</script><img src=x onerror=alert(2)> =HYPERLINK("http://x") '
    frame["caption"] = [evil + text if n % 2 else text for n, text in enumerate(frame["caption"])]
    frame = frame.rename(columns={"score": "<b>score</b>"})
    frame.to_csv(tmp_path / "e.csv", index=False)
    done = yoin("run", "e.csv", "--caption", "caption", "--metric", "<b>score</b>", "--model", "tfidf", "--explain", 5)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "e.yoin" / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>score" not in page
    for line in (tmp_path / "e.yoin" / "drivers.csv").read_text("utf-8").splitlines()[1:]:
        assert not line.startswith(("=", "+", "-", "@"))


def test_help_and_doctor(yoin: Yoin, own_process: Yoin) -> None:
    assert own_process("--help").returncode == 0
    assert own_process("run").returncode == 2
    assert yoin("nonsense").returncode == 2
    shown = yoin("doctor")
    assert shown.returncode == 0
    assert "tfidf" in shown.stdout
